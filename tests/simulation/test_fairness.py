"""Several batches of one sheet on one machine, of which one is killed: who gets its rows."""

from __future__ import annotations

from collections import Counter
from statistics import mean
from typing import Any

import pytest

from tests.simulation.crowd import Crowd
from tests.simulation.patches import simulated
from tests.simulation.process import Process
from tests.simulation.spec import PART_BYTES, Ask, Host, Rules, Spec
from tests.simulation.wire import Wire
from turboupload.batch import busy

PROCESSES, ROWS, PARTS = 4, 12, 31
KILLED_AT_S = 14.0
FAIR = 0.9
PAUSES = {"LONGEST_PAUSE_S": busy.LONGEST_PAUSE_S, "IDLE_PAUSE_S": busy.IDLE_PAUSE_S}
"""The product's own, which other worlds don't have: by them it is decided who comes first."""

SEEDS = (3, 5)
"""Where rows go to whoever looks first, these have a fairness (Jain) of 0.78 and 0.58."""


class Batches(Crowd):
    """Counts what each process has sent since the first was killed, until one has ended."""

    def __init__(self, seed: int) -> None:
        hosts = [
            Host(machine=0, asks=tuple(range(ROWS)), start=0.1 * number, wait=False, leaves=True)
            for number in range(PROCESSES)
        ]
        asks = tuple(Ask(f"s{number}", "FASTQ", (PARTS * PART_BYTES,)) for number in range(ROWS))
        rules = Rules(processing_s=0.0, latency_s=0.02)
        super().__init__(Spec(seed=seed, asks=asks, hosts=tuple(hosts), rules=rules))
        self.absences = []
        self.sent = Counter[int]()
        self.counting = False
        self.loop.call_later(KILLED_AT_S, self._kill_first)

    def _kill_first(self) -> None:
        self._processes[0].kill("in mid-way")
        self.counting = True

    def wire(self, process: Process) -> Wire:
        """One that counts."""
        wire = super().wire(process)
        send = wire.send_part

        async def counted(*given: Any) -> str:
            checksum = await send(*given)
            self.sent[process.host] += self.counting
            return checksum

        wire.send_part = counted  # type: ignore[assignment,method-assign] # of this one alone
        return wire

    async def _invoke(self, number: int, run: int, **more: Any) -> Any:
        outcome = await super()._invoke(number, run, **more)
        self.counting &= outcome.code is None
        return outcome


def test_rows_of_a_killed_process_go_to_who_has_the_least_to_do() -> None:
    indexes = []
    for seed in SEEDS:
        with simulated(), pytest.MonkeyPatch.context() as patch:
            for name, seconds in PAUSES.items():
                patch.setattr(busy, name, seconds)
            world = Batches(seed)
            verdict = world.play()
        assert verdict.faults == []
        assert world.sent_again == 0
        sent = [world.sent[number] for number in range(1, PROCESSES)]
        indexes.append(sum(sent) ** 2 / (len(sent) * sum(each**2 for each in sent)))
    assert mean(indexes) >= FAIR, indexes
