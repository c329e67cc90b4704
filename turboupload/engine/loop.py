"""The loop: asks an upload's state what to do, does it, and tells the state what came of it.

One window, one set of token buckets and one journal serve all uploads of an engine. The only task
groups are those in which an upload's parts move and its files are hashed; they live within the
caller's call, so cancelling it ends them, and nothing runs when nobody waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.model import Phase, ReadSet, ReadSetRecord
from turboupload.core.notices import (
    Finished,
    Planned,
    Rehearsal,
    Started,
    UploadResult,
)
from turboupload.core.rate.window import Window
from turboupload.core.upload.actions import (
    Action,
    Complete,
    Create,
    Declare,
    Done,
    Follow,
    ListParts,
    MoveParts,
    Prove,
    Survey,
)
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    PartsListed,
    StatusSeen,
    UploadGone,
)
from turboupload.engine.complete import Completer
from turboupload.engine.create import Creator
from turboupload.engine.parts import Mover
from turboupload.engine.policies import Policies
from turboupload.engine.poll import Looker
from turboupload.engine.prepare import Prepared, prepare
from turboupload.engine.proof import Prover
from turboupload.engine.receipts import Receipts
from turboupload.engine.recorder import Recorder
from turboupload.engine.rehearse import rehearse
from turboupload.engine.result import result_of
from turboupload.engine.run import OnNotice, Run
from turboupload.engine.start import Beginner
from turboupload.engine.survey import OpenUploads, Surveyor, list_all_parts, survey
from turboupload.errors import (
    CallFailed,
    IntegrityError,
    LinkFailed,
    TurbouploadError,
    UploadBusy,
)
from turboupload.omics.base import NOT_FOUND, ReadSetService
from turboupload.omics.quotas import Quotas, Slots
from turboupload.processors import processors
from turboupload.state.journal import Journal
from turboupload.state.journal_rows import JOURNALLED
from turboupload.state.lock import UploadLock, holder_of, lock_of_upload
from turboupload.tasks import in_thread

__all__ = ["Engine"]


class Engine:
    """Uploads read sets, any number side by side.

    Args:
        service: The service, bare: the engine puts its policies around it.
        journal: The journal.
        config: How to upload.
        where: The endpoint or Region, for the journal's keys.
        endpoint: The custom endpoint, if there is one, for what users read.
        clock: The time.
        cap_wait_s: How long parts have waited for the bandwidth cap in all, in seconds.
        quotas: Those that others share; else own ones.

    Attributes:
        policies: What surrounds every call, for whoever works beside the engine, too.
    """

    def __init__(
        self,
        service: ReadSetService,
        journal: Journal,
        config: UploadConfig,
        *,
        where: str,
        endpoint: str | None = None,
        clock: Clock | None = None,
        cap_wait_s: Callable[[], float] = lambda: 0.0,
        quotas: Quotas | None = None,
    ) -> None:
        self._journal = journal
        self._recorder = Recorder(journal)
        self._config = config
        self._where = where
        self._clock = clock or Clock()
        self._looking = anyio.CapacityLimiter(processors())
        self._prover = Prover(config)
        slots = Slots(Window(fixed=config.concurrency))
        self.policies = Policies(
            service, config, self._clock, slots, endpoint=endpoint, quotas=quotas
        )
        self._beginner = Beginner(journal, self.policies, config, self._clock, where=where)
        self._open_uploads: dict[str, OpenUploads] = {}
        self._creator = Creator(self._clock, give_up_after_s=config.give_up_after_s)
        self._completer = Completer(self._clock, give_up_after_s=config.give_up_after_s)
        self._looker = Looker(self._clock, config)
        self._mover = Mover(
            slots,
            self._clock,
            lambda: (self.policies.quota_wait_s, cap_wait_s()),
            deliver=self._deliver,
            explain=self.policies.explained_of,
        )

    @property
    def clock(self) -> Clock:
        """The time, for whoever works beside the engine."""
        return self._clock

    @property
    def config(self) -> UploadConfig:
        """How to upload."""
        return self._config

    def hurry(self) -> None:
        """From now on no upload waits for another process that has the journal locked."""
        self._journal.hurry()

    # --- one upload -------------------------------------------------------------------------

    async def upload(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        receipt_path: str | os.PathLike[str] | None = None,
    ) -> UploadResult:
        """Uploads a read set, or goes on with it, and follows it as far as configured.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Told of everything that happens.
            receipt_path: Where to write the receipt, beside keeping it in the journal.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        run = await self._carry(read_set, store_id, notify, receipt_path=receipt_path)
        return await self._finish(run)

    async def send(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        surveyor: Surveyor | None = None,
        receipt_path: str | os.PathLike[str] | None = None,
    ) -> Run:
        """As `upload`, up to where the read set exists, which nobody follows then.

        What comes back holds no file and no lock; `look` or `take_in` say what became of it.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Told of everything that happens.
            surveyor: Says what the service has when the upload is planned; else it is asked.
            receipt_path: Where to write the receipt, beside keeping it in the journal.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        return await self._carry(
            read_set,
            store_id,
            notify,
            receipt_path=receipt_path,
            surveyor=surveyor,
            follow=False,
        )

    async def look(self, run: Run) -> UploadResult | None:
        """Looks once what became of a read set that `send` made or found.

        Returns:
            Its end; None while the service is at work (`run.at_work`), or where it has come to
            nothing and `send` must begin anew.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        assert run.upload.read_set_id is not None
        try:
            event = await self._looker.glance(run, run.upload.read_set_id)
            return None if event is None else await self._conclude(run, event)
        except (CallFailed, LinkFailed) as failure:
            raise self.policies.explained_of(run, failure) from failure

    async def take_in(self, run: Run, record: ReadSetRecord) -> UploadResult | None:
        """As `look`, with what a listing said of the read set."""
        return await self._conclude(run, StatusSeen(record))

    async def leave_receipt(self, run: Run) -> None:
        """Leaves the receipt of a read set that `send` made or found, and nobody looks at."""
        assert run.receipts is not None
        await run.receipts.leave_despite(run, self._clock.wall())

    async def _conclude(self, run: Run, event: Event) -> UploadResult | None:
        upload = run.upload
        known = upload.record is not None and upload.record.status
        if isinstance(event, StatusSeen) and event.record.status == known:
            upload.receive(event)
        else:
            await self._deliver_held(run, event)
        try:
            # Raises where the read set is not ours, or does not hold what was sent.
            while upload.phase in (Phase.ACTIVE, Phase.FAILED):
                action = upload.next()
                if isinstance(action, Done):
                    return await self._finish(run)
                found = await self._perform(run, action)
                if found is not None:
                    await self._deliver_held(run, found)
        except IntegrityError:
            await self._leave_receipt_of_failure(run)
            raise
        return None

    async def _finish(self, run: Run) -> UploadResult:
        result = result_of(run, self._clock.now())
        assert run.receipts is not None
        result = replace(result, receipt=await run.receipts.leave(run, self._clock.wall()))
        run.notify(Finished(result))
        return result

    async def _deliver_held(self, run: Run, event: Event) -> None:
        """As `_deliver`, for a run that let its lock go.

        It writes only directly after what it wrote itself. Whoever has the upload now, or had it
        meanwhile, has written what it found, and this run only takes the event in.
        """
        with ExitStack() as locks, run.locks:
            try:
                run.held = {run.key: locks.enter_context(self._lock(run.key))}
                if await in_thread(self._journal.tail, run.key) == run.tail:
                    await self._deliver(run, event)
                    run.tail = await in_thread(self._journal.tail, run.key)
                    return
            except UploadBusy:
                pass
            finally:
                run.held = {}
        if isinstance(event, StatusSeen):
            run.last_status = event.record.status
        run.upload.receive(event)
        run.notify(event)

    async def _leave_receipt_of_failure(self, run: Run) -> None:
        """What was found wrong with a read set is what a receipt is wanted for most."""
        if run.upload.phase is Phase.ACTIVE and run.receipts is not None:
            await run.receipts.leave_despite(run, self._clock.wall())

    async def _carry(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        receipt_path: str | os.PathLike[str] | None,
        surveyor: Surveyor | None = None,
        follow: bool = True,
    ) -> Run:
        prepared = await self._prepare(read_set, notify)
        notify(
            Started(
                name=prepared.read_set.name,
                store_id=store_id,
                file_type=prepared.file_type,
                paths=prepared.read_set.paths,
                total_bytes=prepared.plan.total_bytes,
            )
        )
        self._prover.check(prepared.file_type)
        key = self._beginner.key(prepared, store_id)
        receipts = await anyio.to_thread.run_sync(
            lambda: Receipts(
                self._journal,
                prepared.read_set,
                store_id,
                prepared.plan,
                path=receipt_path,
                where=self._where,
                began=self._clock.wall(),
            )
        )
        with self._lock(key) as lock:
            run = await self._beginner.begin(prepared, store_id, key, notify)
            run.follows, run.surveyor, run.receipts = follow, surveyor, receipts
            run.held = {key: lock}
            try:
                with run.locks:
                    self._hold_known(run)
                    await self._prover.drive(run, self._drive)
                    run.tail = await in_thread(self._journal.tail, key)
            except (CallFailed, LinkFailed) as failure:
                raise self.policies.explained_of(run, failure) from failure
            except TurbouploadError as error:
                error.path = error.path or read_set.paths[0]
                error.upload_id = error.upload_id or run.upload.upload_id
                if isinstance(error, IntegrityError):
                    await self._leave_receipt_of_failure(run)
                raise
            finally:
                run.held = {}
        return run

    async def rehearse(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        surveyor: Surveyor | None = None,
    ) -> Rehearsal:
        """Finds out what `upload` would do, without changing anything anywhere.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Told of what happens.
            surveyor: Says what the service has; else it is asked.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        prepared = await self._prepare(read_set, notify)
        key = self._beginner.key(prepared, store_id)
        run = await self._beginner.begin(prepared, store_id, key, notify, remember=False)
        run.surveyor = surveyor
        try:
            return await rehearse(run, self._perform)
        except (CallFailed, LinkFailed) as failure:
            raise self.policies.explained_of(run, failure) from failure

    async def _prepare(self, read_set: ReadSet, notify: OnNotice) -> Prepared:
        """Looks at the files; as many read sets at a time as there are processors."""
        async with self._looking:
            return await prepare(read_set, self._config, notify)

    # --- the loop ---------------------------------------------------------------------------

    async def _drive(self, run: Run) -> None:
        while True:
            action = run.upload.next()
            if isinstance(action, Done) or self._looker.waited_enough(run, action):
                return
            event = await self._perform(run, action)
            if event is not None:
                await self._deliver(run, event)

    async def _deliver(self, run: Run, event: Event) -> None:
        """A fact becomes durable, then known, then told."""
        if isinstance(event, Opened):
            self._hold(run, event.upload_id)
        news = not isinstance(event, StatusSeen) or event.record.status != run.last_status
        if isinstance(event, StatusSeen):
            run.last_status = event.record.status
        if news and isinstance(event, JOURNALLED):
            for lock in run.held.values():
                lock.check()
            await self._recorder.record(run.key, event)
        run.upload.receive(event)
        if run.follower is not None and isinstance(event, Completing | Completed):
            run.follower.hurry()
        if news:
            run.notify(event)

    def _hold_known(self, run: Run) -> None:
        if run.upload.upload_id is not None and run.upload.phase is Phase.OPEN:
            self._hold(run, run.upload.upload_id)

    def _hold(self, run: Run, upload_id: str) -> None:
        """One process at a time on an open upload, whatever files it was found by."""
        key = lock_of_upload(upload_id)
        if key not in run.held:
            run.held[key] = run.locks.enter_context(self._lock(key))

    def _lock(self, key: str) -> UploadLock:
        return UploadLock(self._journal.folder, key)

    async def in_other_hands(self, lock: str) -> str | None:
        """Whether somebody else has an upload in hand, and how far they have come.

        Args:
            lock: As `UploadBusy` names it.

        Returns:
            None where nobody has; else a text that changes as they go on.
        """
        if await anyio.to_thread.run_sync(holder_of, self._journal.folder, lock) is None:
            return None
        return await in_thread(self._journal.tail, lock) or ""

    async def _perform(self, run: Run, action: Action) -> Event | None:
        upload, service = run.upload, run.service
        match action:
            case Survey(after_s, probe):
                if after_s > 0 and upload.waits_for_others:
                    run.remark(
                        "waits-for-others",
                        "all parts are there; another upload of this name, sample and subject "
                        "may hold the same files, so Complete waits: it may become a read set",
                    )
                await self._clock.sleep(after_s)
                known_enough = upload.phase is Phase.PLANNED and not run.surveyed
                run.surveyed = True
                ask = run.surveyor if known_enough else None
                shared = self._open_uploads.setdefault(upload.store_id, OpenUploads())
                return await (ask or partial(survey, open_uploads=shared))(
                    service,
                    store_id=upload.store_id,
                    read_set=upload.read_set,
                    file_type=upload.file_type,
                    plan=upload.plan,
                    probe=probe,
                    ours=upload.upload_id,
                )
            case Declare(event):
                if isinstance(event, Opened | Completed) and event.adopted:
                    run.resumed = True
                return event
            case Create(token):
                return await self._creator.create(run, token)
            case ListParts(upload_id):
                return await self._list_parts(run, upload_id)
            case MoveParts(upload_id, compare_only):
                self._tell_plan(run, upload_id)
                await self._mover.move(run, compare_only=compare_only)
                if not run.gone:
                    return None
                self._remark_gone(run, upload_id)
                return UploadGone()
            case Complete():
                return await self._completer.complete(run, action.parts)
            case Follow(read_set_id):
                return await self._looker.look(run, read_set_id)
            case Prove(family):
                return await self._prover.answer(run, family)
            case Done():
                return None

    async def _list_parts(self, run: Run, upload_id: str) -> Event:
        try:
            parts = await list_all_parts(run.service, run.ref, run.upload.plan.sources)
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            self._remark_gone(run, upload_id)
            return UploadGone()
        return PartsListed(parts)

    @staticmethod
    def _remark_gone(run: Run, upload_id: str) -> None:
        run.remark(
            "upload-gone",
            f"upload {upload_id} is no longer open: it was completed, aborted, or it expired",
        )

    # --- words ------------------------------------------------------------------------------

    def _tell_plan(self, run: Run, upload_id: str) -> None:
        plan, ledger = run.upload.plan, run.upload.ledger
        run.notify(
            Planned(
                upload_id=upload_id,
                resumed=run.resumed,
                part_size=plan.part_size,
                parts=plan.total_parts,
                total_bytes=plan.total_bytes,
                parts_there=ledger.listed_parts,
            )
        )
