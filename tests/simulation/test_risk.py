"""The real engine over links of every rate, killed at any step: nearly all that left is kept.

A MiB is a KiB here, and a second a second: files, parts and rates are 1,024 times smaller.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

import tests.simulation.world
import turboupload.core.rate.risk
import turboupload.core.upload.plan
import turboupload.engine.parts
import turboupload.engine.traffic
import turboupload.limits
from tests.simulation.patches import simulated
from tests.simulation.process import Died, Process
from tests.simulation.spec import Ask, Fault, Host, Rules, Spec
from tests.simulation.wire import Wire
from tests.simulation.world import World
from turboupload.config import UploadConfig
from turboupload.core.model import Part
from turboupload.http.body import OpenBody
from turboupload.omics.base import UploadRef
from turboupload.units import KIB

MBIT = 1e6 / 8 / 1024
WORLDS = 18
RATES = (MBIT, 10 * MBIT, 8e6 / 1024, 35e6 / 1024, 100e6 / 1024, 1.25e9 / 1024)


@pytest.fixture
def small() -> Iterator[None]:
    """Everything is 1,024 times smaller."""
    with simulated(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(turboupload.limits, "MIN_PART_BYTES", 8 * KIB)
        patch.setattr(turboupload.limits, "MAX_PART_BYTES", 100 * KIB)
        patch.setattr(turboupload.core.rate.risk, "RISK_LEAST_BYTES", 16 * KIB)
        patch.setattr(turboupload.core.rate.risk, "MIB", KIB)
        patch.setattr(turboupload.core.upload.plan, "MIB", KIB)
        patch.setattr(turboupload.engine.parts, "LOOK_S", 0.25)
        patch.setattr(turboupload.engine.traffic, "QUEUED_BYTES", 256)
        patch.setattr(tests.simulation.world, "Wire", SlowWire)
        yield


class SlowWire(Wire):
    """All parts of the world share one link, and leave a chunk at a time."""

    _world: SlowWorld

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """See `ReadSetService`."""
        body = open_body()
        data = memoryview(bytearray(len(body)))
        done = 0
        while done < len(data):
            count = body.readinto(data[done : done + self._world.chunk])
            body.hash_chunk(data[done : done + count])
            await self._world.leave(count)
            if self._process.dead:
                raise Died
            on_bytes(count)
            done += count
        arrive = partial(self._arrive, upload, part, bytes(data))
        return await self._call("SendPart", arrive, f"{part.number}")

    def _arrive(self, upload: UploadRef, part: Part, data: bytes, _: object = None) -> str:
        self._process.parts_sent += 1
        return self._service.send(upload.upload_id, part.source, part.number, data)


class SlowWorld(World):
    """A world with a link, which counts what is lost with each process."""

    def __init__(
        self,
        spec: Spec,
        rate: float,
        *,
        part_size: int | None = None,
        concurrency: int | None = None,
    ) -> None:
        super().__init__(spec)
        self.rate = rate
        self.chunk = max(64, min(4 * KIB, int(rate / 6)))
        self.part_size = part_size
        self.concurrency = concurrency
        self.free_at = 0.0
        self.sent = self.sent_before = self.kept_before = 0
        self.losses: list[int] = []

    async def leave(self, count: int) -> None:
        """Waits until the link has taken so many bytes."""
        now = self.loop.time()
        self.free_at = max(now, self.free_at) + count / self.rate
        await anyio.sleep(self.free_at - now)
        self.sent += count

    @property
    def kept(self) -> int:
        """What the service has."""
        parts = (part for each in self.service.uploads.values() for part in each.parts.values())
        return sum(len(versions[-1].data) for versions in parts)

    def _config(self, host: Host, **more: Any) -> UploadConfig:
        self.sent_before, self.kept_before = self.sent, self.kept
        usual = super()._config(host, **more)
        return replace(usual, part_size_bytes=self.part_size, concurrency=self.concurrency)

    def _on_death(self, process: Process, what: str) -> None:
        super()._on_death(process, what)
        lost = self.sent - self.sent_before - (self.kept - self.kept_before)
        self.losses.append(lost)
        # A look at the link comes every 0.25 s.
        most = max(15.0 * self.rate, 16 * KIB) + 0.5 * self.rate
        if lost > most:
            self.blame(f"lost: {lost:,} bytes with {process}, and not {most:,.0f} at most")


def drawn(seed: int) -> SlowWorld:
    chance = random.Random(f"risk {seed}")
    rows = chance.choice([1, 1, 3])
    rate = RATES[seed % len(RATES)]
    # To send for hours shows nothing more.
    most = min(900, 60 + 600 * rate / KIB) / rows
    sizes = [int(chance.uniform(1, most)) * KIB + 1 for _ in range(rows)]
    pair = rows == 1 and chance.random() < 0.3
    asks = tuple(
        Ask(f"ask{number}", "FASTQ", (size, size // 2 + 1) if pair else (size,))
        for number, size in enumerate(sizes)
    )
    steps = [int(10 ** chance.uniform(2.3, 3.6)) for _ in range(4)]
    faults = tuple(
        Fault(kind="step", host=0, run=run, arg=float(each)) for run, each in enumerate(steps)
    )
    host = Host(machine=0, asks=tuple(range(rows)), start=0.0)
    spec = Spec(seed=seed, asks=asks, hosts=(host,), rules=Rules(), faults=faults)
    return SlowWorld(spec, rate)


@pytest.mark.usefixtures("small")
def test_killed_at_any_step_a_process_loses_no_more_than_promised() -> None:
    deaths = 0
    for seed in range(WORLDS):
        world = drawn(seed)
        verdict = world.play()
        assert not verdict.faults, (seed, verdict.faults)
        deaths += len(world.losses)
    # Else nothing was tried.
    assert deaths > 1.5 * WORLDS


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("rows", [1, 3])
def test_a_slow_link_is_found_and_the_files_are_cut_anew(rows: int) -> None:
    asks = tuple(Ask(f"ask{each}", "FASTQ", (300 * KIB,)) for each in range(rows))
    host = Host(machine=0, asks=tuple(range(rows)), start=0.0)
    spec = Spec(seed=1, asks=asks, hosts=(host,), rules=Rules())
    world = SlowWorld(spec, 8 * KIB)
    verdict = world.play()
    assert not verdict.faults
    sizes = {
        len(versions[-1].data)
        for each in world.service.uploads.values()
        for (_, number), versions in each.parts.items()
        if number == 1
    }
    assert max(sizes) <= 16 * KIB
    # Two seconds of the link went into finding that out, and nothing else was sent twice.
    assert world.sent <= rows * 300 * KIB + 2.5 * world.rate


@pytest.mark.usefixtures("small")
def test_on_a_fast_link_nothing_is_sent_twice_and_a_small_file_is_one_part() -> None:
    asks = (Ask("ask0", "FASTQ", (99 * KIB,)), Ask("ask1", "FASTQ", (400 * KIB,)))
    host = Host(machine=0, asks=(0, 1), start=0.0)
    spec = Spec(seed=1, asks=asks, hosts=(host,), rules=Rules())
    world = SlowWorld(spec, 60 * KIB)
    assert not world.play().faults
    assert world.sent == 499 * KIB
    assert sorted(len(each.parts) for each in world.service.uploads.values()) == [1, 4]


@pytest.mark.usefixtures("small")
def test_a_part_size_that_the_user_gave_is_kept() -> None:
    host = Host(machine=0, asks=(0,), start=0.0)
    asks = (Ask("ask0", "FASTQ", (100 * KIB,)),)
    spec = Spec(seed=1, asks=asks, hosts=(host,), rules=Rules())
    world = SlowWorld(spec, MBIT, part_size=50 * KIB)
    assert not world.play().faults
    assert [len(each.parts) for each in world.service.uploads.values()] == [2]


@pytest.mark.usefixtures("small")
def test_what_the_user_fixed_is_never_taken_back() -> None:
    host = Host(machine=0, asks=(0,), start=0.0)
    asks = (Ask("ask0", "FASTQ", (100 * KIB,)),)
    spec = Spec(seed=1, asks=asks, hosts=(host,), rules=Rules())
    world = SlowWorld(spec, MBIT, part_size=50 * KIB, concurrency=2)
    assert not world.play().faults
    assert world.sent == 100 * KIB
