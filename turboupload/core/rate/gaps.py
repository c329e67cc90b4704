"""How far apart the calls of a narrow quota leave, where the service's bucket holds a single token.

Turns come evenly, calls don't: a process that is busy wakes up late, or its call is long on its
way, and the call after it comes before the bucket is full again. The clock tells how late a call
has left. How long it was on its way nobody tells, but its answer bounds it: what it took beyond the
quickest one may have been spent on the way. It may also be the service's own time, so it counts
only once the service has shown, by a refusal, that it is that strict, and only up to a limit.
"""

from __future__ import annotations

from math import inf
from typing import Final

from turboupload.core.rate.turns import NARROW

__all__ = ["Gap"]

MOST_LATE_S: Final = 0.05
"""By so much a call may have been late on its way, in seconds."""


class Gap:
    """The gap between the calls of one operation that this process makes.

    Times are in seconds, on one steady clock.
    """

    def __init__(self) -> None:
        self._left = -inf
        self._quickest_s = inf
        self._wary = False

    def wait_s(self, per_s: float, now: float) -> float:
        """How long the next call waits although its turn has come.

        Args:
            per_s: The quota, in transactions a second.
            now: The time.
        """
        return max(0.0, self._left + 1 / per_s - now) if per_s <= NARROW else 0.0

    def leave(self, now: float) -> None:
        """A call leaves."""
        self._left = now

    def answered(self, left_at: float, now: float) -> None:
        """The service has answered a call, which left then."""
        self._quickest_s = min(self._quickest_s, now - left_at)
        if self._wary:
            late_s = min(now - left_at - self._quickest_s, MOST_LATE_S)
            self._left = max(self._left, left_at + late_s)

    def refused(self, again_s: float, now: float) -> None:
        """A call was refused, and is made again after so long in its turn; 0 if it isn't."""
        self._wary = True
        if again_s > 0:
            self._left = now + again_s
