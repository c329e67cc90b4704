"""A long upload goes on while its listing is still being read, and sends nothing twice."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support.scripted import (
    LIST_PARTS,
    SEND,
    FastClock,
    Rule,
    Script,
    lost,
    refused,
)
from turboupload.core.notices import Planned
from turboupload.core.rate.window import MOST
from turboupload.core.upload import early_parts
from turboupload.errors import ServiceRefused
from turboupload.operations import Operation

T = TypeVar("T")

PART_BYTES = 50
DENIED = refused("AccessDeniedException", 403)


@dataclass
class Record(Script):
    """Notes when each call began."""

    clock: FastClock = field(default_factory=FastClock)
    began: list[tuple[str, float]] = field(default_factory=list)

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        self.began.append((operation.name, self.clock.time))
        return await super().__call__(operation, attempt)

    def all(self, operation: str) -> list[float]:
        return [at for name, at in self.began if name == operation]


@dataclass
class HeldListing(Record):
    """Holds back the listing's second page until so many parts have been begun.

    So it doesn't depend on how fast threads get their turn whether the listing or the parts win.
    """

    parts: int = 0
    enough: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        if operation.name == SEND and len(self.all(SEND)) + 1 == self.parts:
            self.enough.set()
        if operation.name == LIST_PARTS and self.all(LIST_PARTS):
            # Longer only where no part leaves, which the test then finds.
            with anyio.move_on_after(30):
                await self.enough.wait()
        return await super().__call__(operation, attempt)


async def upload(bench: Bench, path: Path, **more: Any) -> None:
    # The quota of parts is lifted: on a clock whose sleeps add up it would hide the listing's.
    fast = {"transactions_per_s": {SEND: 1e6}, "concurrency": 4, "part_size_bytes": PART_BYTES}
    await bench.upload(bench.read_set(path), **{**fast, **more})


async def stopped_after(bench: Bench, path: Path, parts: int, **more: Any) -> None:
    bench.script = Script([Rule(SEND, DENIED, times=None, skip=parts)])
    with suppress(ServiceRefused):
        await upload(bench, path, **more)


def listed_in(bench: Bench, order: str) -> None:
    """Has the service list the parts in another order than they came in."""
    (open_upload,) = bench.service._uploads.values()
    rows = sorted(open_upload.parts.items())
    if order == "shuffled":
        random.Random(5).shuffle(rows)
    open_upload.parts = dict(rows if order != "descending" else reversed(rows))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many in flight as the window here allows: uploads of thousands of parts take longer."""
    monkeypatch.setattr(early_parts, "IN_FLIGHT", 2 * MOST)


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
async def test_the_first_part_leaves_after_the_first_page(bench: Bench, order: str) -> None:
    path = bench.file(size=700 * PART_BYTES)
    await stopped_after(bench, path, 400)
    listed_in(bench, order)
    bench.script = record = HeldListing(clock=bench.fast, parts=40)
    await upload(bench, path)
    assert len(record.all(LIST_PARTS)) >= 4
    names = [name for name, _ in record.began]
    listed = names.index(LIST_PARTS)
    # The first page comes before any part, and 40 were sent before the second one came; more
    # may have left before the listing heard of it.
    assert listed < names.index(SEND)
    assert names[: names.index(LIST_PARTS, listed + 1)].count(SEND) >= 40
    assert bench.resent == 0
    planned = bench.heard(Planned)[-1]
    assert planned.resumed
    assert planned.parts_there >= 390


async def test_what_was_in_flight_waits_for_the_listing(bench: Bench) -> None:
    path = bench.file(size=600 * PART_BYTES)
    # The service has these four, and the run ended before it heard of it.
    unheard = Rule(SEND, lost, times=4, skip=300, after=True)
    bench.script = Script([unheard, Rule(SEND, DENIED, times=None, skip=300)])
    with suppress(ServiceRefused):
        await upload(bench, path)
    assert unheard.times == 0
    # A part whose reply was lost may have been tried once more before the others were begun.
    before = bench.resent
    bench.script = Record(clock=bench.fast)
    await upload(bench, path)
    assert bench.resent == before


async def test_another_hosts_part_on_the_first_page_stops_it(bench: Bench) -> None:
    path = bench.file(size=700 * PART_BYTES)
    await stopped_after(bench, path, 300)
    # It has no journal of ours: it finds the upload, compares, and goes on.
    await stopped_after(bench, path, 200, state_dir=bench.folder / "another host")
    listed_in(bench, "descending")
    bench.script = record = Record(clock=bench.fast)
    await upload(bench, path)
    assert record.all(SEND)[0] > record.all(LIST_PARTS)[-3]
    assert bench.resent == 0


async def test_an_upload_that_was_found_is_listed_first(bench: Bench) -> None:
    path = bench.file(size=600 * PART_BYTES)
    await stopped_after(bench, path, 200)
    bench.forget_journal()
    await stopped_after(bench, path, 100)
    bench.script = record = Record(clock=bench.fast)
    await upload(bench, path)
    assert min(record.all(SEND)) >= record.all(LIST_PARTS)[-1]
    assert bench.resent == 0
