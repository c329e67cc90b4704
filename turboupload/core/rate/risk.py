"""What a process that is killed may lose, and what follows for the parts and for the window.

A part that has not been accepted is lost with its process. So what is in flight is bounded by what
the link sends in `RISK_S`, or by two of the least parts on a link that is slower still: parts are
smaller on a slow link, and fewer at a time.
"""

from __future__ import annotations

from collections import deque

from turboupload import limits
from turboupload.units import MIB

__all__ = ["LinkRate", "most_at_risk", "most_parts", "part_size_for"]

RISK_S = 15.0
"""So much of the link's time may be lost, in seconds."""

RISK_LEAST_BYTES = 16 * MIB
"""And two of the least parts in any case: one alone would leave the link idle between two."""

FILLING = 8
"""So many parts fill the bound: enough connections for any link, and about one transaction in two
seconds. The recorded uploads at the service had parts of 90 MiB and more, so none is smaller than
this needs."""

PROBE_S = 2.0
"""After so long a link is known. Whatever left in that time is within the bound at any rate."""

SETTLED_S = 1.0
"""What left before is no measure, in seconds: buffers on the way were filled."""

SPAN_S = 10.0
"""The rate is that of the last so many seconds in which parts were leaving."""

STALL_S = 2.0
"""A pause that is longer is a stall, in seconds, and no measure of the link."""

MEMORY_S = 86_400.0
"""After so long a remembered rate is forgotten, in seconds: a machine may be on another link."""

LEAST_S = 0.5
"""What arrived in less is a burst, and says nothing of the link, in seconds."""

NEWS = 1.25
"""By such a factor a rate must differ from the one that is remembered, to be worth a write."""


def most_at_risk(bytes_per_s: float) -> float:
    """How many bytes may be in flight at this rate."""
    return max(RISK_S * bytes_per_s, RISK_LEAST_BYTES)


def most_parts(bytes_per_s: float, part_bytes: int) -> int:
    """How many parts of this size may be in flight at this rate, at least 1."""
    return max(1, int(most_at_risk(bytes_per_s) / max(1, part_bytes)))


def part_size_for(bytes_per_s: float | None) -> int:
    """The part size for a link of this rate, in bytes: whole MiB, from 8 to 100.

    Transactions are scarce, so it is the largest there is where the rate isn't known to be low.
    """
    if bytes_per_s is None:
        return limits.MAX_PART_BYTES
    whole_mib = int(most_at_risk(bytes_per_s) / FILLING) // MIB * MIB
    return max(limits.MIN_PART_BYTES, min(limits.MAX_PART_BYTES, whole_mib))


class LinkRate:
    """What is known of the link's rate, from what was seen to leave on it.

    Args:
        cap: What the user allows, in bytes a second.
        remembered: What an earlier process measured, in bytes a second.

    Attributes:
        cap: As given; it may be changed.
        measured: Over the last seconds in which parts were leaving, in bytes a second; None while
            nothing was seen.
    """

    def __init__(self, *, cap: float | None = None, remembered: float | None = None) -> None:
        self.measured: float | None = None
        self.cap = cap
        self._remembered = remembered
        self._least = 0.0
        self._busy_s = self._still_s = 0.0
        self._at: float | None = None
        self._left = 0
        self._marks: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._moved = 0

    def observed(self, left_bytes: int, now: float, *, leaving: bool) -> None:
        """Takes in what has left the machine.

        Args:
            left_bytes: In all, without what the kernel still holds.
            now: Seconds, on a steady clock.
            leaving: Whether one part's bytes were leaving ever since the last observation. Time
                in which nothing was to be sent says nothing of the link.
        """
        seconds = now - self._at if self._at is not None else 0.0
        moved = max(0, left_bytes - self._left)
        self._at, self._left = now, max(self._left, left_bytes)
        if not leaving or seconds <= 0:
            # Parts that are over within an observation are no measure, but a least one.
            if self.measured is not None and seconds > 0:
                self.measured = max(self.measured, moved / seconds)
            return
        self._still_s += seconds
        if not moved:
            return
        self._busy_s += min(self._still_s, STALL_S)
        self._still_s = 0.0
        self._moved += moved
        self._marks.append((self._busy_s, self._moved))
        while self._stale(self._marks[1][0]):
            self._marks.popleft()
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        self.measured = (after - before) / (last - first)

    def arrived(self, count: int, seconds: float) -> None:
        """Takes in that the service has accepted so many bytes, all of them sent within this time.

        The link gives at least as much. Small parts are over between two observations, so on a link
        that became fast, they would never tell that what is remembered is wrong.
        """
        if seconds >= LEAST_S:
            self._least = max(self._least, count / seconds)

    def _stale(self, second: float) -> bool:
        """Whether the oldest mark isn't needed any more, when `second` is that of the next."""
        if len(self._marks) <= 2:
            return False
        filled_buffers = second <= SETTLED_S and self._busy_s >= PROBE_S
        return filled_buffers or self._busy_s - second >= SPAN_S

    @property
    def is_known(self) -> bool:
        """Whether parts have been leaving for long enough to judge the link by them."""
        return self._busy_s >= PROBE_S

    @property
    def rate(self) -> float | None:
        """By which files are cut, in bytes a second; None where nothing says that it is low."""
        known = self.measured if self.is_known else self._remembered
        if self._remembered is not None and known is not None and not self.is_known:
            known = max(known, self.measured or 0.0, self._least)
        return min((each for each in (self.cap, known) if each is not None), default=None)

    def window(self, part_bytes: int, *, start: int) -> int:
        """How many parts may be in flight.

        Args:
            part_bytes: The largest part that may be sent.
            start: So many may be in flight while the link isn't known.
        """
        if self.is_known or self.rate is not None:
            return most_parts(self.rate or 0.0, part_bytes)
        if self.measured is None:
            return start
        # Half of what it seems: the first bytes fill buffers, and what has begun can't be undone.
        return max(start, most_parts(self.measured / 2, part_bytes))

    def news(self, *, is_least: bool) -> float | None:
        """The rate, where the next process should know of it.

        Args:
            is_least: The link may give more, since something else was what limited.
        """
        before = self._remembered
        if not self.is_known or self.measured is None:
            refuted = before is not None and self._least > before * NEWS
            return self._least if refuted else None
        if is_least and (before is None or self.measured < before):
            return None
        if before is not None and before / NEWS <= self.measured <= before * NEWS:
            return None
        return self.measured

    def remember(self, bytes_per_s: float) -> None:
        """Takes in that the next process will know this rate."""
        self._remembered = bytes_per_s
