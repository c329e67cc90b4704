"""The least time that calls take by their quotas, and what bound many uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Final

from turboupload.core.rate.meter import Limiter
from turboupload.operations import COMPLETE_UPLOAD, CREATE_UPLOAD, SEND_PART
from turboupload.value import Value

__all__ = ["Bound", "least_time", "least_time_of_rows", "what_bound"]

MOSTLY: Final = 2 / 3
"""A quota bound an upload if its calls alone take this share of the time."""


class Bound(Value, frozen=True):
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


def least_time_of_rows(
    sizes: Sequence[Sequence[int]],
    per_s: Mapping[str, float],
    *,
    part_bytes: int,
    link_bytes_per_s: float,
) -> Bound | None:
    """The least time of a batch, whatever the order of its rows and whatever is done side by side.

    It is longer than `least_time` where rows take a while to be sent. A row is completed after it
    was created and sent. So while a row is sent for longer than a turn takes, a turn of Complete is
    lost, unless a row that was created later is done sooner. For N rows, each created as the
    `j`-th, sent in `s` seconds at the least, and completed as the `k`-th (from 0), with turns that
    come every `p` seconds, and the last Complete at `T`:

    - it is created at `j * p` or later, and completed at `T - (N - 1 - k) * p` or sooner;
    - so with `d = T - (N - 1) * p`, `k - j` is a whole number of at least `(s - d) / p`;
    - the sum of all `k - j` is 0, since both are orders of the same rows;
    - so `d` is at least the smallest number for which the sum of `ceil((s - d) / p)` isn't above 0.

    Where the turns of Create and Complete come at different rates, this holds with the quicker of
    them; and with the slower one `d` is at least what the smallest row takes. All of it is for
    quotas that let one call go at once, as of one transaction a second.

    Args:
        sizes: Of each row's files, in bytes.
        per_s: The quotas, in transactions a second, by operation.
        part_bytes: The largest part.
        link_bytes_per_s: What the link carries.

    Returns:
        None where there is nothing to be done.
    """
    if not sizes:
        return None
    parts = sum(-(-size // part_bytes) for row in sizes for size in row)
    calls = {CREATE_UPLOAD.name: len(sizes), COMPLETE_UPLOAD.name: len(sizes)}
    total = sum(map(sum, sizes))
    alone = least_time(
        {**calls, SEND_PART.name: parts},
        per_s,
        total_bytes=total,
        link_bytes_per_s=link_bytes_per_s,
    )
    scarcer = min(calls, key=lambda each: per_s[each])
    slow_s, quick_s = 1 / per_s[scarcer], 1 / max(per_s[each] for each in calls)
    sent_s = [sum(row) / link_bytes_per_s for row in sizes]
    seconds = max(
        (len(sizes) - 1) * slow_s + min(sent_s),
        (len(sizes) - 1) * quick_s + _least_lag(sent_s, quick_s),
    )
    assert alone is not None
    return alone if alone.seconds >= seconds else Bound(seconds, "quota", scarcer)


def _least_lag(sent_s: Sequence[float], turn_s: float) -> float:
    """The smallest `d` for which the sum of `ceil((s - d) / turn_s)` isn't above 0."""
    lags = []
    for rest in {seconds % turn_s for seconds in sent_s}:
        # The sum changes only where `d` is some `s` less whole turns.
        turns = sum(ceil(round((seconds - rest) / turn_s, 9)) for seconds in sent_s)
        lags.append(rest + ceil(turns / len(sent_s)) * turn_s)
    return min(lags)


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
