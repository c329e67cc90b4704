"""The progress of a batch or a watcher, as a job; uploads don't import this module."""

from __future__ import annotations

from msgspec.structs import replace

from turboupload.core.batch import BatchNotice, BatchProgress, BatchStarted
from turboupload.core.jobs import JobProgress, sending
from turboupload.core.watch.notices import RunChanged, RunNotice, WatchNotice

__all__ = ["batch_progress_after", "watch_progress_after"]


def batch_progress_after(before: JobProgress, notice: BatchNotice) -> JobProgress:
    """How far a batch has come after a notice."""
    match notice:
        case BatchStarted():
            return replace(
                before, doing="sending", total_bytes=notice.total_bytes, rows=notice.rows
            )
        case BatchProgress():
            is_sent = notice.done_bytes >= notice.total_bytes
            return replace(
                sending(before, notice),
                doing="waiting" if is_sent else "sending",
                limited_by="create" if notice.waits_for_create else notice.limited_by,
                rows=notice.rows,
                done_rows=notice.done_rows,
            )
        case _:
            return before


def watch_progress_after(before: JobProgress, notice: WatchNotice) -> JobProgress:
    """The progress of a watcher after a notice: that of the run that it sends."""
    match notice:
        case RunNotice(notice=inner):
            return batch_progress_after(before, inner)
        case RunChanged(run) if run.status == "sending":
            return replace(before, doing="preparing", rows=run.rows, done_rows=0)
        case RunChanged():
            return replace(
                before, doing="preparing", bytes_per_s=0.0, eta_s=None, limited_by=None, in_flight=0
            )
        case _:
            return before
