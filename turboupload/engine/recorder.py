"""Writes the journal from the event loop: durable when it returns, with many rows in one sync."""

from __future__ import annotations

import copy

import anyio
import anyio.to_thread
from msgspec import Struct

from turboupload.core.upload.events import Event
from turboupload.errors import TurbouploadError
from turboupload.runtime.tasks import undisturbed
from turboupload.state.journal import Journal

__all__ = ["Recorder"]


class _Entry(Struct):
    key: str
    event: Event
    written: bool = False
    error: BaseException | None = None


class Recorder:
    """Group commit: the task that gets the lock writes the rows of all tasks that wait for it.

    A thousand parts that finish together cost a few syncs, not a thousand, and no task continues
    before its own row is on the disk. No row is written for a task that has ended: by then another
    process may work on the upload.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(1)
        self._waiting: list[_Entry] = []

    async def record(self, key: str, event: Event) -> None:
        """Returns when the event is durable; a cancellation waits for that moment.

        Raises:
            Stopped: The journal can't be written.
        """
        entry = _Entry(key, event)
        self._waiting.append(entry)
        await undisturbed(self._write(entry))

    async def _write(self, entry: _Entry) -> None:
        async with self._lock:
            if not entry.written:
                await self._write_all()
        if entry.error is not None:
            # A copy for each upload, since its file and upload are added to it.
            raise copy.copy(entry.error) from entry.error.__cause__

    async def _write_all(self) -> None:
        batch, self._waiting = self._waiting, []
        rows = [(entry.key, entry.event) for entry in batch]
        try:
            await anyio.to_thread.run_sync(self._journal.append, rows, limiter=self._limiter)
        except BaseException as error:
            # Whatever it is, no row of these is known to be on the disk.
            for entry in batch:
                entry.error = error
            if not isinstance(error, TurbouploadError):
                raise
        finally:
            for entry in batch:
                entry.written = True
