"""A run over time, in a bounded number of spans of equal length.

It begins with spans of a second. When there are too many, each two become one of twice the length:
a run of days takes as little memory as one of minutes, and its page opens as quickly.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from turboupload.core.rate.meter import Limiter

__all__ = ["MAX_SPANS", "Span", "Timeline"]

MAX_SPANS: Final = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What happened within a span of time.

    Attributes:
        start_s: When it began, in seconds since the run did.
        seconds: How long it is; the last one ends with the run.
        bytes_sent: Body bytes that left, resends included.
        in_flight: The most parts that were under way at a time.
        retries: Calls that failed and were made again.
        limited_by: What limited the rate most often; None where that isn't known.
    """

    start_s: float
    seconds: float
    bytes_sent: int = 0
    in_flight: int = 0
    retries: int = 0
    limited_by: Limiter | None = None

    @property
    def bytes_per_s(self) -> float:
        """The rate over the span."""
        return self.bytes_sent / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class _Sum:
    bytes_sent: int = 0
    in_flight: int = 0
    retries: int = 0
    limits: Counter[Limiter] = field(default_factory=Counter)

    @property
    def limit(self) -> Limiter | None:
        """The one that was seen most often."""
        return next((limit for limit, _ in self.limits.most_common(1)), None)

    def add(self, other: _Sum) -> None:
        self.bytes_sent += other.bytes_sent
        self.in_flight = max(self.in_flight, other.in_flight)
        self.retries += other.retries
        self.limits = self.limits + other.limits


class Timeline:
    """Takes facts in, each with its time in seconds since the run began."""

    def __init__(self) -> None:
        self._length_s = 1.0
        self._sums: list[_Sum] = []
        self._bytes_sent = 0
        self._at_s = 0.0

    def progressed(
        self, at_s: float, *, bytes_sent: int, in_flight: int, limited_by: Limiter | None
    ) -> None:
        """Takes in where the run stands; `bytes_sent` counts from its beginning."""
        now = self._sum(at_s)
        # They left since the last count; on the whole, in the middle of that time.
        self._sum((self._at_s + at_s) / 2).bytes_sent += max(0, bytes_sent - self._bytes_sent)
        self._at_s = at_s
        self._bytes_sent = max(bytes_sent, self._bytes_sent)
        now.in_flight = max(now.in_flight, in_flight)
        if limited_by is not None:
            now.limits[limited_by] += 1

    def retried(self, at_s: float) -> None:
        """Takes in that a call will be made again."""
        self._sum(at_s).retries += 1

    def spans(self, end_s: float) -> tuple[Span, ...]:
        """All spans until the run's end; none where nothing was taken in."""
        sums = [copy(each) for each in self._sums]
        if len(sums) > 1 and end_s - (len(sums) - 1) * self._length_s < self._length_s / 2:
            # Counts come twice a second: over less than a span they would make no honest rate.
            sums[-2].add(sums.pop())
        last = len(sums) - 1
        return tuple(
            Span(
                start_s=index * self._length_s,
                seconds=self._last_s(last, end_s) if index == last else self._length_s,
                bytes_sent=each.bytes_sent,
                in_flight=each.in_flight,
                retries=each.retries,
                limited_by=each.limit,
            )
            for index, each in enumerate(sums)
        )

    def _last_s(self, index: int, end_s: float) -> float:
        """How long the last span is; it may have taken half of another one in."""
        return max(0.0, min(1.5 * self._length_s, end_s - index * self._length_s))

    def _sum(self, at_s: float) -> _Sum:
        while at_s >= MAX_SPANS * self._length_s:
            self._halve()
        index = int(max(0.0, at_s) / self._length_s)
        while len(self._sums) <= index:
            self._sums.append(_Sum())
        return self._sums[index]

    def _halve(self) -> None:
        self._length_s *= 2
        for even, odd in zip(self._sums[::2], self._sums[1::2], strict=False):
            even.add(odd)
        self._sums = self._sums[::2]
