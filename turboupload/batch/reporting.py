"""Reports a batch: notices to the caller, progress twice a second, and the results file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import anyio.to_thread

from turboupload.batch.progress import Tally
from turboupload.batch.results import RowTable
from turboupload.core.batch import BatchNotice, BatchProgress, BatchRow, BatchStarted, RowNotice
from turboupload.core.next_step import without_uri
from turboupload.core.notices import Calling, Notice, Remark, Retrying
from turboupload.core.rate.advice import ADVICE, Adviser, Situation
from turboupload.core.rate.bound import Bound, what_bound
from turboupload.core.rate.meter import Limiter
from turboupload.engine import Engine
from turboupload.errors import ConfigError, TurbouploadError
from turboupload.omics.call import QUOTA_LOWER, QUOTA_UNSHARED
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import Following

__all__ = ["CREATE", "BatchReport", "OnBatchNotice"]

OnBatchNotice = Callable[[BatchNotice], None]
"""Receives everything that happens, on the event loop; an exception from it stops the batch."""

REPORT_S: Final = 0.5
"""The pause between two progress notices, in seconds."""

WRITE_S: Final = 2.0
"""The shortest time between two writes of the results file, in seconds."""

CREATE: Final = "CreateMultipartReadSetUpload"
_SEND: Final = "UploadReadSetPart"

_CALLS_OF_A_ROW: Final = frozenset(
    {CREATE, _SEND, "ListReadSetUploadParts", "CompleteMultipartReadSetUpload"}
)
"""The operations that each row needs, so that their quotas may limit the batch."""


class BatchReport:
    """Collects what happens in a batch, and reports it.

    Args:
        rows: All rows.
        tell: Called with everything that happens.
        results: The file of the rows' results, if any.
        engine: Uploads the rows; its quotas, pauses and advice are reported.
        waits_for_create: Returns whether rows wait for the quota of Create.
        following: Receives the batch's events, beside `tell`.

    Attributes:
        table: The results of the rows.
        tally: The progress of the rows, added up.
    """

    def __init__(
        self,
        rows: Sequence[BatchRow],
        tell: OnBatchNotice,
        results: ResultsFile | None,
        *,
        engine: Engine,
        waits_for_create: Callable[[], bool],
        following: Following,
    ) -> None:
        self._rows = rows
        self._tell = tell
        self._results = results
        self._engine = engine
        self._calls, self._clock = engine.calls, engine.clock
        self._waits_for_create = waits_for_create
        self.table = RowTable(rows, tell)
        self.tally = Tally(rows, self._clock, creates_per_s=self._calls.rate(CREATE))
        self._create_adviser = Adviser()
        self._following = following
        self._rows_followed: dict[int, Following] = {}
        self._write_failed = False
        self._calls_made: Counter[str] = Counter()
        self._limits_seen: Counter[Limiter] = Counter()

    async def start(self, store_id: str) -> None:
        """Writes the results file for the first time, and reports the start.

        Raises:
            ConfigError: The results file can't be written.
        """
        await self._write_results()
        total_bytes = sum(row.total_bytes for row in self._rows)
        self._tell(BatchStarted(store_id=store_id, rows=len(self._rows), total_bytes=total_bytes))

    async def keep_reporting(self) -> None:
        """Reports the progress and writes the results file, until cancelled."""
        written_at, written = self._clock.now(), -1
        while True:
            self.report_progress()
            now = self._clock.now()
            if self.table.changes != written and now - written_at >= WRITE_S:
                written_at, written = now, self.table.changes
                await self.save_results()
            await self._clock.sleep(REPORT_S)

    def report_progress(self) -> None:
        """Reports the progress once."""
        paused = self._engine.paused
        progress = self.tally.progress(
            self.table.counts,
            waits_for_create=self._waits_for_create() and not paused,
            paused=paused,
        )
        if progress.limited_by is not None:
            self._limits_seen[progress.limited_by] += 1
        self._tell(progress)
        self._following.measure(progress)
        self._advise(progress)

    def _advise(self, progress: BatchProgress) -> None:
        """Advises how to start more rows a second, if Create's quota has limited for long."""
        situation = Situation(
            limited_by="quota" if progress.waits_for_create else None,
            bytes_per_s=progress.bytes_per_s,
            per_s=self._calls.rate(CREATE),
            granted=self._calls.granted(CREATE),
            operation=CREATE,
        )
        advice = self._create_adviser.seen(situation, self._clock.now())
        if advice is not None:
            self._tell(RowNotice(None, Remark(f"{ADVICE}create", advice[1])))

    def advice(self, bound: Bound | None) -> str | None:
        """What would have made the rows faster, if the same limit held for long."""
        if not self.tally.sent_bytes:
            return None
        if bound is not None and bound.operation in (None, _SEND):
            return self._engine.advice
        return self._create_adviser.in_all()

    async def save_results(self) -> None:
        """Writes the results file; if that fails, the uploads continue and one remark says so."""
        try:
            await self._write_results()
        except ConfigError as error:
            if not self._write_failed:
                self._write_failed = True
                self._tell(RowNotice(None, Remark("results-unwritten", str(error))))

    async def _write_results(self) -> None:
        if self._results is not None:
            await anyio.to_thread.run_sync(self._results.write, tuple(self.table.results))

    def tell_unnamed(self) -> None:
        """Warns of read sets that exist and that the results' format can't name."""
        if self._results is None or self._results.form is None:
            return
        count = without_uri(self.table.results, self._results.form)
        if count:
            text = (
                f"{count:,} read sets are not in {self._results.path}: the service told no URI of "
                "them, as where the store gives no access through S3"
            )
            self._tell(RowNotice(None, Remark("results-without-uri", text)))

    def hear_row(self, index: int, notice: Notice) -> None:
        """Takes a notice of a row's upload; passes on calls, retries and remarks."""
        if index not in self._rows_followed:
            self._rows_followed[index] = Following("upload", self._following)
        self._rows_followed[index].hear(notice)
        match notice:
            case Calling(operation=operation) if operation in _CALLS_OF_A_ROW:
                self._calls_made[operation] += notice.outcome == "ok"
                self._tell(RowNotice(self._rows[index].number, notice))
            case Retrying():
                self.tally.retries += 1
                self._tell(RowNotice(self._rows[index].number, notice))
            case Remark(code):
                for_all = code in (QUOTA_LOWER, QUOTA_UNSHARED) or code.startswith(ADVICE)
                number = None if for_all else self._rows[index].number
                self._tell(RowNotice(number, notice))
            case _:
                pass

    def hear(self, notice: Notice) -> None:
        """Takes a notice of a call that concerns all rows; passes on retries and remarks."""
        self._following.hear(notice)
        if isinstance(notice, Retrying | Remark):
            self.tally.retries += isinstance(notice, Retrying)
            self._tell(RowNotice(None, notice))

    def ended(self, index: int, error: TurbouploadError | None = None) -> None:
        """Takes the end of a row's upload in; a row that begins anew is another upload."""
        if (following := self._rows_followed.pop(index, None)) is not None:
            following.ended(error)

    def end(self, error: BaseException | None) -> None:
        """Takes the end of the batch in: rows that are still under way end with it."""
        for following in self._rows_followed.values():
            following.ended(error)
        self._rows_followed.clear()

    def bound(self, seconds: float) -> Bound | None:
        """What limited the rate of the rows during the last `seconds`; None if unknown."""
        return what_bound(
            self._calls_made,
            {each: self._calls.rate(each) for each in self._calls_made},
            seconds=seconds,
            seen=self._limits_seen,
        )
