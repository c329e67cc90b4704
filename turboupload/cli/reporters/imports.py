"""What `turboupload import` says of its jobs: while it follows them, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from turboupload.cli.reporters.reporter import SheetReporter
from turboupload.cli.ui.batch_words import describe_rows, rows_words, table_of
from turboupload.cli.ui.errors import exit_code_of, tell_error, this_command
from turboupload.cli.ui.events import error_fields, fields_of
from turboupload.core.imports.rows import (
    ImportJobChanged,
    ImportJobStarted,
    ImportNotice,
    ImportPlanned,
    ImportResult,
    ImportRowChanged,
)
from turboupload.core.notices import Remark
from turboupload.core.rows import RowStatus
from turboupload.events import describe
from turboupload.units import counted

__all__ = ["ImportReporter"]

LINE_EVERY_S: Final = 10.0
"""How often a line says where an import stands, in seconds."""

_WOULD: Mapping[RowStatus, str] = {
    "waiting": "import",
    "exists": "skip",
    "processing": "follow",
    "rejected": "refuse",
}


class ImportReporter(SheetReporter):
    """Reports an import.

    Args:
        words: The command's.
        given: The options' values by name.
    """

    nothing_done = "nothing was started"

    def __init__(self, words: str, given: Mapping[str, Any]) -> None:
        super().__init__(words, given)
        self._jobs: list[str] = []
        self._statuses: dict[int, RowStatus] = {}
        self._told_at = time.monotonic()

    def hear_import(self, notice: ImportNotice) -> None:
        """Takes a notice of the import in."""
        if isinstance(notice, Remark):
            self.line(f"warning: {notice.text}")
            self.event("remark", fields_of(notice))
            return
        self._emit(*describe(notice))
        match notice:
            case ImportPlanned():
                self._tell_plan(notice)
            case ImportJobStarted():
                self._tell_job(notice)
            case ImportJobChanged():
                reason = f": {notice.message}" if notice.message else ""
                self.note(f"import job {notice.job_id} is {notice.status}{reason}")
            case ImportRowChanged():
                self._tell_row(notice)

    def _tell_plan(self, notice: ImportPlanned) -> None:
        self.note(
            f"{counted(sum(notice.counts.values()), 'row')}: {rows_words(notice.counts)}; "
            f"{counted(notice.jobs, 'job')} to start"
        )

    def _tell_job(self, notice: ImportJobStarted) -> None:
        self._jobs.append(notice.job_id)
        whose = ", started by an earlier run" if notice.adopted else ""
        self.note(f"import job {notice.job_id}{whose}: {counted(len(notice.rows), 'row')}")
        self.left_behind = (
            f"{counted(len(self._jobs), 'import job')} go{'es' * (len(self._jobs) == 1)} on at "
            f"the service; the same command follows them:\n  {this_command()}"
        )

    def _tell_row(self, notice: ImportRowChanged) -> None:
        result = notice.result
        self._statuses[result.row] = result.status
        now = time.monotonic()
        if now - self._told_at >= LINE_EVERY_S:
            self._told_at = now
            self.note(rows_words(Counter(self._statuses.values())))

    def rehearsed(self, result: ImportResult) -> int:
        """Reports what would be done; returns the exit code."""
        if self.for_people:
            for row in result.rows:
                message = f": {row.message}" if row.message else ""
                would = _WOULD.get(row.status, row.status)
                self.result(f"row {row.row} ({row.name}): {would}{message}")
        elif not self.as_json:
            self.result(table_of(result.rows))
        for row in result.rows:
            self.event("rehearsed", fields_of(row))
        outcome = "some_failed" if result.failed else "rehearsed"
        return self.done(
            code=exit_code_of(outcome),
            outcome=outcome,
            rows=len(result.rows),
            counts=result.counts,
        )

    def ended(self, result: ImportResult) -> int:
        """Reports the end; returns the exit code."""
        if self.for_people:
            self.result(self._described(result))
        elif not self.as_json:
            self.result(table_of(result.rows))
        error = result.stopped_by
        if error is not None:
            tell_error(error)
        if result.timed_out:
            self.note(f"the wait is over, the jobs go on; to follow:\n  {this_command()}")
        return self.done(
            code=exit_code_of(result.outcome, error),
            outcome=result.outcome,
            rows=len(result.rows),
            counts=result.counts,
            jobs=[job.job_id for job in result.jobs],
            error=error_fields(error) if error is not None else None,
        )

    def _described(self, result: ImportResult) -> str:
        lines = [f"{counted(len(result.rows), 'row')}: {rows_words(result.counts)}"]
        lines += describe_rows(result.failed, results=self._results)
        if len(result.rows) == 1 and result.rows[0].read_set_id:
            lines.append(f"  read set {result.rows[0].read_set_id}")
        return "\n".join(lines)
