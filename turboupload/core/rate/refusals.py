"""Whether the service grants fewer transactions than the quota that we keep to, and how many.

The turns never come faster than the quota says. So calls that are throttled all the same,
again and again, tell that the account has less of it, or that others take their share.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Refusals"]

LEAST_S: Final = 20.0
"""How long calls must be throttled, in seconds: two bursts that meet at the edge of the service's
own bucket say nothing."""

GAP_S: Final = 30.0
"""A pause between two throttled calls, in seconds, after which it begins anew."""

LEAST_REFUSED: Final = 5
LEAST_SHARE: Final = 0.02
"""So many calls must be throttled, and so large a share of them all."""

MOST_GRANTED: Final = 0.9
"""As long as more than this share of the quota is granted, nothing is said."""


class Refusals:
    """The answers to the calls of one operation, throttled or not.

    Args:
        quota: What we keep to, in transactions a second.
    """

    def __init__(self, quota: float) -> None:
        self._quota = quota
        self._since: float | None = None
        self._last = 0.0
        self._granted = self._refused = 0
        self._told = False

    def granted(self) -> None:
        """Takes in that a call was let through."""
        self._granted += 1

    def refused(self, now: float) -> float | None:
        """Takes in that a call was throttled.

        Args:
            now: In seconds, on a steady clock.

        Returns:
            How many a second were granted while others were throttled; None where that says
            nothing (yet), or was told before.
        """
        if self._since is None or now - self._last > GAP_S:
            self._since = now
            self._granted = self._refused = 0
        self._last = now
        self._refused += 1
        seconds = now - self._since
        calls = self._granted + self._refused
        if self._told or seconds < LEAST_S or self._refused < LEAST_REFUSED:
            return None
        rate = self._granted / seconds
        if self._refused < LEAST_SHARE * calls or rate > MOST_GRANTED * self._quota:
            return None
        self._told = True
        return rate
