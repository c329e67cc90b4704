"""Leaving an Uploader while it is at work: everything ends, in time, and can be resumed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest
import structlog

import turboupload
from tests.support import samples
from tests.support.emulator import RunningEmulator
from turboupload.core.notices import Notice, Progress
from turboupload.state.journal import Journal

IN_TIME_S = 8.0
"""How soon leaving has to be over, on a machine that is busy with other things, too."""

CONFIG = turboupload.UploadConfig(
    part_size_bytes=40_000, concurrency=1, transactions_per_s={"CreateMultipartReadSetUpload": 50.0}
)
STALLED = {
    "operation": "UploadReadSetPart",
    "partNumber": 2,
    "times": None,
    "action": {"type": "stall", "seconds": 600},
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    emulator.set_faults([STALLED])
    yield
    emulator.clear_faults()
    structlog.reset_defaults()


class Uploads:
    """Uploads that get as far as their second part, and hang there."""

    def __init__(self, emulator: RunningEmulator, folder: Path, name: str, count: int = 3) -> None:
        self.emulator = emulator
        self.state = folder / "state"
        self.wanted = [
            turboupload.ReadSet(
                sources=[samples.fastq(folder / f"{number}.gz", reads=2000, seed=number).path],
                name=f"{name} {number}",
                sample_id="S",
                subject_id="U",
            )
            for number in range(count)
        ]
        self.endings: list[BaseException | turboupload.UploadResult] = []
        self.sent = 0
        self.under_way = anyio.Event()

    def listen(self, notice: Notice) -> None:
        if isinstance(notice, Progress) and notice.done_parts == 1 and notice.in_flight == 1:
            self.sent += 1
            if self.sent >= 1:
                self.under_way.set()

    async def one(self, uploader: turboupload.Uploader, number: int) -> None:
        try:
            self.endings.append(
                await uploader.upload(
                    self.wanted[number], self.emulator.store_id, on_event=self.listen
                )
            )
        except BaseException as error:
            self.endings.append(error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def start(self, uploader: turboupload.Uploader) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(self.one(uploader, number)) for number in range(len(self.wanted))
        ]

    def check_resumable(self) -> None:
        """The journal is whole, and the same calls go on."""
        assert list(self.state.glob("journal.damaged*")) == []
        self.emulator.clear_faults()
        reused = 0
        for read_set in self.wanted:
            result = turboupload.upload_sync(
                read_set, store_id=self.emulator.store_id, config=CONFIG
            )
            assert (result.status, result.verified) == ("ACTIVE", "sha256")
            reused += result.parts_reused
        assert reused >= 1
        assert list(self.state.glob("journal.damaged*")) == []


def run(work: Callable[[], Awaitable[None]], use_uvloop: bool) -> None:
    anyio.run(work, backend_options={"use_uvloop": use_uvloop})


@pytest.mark.parametrize("use_uvloop", [False, True])
@pytest.mark.parametrize("how", ["leaves", "raises", "twice"])
def test_leaving_ends_uploads_of_other_tasks(
    emulator: RunningEmulator, tmp_path: Path, use_uvloop: bool, how: str
) -> None:
    uploads = Uploads(emulator, tmp_path, f"left {how} {use_uvloop}")

    async def leave() -> None:
        uploads.under_way = anyio.Event()
        uploader = turboupload.Uploader(CONFIG)
        with suppress(ZeroDivisionError):
            async with uploader:
                tasks = uploads.start(uploader)
                with anyio.fail_after(30):
                    await uploads.under_way.wait()
                began = anyio.current_time()
                if how == "raises":
                    raise ZeroDivisionError
        if how == "twice":
            await uploader.__aexit__(None, None, None)
        assert anyio.current_time() - began < IN_TIME_S
        with anyio.fail_after(5):
            await asyncio.wait(tasks)
        with pytest.raises(RuntimeError, match="async with"):
            await uploader.upload(uploads.wanted[0], emulator.store_id)

    run(leave, use_uvloop)
    assert len(uploads.endings) == 3
    for ending in uploads.endings:
        assert isinstance(ending, turboupload.Stopped), ending
        assert "was closed" in str(ending)
        assert "the same call goes on" in (ending.hint or "")
    uploads.check_resumable()


@pytest.mark.parametrize("by", ["scope", "task", "timeout"])
def test_a_cancellation_ends_leaving_as_well(
    emulator: RunningEmulator, tmp_path: Path, by: str
) -> None:
    uploads = Uploads(emulator, tmp_path, f"cancelled {by}")

    async def serve() -> None:
        async with turboupload.Uploader(CONFIG) as uploader:
            uploads.start(uploader)
            await anyio.sleep_forever()

    async def cancelled() -> None:
        uploads.under_way = anyio.Event()
        async with anyio.create_task_group() as group:
            if by == "scope":
                group.start_soon(serve)
            task = asyncio.create_task(serve()) if by != "scope" else None
            with anyio.fail_after(30):
                await uploads.under_way.wait()
            began = anyio.current_time()
            group.cancel_scope.cancel() if task is None else task.cancel()
            if task is not None and by == "timeout":
                task.cancel()  # as whoever loses patience does
        if task is not None:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert anyio.current_time() - began < IN_TIME_S

    run(cancelled, False)
    assert len(uploads.endings) == 3
    uploads.check_resumable()


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_an_upload_that_asyncio_cancels_leaves_nothing_behind(
    emulator: RunningEmulator, tmp_path: Path, use_uvloop: bool
) -> None:
    uploads = Uploads(emulator, tmp_path, f"native {use_uvloop}", count=1)

    async def cancelled() -> None:
        uploads.under_way = anyio.Event()
        async with turboupload.Uploader(CONFIG) as uploader:
            (task,) = uploads.start(uploader)
            with anyio.fail_after(30):
                await uploads.under_way.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # It holds no lock and no row: the next one begins at once.
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await uploader.upload(uploads.wanted[0], emulator.store_id)

    run(cancelled, use_uvloop)
    uploads.check_resumable()


def test_leaving_does_not_wait_long_for_a_journal_that_is_locked(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turboupload.api.PATIENCE_S", 1.0)
    emulator.clear_faults()
    uploads = Uploads(emulator, tmp_path, "locked")
    Journal(uploads.state).close()

    async def leave() -> None:
        async with turboupload.Uploader(CONFIG) as uploader:
            with closing(sqlite3.connect(uploads.state / "journal.sqlite3")) as other:
                other.execute("BEGIN IMMEDIATE")
                tasks = uploads.start(uploader)
                await asyncio.sleep(0.5)
                began = anyio.current_time()
                await uploader.__aexit__(None, None, None)
                assert anyio.current_time() - began < IN_TIME_S
                await asyncio.wait(tasks)

    run(leave, False)
    assert all(isinstance(ending, turboupload.Stopped) for ending in uploads.endings)
    assert list(uploads.state.glob("journal.damaged*")) == []


def test_a_batch_that_asyncio_cancels_goes_on(emulator: RunningEmulator, tmp_path: Path) -> None:
    uploads = Uploads(emulator, tmp_path, "batch")

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3.0):
                await turboupload.upload_batch(
                    uploads.wanted, store_id=emulator.store_id, config=CONFIG
                )

    run(cancelled, True)
    uploads.check_resumable()


async def test_an_uploader_is_entered_once_at_a_time() -> None:
    uploader = turboupload.Uploader()
    for _ in range(2):
        async with uploader:
            with pytest.raises(RuntimeError, match="entered already"):
                async with uploader:
                    pytest.fail("it was entered twice")


LISTING_HANGS = {
    "operation": "ListReadSets",
    "times": None,
    "action": {"type": "stall", "seconds": 600},
}


async def list_all(stores: turboupload.SequenceStores, emulator: RunningEmulator) -> None:
    async for _ in stores.list_read_sets(emulator.store_id):
        pytest.fail("it was answered")


async def test_leaving_the_stores_ends_their_calls(emulator: RunningEmulator) -> None:
    emulator.set_faults([LISTING_HANGS])
    async with turboupload.SequenceStores() as stores:
        task = asyncio.create_task(list_all(stores, emulator))
        await asyncio.sleep(0.5)
        began = anyio.current_time()
    assert anyio.current_time() - began < IN_TIME_S
    with anyio.fail_after(5), pytest.raises(turboupload.Stopped, match="was closed"):
        await task


def wait_for_listing(emulator: RunningEmulator) -> None:
    end = time.monotonic() + 30
    while not any(row["operation"] == "ListReadSets" for row in emulator.stats()["underWay"]):
        assert time.monotonic() < end, "nothing was asked"
        time.sleep(0.02)


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_a_service_that_hangs_keeps_no_connection_open(
    emulator: RunningEmulator, use_uvloop: bool
) -> None:
    emulator.set_faults([LISTING_HANGS])

    async def leave() -> None:
        async with turboupload.SequenceStores() as stores:
            task = asyncio.create_task(list_all(stores, emulator))
            await anyio.to_thread.run_sync(wait_for_listing, emulator)
            os.kill(emulator.pid, signal.SIGSTOP)  # it can't take part in TLS's farewell
        with pytest.raises(turboupload.Stopped):
            await task

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            run(leave, use_uvloop)
            gc.collect()
        finally:
            os.kill(emulator.pid, signal.SIGCONT)
    assert [str(each.message) for each in caught] == []
