"""What the simulated worlds stand on: the loop's time and order, and the journal's stand-in."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.simulation.disk import FileSystem, Machine, SimulatedJournal
from tests.simulation.loop import PROCESS, Deadlock, Endless, VirtualLoop
from tests.simulation.patches import Stage, simulated
from tests.simulation.process import Process, threaded, turn, undisturbed
from turboupload.core.model import Digest, FileIdentity, Part, PartSource
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    Opening,
    PartSeen,
    UploadGone,
)
from turboupload.errors import Stopped
from turboupload.runtime.tasks import undisturbed as really_undisturbed
from turboupload.state.journal import Journal


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop(random.Random(1).random, most_steps=10_000)
    yield loop
    loop.close()


def test_an_hour_passes_at_once(loop: VirtualLoop) -> None:
    loop.run_until_complete(asyncio.sleep(3600.0))
    assert loop.time() == 3600.0


def test_the_order_of_what_is_ready_is_drawn(loop: VirtualLoop) -> None:
    async def order() -> list[int]:
        said: list[int] = []

        async def say(number: int) -> None:
            said.append(number)

        await asyncio.gather(*(say(number) for number in range(8)))
        return said

    orders = [loop.run_until_complete(order()) for _ in range(20)]
    assert all(sorted(each) == list(range(8)) for each in orders)
    assert len({tuple(each) for each in orders}) > 10


def test_waiting_for_ever_is_noticed(loop: VirtualLoop) -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        loop.run_until_complete(wait())
    for task in asyncio.all_tasks(loop):
        task.cancel()


def test_going_on_for_ever_is_noticed(loop: VirtualLoop) -> None:
    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    with pytest.raises(Endless):
        loop.run_until_complete(spin())


async def _cancelled_meanwhile(undisturbed: Callable[..., Any]) -> list[str]:
    said: list[str] = []
    go_on = asyncio.Event()

    async def work() -> str:
        await turn()
        await go_on.wait()
        await turn()
        said.append("done")
        return "result"

    async def caller() -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            said.append(await undisturbed(work()))
            for _ in range(5):
                await turn()
            said.append("goes on")

    scopes: list[anyio.CancelScope] = []
    for how in ("not at all", "by its scope", "natively"):
        go_on.clear()
        task = asyncio.ensure_future(caller())
        for _ in range(5):
            await turn()
        if how == "by its scope":
            scopes[-1].cancel()
        elif how == "natively":
            task.cancel()
        for _ in range(5):
            await turn()
        assert "done" not in said[-1:]
        go_on.set()
        await asyncio.wait([task])
        said.append(f"{how}: {'cancelled' if task.cancelled() else 'ended'}")
    return said


def test_what_is_not_to_be_disturbed_ends_before_a_cancellation_as_it_does_really(
    loop: VirtualLoop,
) -> None:
    machine: Any = Machine(0, lambda: None, lambda: 0.0)
    context = copy_context()
    context.run(PROCESS.set, Process(0, 0, machine, lambda *_: None))
    said = []
    with simulated():
        Stage.set(FileSystem(), loop, threaded)
        for each in (really_undisturbed, undisturbed):
            task = loop.create_task(_cancelled_meanwhile(each), context=context)
            said.append(loop.run_until_complete(task))
    assert said[0] == said[1]
    assert said[0].count("done") == 3


def _events() -> list[Event]:
    identity = FileIdentity(1, 2, 16, 3)
    part = Part(PartSource.SOURCE1, 1, 0, 8)
    digest = Digest(xxh3=b"x" * 16, sha256=b"s" * 32)
    return [
        Opening(
            attempt=0,
            token="t",
            part_size=8,
            checksum="sha256",
            identities=(identity,),
            known_read_sets=("1",),
            started=1.0,
        ),
        Opened(upload_id="2", adopted=False, part_size=8),
        PartSeen(part=part, digest=digest, checksum="c", origin="journal"),
        Completing(),
        Completed(read_set_id="3"),
        UploadGone(),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_journal_of_a_world_keeps_what_the_real_one_keeps(tmp_path: Path, seed: int) -> None:
    drawn = random.Random(seed)
    machine: Any = Machine(0, lambda: None, lambda: 0.0)
    real, simulated = Journal(tmp_path), SimulatedJournal(machine)
    keys, events = ["a", "b", "c"], _events()
    for _ in range(60):
        match drawn.choice(["append", "append", "append", "forget", "about", "reopen"]):
            case "append":
                batch = [
                    (drawn.choice(keys), drawn.choice(events)) for _ in range(drawn.randint(1, 4))
                ]
                real.append(batch)
                simulated.append(batch)
            case "forget":
                key = drawn.choice(keys)
                real.forget(key)
                simulated.forget(key)
            case "about":
                key = drawn.choice(keys)
                real.about(key, {"name": key})
                simulated.about(key, {"name": key})
            case _:
                real.close()
                real, simulated = Journal(tmp_path), SimulatedJournal(machine)
        for key in keys:
            assert real.load(key) == simulated.load(key)
            assert (real.tail(key) is None) == (simulated.tail(key) is None)
    real.close()


def test_a_torn_journal_is_set_aside_and_knows_nothing() -> None:
    machine: Any = Machine(0, lambda: None, lambda: 0.0)
    journal = SimulatedJournal(machine)
    journal.append([("a", each) for each in _events()])
    machine.disk.torn = True
    assert journal.load("a") == []
    assert journal.set_aside is not None
    machine.disk.torn = True
    with pytest.raises(Stopped):
        journal.append([("a", Completing())])


def test_a_full_disk_keeps_nothing_of_a_transaction() -> None:
    machine: Any = Machine(0, lambda: None, lambda: 0.0)
    journal = SimulatedJournal(machine)
    machine.disk.full_for = 1
    with pytest.raises(Stopped):
        journal.append([("a", each) for each in _events()])
    assert journal.load("a") == []
