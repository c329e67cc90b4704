"""How long to look for something before "it is not there" is believed.

How soon a listing shows what was just made is documented nowhere. So what one look doesn't show
may be there all the same, and only after many looks over a time that no lag explains is it not.
"""

from __future__ import annotations

__all__ = ["Patience", "patience_for"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0


def patience_for(listing_lag_s: float) -> float:
    """How long to look for what a listing may show so much later, in seconds."""
    return 1.25 * listing_lag_s


class Patience:
    """The looks that are left: `pause_s` is taken before each, until it is `exhausted`.

    The first look comes at once, the last one when `whole_s` have passed. What goes on in a look
    isn't counted, so that the whole takes longer rather than shorter.

    Args:
        whole_s: The time that all pauses take together, in seconds.

    Attributes:
        pause_s: How long to wait before the next look, in seconds.
        exhausted: Whether no look is left.
    """

    def __init__(self, whole_s: float) -> None:
        self._left_s = whole_s
        self.pause_s = 0.0
        self.exhausted = False

    def looked(self) -> None:
        """Counts a look, and the pause before it."""
        self._left_s -= self.pause_s
        self.exhausted = self._left_s <= 0
        longer = max(_FIRST_PAUSE_S, 2 * self.pause_s)
        self.pause_s = max(0.0, min(_LONGEST_PAUSE_S, longer, self._left_s))
