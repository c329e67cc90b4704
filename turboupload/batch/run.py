"""Sends the rows of a batch through one engine, in the order of the schedule."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.abc
import anyio.lowlevel

from turboupload.batch.busy import until_free
from turboupload.batch.elsewhere import Senders
from turboupload.batch.failures import StopRule, ended_row
from turboupload.batch.listing import StoreListing, known_end
from turboupload.batch.polling import BatchPoller
from turboupload.batch.reporting import CREATE, BatchReport, OnBatchNotice
from turboupload.core.batch import BatchResult, BatchRow
from turboupload.core.notices import Notice, Planned, Progress, UploadResult
from turboupload.core.rate.schedule import FASTEST, MOST_OPEN, Schedule, SizeSteps
from turboupload.core.upload.events import Completed, Opened, Opening
from turboupload.engine import Engine
from turboupload.engine.load import Forced
from turboupload.engine.run import PartCarrier, Run
from turboupload.errors import TurbouploadError, UploadBusy
from turboupload.files.descriptors import rooms
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import Following

__all__ = ["Batch"]

LEFT_TO_OTHERS_S = 30.0
"""How long a row that another process has let go is left to those with less to do, in seconds."""


class Batch:
    """Sends rows, each to exactly one read set.

    Args:
        engine: Uploads them, over one window.
        store_id: The sequence store.
        rows: The checked rows.
        listing: The latest listing of the store.
        max_failures: The number of failed rows that stops the batch; None never stops it.
        tell: Called with everything that happens.
        results: The file of the rows' results, if any.
        receipts: Where each row's receipt is written, in the order of the rows, if anywhere.
        forced: Decides which rows are uploaded anew; None leaves that to the configuration.
        following: Receives the batch's events, beside `tell`.
        senders: Other machines that send the rows; None sends them with the engine.
    """

    def __init__(
        self,
        engine: Engine,
        store_id: str,
        rows: Sequence[BatchRow],
        *,
        listing: StoreListing,
        max_failures: int | None,
        tell: OnBatchNotice,
        results: ResultsFile | None = None,
        receipts: Sequence[Path] | None = None,
        forced: Forced | None = None,
        following: Following,
        senders: Senders | None = None,
    ) -> None:
        self._receipts = receipts
        self._forced = forced
        self._engine = engine
        self._senders = senders
        self._store_id = store_id
        self._rows = rows
        self._listing = listing
        sizes = [row.total_bytes for row in rows]
        self._schedule = Schedule(
            sizes, most_open=min(MOST_OPEN, rooms()), turns_per_s=engine.calls.rate(CREATE)
        )
        self._steps = SizeSteps(sizes)
        self._report = BatchReport(
            rows,
            tell,
            results,
            engine=engine,
            waits_for_create=lambda: self._schedule.waits_for_create,
            following=following,
        )
        self._table, self._tally = self._report.table, self._report.tally
        self._poller = BatchPoller(
            engine,
            engine.calls.service_for(self._report.hear),
            store_id,
            engine.clock,
            poll_interval_s=engine.config.poll_interval_s,
            wait_timeout_s=engine.config.wait_timeout_s,
            on_end=self._on_end,
        )
        self._stop_rule = StopRule(max_failures)
        self._changed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._error: Exception | None = None
        self._not_in_hand = 0
        self._sent_at: float | None = None

    async def run(self) -> BatchResult:
        """Sends all rows, as far as possible; a row's failure is in its result.

        Raises:
            Exception: An exception of `tell`, or a bug; the service keeps what was sent.
        """
        began = self._engine.clock.now()
        await self._report.start(self._store_id)
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._guard, self._report.keep_reporting)
                    group.start_soon(self._guard, self._poller.run)
                    await self._send_all()
                    group.cancel_scope.cancel()
        finally:
            # Also if the caller cancels: the results so far are saved.
            self._table.stop()
            self._report.end(self._error)
            with anyio.CancelScope(shield=True):
                await self._report.save_results()
        if self._error is not None:
            raise self._error
        self._report.report_progress()
        self._report.tell_unnamed()
        bound = self._report.bound(self._sent_at - began) if self._sent_at is not None else None
        return BatchResult(
            rows=tuple(self._table.results),
            bytes_sent=self._tally.sent_bytes,
            retries=self._tally.retries,
            seconds=self._engine.clock.now() - began,
            limited_by=bound.by if bound is not None else None,
            quota=bound.operation if bound is not None else None,
            stopped_by=self._stop_rule.stopped_by,
            advice=self._report.advice(bound),
        )

    async def _send_all(self) -> None:
        schedule = self._schedule
        self._engine.keep_places(self._steps.wanted)
        async with anyio.create_task_group() as group:
            while schedule.waiting or schedule.under_way or len(self._poller) or self._not_in_hand:
                if self._senders is not None:
                    schedule.wires = max(1, self._senders.count)
                else:
                    schedule.bytes_per_s = self._engine.link_bytes_per_s or FASTEST
                index = schedule.next()
                if index is None:
                    await self._changed.wait()
                    continue
                if self._senders is not None:
                    group.start_soon(self._have_sent, index, group, self._senders)
                else:
                    group.start_soon(self._send, index, group)
                # One row per turn of the event loop, so that other tasks aren't blocked.
                await anyio.lowlevel.checkpoint()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _guard(self, task: Callable[[], Awaitable[None]]) -> None:
        """Runs a task of the whole batch; an error of it stops the batch."""
        try:
            await task()
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)

    # --- one row ----------------------------------------------------------------------------

    async def _have_sent(self, index: int, group: anyio.abc.TaskGroup, senders: Senders) -> None:
        """Has other machines send a row: one of them all of it, or several its parts."""
        try:
            carrier = await senders.spread(self._rows[index], partial(self._sent_by, index, set()))
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
            return
        if carrier is None:
            await self._send_elsewhere(index, senders)
        else:
            await self._send(index, group, carrier)

    def _sent_by(self, index: int, workers: set[str], worker: str, count: int) -> None:
        """Takes in what one of several machines has sent of a row."""
        self._tally.sent_by(worker, count)
        if worker not in workers:
            workers.add(worker)
            self._table.change(index, worker=", ".join(sorted(workers)))

    async def _send(
        self, index: int, group: anyio.abc.TaskGroup, carrier: PartCarrier | None = None
    ) -> None:
        try:
            self._table.change(index, status="running", message="", what_to_do="")
            await self._send_row(index, carrier)
        except UploadBusy as busy:
            self._report.ended(index, busy)
            self._not_in_hand += 1
            group.start_soon(self._await_turn, index, busy)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        finally:
            self._left_hand(index)

    def _left_hand(self, index: int) -> None:
        """The row is no longer being sent."""
        self._schedule.ended(index)
        self._steps.ended(index)
        self._engine.keep_places(self._steps.wanted)
        self._wake()

    async def _send_elsewhere(self, index: int, senders: Senders) -> None:
        """Has another machine send a row, which also follows it to its end."""
        listener = _RowElsewhere(self, index)
        self._not_in_hand += 1
        try:
            self._table.change(index, status="running", message="", what_to_do="")
            row = self._rows[index]
            listed = await self._listing.row(row.read_set)
            ended = await senders.upload(row, listener, listed)
            if ended is not None:
                self._end(index, ended)
            else:
                self._report.ended(index)
                if self._engine.config.wait:
                    self._still_processing(index)
        except TurbouploadError as error:
            self._end(index, error)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        finally:
            self._not_in_hand -= 1
            listener.left_hand()

    def _still_processing(self, index: int) -> None:
        self._table.change(
            index,
            message="it is still PROCESSING_UPLOAD",
            what_to_do="run the same command again to go on waiting",
        )

    async def _send_row(self, index: int, carrier: PartCarrier | None) -> None:
        try:
            run = await self._engine.send(
                self._rows[index].read_set,
                self._store_id,
                lambda notice: self._hear_row(index, notice),
                surveyor=self._listing.survey,
                receipt_path=self._receipts[index] if self._receipts is not None else None,
                forced=self._forced,
                carrier=carrier,
            )
            read_set = self._rows[index].read_set
            ended = await known_end(self._engine, run, partial(self._listing.row, read_set))
            if ended is None and run.processing and not self._waits_for(run):
                await self._engine.write_receipt(run)
        except UploadBusy:
            raise
        except TurbouploadError as error:
            self._end(index, error)
        else:
            self._sent(index, run, ended)

    async def _await_turn(self, index: int, busy: UploadBusy) -> None:
        """Waits for another process to end its work on a row, while either makes progress.

        Usually that process runs another batch of the same sheet; the read set that it made is
        found afterwards.
        """
        try:
            self._table.change(index, status="waiting", message=f"waits: {busy}")
            await until_free(self._engine, busy, here=lambda: self._progress_so_far)
            await self._leave_to_others()
            self._schedule.again(index)
        except TurbouploadError as error:
            self._end(index, error)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        finally:
            self._not_in_hand -= 1
            self._wake()

    async def _leave_to_others(self) -> None:
        """Waits until there is little else to do here, for a while: others may have nothing at all.

        Else all rows of a killed process would go to the process that looks first.
        """
        with anyio.move_on_after(LEFT_TO_OTHERS_S):
            while self._schedule.waiting or self._schedule.under_way > 1:
                await self._changed.wait()

    @property
    def _progress_so_far(self) -> tuple[int, int]:
        """A value that changes whenever this batch makes progress."""
        return self._table.changes, self._tally.sent_bytes

    def _sent(self, index: int, run: Run, ended: UploadResult | None) -> None:
        if ended is not None:
            self._end(index, ended)
            return
        self._arrived(index, run.upload.read_set_id)
        if self._waits_for(run):
            self._poller.add(index, run)
        else:
            self._report.ended(index)

    def _arrived(self, index: int, read_set_id: str | None) -> None:
        self._tally.done(index)
        self._sent_at = self._engine.clock.now()
        self._table.change(index, status="processing", read_set_id=read_set_id)

    def _waits_for(self, run: Run) -> bool:
        return self._engine.config.wait or run.upload.unproven

    def _on_end(self, index: int, run: Run, ended: UploadResult | TurbouploadError | None) -> None:
        try:
            if ended is not None:
                self._end(index, ended)
            elif run.processing:
                self._report.ended(index)
                self._still_processing(index)
            else:
                # The read set was deleted, or it was made by another upload and failed.
                self._report.ended(index)
                self._table.change(index, status="waiting", read_set_id=None)
                self._schedule.again(index)
                self._tally.again(index)
        except Exception as error:  # raised again by `run`, outside the groups
            self._stop(error)
        self._wake()

    def _end(self, index: int, ended: UploadResult | TurbouploadError) -> None:
        self._report.ended(index, ended if isinstance(ended, TurbouploadError) else None)
        self._tally.done(index)
        known_id = self._table.results[index].read_set_id
        self._table.change(index, **ended_row(ended, known_id))
        if self._stop_rule.stops(ended):
            self._scope.cancel()

    def _stop(self, error: Exception) -> None:
        self._error = self._error or error
        self._scope.cancel()

    def _hear_row(self, index: int, notice: Notice) -> None:
        self._report.hear_row(index, notice)
        match notice:
            case Progress():
                self._tally.progressed(index, notice)
                left = notice.total_bytes - notice.done_bytes - notice.in_flight_bytes
                self._schedule.has_left(index, left)
            case Opening():
                self._schedule.asks(index)
            case Opened() | Planned():
                # `Planned` if an earlier run has opened the upload, so that no Create is needed.
                if isinstance(notice, Opened):
                    self._schedule.had_turn()
                self._schedule.opened(index)
            case Completed():
                self._schedule.has_left(index, 0)
            case _:
                return
        self._wake()


class _RowElsewhere:
    """Takes in what another machine says of a row; see `RowListener`."""

    def __init__(self, batch: Batch, index: int) -> None:
        self._batch = batch
        self._index = index
        self._in_hand = True
        self._worker, self._sent_bytes = "", 0

    def on(self, worker: str) -> None:
        self._worker, self._sent_bytes = worker, 0
        self._batch._tally.restarted(self._index)
        self._batch._table.change(self._index, status="running", worker=worker)

    def hear(self, notice: Notice) -> None:
        if not self._in_hand and isinstance(notice, Progress):
            return
        try:
            self._batch._hear_row(self._index, notice)
            if isinstance(notice, Progress):
                self._batch._tally.sent_by(self._worker, notice.bytes_sent - self._sent_bytes)
                self._sent_bytes = notice.bytes_sent
        except Exception as error:  # raised again by `run`, outside of whatever calls this
            self._batch._stop(error)

    def sent(self, read_set_id: str | None) -> None:
        if self._in_hand:
            self._batch._arrived(self._index, read_set_id)
        self._batch._table.change(self._index, status="processing", read_set_id=read_set_id)
        self.left_hand()

    def left_hand(self) -> None:
        if self._in_hand:
            self._in_hand = False
            self._batch._left_hand(self._index)
        self._batch._wake()
