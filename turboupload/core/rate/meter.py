"""The rate, the time left and the limit, from the caller's counts and times."""

from __future__ import annotations

from collections import deque
from typing import Literal

from turboupload.value import Value

__all__ = ["Effort", "Limiter", "Meter", "what_limits"]

Limiter = Literal["disk", "network", "processor", "quota", "cap"]
"""What the rate would have to wait for to be higher."""

SPAN_S = 10.0
"""The rate is the average of this many seconds."""


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
        """Over the span, in bytes a second; 0 before there are two marks."""
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


class Effort(Value, frozen=True):
    """Where the time of all parts together went since the start, in seconds.

    Attributes:
        now: When this was true, on a steady clock.
        quota_s: Waiting for a transaction.
        cap_s: Waiting for the bandwidth cap.
        read_s: In reads of the files.
        processor_s: Processor time of the process.
    """

    now: float
    quota_s: float
    cap_s: float
    read_s: float
    processor_s: float


MUCH = 0.25
"""The share of the parts' time above which a wait is what limits."""

MOST_OF_THE_READING = 0.5
BUSY = 0.85
"""The share of all processors' time above which they are."""


def what_limits(
    before: Effort, after: Effort, *, in_flight: int, processors: int
) -> Limiter | None:
    """What limited the rate between two moments; None where nothing was under way.

    What we wait for on purpose (cap, quota) comes first, since it hides the rest; then the
    processors, which every byte needs; then the disk. What is left is the network, with the
    service behind it.

    Args:
        before: An earlier effort.
        after: A later one.
        in_flight: Parts under way between them.
        processors: How many the process may use.
    """
    seconds = after.now - before.now
    if seconds <= 0 or in_flight == 0:
        return None
    parts_time = seconds * in_flight
    if after.cap_s - before.cap_s >= MUCH * parts_time:
        return "cap"
    if after.quota_s - before.quota_s >= MUCH * parts_time:
        return "quota"
    if after.processor_s - before.processor_s >= BUSY * processors * seconds:
        return "processor"
    if after.read_s - before.read_s >= MOST_OF_THE_READING * parts_time:
        return "disk"
    return "network"
