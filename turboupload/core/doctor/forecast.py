"""The rate that can be expected, and what would limit it: arithmetic over what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from turboupload.config import Checksum
from turboupload.core.doctor.facts import Speeds
from turboupload.core.doctor.line import Line
from turboupload.core.rate.meter import Limiter
from turboupload.limits import MAX_PART_BYTES
from turboupload.units import GIB, format_rate

__all__ = ["Bound", "bounds", "forecast"]

OTHER_S_PER_GIB: Final = 0.55
"""Processor time of reading, of the kernel and of Python for a GiB, beside hash and TLS, in
seconds: what docs/scale.md measured in all, less those two on the same machine."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A rate that can't be exceeded.

    Attributes:
        by: What sets it.
        bytes_per_s: The rate.
        words: The same for people.
    """

    by: Limiter
    bytes_per_s: float
    words: str


def bounds(
    *,
    parts_per_s: float,
    part_bytes: int = MAX_PART_BYTES,
    checksum: Checksum,
    speeds: Speeds,
    processors: int,
    read_bytes_per_s: Iterable[float] = (),
    link_bytes_per_s: float | None = None,
    cap_bytes_per_s: float | None = None,
) -> list[Bound]:
    """What is known to bound the rate, the lowest first.

    Args:
        parts_per_s: The quota of UploadReadSetPart.
        part_bytes: How large parts are at the most.
        checksum: What is computed of each part, beside xxh3.
        speeds: Of one processor.
        processors: How many there are.
        read_bytes_per_s: How fast files were read, each.
        link_bytes_per_s: What the way to the service gave lately; None if that isn't known.
        cap_bytes_per_s: What the user allows.
    """
    found = [
        Bound("quota", parts_per_s * part_bytes, f"the quota of {parts_per_s:g} parts a second")
    ]
    if (rate := _processors(checksum, speeds, processors)) is not None:
        found.append(Bound("processor", rate, "the processors, as estimated"))
    if (slowest := min(read_bytes_per_s, default=None)) is not None:
        found.append(Bound("disk", slowest, "the disk, for one reader"))
    if link_bytes_per_s is not None:
        found.append(Bound("network", link_bytes_per_s, "the way to the service, as last seen"))
    if cap_bytes_per_s is not None:
        found.append(Bound("cap", cap_bytes_per_s, "--max-bandwidth"))
    return sorted(found, key=lambda each: each.bytes_per_s)


def _processors(checksum: Checksum, speeds: Speeds, processors: int) -> float | None:
    """What all processors together can do; None where something wasn't measured."""
    steps = [speeds.tls, speeds.xxh3, *([speeds.sha256] if checksum == "sha256" else [])]
    if not all(steps):
        return None
    seconds = OTHER_S_PER_GIB + sum(GIB / each for each in steps if each)
    return processors * GIB / seconds


_ADVICE: Final[dict[Limiter, str]] = {
    "quota": "where the account's quota is higher, say so with --quota UploadReadSetPart=N",
    "processor": "more processors, or --checksum xxh3, which gives the comparison of each part up",
    "disk": "several readers at once may be faster; `turboupload upload` uses as many as pay",
    "network": "`turboupload bench --store ID` measures the way to the service again",
}


def forecast(found: list[Bound], *, reachable: bool) -> Line:
    """The rate to expect, and what would limit it.

    Args:
        found: As `bounds` gave them.
        reachable: Whether the service answered; else there is nothing to expect.
    """
    facts = {
        "bytes_per_s": found[0].bytes_per_s,
        "limited_by": found[0].by,
        "bounds": {each.by: each.bytes_per_s for each in found},
    }
    least = found[0]
    others = ", ".join(f"{each.by} {format_rate(each.bytes_per_s)}" for each in found[1:])
    text = f"{format_rate(least.bytes_per_s)} at the most, by {least.words}" + (
        f"; then {others}" if others else ""
    )
    if not reachable:
        return Line(topic="rate", level="unknown", text="nothing can be sent now", facts=facts)
    if all(each.by != "network" for each in found):
        return Line(
            topic="rate",
            level="unknown",
            text=f"{text}; the way to the service is not measured yet",
            advice="`turboupload bench --store ID` measures it",
            facts=facts,
        )
    return Line(topic="rate", level="ok", text=text, advice=_ADVICE.get(least.by), facts=facts)
