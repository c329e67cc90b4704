"""Collects a run's notices, and makes its report at the end."""

from __future__ import annotations

from collections.abc import Iterable

from turboupload.core.batch import BatchNotice, BatchProgress, BatchStarted, RowChanged, RowNotice
from turboupload.core.notices import Calling, Notice, Progress, Retrying, Started
from turboupload.core.report.document import Report, ReportRow
from turboupload.core.report.timeline import Timeline
from turboupload.core.report.tries import Tries
from turboupload.core.rows import RowResult
from turboupload.core.upload.events import Completed, ReadSetGone, StatusSeen

__all__ = ["Recording"]


class Recording:
    """A run of `upload` or `batch`.

    Args:
        title: What the report is about.
        began: When the run began, as ISO 8601 text in UTC.
    """

    def __init__(self, title: str, *, began: str) -> None:
        self._title = title
        self._began = began
        self._timeline = Timeline()
        self._tries = Tries()
        self._one: Started | None = None
        self._total_bytes = 0
        self._read_set_id: str | None = None
        self._expected = 0
        self._rows: dict[int, RowResult] = {}

    def hear(self, notice: Notice | BatchNotice, at_s: float) -> None:
        """Takes a notice in.

        Args:
            notice: From the engine, or of a batch.
            at_s: When it came, in seconds since the run began.
        """
        match notice:
            case Progress() | BatchProgress():
                self._timeline.progressed(
                    at_s,
                    bytes_sent=notice.bytes_sent,
                    in_flight=notice.in_flight,
                    limited_by=notice.limited_by,
                )
                # Of a stream, this is what was read so far: its start knows no size.
                self._total_bytes = notice.total_bytes
            case Retrying() | RowNotice(_, Retrying()):
                self._timeline.retried(at_s)
            case Calling():
                self._tries.ended(notice, at_s)
            case RowNotice(_, Calling() as call):
                self._tries.ended(call, at_s)
            case Started():
                self._one = notice
            case BatchStarted():
                self._expected = notice.rows
            case RowChanged(result):
                self.rows((result,))
            case _:
                self._hear_read_set(notice)

    def _hear_read_set(self, notice: Notice | BatchNotice) -> None:
        match notice:
            case Completed():
                self._read_set_id = notice.read_set_id
            case StatusSeen(record):
                self._read_set_id = record.read_set_id
            case ReadSetGone():
                self._read_set_id = None

    def rows(self, results: Iterable[RowResult]) -> None:
        """Takes in results of rows; the last one of each row counts."""
        self._rows.update((each.row, each) for each in results)

    def report(
        self, outcome: str, at_s: float, *, read_set_id: str | None = None, message: str = ""
    ) -> Report:
        """The report of a run that has ended.

        Args:
            outcome: How, in a word.
            at_s: When, in seconds since it began.
            read_set_id: Of an upload that succeeded.
            message: The error that ended it.
        """
        rows = [_row(self._rows[number]) for number in sorted(self._rows)]
        if self._one is not None:
            rows.append(
                ReportRow(
                    name=self._one.name,
                    outcome=outcome,
                    read_set_id=read_set_id or self._read_set_id,
                    bytes=max(self._one.total_bytes, self._total_bytes),
                    message=message,
                )
            )
        return Report(
            title=self._title,
            outcome=outcome,
            began=self._began,
            seconds=at_s,
            rows=tuple(rows),
            not_begun=max(0, self._expected - len(self._rows)),
            spans=self._timeline.spans(at_s),
            tries=self._tries.all,
            message=message,
        )


def _row(result: RowResult) -> ReportRow:
    return ReportRow(
        row=result.row,
        name=result.name,
        sample=result.sample,
        outcome=result.status,
        read_set_id=result.read_set_id,
        bytes=result.bytes,
        message=" ".join(filter(None, [result.message, result.what_to_do])),
    )
