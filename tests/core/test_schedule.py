"""Which row begins next: the wire fed, Create's turns used, never too many at once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.bound import least_time_of_rows
from turboupload.core.rate.schedule import (
    FASTEST,
    FEED_S,
    FEW_UNOPENED,
    MOST_FED,
    MOST_UNOPENED,
    Schedule,
    SizeSteps,
)
from turboupload.operations import TRANSACTIONS_PER_S
from turboupload.units import GIB, MIB

ENOUGH_BYTES = int(FEED_S * FASTEST)


def begun(schedule: Schedule) -> list[int]:
    """All rows that begin now."""
    rows = []
    while (row := schedule.next()) is not None:
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("sizes", "turns_per_s", "most_open", "first"),
    [
        ([], 1, 8, []),
        ([1, 1, 1], 1, 8, [0, 1]),  # the others wait until one has had its turn of Create
        ([1, 1, 1, 1, 1, 1], 3, 8, [0, 1, 2, 3]),
        ([1, 1, 1, 1], 9, 2, [0, 1]),
        ([1, 100, 10], 3, 8, [1, 0, 2]),  # the turns are scarce: none is left to a large one
        ([3, 2, 3, 2], 3, 8, [0, 1, 2, 3]),  # about one size: as in the sheet
        ([GIB, 20 * GIB, 3 * GIB], 1, 8, [1, 0]),  # the wire is, and is fed by the large one
        ([GIB, 3 * GIB, 2 * GIB], 2, 8, [1, 2, 0]),  # and here it isn't
        ([9 * GIB] * 9, 9, 9, [0, 1, 2, 3]),  # all large: one after the other, not all at once
    ],
)
def test_who_begins(sizes: list[int], turns_per_s: int, most_open: int, first: list[int]) -> None:
    assert begun(Schedule(sizes, most_open=most_open, turns_per_s=turns_per_s)) == first


def test_a_row_that_is_open_no_longer_waits_for_create() -> None:
    schedule = Schedule([1] * 6)
    assert begun(schedule) == [0, 1]
    assert schedule.waits_for_create
    schedule.opened(0)
    schedule.opened(0)
    assert begun(schedule) == [2]
    schedule.ended(1)
    assert begun(schedule) == [3]
    assert (schedule.waiting, schedule.under_way) == (2, 3)


def test_what_has_arrived_makes_room_for_the_next_large_one() -> None:
    schedule = Schedule([8 * GIB] * 5, turns_per_s=9)
    assert begun(schedule) == [0, 1, 2, 3]
    schedule.has_left(0, ENOUGH_BYTES // 2)
    assert begun(schedule) == []
    schedule.has_left(0, 0)
    assert begun(schedule) == [4]


def test_a_slow_wire_is_fed_with_less() -> None:
    schedule = Schedule([GIB, 30 * MIB, 30 * MIB, 900 * MIB], turns_per_s=4)
    schedule.bytes_per_s = 10.0 * MIB
    assert begun(schedule) == [0, 1, 2, 3]
    schedule = Schedule([2 * GIB, 900 * MIB] + [MIB] * 100, turns_per_s=1)
    schedule.bytes_per_s = 10.0 * MIB
    assert begun(schedule) == [0, 2], "the large one feeds the wire for minutes"
    schedule.opened(0)
    schedule.opened(2)
    schedule.ended(2)
    schedule.has_left(0, 50 * MIB)
    assert begun(schedule) == [3, 4]
    schedule.opened(3)
    schedule.has_left(0, 30 * MIB)
    assert begun(schedule) == [1], "it has four seconds left"


def test_a_large_row_waits_until_others_take_the_turns_of_complete() -> None:
    """Two at once would leave two turns of Complete unused where one is lost in any case."""
    schedule = Schedule([800 * MIB] * 3 + [MIB] * 40)
    schedule.bytes_per_s = 250.0 * MIB
    assert begun(schedule) == [0, 3]
    schedule.opened(0)
    schedule.opened(3)
    assert begun(schedule) == [4, 5], "neither is sent in time for a second turn"
    schedule.ended(3)
    schedule.has_left(0, 0)
    schedule.opened(4)
    assert begun(schedule) == [1], "0, 4 and 5 take what turns there are until it has its own"


def test_a_row_may_come_again() -> None:
    schedule = Schedule([1, 2])
    assert begun(schedule) == [1, 0]
    schedule.ended(1)
    schedule.again(1)
    assert begun(schedule) == [1]


SIZES = st.lists(
    st.sampled_from([1, 1000, MIB, 40 * MIB, GIB, 3 * GIB, 30 * GIB, 200 * GIB]), max_size=60
)


@given(SIZES, st.integers(1, 15), st.integers(1, 30), st.randoms(use_true_random=False))
def test_every_row_begins_once_and_the_bounds_hold(
    sizes: list[int], turns_per_s: int, most_open: int, rng: object
) -> None:
    choice = rng.choice  # type: ignore[attr-defined] # Hypothesis's own Random
    schedule = Schedule(sizes, turns_per_s=turns_per_s, most_open=most_open)
    seen: list[int] = []
    unopened: set[int] = set()
    left: dict[int, int] = {}
    while schedule.waiting or left:
        for row in begun(schedule):
            seen.append(row)
            unopened.add(row)
            left[row] = sizes[row]
        assert len(left) <= most_open
        assert len(unopened) < turns_per_s + MOST_UNOPENED
        enough = FEED_S * schedule.bytes_per_s
        counted = sum(min(each, enough) for each in left.values())
        assert counted <= MOST_FED * enough
        assert left, "nothing is under way, and nothing begins"
        row = choice(sorted(left))
        if row in unopened and choice([True, False]):
            schedule.asks(row)
        elif row in unopened:
            unopened.remove(row)
            schedule.had_turn()
            schedule.opened(row)
        elif left[row] and choice([True, False]):
            left[row] //= 2
            schedule.has_left(row, left[row])
        else:
            del left[row]
            schedule.ended(row)
    assert sorted(seen) == list(range(len(sizes)))


TURN_S = 1.0
PREPARE_S, CREATE_S, LOOK_S = 0.1, 0.04, 0.1
"""To look at the files, for Create's answer, and between the last byte and the turn of Complete."""


