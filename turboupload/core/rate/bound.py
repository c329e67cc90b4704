"""The least time that calls take by their quotas, and what bound many uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from turboupload.core.rate.meter import Limiter

__all__ = ["Bound", "least_time", "what_bound"]

MOSTLY: Final = 2 / 3
"""A quota bound an upload if its calls alone take this share of the time."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What the time can't be less than.

    Attributes:
        seconds: So long it takes at the least.
        by: What is the scarcest.
        operation: Whose quota that is, where it is one.
    """

    seconds: float
    by: Limiter
    operation: str | None = None


def least_time(
    calls: Mapping[str, int],
    per_s: Mapping[str, float],
    *,
    total_bytes: int = 0,
    link_bytes_per_s: float = 0.0,
) -> Bound | None:
    """The longest of the times that the calls and the bytes need, each as if it were alone.

    The first call of each operation leaves at once; whatever else goes out in a first burst is
    neglected.

    Args:
        calls: How many are made, by operation.
        per_s: The quotas, in transactions a second, by operation.
        total_bytes: To be sent.
        link_bytes_per_s: What the link carries; 0 where that isn't known.

    Returns:
        None where there is nothing to be done.
    """
    bounds = [
        Bound((count - 1) / per_s[operation], "quota", operation)
        for operation, count in calls.items()
        if count > 0
    ]
    if link_bytes_per_s > 0:
        bounds.append(Bound(total_bytes / link_bytes_per_s, "network"))
    return max(bounds, key=lambda each: each.seconds, default=None)


def what_bound(
    calls: Mapping[str, int],
    per_s: Mapping[str, float],
    *,
    seconds: float,
    seen: Mapping[Limiter, int],
) -> Bound | None:
    """What kept many uploads from being faster: a quota, or else what was seen to limit the parts.

    Args:
        calls: How many were made, by operation.
        per_s: The quotas, in transactions a second, by operation.
        seconds: How long all that took.
        seen: How often each limit was what held the parts back.

    Returns:
        None where that isn't known.
    """
    least = least_time(calls, per_s)
    if least is not None and least.seconds > 0 and least.seconds >= MOSTLY * seconds:
        return least
    by = max(seen, key=lambda each: seen[each], default=None)
    if by is None:
        return None
    return Bound(0.0, by, "UploadReadSetPart" if by == "quota" else None)
