"""The least time by the quotas, and which of them it was."""

from __future__ import annotations

import pytest

from turboupload.core.rate.bound import Bound, least_time, what_bound
from turboupload.core.rate.meter import Limiter
from turboupload.operations import TRANSACTIONS_PER_S

CREATE = "CreateMultipartReadSetUpload"
COMPLETE = "CompleteMultipartReadSetUpload"
SEND = "UploadReadSetPart"
LIST = "ListReadSetUploadParts"


@pytest.mark.parametrize(
    ("calls", "total_bytes", "link", "bound"),
    [
        ({CREATE: 24, COMPLETE: 24, SEND: 48, LIST: 96}, 0, 0.0, Bound(23.0, "quota", CREATE)),
        ({CREATE: 23, COMPLETE: 24, SEND: 48}, 0, 0.0, Bound(23.0, "quota", COMPLETE)),
        ({CREATE: 24, SEND: 384}, 0, 0.0, Bound(38.3, "quota", SEND)),
        ({CREATE: 24, SEND: 48, LIST: 201}, 0, 0.0, Bound(40.0, "quota", LIST)),
        ({CREATE: 6, SEND: 48}, 4800, 100.0, Bound(48.0, "network")),
        ({CREATE: 60, SEND: 48}, 4800, 100.0, Bound(59.0, "quota", CREATE)),
        ({}, 0, 0.0, None),
    ],
)
def test_the_scarcest_decides(
    calls: dict[str, int], total_bytes: int, link: float, bound: Bound | None
) -> None:
    found = least_time(calls, TRANSACTIONS_PER_S, total_bytes=total_bytes, link_bytes_per_s=link)
    assert found == bound


@pytest.mark.parametrize(
    ("creates", "seconds", "seen", "bound"),
    [
        (24, 24.5, {"disk": 20}, ("quota", CREATE)),
        (24, 60.0, {"disk": 20, "network": 30}, ("network", None)),
        (24, 60.0, {"quota": 20}, ("quota", SEND)),
        (24, 60.0, {}, None),
        (1, 0.0, {}, None),
        (0, 1.0, {"cap": 1}, ("cap", None)),
    ],
)
def test_a_quota_bound_where_its_calls_take_most_of_the_time(
    creates: int, seconds: float, seen: dict[Limiter, int], bound: tuple[str, str | None] | None
) -> None:
    found = what_bound({CREATE: creates}, TRANSACTIONS_PER_S, seconds=seconds, seen=seen)
    assert (None if found is None else (found.by, found.operation)) == bound
