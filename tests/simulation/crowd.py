"""Worlds of very many hosts that share one account's quota, and die at it.

They send a sheet's rows by shards, or all of them the same sheet. The turns are the product's own,
kept in a place that fails now and then, and the service refuses what is beyond the quota.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from tests.simulation.process import Process
from tests.simulation.service import refusal
from tests.simulation.spec import CALLS, ROWS, Ask, Fault, Host, Rules, Spec
from tests.simulation.wire import OPERATIONS, Wire
from tests.simulation.world import World
from turboupload.core.model import ReadSet
from turboupload.core.rate.share import QuotaShare, ShareFailed, Step
from turboupload.core.rate.turns import Turns
from turboupload.core.shards import Shard
from turboupload.omics.quotas import Quotas
from turboupload.operations import TRANSACTIONS_PER_S

__all__ = ["Crowd", "by_shards", "crowd", "same_sheet"]

ROWS_EACH: Final = 1
"""Rows of a sheet for each host; some have a shard of several, and some of none."""

SHEET: Final = 2
"""Rows of a sheet that all send."""

PER_MACHINE: Final = 10
"""Processes of a machine that send the same sheet."""

DYING: Final = 0.15
"""The share of the hosts that die once."""

ABSENCES: Final = 2
LONGEST_ABSENCE_S: Final = 20.0
"""How often the place of the turns is not there for a while, and for how long at most."""


class Crowd(World):
    """A world whose hosts share the quota that the service enforces."""

    most_steps = 200_000_000
    most_calls = 20_000_000

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        rng = random.Random(f"absences {spec.seed}")
        span = 2.0 * len(spec.asks)
        starts = sorted(rng.uniform(0.0, span) for _ in range(ABSENCES))
        self.absences = [(at, at + rng.uniform(1.0, LONGEST_ABSENCE_S)) for at in starts]
        self._buckets: dict[str, tuple[float, float]] = {}
        self.turns: dict[str, Turns] = {}
        self.refusals: Counter[str] = Counter()

    def wire(self, process: Process) -> Wire:
        """One that is refused what is too much."""
        return _CrowdedWire(self, process)

    def quotas(self, process: Process) -> Quotas | None:
        """The account's."""
        del process
        return Quotas(share=_Place(self))

    @property
    def share_is_there(self) -> bool:
        """Whether the place of the turns answers now."""
        now = self.loop.time()
        return self.quiet or not any(since <= now < until for since, until in self.absences)

    def grants(self, operation: str) -> bool:
        """Whether the service's bucket, of one second's worth, has a token left."""
        per_s, now = TRANSACTIONS_PER_S[operation], self.loop.time()
        tokens, at = self._buckets.get(operation, (max(1.0, per_s), now))
        tokens = min(max(1.0, per_s), tokens + (now - at) * per_s)
        granted = tokens >= 1.0
        self._buckets[operation] = (tokens - granted, now)
        self.refusals[operation] += not granted
        return granted


class _Place(QuotaShare):
    """Where the turns are kept for all hosts."""

    def __init__(self, world: Crowd) -> None:
        self._world = world

    def __str__(self) -> str:
        return "the place"

    def take(self, operation: str, step: Step) -> float:
        """See `QuotaShare`."""
        world = self._world
        if not world.share_is_there:
            world.happened["no share"] += 1
            raise ShareFailed(f"{self} is not there")
        world.turns[operation], wait = step(world.turns.get(operation), world.loop.time())
        return wait

    def close(self) -> None:
        """See `QuotaShare`."""


class _CrowdedWire(Wire):
    def __init__(self, world: Crowd, process: Process) -> None:
        super().__init__(world, process)
        self._crowd = world

    async def _call(self, op: str, work: Callable[..., Any], about: str = "") -> Any:
        operation = OPERATIONS[op]

        def within_quota(*arguments: Any) -> Any:
            if not self._crowd.grants(operation):
                raise refusal(operation, 429, "too many")
            return work(*arguments)

        return await super()._call(op, within_quota, about)


def by_shards(seed: int, hosts: int) -> Spec:
    """Hosts that each send a shard of one sheet, as `--shard` makes it; some have no row."""
    rng = random.Random(f"shards {seed}")
    asks = tuple(_ask(rng, number) for number in range(ROWS_EACH * hosts))
    rows = [
        ReadSet(sources=["x"], name=ask.name, sample_id=f"sample {ask.name}", subject_id="subject")
        for ask in asks
    ]
    shards = [Shard(number + 1, hosts) for number in range(hosts)]
    in_shard = [[n for n, row in enumerate(rows) if shard.has(row)] for shard in shards]
    made = [
        Host(machine=index, asks=tuple(rows), start=rng.uniform(0.0, 60.0))
        for index, rows in enumerate(in_shard)
        if rows
    ]
    return _spec(rng, seed, asks, made)


def same_sheet(seed: int, hosts: int) -> Spec:
    """Processes of many machines that all send the same sheet, at about the same time."""
    rng = random.Random(f"same {seed}")
    asks = tuple(_ask(rng, number) for number in range(SHEET))
    made = [
        Host(machine=number // PER_MACHINE, asks=tuple(range(SHEET)), start=rng.uniform(0.0, 20.0))
        for number in range(hosts)
    ]
    return _spec(rng, seed, asks, made)


def _ask(rng: random.Random, number: int) -> Ask:
    return Ask(f"s{number}", "FASTQ", (rng.choice((3, 8, 13, 21, 30)),))


def _spec(rng: random.Random, seed: int, asks: tuple[Ask, ...], hosts: list[Host]) -> Spec:
    faults = [_death(rng, number) for number in range(len(hosts)) if rng.random() < DYING]
    return Spec(
        seed=seed,
        asks=asks,
        hosts=tuple(hosts),
        rules=Rules(processing_s=20.0),
        faults=tuple(faults),
        shuffled=True,
    )


def _death(rng: random.Random, host: int) -> Fault:
    nth = rng.choice((1, 1, 2, 3))
    match rng.choice(("call", "row", "step")):
        case "call":
            op = rng.choices(list(CALLS), list(CALLS.values()))[0]
            how = rng.choice(("call", "done", "reply"))
            return Fault(kind="die", op=op, nth=nth, host=host, how=how)
        case "row":
            op = f"row {rng.choices(list(ROWS), list(ROWS.values()))[0]}"
            return Fault(kind="die", op=op, nth=nth, host=host, how=rng.choice(("before", "after")))
        case _:
            return Fault(kind="step", host=host, run=0, arg=float(rng.randint(1, 600)))


def crowd(seed: int, hosts: int, *, same: bool) -> tuple[list[str], str]:
    """Plays a crowd to its end; within `simulated()`.

    Args:
        seed: Of all that is random.
        hosts: How many.
        same: Whether all send the same sheet.

    Returns:
        What was wrong, and what happened, in a sentence.
    """
    spec = (same_sheet if same else by_shards)(seed, hosts)
    world = Crowd(spec)
    verdict = world.play()
    happened = ", ".join(f"{what} {count:,}" for what, count in sorted(verdict.happened.items()))
    return verdict.faults, (
        f"{len(spec.hosts):,} hosts with rows, {len(spec.asks):,} rows, {verdict.calls:,} calls, "
        f"{verdict.steps:,} steps, {verdict.seconds:,.0f} s; {world.refusals.total():,} calls "
        f"refused, {world.sent_again} of {world.arrivals.total():,} parts came again; {happened}"
    )
