"""How fast, how long yet: from counts and times that the caller brings."""

from __future__ import annotations

from collections import deque

__all__ = ["Meter"]

SPAN_S = 10.0
"""The rate is that of the last so many seconds: calm enough to read, quick enough to believe."""


class Meter:
    """The rate over a sliding span, and the time that is left at that rate."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def mark(self, total_bytes: int, now: float) -> None:
        """Takes in how many bytes had gone out in all at `now`, in seconds on a steady clock."""
        self._marks.append((now, total_bytes))
        while len(self._marks) > 2 and now - self._marks[1][0] >= SPAN_S:
            self._marks.popleft()

    @property
    def bytes_per_s(self) -> float:
        """Over the span; 0 while there is nothing to tell."""
        if len(self._marks) < 2:
            return 0.0
        (first, before), (last, after) = self._marks[0], self._marks[-1]
        return (after - before) / (last - first) if last > first else 0.0

    @property
    def bytes_per_s_now(self) -> float:
        """Between the last two marks."""
        if len(self._marks) < 2:
            return 0.0
        (first, before), (last, after) = self._marks[-2], self._marks[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def eta_s(self, rest_bytes: int) -> float | None:
        """How long the rest takes at this rate, in seconds; None while that can't be told."""
        rate = self.bytes_per_s
        return rest_bytes / rate if rate > 0 else None
