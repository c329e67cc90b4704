"""How many parts may be in flight.

The window grows while that brings more bytes a second, holds where it doesn't, and shrinks when
the service throttles. On a slow link it stays small, so that a part that is lost costs minutes,
not hours.
"""

from __future__ import annotations

__all__ = ["Window"]

START = 16
"""Enough to fill the default quota (10 transactions a second) at two seconds a part or less."""

MOST = 64
"""More connections brought nothing on any link we measured."""

LEAST = 4

LONGEST_PART_S = 300.0
"""A part should take no longer, in seconds: that much work is lost with its connection."""

GAIN = 0.2
"""A larger window must bring at least this share of what it would bring if the rate followed it;
less is noise."""

GROWTH = 1.5
SHRINK = 0.7
SETTLE_S = 1.0
"""How long a new size works before it is judged, in seconds."""

RECOVER_S = 3.0
"""How long after the last throttled answer the window may grow again, in seconds."""

PROBE_S = 15.0
"""How long a size is held before a larger one is tried again, in seconds."""


class Window:
    """The number of parts in flight, from what is observed.

    Args:
        fixed: The user's own number; nothing changes it.

    Attributes:
        size: How many parts may be in flight now.
    """

    def __init__(self, *, fixed: int | None = None) -> None:
        self.size = fixed or START
        self._fixed = fixed is not None
        self._best = 0.0
        self._fallback: int | None = None
        self._judge_at: float | None = None
        self._throttled_at: float | None = None

    def throttled(self, now: float) -> None:
        """The service said: too fast. Several such answers within a second count once."""
        if self._fixed:
            return
        if self._throttled_at is not None and now - self._throttled_at < 1.0:
            return
        self._throttled_at = now
        self.size = max(LEAST, int(self.size * SHRINK))
        self._fallback = None
        self._best = 0.0
        self._judge_at = now + RECOVER_S

    def observed(self, bytes_per_s: float, part_bytes: int, *, full: bool, now: float) -> None:
        """Takes a measurement in, over the last second or so.

        Args:
            bytes_per_s: What went out.
            part_bytes: Usual size of a part.
            full: Whether the window was what limited: as many in flight as allowed.
            now: Seconds, on any steady clock.
        """
        if self._fixed:
            return
        if self._judge_at is None:
            self._judge_at = now + SETTLE_S
        if not full or now < self._judge_at:
            return
        if self._fallback is not None and bytes_per_s < self._best * self._wanted_gain():
            self.size, self._fallback = self._fallback, None
            self._judge_at = now + PROBE_S
            return
        self._best = bytes_per_s
        self._grow(bytes_per_s, part_bytes, now)

    def _wanted_gain(self) -> float:
        assert self._fallback is not None
        return 1.0 + GAIN * (self.size / self._fallback - 1.0)

    def _grow(self, bytes_per_s: float, part_bytes: int, now: float) -> None:
        useful = max(LEAST, int(bytes_per_s * LONGEST_PART_S / max(1, part_bytes)))
        target = min(MOST, useful, int(self.size * GROWTH) + 1)
        if target > self.size:
            self._fallback, self.size = self.size, target
            self._judge_at = now + SETTLE_S
        else:
            self._fallback, self.size = None, target
            self._judge_at = now + PROBE_S
