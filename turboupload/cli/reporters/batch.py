"""What `turboupload batch` says: while it runs, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turboupload.cli.reporters.page import Reported
from turboupload.cli.reporters.reporter import SheetReporter
from turboupload.cli.ui.batch_screen import BatchScreen, open_batch_screen
from turboupload.cli.ui.batch_words import (
    describe_batch,
    describe_batch_rehearsal,
    rows_words,
    table_of,
)
from turboupload.cli.ui.errors import exit_code_of, tell_error
from turboupload.cli.ui.events import error_fields, fields_of
from turboupload.cli.ui.output import say
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchRehearsal,
    BatchResult,
    RowNotice,
)
from turboupload.core.notices import Calling, Rehearsal, Remark
from turboupload.core.shards import Shard
from turboupload.core.sheet.model import SheetFinding
from turboupload.errors import TurbouploadError
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import log_notice
from turboupload.units import counted

__all__ = ["BatchReporter", "exit_code_of"]


class BatchReporter(Reported, SheetReporter):
    """Reports a batch.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("batch", given, needs_stdout=False)
        self._progress: BatchProgress | None = None

    def hear(self, notice: BatchNotice) -> None:
        """Takes a notice in."""
        if isinstance(notice, BatchProgress):
            self._progress = notice
        super().hear(notice)
        # Calls are for the log.
        if self.as_json and not isinstance(getattr(notice, "notice", None), Calling):
            from turboupload.events import describe

            self._emit(*describe(notice))

    def tell(self, remark: Remark) -> None:
        """Reports a change from outside that concerns all rows."""
        log_notice(remark)
        self.hear(RowNotice(None, remark))

    def of_shard(self, shard: Shard, results: ResultsFile | None) -> None:
        """Reports that only one shard's rows are sent, and remembers their results file."""
        said = f"shard {shard} of the sheet: the other shards' rows are not looked at"
        self._tell_findings([SheetFinding(0, None, said, severity="note")])
        self._results = str(results.path) if results is not None else None

    @staticmethod
    def how_it_ended(result: BatchResult) -> tuple[str, int, str]:
        """The outcome of a batch that ran to its end, its exit code, and what went wrong."""
        stopped = result.stopped_by.message if result.stopped_by is not None else ""
        failed = counted(len(result.failed), "row") if result.failed else ""
        code = exit_code_of(result.outcome, result.stopped_by)
        return result.outcome, code, stopped or (failed and f"{failed} failed")

    def _open_screen(self) -> BatchScreen:
        return open_batch_screen(quiet=self.quiet or self.as_json, logging=self.verbosity > 0)

    def ended(self, result: BatchResult | BatchRehearsal) -> int:
        """Reports the end; returns the exit code."""
        stopped_by = None if isinstance(result, BatchRehearsal) else result.stopped_by
        code = exit_code_of(result.outcome, stopped_by)
        if self._ends():
            if isinstance(result, BatchRehearsal):
                self._tell_rehearsal(result)
            else:
                self._tell_result(result, code)
        return code

    def _tell_rehearsal(self, found: BatchRehearsal) -> None:
        if not self.as_json:
            self.result(describe_batch_rehearsal(found))
        counts = dict.fromkeys(("create", "resume", "complete", "exists", "refused"), 0)
        bytes_to_send = 0
        for row, each in found.rows:
            fields = _rehearsal_fields(each)
            self.event("rehearsed", {"row": row.number, "name": row.read_set.name, **fields})
            counts[fields["verdict"]] += 1
            bytes_to_send += fields.get("bytes_to_send", 0)
        self._finish(
            found.outcome, rows=len(found.rows), counts=counts, bytes_to_send=bytes_to_send
        )

    def _tell_result(self, result: BatchResult, code: int) -> None:
        if self._page is not None:
            self._page.recording.rows(result.rows)
        if not self.as_json:
            self.result(
                table_of(result.rows)
                if self.quiet
                else describe_batch(result, results=self._results)
            )
        error = result.stopped_by
        if error is not None:
            tell_error(error)
        if code and result.unfinished:
            self._tell_command()
        self._finish(
            result.outcome,
            rows=len(result.rows),
            counts=result.counts,
            bytes_sent=result.bytes_sent,
            retries=result.retries,
            seconds=round(result.seconds, 3),
            limited_by=result.limited_by,
            quota=result.quota,
            advice=result.advice,
            error=error_fields(error) if error is not None else None,
        )

    def _for_all(self, remark: Remark) -> RowNotice:
        return RowNotice(None, remark)

    def _tell_interrupt(self) -> None:
        progress = self._progress
        kept = rows_words(progress.counts) if progress is not None else "nothing was sent yet"
        say(f"interrupted; {kept}")
        self._tell_command()

    def _known(self) -> Mapping[str, Any]:
        progress = self._progress
        return {
            "rows": progress.rows if progress else 0,
            "counts": progress.counts if progress else {},
            "bytes_sent": progress.bytes_sent if progress else 0,
        }


def _rehearsal_fields(found: Rehearsal | TurbouploadError) -> dict[str, Any]:
    if isinstance(found, TurbouploadError):
        return {"verdict": "refused", "error": error_fields(found)}
    return fields_of(found)
