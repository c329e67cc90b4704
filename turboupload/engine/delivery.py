"""Delivers an upload's facts: first to the journal, then to its state, then to the caller."""

from __future__ import annotations

from contextlib import ExitStack

import anyio.to_thread

from turboupload.core.model import Phase
from turboupload.core.upload.events import Completed, Completing, Event, Opened, StatusSeen
from turboupload.engine.recorder import Recorder
from turboupload.engine.run import Run
from turboupload.errors import UploadBusy
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal
from turboupload.state.journal_rows import JOURNALLED
from turboupload.state.lock import UploadLock, holder_of, lock_of_upload

__all__ = ["Delivery"]


class Delivery:
    """Delivers facts to the journal, the state and the caller, under the upload's locks.

    Args:
        journal: The journal; the locks lie beside it.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._recorder = Recorder(journal)

    async def deliver(self, run: Run, event: Event) -> None:
        """Makes a fact durable, then gives it to the state, then tells the caller.

        Raises:
            UploadBusy: The fact names an upload that another process works on.
            Stopped: The journal can't be written, or a lock file was deleted.
            Exception: An exception of the caller's callback, unchanged.
        """
        if isinstance(event, Opened):
            self._hold_upload(run, event.upload_id)
        news = not isinstance(event, StatusSeen) or event.record.status != run.last_status
        if isinstance(event, StatusSeen):
            run.last_status = event.record.status
        if news and isinstance(event, JOURNALLED):
            for lock in run.held.values():
                lock.check()
            await self._recorder.record(run.key, event)
        run.upload.receive(event)
        if run.file_hash is not None and isinstance(event, Completing | Completed):
            run.file_hash.hurry()
        if news:
            run.notify(event)

    async def deliver_after_release(self, run: Run, event: Event) -> None:
        """As `deliver`, for a run that has released its locks.

        The fact is written only if the last row is still the run's own. Otherwise another process
        has the upload now, or had it meanwhile, and has written what it found; then the fact goes
        only to the state and the caller.
        """
        with ExitStack() as locks, run.locks:
            try:
                run.held = {run.key: locks.enter_context(self.lock(run.key))}
                if await in_thread(self._journal.tail, run.key) == run.journal_tail:
                    await self.deliver(run, event)
                    run.journal_tail = await in_thread(self._journal.tail, run.key)
                    return
            except UploadBusy:
                pass
            finally:
                run.held = {}
        if isinstance(event, StatusSeen):
            run.last_status = event.record.status
        run.upload.receive(event)
        run.notify(event)

    def lock(self, key: str) -> UploadLock:
        """The lock of an upload, to be entered.

        Args:
            key: The upload's key in the journal.
        """
        return UploadLock(self._journal.folder, key)

    def hold_open_upload(self, run: Run) -> None:
        """Locks the upload that the journal knows as open.

        Raises:
            UploadBusy: Another process works on it.
        """
        if run.upload.upload_id is not None and run.upload.phase is Phase.OPEN:
            self._hold_upload(run, run.upload.upload_id)

    async def remember_tail(self, run: Run) -> None:
        """Remembers the last row that the run has written, for `deliver_after_release`."""
        run.journal_tail = await in_thread(self._journal.tail, run.key)

    async def remember_rate(self, where: str, bytes_per_s: float) -> None:
        """Remembers what the link to an endpoint gave.

        Raises:
            Stopped: The journal can't be written, or was damaged and set aside: then its next rows
                would be without their beginning.
        """
        await in_thread(self._journal.keep_rate, where, bytes_per_s)

    async def made_otherwise(self, run: Run, read_sets: frozenset[str]) -> frozenset[str]:
        """Those of these read sets that the journal knows as made of other uploads than the run's.

        Raises:
            Stopped: The journal can't be read now.
        """
        return await in_thread(self._journal.made_otherwise, read_sets, run.upload.upload_id)

    async def progress_elsewhere(self, lock: str) -> str | None:
        """The progress of another process with an upload.

        Args:
            lock: The lock's name, from `UploadBusy`.

        Returns:
            A text that changes as it makes progress; None where no process holds the lock.
        """
        if await anyio.to_thread.run_sync(holder_of, self._journal.folder, lock) is None:
            return None
        return await in_thread(self._journal.tail, lock) or ""

    def _hold_upload(self, run: Run, upload_id: str) -> None:
        """Lets only one process at a time work on an open upload, even if their files differ."""
        key = lock_of_upload(upload_id)
        if key not in run.held:
            run.held[key] = run.locks.enter_context(self.lock(key))
