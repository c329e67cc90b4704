"""How far apart calls leave where the service's bucket holds a single token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.gaps import MOST_LATE_S, Gap
from turboupload.core.rate.turns import NARROW


def test_the_first_call_and_those_of_a_wide_quota_never_wait() -> None:
    gap = Gap()
    assert gap.wait_s(1.0, 1000.0) == 0.0
    gap.leave(1000.0)
    assert gap.wait_s(10.0, 1000.0) == 0.0


@pytest.mark.parametrize("per_s", [0.5, 1.0, NARROW])
def test_after_a_call_that_left_late_the_next_one_waits(per_s: float) -> None:
    gap = Gap()
    gap.leave(1000.04)
    assert gap.wait_s(per_s, 1000.0 + 1 / per_s) == pytest.approx(0.04)
    assert gap.wait_s(per_s, 1000.04 + 1 / per_s) == pytest.approx(0.0)


def test_a_slow_answer_counts_only_after_a_refusal() -> None:
    gap = Gap()
    for left in (1000.0, 1001.0):
        gap.leave(left)
        gap.answered(left, left + 0.01)
    gap.leave(1002.0)
    gap.answered(1002.0, 1002.04)
    assert gap.wait_s(1.0, 1003.0) == pytest.approx(0.0)
    gap.refused(0.0, 1003.0)
    gap.leave(1004.0)
    gap.answered(1004.0, 1004.04)
    assert gap.wait_s(1.0, 1005.0) == pytest.approx(0.03)


def test_what_is_made_again_in_its_turn_puts_off_the_call_after_it() -> None:
    gap = Gap()
    gap.leave(1000.0)
    gap.refused(0.05, 1000.02)
    assert gap.wait_s(1.0, 1001.0) == pytest.approx(0.07)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 300), st.booleans()), max_size=30))
def test_nobody_waits_for_longer_than_a_turn_and_a_little(
    calls: list[tuple[float, float, bool]],
) -> None:
    gap, now = Gap(), 1000.0
    for pause, seconds, refused in calls:
        now += pause
        gap.leave(now)
        gap.answered(now, now + seconds)
        if refused:
            gap.refused(0.05, now + seconds)
            assert gap.wait_s(1.0, now + seconds) <= 1.05 + 1e-6
        else:
            assert gap.wait_s(1.0, now) <= 1.0 + MOST_LATE_S + 1e-6
        now += seconds
