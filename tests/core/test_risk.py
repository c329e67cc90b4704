"""What may be lost: the rules, and the whole of them on links that are played."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.core.rate.risk import (
    LinkRate,
    most_at_risk,
    most_parts,
    part_size_for,
)
from turboupload.core.rate.window import MOST, START, Window
from turboupload.core.upload.plan import choose_part_size
from turboupload.units import GIB, MIB

MBIT = 1e6 / 8


@pytest.mark.parametrize(
    ("rate", "part_mib", "parts"),
    [
        (1 * MBIT, 8, 2),
        (10 * MBIT, 8, 2),
        (8e6, 14, 8),
        (100e6, 100, 14),
        (1.25e9, 100, 178),
    ],
)
def test_parts_and_their_number_by_the_rate(rate: float, part_mib: int, parts: int) -> None:
    assert part_size_for(rate) == part_mib * MIB
    assert most_parts(rate, part_mib * MIB) == parts


def test_a_link_of_which_nothing_is_known_is_taken_for_fast() -> None:
    assert part_size_for(None) == 100 * MIB
    assert LinkRate().rate is None


@given(rate=st.floats(0, 1e10))
def test_what_is_in_flight_is_within_the_bound_and_fills_the_link(rate: float) -> None:
    part = part_size_for(rate)
    parts = most_parts(rate, part)
    assert part * parts <= most_at_risk(rate)
    assert parts >= 2
    assert rate / part <= 1.1 or part == 100 * MIB


@given(rate=st.floats(0, 1e10), part=st.integers(1, 100 * MIB))
def test_of_parts_that_are_cut_otherwise_one_is_always_on_its_way(rate: float, part: int) -> None:
    parts = most_parts(rate, part)
    assert parts == 1 or parts * part <= most_at_risk(rate)


def watched(
    link: LinkRate, rate: float, *, seconds: float, at: float = 0.0, buffer: int = 0
) -> float:
    """The link gives this rate, once buffers on the way are full; until when."""
    ticks = int(seconds / 0.25)
    for tick in range(ticks + 1):
        left = buffer * (tick > 0) + int(rate * tick * 0.25)
        link.observed(left, at + tick * 0.25, leaving=tick > 0)
    return at + ticks * 0.25


def test_a_link_is_known_after_two_seconds_and_not_by_its_buffers() -> None:
    link = LinkRate()
    watched(link, 1e6, seconds=1.75, buffer=24 * MIB)
    assert not link.is_known
    assert link.rate is None
    link = LinkRate()
    watched(link, 1e6, seconds=2.0, buffer=24 * MIB)
    assert link.is_known
    assert link.rate == pytest.approx(1e6, rel=0.01)


def test_what_counts_less_for_a_moment_is_not_counted_again() -> None:
    link = LinkRate()
    end = watched(link, 1e6, seconds=4.0)
    link.observed(1_000_000, end + 0.25, leaving=True)
    link.observed(4_500_000, end + 0.5, leaving=True)
    assert link.rate == pytest.approx(1e6, rel=0.05)


def test_time_in_which_nothing_was_to_be_sent_is_no_measure() -> None:
    link = LinkRate()
    for second in range(60):
        link.observed(1000 * second, float(second), leaving=False)
    assert link.rate is None


def test_a_stall_is_no_measure() -> None:
    link = LinkRate()
    link.observed(0, 0.0, leaving=False)
    for tick in range(240):
        link.observed(0, tick * 0.25, leaving=True)
    assert not link.is_known
    watched(link, 50e6, seconds=4.0, at=60.0)
    assert link.rate is not None
    assert link.rate > 20e6


def test_a_cap_is_known_from_the_start_and_a_remembered_rate_until_it_is_measured() -> None:
    assert LinkRate(cap=8e6).rate == 8e6
    assert LinkRate(cap=8e6, remembered=1e6).rate == 1e6
    assert LinkRate(cap=1e6, remembered=8e6).rate == 1e6
    link = LinkRate(remembered=50e6)
    watched(link, 1e6, seconds=3.0)
    assert link.rate == pytest.approx(1e6, rel=0.01)
    link = LinkRate(remembered=1e6)
    watched(link, 50e6, seconds=1.0)
    assert link.rate == pytest.approx(50e6, rel=0.01)


def test_what_is_remembered_is_what_is_new_and_not_what_something_else_limited() -> None:
    link = LinkRate()
    assert link.news(is_least=False) is None
    watched(link, 8e6, seconds=5.0)
    assert link.news(is_least=True) is None
    news = link.news(is_least=False)
    assert news == pytest.approx(8e6, rel=0.01)
    assert news is not None
    link.remember(news)
    assert link.news(is_least=False) is None
    faster = LinkRate(remembered=1e6)
    watched(faster, 8e6, seconds=5.0)
    assert faster.news(is_least=True) == pytest.approx(8e6, rel=0.01)


def test_what_has_arrived_refutes_what_is_remembered_and_nothing_else() -> None:
    link = LinkRate(remembered=1e6)
    link.arrived(40_000_000, 0.4)
    assert link.rate == 1e6, "a burst"
    link.arrived(40_000_000, 1.0)
    assert (link.rate, link.news(is_least=True)) == (40e6, 40e6)
    link.remember(40e6)
    link.arrived(5_000_000, 5.0)
    assert (link.rate, link.news(is_least=False)) == (40e6, None)
    watched(link, 2e6, seconds=3.0)
    assert link.rate == pytest.approx(2e6, rel=0.01), "what was measured counts more"
    unknown = LinkRate()
    unknown.arrived(40_000_000, 1.0)
    assert (unknown.rate, unknown.news(is_least=False)) == (None, None)


@dataclass
class Played:
    """An upload over a link that all parts in flight share, by the rules of the engine."""

    size: int
    rate: float
    buffer: int = 0
    cap: float | None = None
    remembered: float | None = None
    kept: int = 0
    lost: float = 0.0
    now: float = 0.0
    flying: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.link = LinkRate(cap=self.cap, remembered=self.remembered)
        self.window = Window()
        self.part = choose_part_size([self.size], bytes_per_s=self.link.rate)
        self.left = self.size
        self.sent = self.seen = 0.0

    @property
    def allowed(self) -> float:
        """What may be lost by the promise, and one look's worth of the link."""
        rate = min(self.rate, self.cap or self.rate)
        return max(15.0 * rate, 16 * MIB) + 0.5 * rate + self.buffer

    @property
    def at_risk(self) -> float:
        return sum(sent for _, sent in self.flying)

    def look(self) -> None:
        known, leaving = self.link.is_known, bool(self.flying)
        self.link.observed(int(self.sent), self.now, leaving=leaving)
        if self.link.is_known and not known:
            total = sum(size for size, _ in self.flying)
            if total > most_at_risk(self.link.rate or 0.0):
                self.withdraw()
        most = min(MOST, self.link.window(min(self.part, self.size), start=START))
        full = len(self.flying) >= self.window.size
        rate, self.seen = (self.sent - self.seen) / 0.25, self.sent
        self.window.observed(rate, most=most, full=full, now=self.now)

    def withdraw(self) -> None:
        for size, _ in self.flying:
            self.left += int(size)
        self.lost += self.at_risk
        self.flying.clear()
        if self.kept <= most_at_risk(self.link.rate or 0.0) / 2:
            self.part = choose_part_size([self.size], bytes_per_s=self.link.rate)

    def step(self) -> None:
        while self.left and len(self.flying) < self.window.size:
            size = min(self.part, self.left)
            self.left -= size
            self.flying.append([float(size), 0.0])
        room = min(self.rate, self.cap or self.rate) * 0.05
        if self.now == 0.0:
            room += self.buffer
        while room > 1 and (open_ones := [each for each in self.flying if each[1] < each[0]]):
            share = room / len(open_ones)
            for each in open_ones:
                moved = min(share, each[0] - each[1])
                each[1] += moved
                self.sent += moved
                room -= moved
        self.now += 0.05

    def accept(self) -> None:
        for each in [each for each in self.flying if each[1] >= each[0]]:
            self.flying.remove(each)
            self.kept += int(each[0])


@settings(max_examples=150, deadline=None)
@given(
    rate=st.sampled_from([MBIT, 10 * MBIT, 8e6, 20e6, 35e6, 56e6, 100e6, 1.25e9]),
    size=st.integers(1 * MIB, 4 * GIB),
    cap=st.none() | st.sampled_from([MBIT, 8 * MIB * 1.0, 100e6]),
    remembered=st.none() | st.sampled_from([MBIT, 8e6, 1e9]),
    buffer=st.sampled_from([0, 256 * 1024, 12 * MIB]),
)
def test_whenever_it_is_killed_no_more_is_lost_than_promised(
    rate: float, size: int, cap: float | None, remembered: float | None, buffer: int
) -> None:
    played = Played(size, rate, buffer=buffer, cap=cap, remembered=remembered)
    for step in range(1200):
        if step % 5 == 0:
            played.look()
        played.step()
        # All that this run has sent, and the service has not.
        assert played.at_risk + played.lost <= played.allowed
        played.accept()
        if not played.left and not played.flying:
            break
    # In a minute something is kept: nobody is starved by interruptions.
    assert played.kept or 60 * min(rate, cap or rate) < 20 * MIB + buffer
