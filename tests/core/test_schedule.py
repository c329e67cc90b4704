"""Which row begins next: the wire fed, Create's turns used, never too many at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.schedule import (
    ENOUGH_BYTES,
    MOST_COUNTED,
    MOST_UNOPENED,
    Schedule,
    SizeSteps,
)
from turboupload.units import GIB, MIB


def begun(schedule: Schedule) -> list[int]:
    """All rows that begin now."""
    rows = []
    while (row := schedule.next()) is not None:
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("sizes", "most_unopened", "most_open", "first"),
    [
        ([], 4, 8, []),
        ([1, 1, 1], 4, 8, [0, 1, 2]),
        ([1, 1, 1, 1, 1, 1], 4, 8, [0, 1, 2, 3]),  # the others wait for their turn of Create
        ([1, 1, 1, 1], 9, 2, [0, 1]),
        ([1, 100, 10], 4, 8, [1, 2, 0]),  # the largest first, while the wire has little
        ([3, 2, 3, 2], 4, 8, [0, 1, 2, 3]),  # about one size: as in the sheet
        (
            [MIB, 9 * GIB, MIB],
            4,
            8,
            [1, 0, 2],
        ),  # fed by the large one: the small ones go first
        ([9 * GIB] * 9, 9, 9, [0, 1, 2, 3]),  # all large: one after the other, not all at once
    ],
)
def test_who_begins(sizes: list[int], most_unopened: int, most_open: int, first: list[int]) -> None:
    assert begun(Schedule(sizes, most_unopened=most_unopened, most_open=most_open)) == first


def test_a_row_that_is_open_no_longer_waits_for_create() -> None:
    schedule = Schedule([1] * 6, most_unopened=2)
    assert begun(schedule) == [0, 1]
    assert schedule.waits_for_create
    schedule.opened(0)
    schedule.opened(0)
    assert begun(schedule) == [2]
    schedule.ended(1)
    assert begun(schedule) == [3]
    assert (schedule.waiting, schedule.under_way) == (2, 3)


def test_what_has_arrived_makes_room_for_the_next_large_one() -> None:
    schedule = Schedule([8 * GIB] * 5, most_unopened=9)
    assert begun(schedule) == [0, 1, 2, 3]
    schedule.has_left(0, ENOUGH_BYTES // 2)
    assert begun(schedule) == []
    schedule.has_left(0, 0)
    assert begun(schedule) == [4]


def test_a_row_may_come_again() -> None:
    schedule = Schedule([1, 2])
    assert begun(schedule) == [1, 0]
    schedule.ended(1)
    schedule.again(1)
    assert begun(schedule) == [1]


SIZES = st.lists(
    st.sampled_from([1, 1000, MIB, 40 * MIB, GIB, 3 * GIB, 30 * GIB, 200 * GIB]), max_size=60
)


@given(SIZES, st.integers(1, 20), st.integers(1, 30), st.randoms(use_true_random=False))
def test_every_row_begins_once_and_the_bounds_hold(
    sizes: list[int], most_unopened: int, most_open: int, rng: object
) -> None:
    choice = rng.choice  # type: ignore[attr-defined] # Hypothesis's own Random
    schedule = Schedule(sizes, most_unopened=most_unopened, most_open=most_open)
    seen: list[int] = []
    unopened: set[int] = set()
    left: dict[int, int] = {}
    while schedule.waiting or left:
        for row in begun(schedule):
            seen.append(row)
            unopened.add(row)
            left[row] = sizes[row]
        assert len(left) <= most_open
        assert len(unopened) <= most_unopened
        counted = sum(min(each, ENOUGH_BYTES) for each in left.values())
        assert counted < MOST_COUNTED + ENOUGH_BYTES
        assert left, "nothing is under way, and nothing begins"
        row = choice(sorted(left))
        if row in unopened:
            unopened.remove(row)
            schedule.opened(row)
        elif left[row] and choice([True, False]):
            left[row] //= 2
            schedule.has_left(row, left[row])
        else:
            del left[row]
            schedule.ended(row)
    assert sorted(seen) == list(range(len(sizes)))


STEP_S = 0.25


def makespan(sizes: list[int], wire: float, creates_per_s: float) -> float:
    """A model: Create takes turns, and those that are open share the wire.

    Complete's turns come at the same rate and are left out.
    """
    schedule = Schedule(sizes, most_unopened=MOST_UNOPENED + int(2 * creates_per_s))
    waiting: list[int] = []
    left: dict[int, float] = {}
    now = turns = 0.0
    while True:
        waiting += begun(schedule)
        if not waiting and not left:
            return now
        now += STEP_S
        turns = min(1.0, turns + creates_per_s * STEP_S)
        if waiting and turns >= 1.0:
            turns -= 1.0
            row = waiting.pop(0)
            schedule.opened(row)
            left[row] = sizes[row]
        share = wire * STEP_S
        for count, row in enumerate(sorted(left, key=left.__getitem__)):
            sent = min(left[row], share / (len(left) - count))
            share -= sent
            left[row] -= sent
        for row, rest in list(left.items()):
            schedule.has_left(row, int(rest))
            if rest < 1.0:
                schedule.ended(row)
                del left[row]


@pytest.mark.parametrize(
    "sizes",
    [
        [MIB] * 1000,
        [100 * GIB] * 20,
        [GIB] * 500,
        [30 * GIB] * 12 + [10 * MIB] * 600,
        [10 * MIB] * 600 + [30 * GIB] * 12,
        ([30 * GIB] + [10 * MIB] * 50) * 12,
        [1 << (20 + index % 16) for index in range(400)],
    ],
    ids=["small", "large", "medium", "large then small", "small then large", "mixed", "all sizes"],
)
def test_many_take_little_longer_than_the_wire_or_create_alone(sizes: list[int]) -> None:
    wire = 0.6 * GIB
    bound = max(sum(sizes) / wire, len(sizes) / 1.0)
    assert makespan(sizes, wire, 1.0) <= 1.05 * bound + 2.0


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ([], ()),
        ([10, 10, 9], ()),
        ([800, 100, 100], (200.0,)),
        ([800, 100, 2, 2], (200.0, 25.0)),
        ([8000, 800, 80, 8], (2000.0, 200.0)),
    ],
)
def test_places_are_kept_for_what_is_small_beside_others(
    sizes: list[int], steps: tuple[float, ...]
) -> None:
    assert SizeSteps(sizes).wanted == steps


def test_none_are_kept_once_the_small_ones_have_ended() -> None:
    steps = SizeSteps([800, 100, 2])
    steps.ended(2)
    assert steps.wanted == (200.0,)
    steps.ended(1)
    assert not steps.wanted


def test_few_rows_wait_for_create_while_its_turns_come_slowly() -> None:
    schedule = Schedule([1] * 100, most_unopened=6, few_unopened=2, turns_per_s=1.0)
    assert len(begun(schedule)) == 2
    for row, now in enumerate((0.0, 10.0)):
        schedule.had_turn(now)
        schedule.opened(row)
    # Another process has most of the turns, and maybe the same sheet.
    assert len(begun(schedule)) == 2
    schedule.had_turn(11.0)
    schedule.opened(2)
    assert len(begun(schedule)) == 5
    schedule.had_turn(20.0)
    schedule.opened(3)
    assert begun(schedule) == []
