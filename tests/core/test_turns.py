"""An account's turns, taken by many at once, on a clock that only the test moves."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.gaps import Gap
from turboupload.core.rate.share import account_of, share_key
from turboupload.core.rate.turns import Turns, next_turn, refused, turns_at_once

NEVER = float("inf")


@dataclass
class Host:
    """Whatever keeps turns: one place that all processes share, or one of each."""

    turns: Turns | None = None


@dataclass
class World:
    """Processes that always want to send, and a service with a bucket of one second's worth.

    Attributes:
        per_s: The quota.
        hosts: Where each process keeps its turns.
        dies_at: When each process is killed, in seconds from the start.
        way_s: The longest way of a call, and of its answer.
        lag_s: By how much a process may wake up late.
    """

    per_s: float
    hosts: list[Host]
    dies_at: list[float] = field(default_factory=list)
    seed: int = 1
    way_s: float = 0.03
    lag_s: float = 0.01
    granted: list[list[float]] = field(init=False)
    refused: list[float] = field(init=False, default_factory=list)

    def run(self, seconds: float) -> World:
        rng = random.Random(self.seed)
        start = 1_000_000.0
        self.granted = [[] for _ in self.hosts]
        tokens, filled_at = max(1.0, self.per_s), start
        gaps = [Gap() for _ in self.hosts]
        todo = [(start + rng.random(), number, "ask", 0.0) for number in range(len(self.hosts))]
        heapq.heapify(todo)
        while todo and todo[0][0] < start + seconds:
            now, number, what, sent_at = heapq.heappop(todo)
            host, gap, way_s = self.hosts[number], gaps[number], rng.random() * self.way_s
            if what in ("ask", "send") and self.dies_at and now - start > self.dies_at[number]:
                continue
            match what:
                case "ask":
                    host.turns, wait = next_turn(host.turns, self.per_s, now)
                    woken = now + wait + rng.random() * self.lag_s
                    heapq.heappush(todo, (woken, number, "send", 0.0))
                case "send" if (wait := gap.wait_s(self.per_s, now)) > 1e-6:
                    heapq.heappush(todo, (now + wait, number, "send", 0.0))
                case "send":
                    gap.leave(now)
                    for _ in range(turns_at_once(self.per_s)):
                        arrival = now + rng.random() * self.way_s
                        heapq.heappush(todo, (arrival, number, "arrive", now))
                    heapq.heappush(todo, (now, number, "ask", 0.0))
                case "arrive":
                    tokens = min(max(1.0, self.per_s), tokens + (now - filled_at) * self.per_s)
                    filled_at = now
                    granted = tokens >= 1.0 - 1e-9
                    if granted:
                        tokens -= 1.0
                        self.granted[number].append(now - start)
                    else:
                        self.refused.append(now - start)
                    answer = "granted" if granted else "refused"
                    heapq.heappush(todo, (now + way_s, number, answer, sent_at))
                case "granted":
                    gap.answered(sent_at, now)
                case "refused":
                    gap.answered(sent_at, now)
                    host.turns, again_s = refused(host.turns, self.per_s, now)
                    gap.refused(again_s, now)
                    if again_s:
                        again = now + again_s
                        heapq.heappush(todo, (again + way_s, number, "arrive", again))
        return self

    def rate(self, after: float, before: float) -> float:
        """How many were granted a second, of all together."""
        return sum(self.counts(after, before)) / (before - after)

    def counts(self, after: float, before: float) -> list[int]:
        return [sum(after <= each < before for each in mine) for mine in self.granted]

    def refusals(self, after: float, before: float) -> float:
        """How many were refused for each that was granted."""
        refused = sum(after <= each < before for each in self.refused)
        return refused / max(1, sum(self.counts(after, before)))


def jain(counts: list[int]) -> float:
    return sum(counts) ** 2 / (len(counts) * sum(each * each for each in counts))


def shared(processes: int, **more: float) -> list[Host]:
    one = Host()
    return [one] * processes


@pytest.mark.parametrize("processes", [1, 3, 10, 100])
@pytest.mark.parametrize("per_s", [10.0, 5.0, 120.0])
def test_those_who_share_get_all_of_it_in_equal_shares_and_no_refusal(
    processes: int, per_s: float
) -> None:
    world = World(per_s, shared(processes)).run(60)
    assert world.rate(5, 60) >= 0.99 * per_s
    assert not world.refused
    assert jain(world.counts(5, 60)) >= (0.98 if processes < 100 else 0.95)


@pytest.mark.parametrize("processes", [1, 4, 10])
def test_one_a_second_is_shared_as_well(processes: int) -> None:
    world = World(1.0, shared(processes)).run(400)
    assert world.rate(20, 400) >= (0.96 if processes == 1 else 0.89)
    assert world.refusals(20, 400) <= 0.08
    assert jain(world.counts(20, 400)) >= 0.95


@pytest.mark.parametrize(("per_s", "within_s"), [(10.0, 1.0), (1.0, 5.0)])
def test_a_process_that_is_killed_gives_its_share_to_the_others(
    per_s: float, within_s: float
) -> None:
    world = World(per_s, shared(4), dies_at=[NEVER, 100.0, 100.0, NEVER]).run(400)
    least = per_s * (0.95 if per_s > 2 else 0.9)
    assert world.rate(100 + within_s, 400) >= least
    first, *dead, last = world.counts(100 + within_s, 400)
    assert dead == [0, 0]
    assert jain([first, last]) >= 0.98
    # Two turns at the most were theirs and were wasted.
    assert world.rate(100, 110) >= least - 0.2


@pytest.mark.parametrize(
    ("jitter_s", "least_rate", "most_refused"),
    [(0.0, 0.99, 0.0), (0.005, 0.985, 0.01), (0.02, 0.97, 0.02), (0.05, 0.945, 0.03),
     (0.2, 0.8, 0.15)],
)  # fmt: skip
def test_one_a_second_is_hardly_ever_refused_by_a_bucket_of_one(
    jitter_s: float, least_rate: float, most_refused: float
) -> None:
    world = World(1.0, [Host()], way_s=jitter_s, lag_s=jitter_s / 4).run(400)
    assert world.rate(0, 400) >= least_rate
    assert world.refusals(0, 400) <= most_refused


def test_a_call_that_came_too_early_is_made_again_in_its_turn() -> None:
    turns, _ = next_turn(None, 1.0, 1000.0)
    turns, again_s = refused(turns, 1.0, 1001.0)
    assert 0.0 < again_s < 0.1
    # Who is refused again so soon after it has others beside it, or less of a quota than it thinks.
    turns, again_s = refused(turns, 1.0, 1002.1)
    assert again_s == 0.0
    turns, again_s = refused(turns, 1.0, 1010.0)
    assert again_s > 0.0


@pytest.mark.parametrize("per_s", [5.0, 10.0])
def test_of_a_wide_quota_a_refused_call_takes_another_turn(per_s: float) -> None:
    turns, _ = next_turn(None, per_s, 1000.0)
    assert refused(turns, per_s, 1001.0)[1] == 0.0


@pytest.mark.parametrize("hosts", [2, 4, 10])
def test_hosts_that_know_nothing_of_each_other_find_their_shares(hosts: int) -> None:
    world = World(10.0, [Host() for _ in range(hosts)]).run(200)
    assert world.rate(40, 200) >= 9.5
    assert world.refusals(60, 200) <= 0.03 * hosts
    assert jain(world.counts(60, 200)) >= 0.9


def test_a_host_alone_gets_all_of_it_back_when_the_other_is_gone() -> None:
    world = World(10.0, [Host(), Host()], dies_at=[NEVER, 100.0]).run(320)
    assert world.rate(60, 100) >= 9.5
    assert world.rate(220, 320) >= 9.5


def test_a_quota_that_is_lower_than_was_said_is_found() -> None:
    host, granted, refusals = Host(), 0, 0
    tokens, now = 3.0, 1000.0
    while now < 1200.0:
        host.turns, wait = next_turn(host.turns, 10.0, now)
        tokens = min(3.0, tokens + wait * 3.0)
        now += wait
        if tokens >= 1.0:
            tokens, granted = tokens - 1.0, granted + 1
        else:
            host.turns, _ = refused(host.turns, 10.0, now)
            refusals += 1
    assert granted >= 0.95 * 600
    assert refusals <= 0.15 * granted


@pytest.mark.parametrize("back_s", [6.0, 3600.0, 1e9])
def test_a_clock_that_is_set_back_keeps_nobody_waiting(back_s: float) -> None:
    turns, wait = None, 0.0
    for _ in range(10):
        turns, wait = next_turn(turns, 10.0, 1e9)
    after, again = next_turn(turns, 10.0, 1e9 - back_s)
    assert again == pytest.approx(wait + 0.1)
    assert next_turn(after, 10.0, 1e9 - back_s + 30)[1] == 0.0


def test_a_clock_that_is_a_little_behind_gives_nobody_more() -> None:
    turns, wait = None, 0.0
    for number in range(100):
        turns, wait = next_turn(turns, 10.0, 1e6 - (number % 2) * 2.0)
    assert turns is not None
    assert turns.at == 1e6
    assert wait == pytest.approx(100 / 10 - 0.5 + 2.0)


@pytest.mark.parametrize("per_s", [0.2, 1.0, 2.0, 5.0, 10.0, 1000.0])
@pytest.mark.parametrize("refusals", [0, 1, 20])
def test_after_a_rest_nobody_waits(per_s: float, refusals: int) -> None:
    _, wait = next_turn(None, per_s, 1000.0)
    assert wait == 0.0
    turns: Turns | None = None
    for number in range(refusals + 1):
        turns, _ = refused(turns, per_s, 1000.0 + 2 * number)
    _, wait = next_turn(turns, per_s, 2000.0)
    assert wait == 0.0


@given(
    st.floats(0.1, 1000),
    st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=60),
)
def test_no_more_are_given_out_than_the_quota_and_one_burst(
    per_s: float, steps: list[tuple[float, bool]]
) -> None:
    turns: Turns | None = None
    now, starts = 1000.0, []
    for pause, is_refused in steps:
        now += pause
        if is_refused:
            turns, _ = refused(turns, per_s, now)
        else:
            turns, wait = next_turn(turns, per_s, now)
            starts += [now + wait] * turns_at_once(per_s)
    burst = max(1.0, per_s / 2)
    for index, start in enumerate(starts):
        assert start >= starts[0] + (index - burst) / per_s - 1e-6


def test_the_keys_of_one_account_stand_for_it() -> None:
    assert account_of("ASIAY34FZKBOKMUTVV7A") == "609629065308"
    assert account_of("AKIAY34FZKBOKMUTVV7A") == "609629065308"
    assert account_of("local") == "local"
    assert account_of("AKIA1111111111111111") == "AKIA1111111111111111"  # no base 32


def test_what_is_kept_tells_nobody_whose_it_is() -> None:
    key = share_key("609629065308", "us-east-1", "UploadReadSetPart")
    assert len(key) == 16
    assert key != share_key("609629065308", "us-east-1", "ListReadSets")
    assert key != share_key("609629065308", "eu-west-1", "UploadReadSetPart")
    assert key != share_key("609629065309", "us-east-1", "UploadReadSetPart")
    assert b"6096" not in key