class World:
    """A model: Create and Complete take turns, and those that are open share the wire.

    What is small goes first, and what is under way keeps a part of the wire beside it.
    """

    def __init__(self, sizes: Sequence[int], wire: float, *, step_s: float = 0.02) -> None:
        self.sizes, self.wire, self.step_s = sizes, wire, step_s
        self.schedule = Schedule(sizes)
        self.now = self.create_at = self.complete_at = self.busy_s = self.sent = 0.0
        self.later: list[tuple[float, str, int]] = []
        self.asking: list[int] = []
        self.left: dict[int, float] = {}
        self.ready: list[int] = []

    def makespan(self) -> float:
        done = 0
        while done < len(self.sizes):
            for row in begun(self.schedule):
                self.then(PREPARE_S, "asks", row)
            due = sorted(each for each in self.later if each[0] <= self.now)
            self.later = [each for each in self.later if each[0] > self.now]
            for _, what, row in due:
                done += what == "ended"
                getattr(self, what)(row)
            if self.asking and self.now >= self.create_at:
                self.create_at = max(self.create_at, self.now - self.step_s) + TURN_S
                self.then(CREATE_S, "opened", self.asking.pop(0))
            self.send()
            if self.ready and self.now >= self.complete_at:
                self.complete_at = max(self.complete_at, self.now - self.step_s) + TURN_S
                self.then(0.0, "ended", self.ready.pop(0))
            self.now += self.step_s
        return self.now

    def then(self, seconds: float, what: str, row: int) -> None:
        self.later.append((self.now + seconds, what, row))

    def asks(self, row: int) -> None:
        self.schedule.asks(row)
        self.asking.append(row)

    def opened(self, row: int) -> None:
        self.schedule.had_turn()
        self.schedule.opened(row)
        self.left[row] = self.sizes[row]

    def looked(self, row: int) -> None:
        self.ready.append(row)

    def ended(self, row: int) -> None:
        self.schedule.ended(row)

    def send(self) -> None:
        share = self.wire * self.step_s
        self.busy_s += self.step_s if self.left else 0.0
        rows = sorted(self.left, key=self.sizes.__getitem__)
        for row in rows:
            sent = min(self.left[row], share if row == rows[-1] else 0.7 * share)
            share -= sent
            self.sent += sent
            self.left[row] -= sent
            self.schedule.has_left(row, int(self.left[row]))
            if self.left[row] < 1.0:
                del self.left[row]
                self.then(LOOK_S, "looked", row)
        if self.busy_s > 0.25:
            self.schedule.bytes_per_s = self.sent / self.busy_s


