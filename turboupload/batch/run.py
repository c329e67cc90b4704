"""A batch under way: every row through one engine, in the order that the schedule says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread

from turboupload.batch.failures import reach_of, what_to_do
from turboupload.batch.listing import StoreListing
from turboupload.batch.polling import BatchPoller
from turboupload.batch.progress import Tally
from turboupload.batch.results import RowTable
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchResult,
    BatchRow,
    BatchStarted,
    RowNotice,
)
from turboupload.core.notices import (
    Calling,
    Notice,
    Planned,
    Progress,
    Remark,
    Retrying,
    Started,
    UploadResult,
)
from turboupload.core.rate.advice import ADVICE, Adviser, Situation
from turboupload.core.rate.bound import Bound, what_bound
from turboupload.core.rate.meter import Limiter
from turboupload.core.rate.schedule import MOST_OPEN, MOST_UNOPENED, Schedule, SizeSteps
from turboupload.core.rows import RowStatus
from turboupload.core.upload.events import Completed, Opened
from turboupload.engine import Engine
from turboupload.engine.run import Run
from turboupload.errors import (
    ConfigError,
    InputError,
    ReadSetRejected,
    TurbouploadError,
    UploadBusy,
)
from turboupload.files.descriptors import rooms
from turboupload.omics.call import QUOTA_LOWER
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import log_notice

__all__ = ["Batch", "OnBatchNotice"]

OnBatchNotice = Callable[[BatchNotice], None]
"""Receives everything that happens, on the event loop; what it raises stops the batch."""

REPORT_S = 0.5
"""The pause between two progress notices, in seconds."""

WRITE_S = 2.0
"""The shortest time between two writes of the results file, in seconds."""

BUSY_PAUSE_S = 0.25
BUSY_FACTOR = 1.6
LONGEST_BUSY_PAUSE_S = 5.0
"""The pause between two checks whether another process still works on a row, in seconds."""

MOST_OUTAGES = 3
"""After so many rows in sequence without an answer in `give_up_after_s`, the service counts as down
and all rows stop; a single row may have a reason of its own."""

CREATE = "CreateMultipartReadSetUpload"
SEND = "UploadReadSetPart"

SENDING = frozenset(
    {
        CREATE,
        SEND,
        "ListReadSetUploadParts",
        "CompleteMultipartReadSetUpload",
    }
)
"""The calls of which each row needs its own."""

_GUESSED = "known by the journal's word alone: no byte was compared"
_COMPARE = (
    "before the files are deleted, compare them: add --prove, or `turboupload readsets verify`"
)

_FINAL_IN_A_LISTING = frozenset({"ACTIVE", "ARCHIVED", "ACTIVATING"})


class Batch:
    """Sends rows, each to exactly one read set.

    Args:
        engine: Uploads them, over one window.
        store_id: The sequence store.
        rows: Checked.
        sizes: Bytes of each row.
        listing: What the store held when it was last listed.
        max_failures: Stop when so many rows have failed; None goes on whatever fails.
        tell: Receives everything that happens.
        results: Where the rows' results are kept, if anywhere.
    """

    def __init__(
        self,
        engine: Engine,
        store_id: str,
        rows: Sequence[BatchRow],
        sizes: Sequence[int],
        *,
        listing: StoreListing,
        max_failures: int | None,
        tell: OnBatchNotice,
        results: ResultsFile | None = None,
    ) -> None:
        self._engine = engine
        self._store_id = store_id
        self._rows = rows
        self._sizes = sizes
        self._listing = listing
        self._max_failures = max_failures
        self._tell = tell
        self._results = results
        self._table = RowTable(rows, sizes, tell)
        rate = engine.calls.rate(CREATE)
        self._schedule = Schedule(
            sizes, most_unopened=MOST_UNOPENED + int(2 * rate), most_open=min(MOST_OPEN, rooms())
        )
        self._tally = Tally(rows, sizes, engine.clock, creates_per_s=rate)
        self._poller = BatchPoller(
            engine,
            engine.calls.service_for(self._hear),
            store_id,
            engine.clock,
            poll_interval_s=engine.config.poll_interval_s,
            wait_timeout_s=engine.config.wait_timeout_s,
            on_end=self._on_end,
        )
        self._steps = SizeSteps(sizes)
        self._changed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._error: Exception | None = None
        self._stopped_by: TurbouploadError | None = None
        self._failures = 0
        self._outages = 0
        self._busy_elsewhere = 0
        self._unwritten = False
        self._calls: Counter[str] = Counter()
        self._limits_seen: Counter[Limiter] = Counter()
        self._sent_at: float | None = None
        self._create = Adviser()

    async def run(self) -> BatchResult:
        """Sends all rows, as far as possible; a row's failure is in its result.

        Raises:
            Exception: What `tell` raised, or a bug; whatever was sent is kept.
        """
        began = self._engine.clock.now()
        await self._write_results()
        self._tell(
            BatchStarted(
                store_id=self._store_id, rows=len(self._rows), total_bytes=sum(self._sizes)
            )
        )
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._report)
                    group.start_soon(self._poll)
                    await self._send_all()
                    group.cancel_scope.cancel()
        finally:
            # Also when the caller cancels: what is known by then is kept.
            self._table.stop()
            with anyio.CancelScope(shield=True):
                await self._keep_results()
        if self._error is not None:
            raise self._error
        self._report_progress()
        bound = self._bound(began)
        return BatchResult(
            rows=tuple(self._table.results),
            bytes_sent=self._tally.sent_bytes,
            retries=self._tally.retries,
            seconds=self._engine.clock.now() - began,
            limited_by=bound.by if bound is not None else None,
            quota=bound.operation if bound is not None else None,
            stopped_by=self._stopped_by,
            advice=self._advice(bound) if self._tally.sent_bytes else None,
        )

    def _advice(self, bound: Bound | None) -> str | None:
        """What would have made the rows faster, where that was the same for long."""
        if bound is not None and bound.operation in (None, SEND):
            return self._engine.advice
        return self._create.in_all()

    def _bound(self, began: float) -> Bound | None:
        """What kept the rows from being sent faster; None where none was."""
        if self._sent_at is None:
            return None
        return what_bound(
            self._calls,
            {each: self._engine.calls.rate(each) for each in self._calls},
            seconds=self._sent_at - began,
            seen=self._limits_seen,
        )

    async def _send_all(self) -> None:
        schedule = self._schedule
        self._engine.keep_places(self._steps.wanted)
        async with anyio.create_task_group() as group:
            while (
                schedule.waiting or schedule.under_way or len(self._poller) or self._busy_elsewhere
            ):
                index = schedule.next()
                if index is None:
                    await self._changed.wait()
                    continue
                group.start_soon(self._send, index, group)
                # One row in each turn of the event loop, so that other tasks aren't blocked.
                await anyio.lowlevel.checkpoint()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _poll(self) -> None:
        try:
            await self._poller.run()
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)

    # --- one row ----------------------------------------------------------------------------

    async def _send(self, index: int, group: anyio.abc.TaskGroup) -> None:
        try:
            self._table.change(index, status="running", message="", what_to_do="")
            await self._send_row(index)
        except UploadBusy as busy:
            self._busy_elsewhere += 1
            group.start_soon(self._await_turn, index, busy)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        finally:
            self._schedule.ended(index)
            self._steps.ended(index)
            self._engine.keep_places(self._steps.wanted)
            self._wake()

    async def _send_row(self, index: int) -> None:
        try:
            run = await self._engine.send(
                self._rows[index].read_set,
                self._store_id,
                lambda notice: self._hear_row(index, notice),
                surveyor=self._listing.survey,
            )
            ended = await self._known_end(run)
            if ended is None and run.processing and not self._waits_for(run):
                await self._engine.write_receipt(run)
        except UploadBusy:
            raise
        except TurbouploadError as error:
            self._end(index, error)
        else:
            self._sent(index, run, ended)

    async def _await_turn(self, index: int, busy: UploadBusy) -> None:
        """Waits for a row that another process works on, as long as that or this batch progresses.

        Usually it is another batch of the same sheet, and the read set that it made is found then.
        """
        try:
            clock, patience_s = self._engine.clock, self._engine.config.give_up_after_s
            self._table.change(index, status="waiting", message=f"waits: {busy}")
            now = self._engine.working_time
            seen, since, pause_s = self._progress_so_far, now(), BUSY_PAUSE_S
            trace: str | None = None
            while (progress := await self._engine.progress_elsewhere(busy.lock)) is not None:
                if (progress, self._progress_so_far) != (trace, seen):
                    trace, seen, since = progress, self._progress_so_far, now()
                elif now() - since >= patience_s:
                    self._end(index, busy)
                    return
                await clock.sleep(pause_s)
                pause_s = min(pause_s * BUSY_FACTOR, LONGEST_BUSY_PAUSE_S)
            self._schedule.again(index)
        except TurbouploadError as error:
            self._end(index, error)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        finally:
            self._busy_elsewhere -= 1
            self._wake()

    @property
    def _progress_so_far(self) -> tuple[int, int]:
        """What changes as long as this batch makes progress."""
        return self._table.changes, self._tally.sent_bytes

    async def _known_end(self, run: Run) -> UploadResult | None:
        """The result of a read set that the journal knew, where the store's listing tells it.

        A read set that this run has surveyed is too new for the listing, or known by its ETag,
        which no listing has; the same holds for one whose ETag is to confirm it.
        """
        upload = run.upload
        if run.surveyed or upload.to_be_confirmed or upload.assumed or not upload.read_set_id:
            return None
        if not run.processing or not await self._listing.wait():
            return None
        record = self._listing.read_set(upload.read_set_id)
        if record is None or record.status not in _FINAL_IN_A_LISTING:
            return None
        return await self._engine.take_status(run, record)

    def _sent(self, index: int, run: Run, ended: UploadResult | None) -> None:
        if ended is not None:
            self._end(index, ended)
            return
        self._tally.done(index)
        self._sent_at = self._engine.clock.now()
        self._table.change(index, status="processing", read_set_id=run.upload.read_set_id)
        if self._waits_for(run):
            self._poller.add(index, run)

    def _waits_for(self, run: Run) -> bool:
        return self._engine.config.wait or run.upload.unproven

    def _on_end(self, index: int, run: Run, ended: UploadResult | TurbouploadError | None) -> None:
        try:
            if ended is not None:
                self._end(index, ended)
            elif run.processing:
                self._table.change(
                    index,
                    message="it is still PROCESSING_UPLOAD",
                    what_to_do="run the same command again to go on waiting",
                )
            else:
                # The read set was deleted meanwhile, or was another upload's and failed.
                self._table.change(index, status="waiting", read_set_id=None)
                self._schedule.again(index)
                self._tally.again(index)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        self._wake()

    def _end(self, index: int, ended: UploadResult | TurbouploadError) -> None:
        self._tally.done(index)
        if isinstance(ended, UploadResult):
            self._outages = 0
            guessed = _is_guess(ended)
            notes = [] if ended.status == "ACTIVE" else [f"it is {ended.status}"]
            self._table.change(
                index,
                status="exists" if ended.existed else "active",
                read_set_id=ended.read_set_id,
                message="; ".join([*notes, _GUESSED] if guessed else notes),
                what_to_do=_COMPARE if guessed else "",
            )
            return
        reach = reach_of(ended)
        status: RowStatus = "rejected" if isinstance(ended, InputError) else "failed"
        # A read set that was made exists although it could not be asked for.
        made = self._table.results[index].read_set_id if reach != "row" else None
        read_set_id = ended.read_set_id if isinstance(ended, ReadSetRejected) else made
        self._table.change(
            index,
            status=status if reach == "row" and not isinstance(ended, UploadBusy) else "stopped",
            read_set_id=read_set_id,
            message=str(ended),
            what_to_do=what_to_do(ended),
        )
        if isinstance(ended, UploadBusy):
            return  # nothing is wrong with it
        self._failures += 1
        self._outages = self._outages + 1 if reach == "outage" else 0
        if reach == "all" or self._outages == MOST_OUTAGES:
            # The error doesn't concern that row's file.
            ended.path = None
            self._stopped_by = self._stopped_by or ended
            self._scope.cancel()
        elif self._failures == self._max_failures:
            self._scope.cancel()

    def _stop(self, error: Exception) -> None:
        self._error = self._error or error
        self._scope.cancel()

    # --- notices ----------------------------------------------------------------------------

    def _hear_row(self, index: int, notice: Notice) -> None:
        log_notice(notice)
        match notice:
            case Progress():
                self._tally.progressed(index, notice)
                left = notice.total_bytes - notice.done_bytes - notice.in_flight_bytes
                self._schedule.has_left(index, left)
                self._wake()
            case Opened() | Planned():
                # `Planned` where an earlier run had opened the upload, so that no Create is needed.
                self._schedule.opened(index)
                self._wake()
            case Calling(operation=operation) if operation in SENDING:
                self._calls[operation] += notice.outcome == "ok"
            case Completed():
                self._schedule.has_left(index, 0)
                self._wake()
            case Retrying():
                self._tally.retries += 1
                self._tell(RowNotice(self._rows[index].number, notice))
            case Remark(code):
                for_all = code == QUOTA_LOWER or code.startswith(ADVICE)
                number = None if for_all else self._rows[index].number
                self._tell(RowNotice(number, notice))
            case Started() | _:
                pass

    def _hear(self, notice: Notice) -> None:
        """Takes notices of calls that concern all rows."""
        log_notice(notice)
        if isinstance(notice, Retrying | Remark):
            self._tally.retries += isinstance(notice, Retrying)
            self._tell(RowNotice(None, notice))

    def _report_progress(self) -> None:
        waits = self._schedule.waits_for_create
        paused = self._engine.paused
        progress = self._tally.progress(
            self._table.counts, waits_for_create=waits and not paused, paused=paused
        )
        if progress.limited_by is not None:
            self._limits_seen[progress.limited_by] += 1
        self._tell(progress)
        self._advise(progress)

    def _advise(self, progress: BatchProgress) -> None:
        """Says what would begin more rows a second, where Create's quota has limited for long."""
        situation = Situation(
            limited_by="quota" if progress.waits_for_create else None,
            bytes_per_s=progress.bytes_per_s,
            per_s=self._engine.calls.rate(CREATE),
            operation=CREATE,
        )
        advice = self._create.seen(situation, self._engine.clock.now())
        if advice is not None:
            self._tell(RowNotice(None, Remark(f"{ADVICE}create", advice[1])))

    async def _report(self) -> None:
        written_at, written = self._engine.clock.now(), -1
        try:
            while True:
                self._report_progress()
                now = self._engine.clock.now()
                if self._table.changes != written and now - written_at >= WRITE_S:
                    written_at, written = now, self._table.changes
                    await self._keep_results()
                await self._engine.clock.sleep(REPORT_S)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)

    async def _keep_results(self) -> None:
        """Writes the results; the uploads continue where the file can't be written."""
        try:
            await self._write_results()
        except ConfigError as error:
            if not self._unwritten:
                self._unwritten = True
                self._tell(RowNotice(None, Remark("results-unwritten", str(error))))

    async def _write_results(self) -> None:
        if self._results is not None:
            await anyio.to_thread.run_sync(self._results.write, tuple(self._table.results))


def _is_guess(ended: UploadResult) -> bool:
    """Whether the journal knows the read set, but not how exactly these files were proven.

    The files were touched or copied since, or an earlier run compared only the ETag.
    """
    compared = ended.comparison is not None or ended.verified != "none"
    return ended.existed and not compared and ended.parts_reused == 0
