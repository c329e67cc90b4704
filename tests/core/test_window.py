"""The window on links that are played: where it settles, and what it costs to be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from turboupload.core.rate.pace import TokenBucket
from turboupload.core.rate.risk import most_parts
from turboupload.core.rate.window import MOST, START, Window
from turboupload.units import MIB

PART = 100 * MIB


def settle(window: Window, rate: Callable[[int], float], seconds: int = 60) -> list[int]:
    sizes = []
    for second in range(seconds):
        most = most_parts(rate(window.size), PART)
        window.observed(rate(window.size), most=most, full=True, now=float(second))
        sizes.append(window.size)
    return sizes


def test_it_grows_to_the_top_where_each_connection_is_capped() -> None:
    window = Window()
    sizes = settle(window, lambda size: size * 25e6, seconds=15)
    assert sizes[-1] == MOST


def test_it_holds_where_more_brings_nothing() -> None:
    window = Window()
    sizes = settle(window, lambda size: 1e9)
    assert sum(size == START for size in sizes) > 0.8 * len(sizes)
    assert max(sizes) == 2 * START


def test_it_stops_at_the_knee() -> None:
    window = Window()
    settle(window, lambda size: min(size, 30) * 25e6)
    assert 24 <= window.size <= 46


def test_on_a_slow_link_one_large_part_is_on_its_way() -> None:
    window = Window()
    settle(window, lambda size: 1e6)
    assert window.size == 1


def test_on_a_fast_link_it_has_16_within_a_second() -> None:
    window = Window()
    for tick in range(5):
        window.observed(window.size * 50e6, most=MOST, full=True, now=tick * 0.25)
    assert window.size >= 16


def test_a_connection_that_takes_a_second_to_come_to_its_speed_is_waited_for() -> None:
    window, sizes = Window(), [0.0] * 8
    for tick in range(60):
        window.observed(sizes[-5] * 20e6, most=MOST, full=True, now=tick * 0.25)
        sizes.append(float(window.size))
    assert window.size >= 16


def test_before_anything_has_left_it_stays_as_it_is() -> None:
    window = Window()
    for tick in range(7):
        window.observed(0.0, most=MOST, full=True, now=tick * 0.25)
    assert window.size == START


def test_a_users_number_is_kept() -> None:
    window = Window(fixed=3)
    settle(window, lambda size: size * 25e6)
    assert window.size == 3


def test_a_window_that_is_not_full_learns_nothing() -> None:
    window = Window()
    for second in range(60):
        window.observed(1e6, most=MOST, full=False, now=float(second))
    assert window.size == START


@pytest.mark.parametrize(("rate", "burst"), [(10.0, 5.0), (1.0, 1.0), (0.5, 1.0)])
def test_a_bucket_holds_its_rate(rate: float, burst: float) -> None:
    bucket = TokenBucket(rate, burst=burst)
    now, starts = 0.0, []
    for _ in range(200):
        now += bucket.reserve(1.0, now)
        starts.append(now)
    for index, start in enumerate(starts):
        within = [each for each in starts[index:] if each < start + 10.0]
        assert len(within) <= 10.0 * rate + burst + 1
    assert starts[-1] == pytest.approx((200 - burst) / rate, rel=0.01)


def test_those_who_come_later_queue_behind_those_who_came_before() -> None:
    bucket = TokenBucket(2.0, burst=1.0)
    assert [bucket.reserve(1.0, 0.0) for _ in range(4)] == [0.0, 0.5, 1.0, 1.5]


def test_a_clock_that_steps_back_gives_no_tokens() -> None:
    bucket = TokenBucket(10.0, burst=1.0)
    bucket.reserve(1.0, 100.0)
    assert bucket.reserve(1.0, 50.0) == pytest.approx(0.1)


def test_the_users_number_comes_and_goes_while_it_runs() -> None:
    window = Window()
    settle(window, lambda size: size * 25e6, seconds=15)
    window.fix(3, now=20.0)
    window.observed(1e9, most=MOST, full=True, now=30.0)
    assert (window.size, window.is_fixed) == (3, True)
    window.fix(None, now=40.0)
    settle(window, lambda size: size * 25e6, seconds=100)
    assert (window.size, window.is_fixed) == (MOST, False)
    window.fix(500, now=200.0)
    window.fix(None, now=201.0)
    assert window.size == MOST


def test_what_was_sent_before_a_pause_is_no_measure_after_it() -> None:
    window = Window()
    settle(window, lambda size: size * 25e6, seconds=1)
    size = window.size
    window.settle(now=1000.0)
    window.observed(1.0, most=MOST, full=True, now=1000.1)
    assert window.size == size