MIX = [MIB] * 16 + [64 * MIB] * 6 + [400 * MIB] * 2


@pytest.mark.parametrize("wire", [150e6, 300e6, 600e6])
@pytest.mark.parametrize(
    "sizes",
    [
        [MIB] * 24,
        [64 * MIB] * 24,
        [400 * MIB] * 8,
        MIX,
        MIX[::-1],
        [MIB] * 12 + [64 * MIB] * 8 + [200 * MIB] * 4,
        [MIB] * 30 + [64 * MIB] * 15 + [800 * MIB] * 5,
        [1 << (19 + index % 11) for index in range(60)],
    ],
    ids=["small", "medium", "large", "mix", "mix reversed", "steps", "many", "all sizes"],
)
def test_no_turn_is_lost(sizes: list[int], wire: float) -> None:
    """What no order can beat is reached, but for what the first row needs before its first byte."""
    rows = [2 * size for size in sizes]
    bound = least_time_of_rows(
        [(size, size) for size in sizes],
        TRANSACTIONS_PER_S,
        part_bytes=100 * MIB,
        link_bytes_per_s=wire,
    )
    assert bound is not None
    made = World(rows, wire).makespan()
    # What the wire brings last may wait for its turn.
    slack_s = 0.5 if bound.by == "quota" else 1.0
    assert bound.seconds <= made <= 1.005 * bound.seconds + slack_s


@pytest.mark.parametrize(
    "sizes",
    [
        [MIB] * 300,
        [100 * GIB] * 20,
        [GIB] * 300,
        [30 * GIB] * 6 + [10 * MIB] * 300,
        [10 * MIB] * 300 + [30 * GIB] * 6,
        ([30 * GIB] + [10 * MIB] * 50) * 6,
        [1 << (20 + index % 16) for index in range(200)],
    ],
    ids=["small", "large", "medium", "large then small", "small then large", "mixed", "all sizes"],
)
def test_many_take_little_longer_than_the_wire_or_create_alone(sizes: list[int]) -> None:
    wire = 0.6 * GIB
    bound = max(sum(sizes) / wire, len(sizes) / 1.0)
    assert World(sizes, wire, step_s=0.1).makespan() <= 1.01 * bound + 2.0


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


def test_few_rows_wait_for_create_and_more_only_where_its_turns_are_lost() -> None:
    schedule = Schedule([1] * 100)
    rows = begun(schedule)
    assert len(rows) == FEW_UNOPENED
    for row in range(10):
        # The next one asks for its turn, too: others take those between, maybe for the same sheet.
        schedule.asks(row)
        schedule.asks(row + 1)
        schedule.had_turn()
        schedule.opened(row)
        assert len(begun(schedule)) == 1
    for row in range(10, 20):
        # It takes long to look at their files: nobody asks when a turn comes.
        schedule.had_turn()
        schedule.opened(row)
        begun(schedule)
    assert schedule.under_way - 20 == MOST_UNOPENED
