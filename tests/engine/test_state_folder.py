"""The state folder is deleted under an upload's feet: it stops, and nothing is made twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.batch.conftest import BatchBench, KnowingService
from tests.engine.conftest import Bench
from tests.support.scripted import COMPLETE, CREATE
from turboupload.core.batch import BatchNotice, RowChanged
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    PartSeen,
    StatusSeen,
)
from turboupload.errors import Stopped
from turboupload.state.journal import Journal


@pytest.fixture
def bench(tmp_path: Path) -> BatchBench:
    """Its service shows ETags: with the journal lost, they say which read sets are ours."""
    return BatchBench(tmp_path, service=KnowingService())


def known(bench: Bench, *read_sets: ReadSet) -> None:
    """The service knows the ETags of what it is sent."""
    assert isinstance(bench.service, KnowingService)
    bench.service.stores(list(read_sets))


def everything(state: Path) -> None:
    shutil.rmtree(state)


def locks(state: Path) -> None:
    shutil.rmtree(state / "locks")


def journal(state: Path) -> None:
    for each in state.glob("journal.sqlite3*"):
        each.unlink()


DEEDS = [everything, locks, journal]


async def stopped_at(
    bench: Bench, read_set: ReadSet, moment: type[Event], deed: Callable[[Path], None]
) -> Stopped | None:
    """Uploads, and does the deed when it first hears of such an event."""
    done = False

    def listen(notice: Notice) -> None:
        nonlocal done
        if isinstance(notice, moment) and not done:
            done = True
            deed(bench.folder / "state")

    with bench.engine(concurrency=2) as engine:
        try:
            await engine.upload(read_set, bench.store, listen)
        except Stopped as error:
            return error
    return None


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("moment", [Opened, PartSeen, Completing, Completed])
async def test_it_stops_before_it_writes_or_completes_more(
    bench: Bench, moment: type[Event], deed: Callable[[Path], None]
) -> None:
    read_set = bench.read_set(bench.file())
    known(bench, read_set)
    error = await stopped_at(bench, read_set, moment, deed)
    assert error is not None
    assert error.operation == "journal"
    assert "run the same command again" in (error.hint or "")
    made = bench.script.calls[COMPLETE]
    assert made == (1 if moment in (Completing, Completed) else 0)
    result = await bench.upload(read_set)
    assert result.status == "ACTIVE"
    assert len(bench.service._read_sets) == 1
    assert bench.service._uploads == {}
    assert bench.script.calls[CREATE] == 1
    # Whatever had arrived and was seen is not sent again.
    assert bench.resent <= 2 * 2


@pytest.mark.parametrize("deed", DEEDS)
async def test_the_last_look_may_be_all_that_is_lost(
    bench: Bench, deed: Callable[[Path], None]
) -> None:
    read_set = bench.read_set(bench.file())
    known(bench, read_set)
    await stopped_at(bench, read_set, StatusSeen, deed)
    result = await bench.upload(read_set)
    assert (result.status, result.existed) == ("ACTIVE", True)
    assert len(bench.service._read_sets) == 1


async def test_two_that_share_no_lock_any_more_make_one_read_set(bench: Bench) -> None:
    """The first one's lock is deleted, and a second process takes the upload over."""
    read_set = bench.read_set(bench.file(size=30_000))
    endings: list[object] = []
    second_done = anyio.Event()

    async def second() -> None:
        endings.append(await bench.upload(read_set))
        second_done.set()

    async with anyio.create_task_group() as group:
        seen = 0

        def listen(notice: Notice) -> None:
            nonlocal seen
            if isinstance(notice, PartSeen):
                seen += 1
                if seen == 3:
                    shutil.rmtree(bench.folder / "state" / "locks")
                    group.start_soon(second)

        with bench.engine(concurrency=1) as engine, pytest.raises(Stopped, match="was deleted"):
            await engine.upload(read_set, bench.store, listen)
        await second_done.wait()
    assert len(bench.service._read_sets) == 1
    assert bench.script.calls[COMPLETE] == 1
    assert (await bench.upload(read_set)).existed


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_batch_stops_with_one_sentence_and_goes_on(
    bench: BatchBench, deed: Callable[[Path], None]
) -> None:
    rows = bench.read_sets(8)
    known(bench, *rows)
    done = False

    class Deed(list[BatchNotice]):
        def append(self, notice: BatchNotice) -> None:
            nonlocal done
            arrived = isinstance(notice, RowChanged) and notice.result.status == "processing"
            if arrived and not done:
                done = True
                deed(bench.folder / "state")
            super().append(notice)

    bench.heard_of = Deed()
    result = await bench.batch(rows)
    assert done
    if deed is not locks:
        # A row that let its lock go takes another; the journal serves all.
        assert isinstance(result.stopped_by, Stopped)
        assert result.stopped_by.operation == "journal"
    assert result.failed == ()
    bench.heard_of = []
    again: Any = await bench.batch(rows)
    assert set(again.counts) <= {"active", "exists"}
    assert len(bench.service._read_sets) == 8
    assert bench.service._uploads == {}


async def test_a_row_that_another_process_writes_for_is_taken_in_only(bench: BatchBench) -> None:
    """Between `send` and `look` nothing is held, and the row may become another's."""
    (row,) = bench.read_sets(1)
    with bench.engine() as first, bench.engine() as second:
        run = await first.send(row, bench.store, bench.told.append)
        other = await second.upload(row, bench.store, bench.told.append)
        bench.service._looks = 0
        ended = None
        while ended is None:
            ended = await first.poll(run)
        assert ended.read_set_id == other.read_set_id
    with closing(Journal(bench.folder / "state")) as kept:
        rows = kept.load(run.key)
        assert [type(each) for each in rows].count(StatusSeen) == len(
            {each.record.status for each in rows if isinstance(each, StatusSeen)}
        )
        assert kept.set_aside is None
