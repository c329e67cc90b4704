"""How many parts may be in flight.

The window starts small, grows while that brings more bytes a second, and holds where it doesn't.
Throttling doesn't concern it: that says how many parts may begin in a second (`turns`), and those
take as long as they take. It is never larger than what may be at risk (`risk`).
"""

from __future__ import annotations

__all__ = ["Window"]

START = 2
"""Few at first: what several parts share arrives late, and is lost with the process."""

MOST = 64
"""More connections brought nothing on any link we measured."""

GAIN = 0.2
"""A larger window must bring at least this share of what it would bring if the rate followed it;
less is noise."""

FIRST_GROWTH = 2.0
GROWTH = 1.5
"""By how much it is enlarged, until the first size that brought nothing, and afterwards."""

SETTLE_S = 1.0
"""How long a new size works before it is judged, in seconds."""

LOOK_S = 0.2
FIRST_SETTLE_S = 2.0
"""Until the first size that brought nothing: from when on a gain is believed, and how long it is
waited for, in seconds. A new connection takes some round trips to come to its speed."""

PROBE_S = 15.0
"""How long a size is held before a larger one is tried again, in seconds."""


class Window:
    """The number of parts in flight, from what is observed.

    Args:
        fixed: The user's own number; nothing changes it.

    Attributes:
        size: How many parts may be in flight now.
        is_fixed: Whether it stays as it is.
    """

    def __init__(self, *, fixed: int | None = None) -> None:
        self.size = fixed or START
        self.is_fixed = fixed is not None
        self._best = 0.0
        self._fallback: int | None = None
        self._starting = True
        self._resized_at: float | None = None
        self._judge_at = 0.0

    @property
    def is_starting(self) -> bool:
        """Whether it is still looking for its size, so that it is worth a look more often."""
        return self._starting and not self.is_fixed

    def fix(self, size: int | None, now: float) -> None:
        """Takes the user's own number; None lets it find its size again, from where it is.

        Args:
            size: How many parts may be in flight.
            now: Seconds, on any steady clock.
        """
        self.is_fixed = size is not None
        self.size = size or min(self.size, MOST)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Judges no size by what was sent before: something else has changed."""
        self._best, self._fallback = 0.0, None
        self._resized(now)

    def observed(self, bytes_per_s: float, *, most: int, full: bool, now: float) -> None:
        """Takes a measurement in, over the last moments.

        Args:
            bytes_per_s: What went out.
            most: How many parts may be in flight, whatever they would bring.
            full: Whether the window was what limited: as many in flight as allowed.
            now: Seconds, on any steady clock.
        """
        if self.is_fixed:
            return
        if self._resized_at is None:
            self._resized(now)
        if self.size > most:
            self.size, self._fallback = most, None
            self._resized(now)
            return
        gained = self._fallback is None or bytes_per_s >= self._best * self._wanted_gain()
        if not full or not self._may_judge(now, gained=gained and bytes_per_s > 0):
            return
        if not gained:
            assert self._fallback is not None
            self.size, self._fallback = self._fallback, None
            self._starting = False
            self._judge_at = now + PROBE_S
            return
        self._best = bytes_per_s
        self._grow(most, now)

    def _may_judge(self, now: float, *, gained: bool) -> bool:
        assert self._resized_at is not None
        if self._starting and gained:
            return now >= self._resized_at + LOOK_S
        return now >= self._judge_at

    def _resized(self, now: float) -> None:
        self._resized_at = now
        self._judge_at = max(self._judge_at, now + (FIRST_SETTLE_S if self._starting else SETTLE_S))

    def _wanted_gain(self) -> float:
        assert self._fallback is not None
        return 1.0 + GAIN * (self.size / self._fallback - 1.0)

    def _grow(self, most: int, now: float) -> None:
        growth = int(self.size * FIRST_GROWTH) if self._starting else int(self.size * GROWTH) + 1
        target = min(MOST, most, growth)
        if target > self.size:
            self._fallback, self.size = self.size, target
            self._resized(now)
        else:
            self._fallback = None
            self._judge_at = now + (SETTLE_S if self.size == most else PROBE_S)
