"""What a probe of the way to a store measured: samples in, rates out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from turboupload.core.proof.checksum import Match
from turboupload.core.rate.meter import Limiter

__all__ = [
    "Aborted",
    "BenchNotice",
    "BenchResult",
    "Opened",
    "Opening",
    "Sample",
    "measured",
    "most_seen",
    "verdict",
]

WARM_UP_S: Final = 2.0
"""Bytes that leave earlier aren't measured: connections still speed up, and buffers fill."""

WARM_UP_SHARE: Final = 1 / 3
"""The same for a short probe."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An upload is about to be opened, under a name that no other has."""

    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The upload is open."""

    upload_id: str


@dataclass(frozen=True, slots=True)
class Aborted:
    """The upload is open no more; None where it never was."""

    upload_id: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """What had happened by a moment.

    Attributes:
        now: Seconds on a steady clock.
        left_bytes: What had left this machine.
        parts: How many parts the service had accepted.
        limits: How often each limit was what held parts back.
        window: How many parts may be in flight.
    """

    now: float
    left_bytes: int
    parts: int
    limits: Mapping[Limiter, int]
    window: int = 0


BenchNotice = Opening | Opened | Aborted | Sample

Checksums = Literal["equal", "differs", "opaque", "none"]
"""How the service's checksums of the parts compare with ours; `none`: no part was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What a probe found.

    Attributes:
        store_id: The sequence store.
        upload_id: The upload that was opened and aborted.
        seconds: How long parts were sent.
        bytes_sent: Body bytes handed to the network.
        bytes_per_s: What left a second, once connections had come to their speed.
        parts: How many parts the service accepted.
        parts_per_s: How many of them a second.
        part_bytes: The size of the last parts.
        window: How many parts were in flight at last, at the most.
        retries: Calls that failed and were made again.
        limited_by: What kept the rate from being higher; None where that isn't known.
        round_trip_s: How long a TCP connection took: a round trip; None if it was not measured.
        call_s: How long the quickest call took.
        checksums: How the service's checksums compare with ours.
        still_listed: Whether the service listed the upload for long after it was aborted.
    """

    store_id: str
    upload_id: str
    seconds: float
    bytes_sent: int
    bytes_per_s: float
    parts: int
    parts_per_s: float
    part_bytes: int
    window: int
    retries: int
    limited_by: Limiter | None
    round_trip_s: float | None
    call_s: float
    checksums: Checksums
    still_listed: bool


def measured(samples: Sequence[Sample]) -> tuple[float, float]:
    """Bytes and parts a second, without the warm-up.

    Args:
        samples: In their order; the first is from before anything was sent.

    Returns:
        Both 0 without enough samples.
    """
    if len(samples) < 2:
        return 0.0, 0.0
    first, last = samples[0], samples[-1]
    warm_s = min(WARM_UP_S, WARM_UP_SHARE * (last.now - first.now))
    begin = next((each for each in samples if each.now >= first.now + warm_s), first)
    if begin is last:
        begin = first
    seconds = last.now - begin.now
    if seconds <= 0:
        return 0.0, 0.0
    return (last.left_bytes - begin.left_bytes) / seconds, (last.parts - begin.parts) / seconds


def most_seen(samples: Sequence[Sample]) -> Limiter | None:
    """What held parts back most of the time; of the second half only, if it has samples."""
    if not samples:
        return None
    early = Counter(samples[len(samples) // 2].limits)
    late = Counter(samples[-1].limits)
    found = (late - early) or late
    return max(found, key=lambda each: found[each], default=None)


def verdict(matches: Mapping[Match, int]) -> Checksums:
    """How the service's checksums compare with ours, by the worst."""
    for match in ("differs", "opaque", "equal"):
        if matches.get(match):
            return match
    return "none"
