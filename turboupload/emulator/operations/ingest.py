"""Ingest: reads the files in the background, after Complete and StartReadSetImportJob.

The pending work is in the database, so a killed emulator continues it at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from turboupload.emulator.operations.imports import due_jobs, run_job
from turboupload.emulator.operations.readsets import blobs_of
from turboupload.emulator.operations.stores import DEFAULT_ETAG_FAMILY, require_store
from turboupload.emulator.operations.uploads import end_upload
from turboupload.emulator.reading.examine import Examiner
from turboupload.emulator.reading.findings import IngestFailure, Stopped, status_message
from turboupload.emulator.storage.blobs import Blob
from turboupload.emulator.storage.database import dump, load
from turboupload.emulator.storage.state import State

__all__ = ["Ingest"]

_Task = tuple[str, Callable[[], None]]

_log = logging.getLogger(__name__)

MAX_AT_ONCE = 2
MAX_MESSAGE_CHARS = 255


class Ingest:
    """Does the work that is due, a few jobs at a time.

    Arguments:
        state: The data.
        pool: Threads for the reading.
    """

    def __init__(self, state: State, pool: Executor) -> None:
        self._state = state
        self._pool = pool
        self._stopping = threading.Event()
        self._examiner = Examiner(state.blobs, state.config.references, self._check)
        self._running: set[str] = set()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)

    def wake(self) -> None:
        """Check again whether work is due. Safe to call from any thread."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self) -> None:
        """Stop the current work; `run` then ends soon."""
        self._stopping.set()
        self._wake.set()

    def _check(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    async def run(self) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping.is_set():
                self._wake.clear()
                due, next_due = await self._loop.run_in_executor(self._pool, self._due_work)
                for identity, work in due:
                    if identity not in self._running:
                        self._running.add(identity)
                        tasks.create_task(self._do(identity, work))
                await self._sleep_until(next_due)

    async def _sleep_until(self, moment: float | None) -> None:
        delay = None if moment is None else max(moment - self._state.clock(), 0.0)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _do(self, identity: str, work: Callable[[], None]) -> None:
        try:
            async with self._slots:
                await self._loop.run_in_executor(self._pool, work)
        except Stopped:
            pass
        except Exception:
            # It stays marked as running, so it is retried at the next start, not at once.
            _log.exception("ingest of %s failed", identity)
            return
        self._running.discard(identity)

    def _due_work(self) -> tuple[list[_Task], float | None]:
        """The work that is due, and the time of the next one, in seconds since the epoch."""
        now = self._state.clock()
        with self._state.database.transaction() as rows:
            found = rows.execute(
                "SELECT id, created FROM read_sets WHERE status = 'PROCESSING_UPLOAD'"
            ).fetchall()
        delay = self._state.world.ingest_delay_s
        moments = {row["id"]: row["created"] + delay for row in found}
        jobs = due_jobs(self._state)
        waiting = [
            moment
            for identity, moment in {**moments, **jobs}.items()
            if moment > now and identity not in self._running
        ]
        due: list[_Task] = [
            (identity, partial(work, identity))
            for work, found_moments in ((self._ingest, moments), (self._import, jobs))
            for identity, moment in found_moments.items()
            if moment <= now
        ]
        return due, min(waiting, default=None)

    def _import(self, job_id: str) -> None:
        run_job(self._state, self._examiner, job_id, self._check)

    def _ingest(self, read_set_id: str) -> None:
        with self._state.database.transaction() as rows:
            row = rows.execute(
                "SELECT * FROM read_sets WHERE id = ? AND status = 'PROCESSING_UPLOAD'",
                (read_set_id,),
            ).fetchone()
            if row is None:
                return  # Finished since it was found due.
            files = blobs_of(rows, read_set_id)
            store = require_store(rows, row["store_id"])
        details = load(row["params"])
        family = store.get("eTagAlgorithmFamily", DEFAULT_ETAG_FAMILY)
        try:
            facts = self._examiner.examine(details, files, family)
        except IngestFailure as failure:
            self._fail(read_set_id, status_message(failure, MAX_MESSAGE_CHARS), files)
            return
        except Stopped:
            raise
        except Exception:
            _log.exception("ingest of read set %s failed", read_set_id)
            self._fail(read_set_id, "internal error", files)
            return
        with self._state.database.transaction() as rows:
            rows.execute(
                "UPDATE read_sets SET status = 'ACTIVE', used = ?, facts = ? WHERE id = ?",
                (self._state.clock(), dump(facts.metadata(details, family)), read_set_id),
            )
            if facts.index is not None:
                rows.execute(
                    "INSERT INTO read_set_blobs (read_set_id, file, position, blob, size, offset)"
                    " VALUES (?, 'INDEX', 0, ?, ?, 0)",
                    (read_set_id, facts.index.name, facts.index.size),
                )
            names = end_upload(self._state, rows, read_set_id)
        self._state.blobs.delete(names)
        self._state.database.forget_past()

    def _fail(self, read_set_id: str, message: str, files: dict[str, list[Blob]]) -> None:
        with self._state.database.transaction() as rows:
            rows.execute(
                "UPDATE read_sets SET status = 'UPLOAD_FAILED', status_message = ? WHERE id = ?",
                (message, read_set_id),
            )
            rows.execute("DELETE FROM read_set_blobs WHERE read_set_id = ?", (read_set_id,))
            names = end_upload(self._state, rows, read_set_id)
        self._state.blobs.delete(names)
        self._state.blobs.delete(blob.name for blobs in files.values() for blob in blobs)
