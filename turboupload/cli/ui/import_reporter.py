"""An import for people and programs: while it runs, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from turboupload.cli.ui.errors import SOME_FAILED, STOPPED, exit_code_for, tell_error, this_command
from turboupload.cli.ui.reporter import Report, error_fields
from turboupload.cli.ui.words import (
    MOST_ROWS_TOLD,
    foremost,
    row_words,
    rows_words,
    table_of,
)
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
from turboupload.core.sheet.model import SheetFinding, SheetRejected

__all__ = ["Importing", "rejected"]

LINE_EVERY_S: Final = 10.0
"""How often a line says where an import stands, in seconds."""


class Importing:
    """Tells of an import.

    Args:
        report: Where to.
        results: The results file, if there is one.
    """

    def __init__(self, report: Report, *, results: str | None) -> None:
        self._report = report
        self._results = results
        self._jobs: list[str] = []
        self._statuses: dict[int, RowStatus] = {}
        self._told_at = time.monotonic()

    def warn(self, findings: Sequence[SheetFinding]) -> None:
        """Tells of what a sheet's author should know."""
        _tell_findings(self._report, findings)

    # --- while it runs ----------------------------------------------------------------------

    def hear(self, notice: ImportNotice) -> None:
        """Takes a notice in."""
        match notice:
            case ImportPlanned():
                self._planned(notice)
            case ImportJobStarted():
                self._started(notice)
            case ImportJobChanged():
                reason = f": {notice.message}" if notice.message else ""
                self._report.note(f"import job {notice.job_id} is {notice.status}{reason}")
                self._report.event("job", asdict(notice))
            case ImportRowChanged():
                self._changed(notice)
            case Remark(code, text):
                self._report.line(f"warning: {text}")
                self._report.event("remark", {"code": code, "message": text})

    def _planned(self, notice: ImportPlanned) -> None:
        self._report.note(
            f"{_counted(sum(notice.counts.values()), 'row')}: {rows_words(notice.counts)}; "
            f"{_counted(notice.jobs, 'job')} to start"
        )
        self._report.event("planned", {**asdict(notice), "counts": dict(notice.counts)})

    def _started(self, notice: ImportJobStarted) -> None:
        self._jobs.append(notice.job_id)
        whose = ", started by an earlier run" if notice.adopted else ""
        rows = _counted(len(notice.rows), "row")
        self._report.note(f"import job {notice.job_id}{whose}: {rows}")
        self._report.event("job", {**asdict(notice), "status": None})
        self._report.left_behind = (
            f"{_counted(len(self._jobs), 'import job')} go{'es' * (len(self._jobs) == 1)} on at "
            "the service; "
            f"the same command follows them:\n  {this_command()}"
        )

    def _changed(self, notice: ImportRowChanged) -> None:
        result = notice.result
        self._statuses[result.row] = result.status
        self._report.event("row", {**asdict(result), "job_id": notice.job_id})
        now = time.monotonic()
        if now - self._told_at >= LINE_EVERY_S:
            self._told_at = now
            self._report.note(rows_words(Counter(self._statuses.values())))

    # --- how it ended -----------------------------------------------------------------------

    def rehearsed(self, result: ImportResult) -> int:
        """Tells of what would be done; returns the exit code."""
        would = {
            "waiting": "import",
            "exists": "skip",
            "processing": "follow",
            "rejected": "refuse",
        }
        if self._report.for_people:
            for row in result.rows:
                message = f": {row.message}" if row.message else ""
                self._report.result(
                    f"row {row.row} ({row.name}): {would.get(row.status, row.status)}{message}"
                )
        elif not self._report.as_json:
            self._report.result(table_of(result.rows))
        for row in result.rows:
            self._report.event("rehearsed", asdict(row))
        return self._report.done(
            outcome="rehearsed", rows=len(result.rows), counts=dict(result.counts)
        )

    def ended(self, result: ImportResult) -> int:
        """Tells of the end; returns the exit code."""
        if self._report.for_people:
            self._report.result(self._described(result))
        elif not self._report.as_json:
            self._report.result(table_of(result.rows))
        if result.stopped_by is not None:
            tell_error(result.stopped_by)
        if result.timed_out:
            self._report.note(f"the wait is over, the jobs go on; to follow:\n  {this_command()}")
        code, outcome = _verdict(result)
        return self._report.done(
            code=code,
            outcome=outcome,
            rows=len(result.rows),
            counts=dict(result.counts),
            jobs=[job.job_id for job in result.jobs],
            error=error_fields(result.stopped_by) if result.stopped_by is not None else None,
        )

    def _described(self, result: ImportResult) -> str:
        lines = [f"{_counted(len(result.rows), 'row')}: {rows_words(result.counts)}"]
        failed = result.failed
        lines += [f"  {row_words(row)}" for row in failed[:MOST_ROWS_TOLD]]
        if len(failed) > MOST_ROWS_TOLD:
            where = self._results or "name a file with --results to see them all"
            lines.append(f"  and {len(failed) - MOST_ROWS_TOLD:,} more: {where}")
        if len(result.rows) == 1 and result.rows[0].read_set_id:
            lines.append(f"  read set {result.rows[0].read_set_id}")
        return "\n".join(lines)


def rejected(report: Report, error: SheetRejected) -> int:
    """Tells of everything that speaks against a sheet; returns the exit code."""
    _tell_findings(report, error.findings)
    count = sum(finding.severity == "error" for finding in error.findings)
    report.line(f"error: {_counted(count, 'finding')}; nothing was started")
    return report.done(code=exit_code_for(error), outcome=error.outcome, error=error_fields(error))


def _tell_findings(report: Report, findings: Sequence[SheetFinding]) -> None:
    """Tells a program of all findings, and a person of as many as one would read."""
    for finding in findings:
        report.event("finding", asdict(finding))
    told, more = foremost(findings)
    for finding in told:
        tell = report.line if finding.severity == "error" else report.note
        tell(f"{finding.severity}: {finding}")
        if finding.hint:
            tell(f"  {finding.hint}")
    if more:
        report.line(more)


def _verdict(result: ImportResult) -> tuple[int, str]:
    if result.stopped_by is not None:
        return exit_code_for(result.stopped_by), result.stopped_by.outcome
    if result.failed:
        return SOME_FAILED, "some_failed"
    if result.timed_out:
        return STOPPED, "stopped"
    return 0, "processing" if result.unfinished else "active"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
