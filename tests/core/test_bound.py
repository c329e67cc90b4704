"""The least time by the quotas, and which of them it was."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.core.rate.bound import Bound, least_time, least_time_of_rows, what_bound
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
    ("sent_s", "quotas", "bound"),
    [
        ([], {}, None),
        ([0.5], {}, Bound(0.5, "network")),
        ([0.5] * 4, {}, Bound(3.5, "quota", CREATE)),  # the last one created is sent, too
        ([5.0] * 4, {}, Bound(20.0, "network")),
        # While the large one is sent, a turn of Complete is lost, and the small ones take the rest.
        ([0.1] * 8 + [2.5], {}, Bound(8.0 + 1.1, "quota", CREATE)),
        ([0.1] * 8 + [0.9], {}, Bound(8.0 + 0.9, "quota", CREATE)),
        ([0.1, 2.5, 2.5, 0.1], {}, Bound(5.2, "network")),
        # With few small ones, more turns: 2.5 s are two more than 1, and only one is sooner by one.
        ([0.1, 2.5], {}, Bound(2.6, "network")),
        ([0.2, 0.4, 3.0, 0.4, 0.2], {COMPLETE: 0.5}, Bound(8.2, "quota", COMPLETE)),
        ([0.2, 0.4, 0.4, 0.2], {CREATE: 4.0, COMPLETE: 2.0}, Bound(1.7, "quota", COMPLETE)),
    ],
)
def test_no_order_of_the_rows_beats_it(
    sent_s: list[float], quotas: dict[str, float], bound: Bound | None
) -> None:
    found = least_time_of_rows(
        [(int(100 * each), 0) for each in sent_s],
        {**TRANSACTIONS_PER_S, **quotas},
        part_bytes=1000,
        link_bytes_per_s=100.0,
    )
    if bound is None or found is None:
        assert found == bound
        return
    assert found.seconds == pytest.approx(bound.seconds)
    assert (found.by, found.operation) == (bound.by, bound.operation)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), st.sampled_from([5, 10, 15]))
@settings(max_examples=60)
def test_it_is_below_every_order(tenths: list[int], complete: int) -> None:
    """All orders are tried, of rows that never wait for each other's bytes."""
    turn_s = {CREATE: 1.0, COMPLETE: complete / 10}
    best = min(
        _completed_s([tenths[each] / 10 for each in created], list(order), turn_s)
        for created in permutations(range(len(tenths)))
        for order in permutations(range(len(tenths)))
    )
    found = least_time_of_rows(
        [(each,) for each in tenths],
        {**TRANSACTIONS_PER_S, **{each: 1 / seconds for each, seconds in turn_s.items()}},
        part_bytes=100,
        link_bytes_per_s=10.0,
    )
    assert found is not None
    if found.by == "quota":
        assert found.seconds <= best + 1e-6


def _completed_s(sent_s: list[float], order: list[int], turn_s: dict[str, float]) -> float:
    """When the last is completed, of rows that are created in this order and completed in that."""
    now = -turn_s[COMPLETE]
    for row in order:
        now = max(now + turn_s[COMPLETE], row * turn_s[CREATE] + sent_s[row])
    return now


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
