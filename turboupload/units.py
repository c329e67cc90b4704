"""Sizes, rates, durations and moments: read them from people, print them for people.

Sizes are powers of two with or without the `i` (`100M`, `100MiB` and `100mb` all mean
104,857,600 bytes), because the service's own limits are (a part of "100 MB" is 100 MiB).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

__all__ = [
    "GIB",
    "KIB",
    "MIB",
    "TIB",
    "counted",
    "format_duration",
    "format_moment",
    "format_rate",
    "format_size",
    "format_sizes_apart",
    "parse_duration",
    "parse_rate",
    "parse_size",
]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", re.IGNORECASE)
_FACTOR = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": TIB}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?\s*", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str) -> int:
    """Reads a size such as `64MiB`, `1.5g` or `4096`, in bytes.

    Raises:
        ValueError: The text is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size: write it like 64MiB, 1.5GiB or 4096")
    return round(float(match[1]) * _FACTOR[match[2].lower()])


def parse_rate(text: str) -> int:
    """Reads a rate such as `200MiB/s`, in bytes a second; the `/s` may be left out.

    Raises:
        ValueError: The text is not a rate.
    """
    try:
        return parse_size(re.sub(r"/s(ec)?\s*$", "", text, flags=re.IGNORECASE))
    except ValueError:
        raise ValueError(f"{text!r} is not a rate: write it like 200MiB/s") from None


def parse_duration(text: str) -> float:
    """Reads a duration such as `90s`, `15m` (or `15min`), `2h` or `7d`, in seconds.

    Only `0` needs no unit.

    Raises:
        ValueError: The text is not a duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write it like 30s, 15m, 2h or 7d")
    count, unit = match[1], (match[2] or "").lower()
    if not unit and float(count):
        raise ValueError(
            f"{text.strip()!r} has no unit: write {count}s, {count}m, {count}h or {count}d"
        )
    return float(count) * _SECONDS[unit or "s"]


def format_size(count_bytes: float) -> str:
    """Prints a size with three significant digits: `104857600` is `100 MiB`."""
    value = float(count_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1000 or unit == "TiB":
            break
        value /= 1024
    digits = 0 if unit == "B" or value >= 100 or value == int(value) else 2 if value < 10 else 1
    return f"{value:.{digits}f} {unit}"


def format_sizes_apart(first: int, second: int) -> tuple[str, str]:
    """Prints two sizes with as many digits as tell them from each other, such as a limit's."""
    texts = format_size(first), format_size(second)
    if texts[0] != texts[1] or first == second:
        return texts
    unit = texts[0].split()[1]
    factor = _FACTOR[unit[0].lower()] if unit != "B" else 1
    for digits in range(1, 13):
        texts = f"{first / factor:.{digits}f}", f"{second / factor:.{digits}f}"
        if texts[0] != texts[1]:
            break
    short = [each.rstrip("0").rstrip(".") for each in texts]
    return f"{short[0]} {unit}", f"{short[1]} {unit}"


def format_rate(bytes_per_s: float) -> str:
    """Prints a rate: `format_size` and `/s`."""
    return f"{format_size(bytes_per_s)}/s"


def format_duration(seconds: float) -> str:
    """Prints a duration by its two largest units: `3 h 20 min`, `1 min 5 s`, `0.4 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, small, small_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // small} {small_name}"
    return f"{whole} s"


def counted(count: int, noun: str) -> str:
    """Prints a number of things: `1 row`, `2 rows`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def format_moment(
    moment: datetime, *, to: Literal["seconds", "milliseconds"] = "milliseconds"
) -> str:
    """Prints a moment as ISO 8601 in UTC: `2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec=to).replace("+00:00", "Z")
