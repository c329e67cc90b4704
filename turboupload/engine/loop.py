"""The loop: asks an upload's state what to do, does it, and tells the state what came of it.

One window, one set of token buckets and one journal serve all uploads of an engine. The only task
group is the one in which an upload's parts move; it lives as long as they do, so cancelling the
caller ends them, and nothing runs when nobody waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core import retry
from turboupload.core.actions import (
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
from turboupload.core.events import (
    Completed,
    CompleteLost,
    Completing,
    Event,
    Opened,
    PartsListed,
    StatusSeen,
    UploadGone,
)
from turboupload.core.identity import upload_key
from turboupload.core.model import FileType, Phase, ReadSet, ReadSetRecord
from turboupload.core.notices import (
    Calling,
    Finished,
    Planned,
    Rehearsal,
    Retrying,
    Started,
    UploadResult,
)
from turboupload.core.plan import Plan
from turboupload.core.reconcile import is_gone
from turboupload.core.upload import Upload, UploadOptions
from turboupload.core.window import Window
from turboupload.engine.ending import result_of
from turboupload.engine.moving import Mover
from turboupload.engine.prepare import Prepared, prepare
from turboupload.engine.proving import Prover
from turboupload.engine.receipts import Receipts
from turboupload.engine.recorder import Recorder
from turboupload.engine.rehearsal import rehearse
from turboupload.engine.run import OnNotice, Run
from turboupload.engine.survey import Surveyor, list_all_parts, survey
from turboupload.errors import (
    CallFailed,
    IntegrityError,
    LinkFailed,
    ServiceRefused,
    Stopped,
    TurbouploadError,
    UploadBusy,
)
from turboupload.local.journal import Journal
from turboupload.local.lock import UploadLock, lock_of_upload
from turboupload.local.rows import JOURNALLED
from turboupload.local.source import check_unchanged
from turboupload.service.base import NOT_FOUND, ReadSetService
from turboupload.service.wrappers import Contact, Guarded, Limit, Observe, Retry, Slots

__all__ = ["Engine"]

MAX_REFUSALS = 4
"""How often Complete may be refused in a row, with a look at the upload after each."""

FIRST_LOOK_S = 0.25
LOOK_FACTOR = 1.6
"""The pause between two looks at a read set, in seconds, and how it grows."""

LAG_S = 60.0
"""How long a read set that was just made may be unknown to the service, in seconds."""


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
    ) -> None:
        self._service = service
        self._journal = journal
        self._recorder = Recorder(journal)
        self._config = config
        self._where = where
        self._endpoint = endpoint
        self._clock = clock or Clock()
        self._contact = Contact()
        self._prover = Prover(config)
        self._looking = anyio.CapacityLimiter(os.cpu_count() or 1)
        slots = Slots(Window(fixed=config.concurrency))
        self._limit = Limit(slots, self._clock, transactions_per_s=config.transactions_per_s)
        self._mover = Mover(
            slots,
            self._clock,
            lambda: (self._limit.quota_wait_s, cap_wait_s()),
            deliver=self._deliver,
            explain=self._explained,
        )

    @property
    def clock(self) -> Clock:
        """The time, for whoever works beside the engine."""
        return self._clock

    @property
    def config(self) -> UploadConfig:
        """How to upload."""
        return self._config

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._limit.rate(operation)

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
        surveyor: Surveyor = survey,
        receipt_path: str | os.PathLike[str] | None = None,
    ) -> Run:
        """As `upload`, up to where the read set exists, which nobody follows then.

        What comes back holds no file and no lock; `look` or `take_in` say what became of it.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Told of everything that happens.
            surveyor: Says what the service has when the upload is planned.
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
            event = await self._glance(run, run.upload.read_set_id)
            return None if event is None else await self._conclude(run, event)
        except (CallFailed, LinkFailed) as failure:
            raise self._explained(run, failure) from failure

    async def take_in(self, run: Run, record: ReadSetRecord) -> UploadResult | None:
        """As `look`, with what a listing said of the read set."""
        return await self._conclude(run, StatusSeen(record))

    async def _conclude(self, run: Run, event: Event) -> UploadResult | None:
        upload = run.upload
        known = upload.record is not None and upload.record.status
        if isinstance(event, StatusSeen) and event.record.status == known:
            upload.receive(event)
        else:
            await self._deliver_held(run, event)
        if upload.phase is Phase.PLANNED:
            return None
        try:
            # Raises where the read set is not ours, or does not hold what was sent.
            action = upload.next()
            if isinstance(action, Prove):
                upload.receive(await self._prover.answer(run, action.family))
                action = upload.next()
        except IntegrityError:
            await self._leave_receipt_of_failure(run)
            raise
        return await self._finish(run) if isinstance(action, Done) else None

    async def _finish(self, run: Run) -> UploadResult:
        result = result_of(run, self._clock.now())
        assert run.receipts is not None
        result = replace(result, receipt=await run.receipts.leave(run, self._clock.wall()))
        run.notify(Finished(result))
        return result

    async def _deliver_held(self, run: Run, event: Event) -> None:
        """As `_deliver`, for a run that let its lock go; whoever has it now writes for itself."""
        try:
            with UploadLock(self._journal.folder, run.key):
                await self._deliver(run, event)
        except UploadBusy:
            if not isinstance(event, StatusSeen):
                raise
            run.upload.receive(event)

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
        surveyor: Surveyor = survey,
        follow: bool = True,
    ) -> Run:
        prepared = await self._prepare(read_set, notify)
        read_set, file_type, plan = prepared.read_set, prepared.file_type, prepared.plan
        notify(
            Started(
                name=read_set.name,
                store_id=store_id,
                file_type=file_type,
                paths=read_set.paths,
                total_bytes=plan.total_bytes,
            )
        )
        self._prover.check(file_type)
        key = self._key(read_set, store_id, file_type, plan)
        receipts = await anyio.to_thread.run_sync(
            lambda: Receipts(
                self._journal,
                read_set,
                store_id,
                plan,
                path=receipt_path,
                where=self._where,
                began=self._clock.wall(),
            )
        )
        with UploadLock(self._journal.folder, key):
            run = await self._begin(read_set, store_id, file_type, plan, key, notify)
            run.follows, run.surveyor, run.receipts = follow, surveyor, receipts
            try:
                with run.locks:
                    self._hold_known(run)
                    await self._prover.drive(run, self._drive)
            except (CallFailed, LinkFailed) as failure:
                raise self._explained(run, failure) from failure
            except TurbouploadError as error:
                error.path = error.path or read_set.paths[0]
                error.upload_id = error.upload_id or run.upload.upload_id
                if isinstance(error, IntegrityError):
                    await self._leave_receipt_of_failure(run)
                raise
        return run

    async def rehearse(
        self, read_set: ReadSet, store_id: str, notify: OnNotice, *, surveyor: Surveyor = survey
    ) -> Rehearsal:
        """Finds out what `upload` would do, without changing anything anywhere.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Told of what happens.
            surveyor: Says what the service has.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        prepared = await self._prepare(read_set, notify)
        read_set, file_type, plan = prepared.read_set, prepared.file_type, prepared.plan
        key = self._key(read_set, store_id, file_type, plan)
        run = await self._begin(read_set, store_id, file_type, plan, key, notify, remember=False)
        run.surveyor = surveyor
        try:
            return await rehearse(run, self._perform)
        except (CallFailed, LinkFailed) as failure:
            raise self._explained(run, failure) from failure

    async def _prepare(self, read_set: ReadSet, notify: OnNotice) -> Prepared:
        """Looks at the files; as many read sets at a time as there are processors."""
        async with self._looking:
            return await prepare(read_set, self._config, notify)

    def _key(self, read_set: ReadSet, store_id: str, file_type: FileType, plan: Plan) -> str:
        return upload_key(
            where=self._where,
            store_id=store_id,
            read_set=read_set,
            file_type=file_type,
            sources=plan.sources,
        )

    async def _begin(
        self,
        read_set: ReadSet,
        store_id: str,
        file_type: FileType,
        plan: Plan,
        key: str,
        notify: OnNotice,
        *,
        remember: bool = True,
    ) -> Run:
        """Brings the journal's knowledge to a fresh state."""
        config = self._config

        def fresh() -> Upload:
            return Upload(
                store_id=store_id,
                read_set=read_set,
                file_type=file_type,
                plan=plan,
                options=UploadOptions(
                    checksum=config.checksum,
                    resume=config.resume,
                    force=config.force,
                    upload_id=config.upload_id,
                    prove=config.prove and remember,
                    now=self._clock.wall(),
                ),
            )

        events = await anyio.to_thread.run_sync(self._journal.load, key)
        upload = fresh()
        run = Run(
            upload=upload, key=key, service=self._service, notify=notify, began=self._clock.now()
        )
        if self._journal.set_aside is not None:
            run.remark(
                "journal-damaged",
                f"the journal was damaged and set aside as {self._journal.set_aside}; "
                "what the service has is compared with the files instead",
            )
        try:
            upload.replay(events)
        except ValueError:
            run.upload = fresh()
            run.upload.replay([])
            run.remark(
                "journal-unusable", "the journal's rows of this upload make no sense; left aside"
            )
            if remember:
                await anyio.to_thread.run_sync(self._journal.forget, key)
        run.resumed = run.upload.upload_id is not None
        run.service = self.guarded(notify, run.count_retry)
        if remember:
            about = {
                "name": read_set.name,
                "store_id": store_id,
                "where": self._where,
                "paths": _absolute(read_set.paths),
            }
            await anyio.to_thread.run_sync(self._journal.about, key, about)
        return run

    def guarded(
        self, notify: OnNotice, count_retry: Callable[[], object] = lambda: None
    ) -> ReadSetService:
        """The service with the engine's policies around every call.

        Args:
            notify: Told of calls and retries.
            count_retry: Called before each retry.
        """

        def on_retry(failure: CallFailed | LinkFailed, pause_s: float) -> None:
            count_retry()
            reason = (
                failure.fault
                if isinstance(failure, LinkFailed)
                else failure.code or str(failure.status)
            )
            notify(
                Retrying(
                    operation=failure.operation,
                    reason=reason,
                    message=failure.message,
                    pause_s=pause_s,
                )
            )

        def on_call(operation: str, seconds: float, outcome: str) -> None:
            notify(Calling(operation=operation, seconds=seconds, outcome=outcome))

        again = Retry(
            self._contact,
            self._clock,
            give_up_after_s=self._config.give_up_after_s,
            on_retry=on_retry,
        )
        return Guarded(self._service, [again, self._limit, Observe(self._clock, on_call)])

    # --- the loop ---------------------------------------------------------------------------

    async def _drive(self, run: Run) -> None:
        while True:
            action = run.upload.next()
            if isinstance(action, Done) or self._waited_enough(run, action):
                return
            event = await self._perform(run, action)
            if event is not None:
                await self._deliver(run, event)

    def _waited_enough(self, run: Run, action: Action) -> bool:
        """Whether to stop following: after one look where the caller doesn't wait."""
        if not isinstance(action, Follow):
            return False
        if not run.follows:
            return True
        if run.looks == 0:
            return False
        if not self._config.wait and not run.upload.unproven:
            return True
        if run.deadline is not None and self._clock.now() >= run.deadline:
            raise Stopped(
                f"read set {action.read_set_id} is still {run.last_status}",
                operation="GetReadSetMetadata",
                hint="all bytes arrived; run the same command again to go on waiting",
            )
        return False

    async def _deliver(self, run: Run, event: Event) -> None:
        """A fact becomes durable, then known, then told."""
        if isinstance(event, Opened):
            self._hold(run, event.upload_id)
        news = not isinstance(event, StatusSeen) or event.record.status != run.last_status
        if isinstance(event, StatusSeen):
            run.last_status = event.record.status
        if news and isinstance(event, JOURNALLED):
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
        if upload_id not in run.held:
            run.locks.enter_context(UploadLock(self._journal.folder, lock_of_upload(upload_id)))
            run.held.add(upload_id)

    async def _perform(self, run: Run, action: Action) -> Event | None:
        upload, service = run.upload, run.service
        match action:
            case Survey(after_s):
                await self._clock.sleep(after_s)
                known_enough = upload.phase is Phase.PLANNED and not run.surveyed
                run.surveyed = True
                ask = run.surveyor if known_enough else survey
                return await ask(
                    service,
                    store_id=upload.store_id,
                    read_set=upload.read_set,
                    file_type=upload.file_type,
                    plan=upload.plan,
                    probe=upload.phase is Phase.PLANNED and upload.options.resume,
                )
            case Declare(event):
                if isinstance(event, Opened | Completed) and event.adopted:
                    run.resumed = True
                return event
            case Create(token):
                upload_id = await service.create_upload(
                    upload.store_id, upload.read_set, upload.file_type, token
                )
                return Opened(upload_id=upload_id, adopted=False, part_size=upload.plan.part_size)
            case ListParts(upload_id):
                return await self._list_parts(run, upload_id)
            case MoveParts(upload_id):
                self._tell_plan(run, upload_id)
                await self._mover.move(run)
                if not run.gone:
                    return None
                self._remark_gone(run, upload_id)
                return UploadGone()
            case Complete():
                return await self._complete(run, action)
            case Follow(read_set_id):
                return await self._look(run, read_set_id)
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

    async def _complete(self, run: Run, action: Complete) -> Event:
        """Completes; whatever leaves it open whether that worked is settled by looking."""
        await anyio.to_thread.run_sync(check_unchanged, run.upload.plan.sources)
        try:
            read_set_id = await run.service.complete_upload(run.ref, action.parts)
        except (CallFailed, LinkFailed) as failure:
            now = self._clock.now()
            if run.complete_failing_since is None:
                run.complete_failing_since = now
            failure.failing_for_s = now - run.complete_failing_since
            if not self._may_have_completed(run, failure):
                raise
            self._count_refusal(run, failure)
            run.complete_failures += 1
            run.retries += 1
            if failure.failing_for_s >= self._config.give_up_after_s:
                raise
            await self._clock.sleep(retry.backoff(run.complete_failures, jitter=0.5))
            return CompleteLost(gone=getattr(failure, "code", "") == NOT_FOUND)
        run.completed_at = self._clock.now()
        return Completed(read_set_id=read_set_id)

    @staticmethod
    def _may_have_completed(run: Run, failure: CallFailed | LinkFailed) -> bool:
        """Whether this answer, or a lost one before it, may hide a Complete that worked.

        What a second Complete answers is not documented, so after a lost reply any refusal may
        only mean that the first one did its work.
        """
        if retry.is_throttling(failure):
            # Not carried out, and tried for as long as calls are.
            return False
        if retry.may_retry(failure):
            return True
        return isinstance(failure, CallFailed) and (
            failure.status in (404, 409) or (run.complete_failures > 0 and failure.status == 400)
        )

    @staticmethod
    def _count_refusal(run: Run, failure: CallFailed | LinkFailed) -> None:
        """Ends a Complete that is refused again and again while the upload stays open.

        A refusal may only mean that an earlier Complete is still at work, so it is looked into a
        few times. Each look that leads back here found the upload open, with all its parts.

        Raises:
            ServiceRefused: It isn't that.
        """
        if not isinstance(failure, CallFailed) or retry.may_retry(failure):
            run.complete_refusals = 0
            return
        run.complete_refusals += 1
        if run.complete_refusals < MAX_REFUSALS:
            return
        error = retry.explain(failure)
        error.message = (
            f"Complete was refused {MAX_REFUSALS} times in a row, and each time the upload was "
            f"still open with all its parts: {error.message}"
        )
        error.hint = error.hint or (
            "nothing is lost: run the same command again later; if it is refused again, "
            "--no-resume begins a new upload"
        )
        raise error from failure

    async def _look(self, run: Run, read_set_id: str) -> Event | None:
        if not run.looks and self._config.wait_timeout_s is not None:
            run.deadline = self._clock.now() + self._config.wait_timeout_s
        if run.looks:
            pause = FIRST_LOOK_S * LOOK_FACTOR ** min(run.looks, 20)
            pause = min(pause, self._config.poll_interval_s)
            if run.deadline is not None:
                pause = min(pause, max(0.0, run.deadline - self._clock.now()))
            await self._clock.sleep(pause)
        run.looks += 1
        return await self._glance(run, read_set_id)

    async def _glance(self, run: Run, read_set_id: str) -> Event | None:
        """Asks once; None where a read set that was just made isn't shown yet."""
        try:
            record = await run.service.get_read_set(run.upload.store_id, read_set_id)
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            if run.completed_at is not None:
                self._excuse_lag(read_set_id, run.completed_at)
                return None
            return self._read_set_gone(run, f"read set {read_set_id} no longer exists")
        if is_gone(record) and record.status != "UPLOAD_FAILED":
            return self._read_set_gone(run, f"read set {read_set_id} is {record.status}")
        return StatusSeen(record)

    @staticmethod
    def _read_set_gone(run: Run, text: str) -> UploadGone:
        run.remark("read-set-gone", text)
        run.looks = 0  # the one that takes its place is waited for from its own beginning
        return UploadGone()

    def _excuse_lag(self, read_set_id: str, completed_at: float) -> None:
        """A read set that was made a moment ago may not be shown yet."""
        if self._clock.now() - completed_at >= LAG_S:
            raise Stopped(
                f"the service made read set {read_set_id}, and does not show it",
                operation="GetReadSetMetadata",
                hint="run the same command again: it looks again",
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

    def explained(self, failure: CallFailed | LinkFailed, store_id: str) -> TurbouploadError:
        """The error that a user reads for a failure that is given up."""
        error = retry.explain(failure, answered_before=self._contact.made, endpoint=self._endpoint)
        if isinstance(error, ServiceRefused) and _is_unknown_store(failure):
            error.message = f"store {store_id} was not found ({error.code})"
        # Also where it is raised elsewhere than it was caught: the cause tells whom it concerns.
        error.__cause__ = failure
        return error

    def _explained(self, run: Run, failure: CallFailed | LinkFailed) -> TurbouploadError:
        error = self.explained(failure, run.upload.store_id)
        error.path = run.upload.plan.sources[0].path
        error.upload_id = run.upload.upload_id
        return error


def _is_unknown_store(failure: CallFailed | LinkFailed) -> bool:
    """Whether the very first question was answered with: there is no such store."""
    return (
        isinstance(failure, CallFailed)
        and failure.code == NOT_FOUND
        and failure.operation in ("ListReadSets", "ListMultipartReadSetUploads")
    )


def _absolute(paths: Iterable[str]) -> list[str]:
    """Paths that can be found from anywhere, for people who look at the journal."""
    return [str(Path(path).absolute()) for path in paths]
