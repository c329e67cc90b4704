"""The jobs of this machine, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from turboupload.cli.reporters.tables import Column, moment_text, on_terminal, utc_text
from turboupload.cli.ui.words import LIMITS
from turboupload.core.jobs import JobProgress
from turboupload.jobs.client import Seen
from turboupload.jobs.folder import this_host
from turboupload.units import format_duration, format_rate, format_size

__all__ = ["job_columns", "job_fields", "job_properties"]


def _is_under_way(seen: Seen) -> bool:
    return seen.state in ("running", "paused", "silent", "elsewhere")


def _state(seen: Seen) -> str:
    job = seen.job
    if seen.state == "ended":
        return job.outcome or "ended"
    if seen.state == "running":
        return job.progress.doing
    return "no answer" if seen.state == "silent" else seen.state


def _rows(seen: Seen) -> str | None:
    progress = seen.job.progress
    return f"{progress.done_rows:,} of {progress.rows:,}" if progress.rows else None


def _safe(seen: Seen) -> str | None:
    progress = seen.job.progress
    if not progress.total_bytes:
        return None
    share = int(100 * progress.done_bytes / progress.total_bytes)
    return f"{share} % of {format_size(progress.total_bytes)}"


def _safe_in_full(progress: JobProgress) -> str:
    share = int(100 * progress.done_bytes / progress.total_bytes)
    done, total = format_size(progress.done_bytes), format_size(progress.total_bytes)
    return f"{total}, all of it" if share == 100 else f"{done} of {total}, {share} %"


def _rate(seen: Seen) -> str | None:
    rate = seen.job.progress.bytes_per_s
    return format_rate(rate) if rate and _is_under_way(seen) and seen.state != "paused" else None


def _left(seen: Seen) -> str | None:
    left_s = seen.job.progress.eta_s
    return format_duration(left_s) if left_s is not None and _is_under_way(seen) else None


def _limit(seen: Seen) -> str | None:
    limited_by = seen.job.progress.limited_by
    return limited_by if _is_under_way(seen) else None


def job_columns(rows: Sequence[Seen]) -> list[Column[Seen]]:
    """What a list says of each job; on a terminal without columns that would be empty.

    Args:
        rows: What is listed.
    """
    return [
        column
        for column in _COLUMNS
        if not on_terminal() or any(column.text(seen) for seen in rows)
    ]


_COLUMNS: tuple[Column[Seen], ...] = (
    Column("ID", lambda seen: str(seen.job.id)),
    Column("STATE", _state),
    Column("WHAT", lambda seen: f"{seen.job.kind} {seen.job.about}", whole=False),
    Column("ROWS", _rows),
    Column("SAFE", _safe),
    Column("RATE", _rate),
    Column("LEFT", _left),
    Column("LIMIT", _limit),
    Column("BEGAN", lambda seen: moment_text(_moment(seen.job.started_at), seconds=False)),
)


def job_fields(seen: Seen) -> dict[str, Any]:
    """A job for programs; its times are moments in UTC."""
    fields = msgspec.to_builtins(seen.job)
    for name in ("started_at", "seen_at", "ended_at"):
        fields[name] = _moment(fields[name])
    return {"state": seen.state, **fields}


def job_properties(seen: Seen) -> Iterator[tuple[str, str]]:
    """Everything that is known of a job, what is not known left out."""
    job, progress = seen.job, seen.job.progress
    yield "job", str(job.id)
    yield "state", _state_in_full(seen)
    yield "command", job.command
    yield "store", job.store_id
    yield "process", str(job.pid) if job.host == this_host() else f"{job.pid} on {job.host}"
    yield "began", utc_text(_moment(job.started_at)) or ""
    if job.ended_at is not None:
        took = format_duration(job.ended_at - job.started_at)
        yield "ended", f"{utc_text(_moment(job.ended_at))}, after {took}"
    elif seen.state not in ("running", "paused"):
        yield "last heard", utc_text(_moment(job.seen_at)) or ""
    if job.message:
        yield "because", job.message
    if progress.rows:
        yield "rows", f"{_rows(seen)} done"
    if progress.total_bytes:
        yield "safe", _safe_in_full(progress)
    if _is_under_way(seen):
        yield from _under_way(progress)
        if job.why_no_socket:
            yield "control", f"none: there is no socket ({job.why_no_socket})"


_DOING = {
    "preparing": "looks at the files",
    "proving": "computes the files' ETag",
    "waiting": "waits for the service",
}


def _state_in_full(seen: Seen) -> str:
    job = seen.job
    match seen.state:
        case "ended":
            return f"ended: {job.outcome or 'no word'} (exit {job.exit_code})"
        case "killed":
            return "killed: its process ended without a word; the same command goes on"
        case "silent":
            why = f": it has no socket ({job.why_no_socket})" if job.why_no_socket else ""
            return f"its process lives and doesn't answer{why}"
        case "elsewhere":
            return f"on another machine, {job.host}, as far as is known"
        case "paused":
            return "paused: nothing new is sent"
    doing = _DOING.get(job.progress.doing)
    return f"running: {doing}" if doing else "running"


def _under_way(progress: JobProgress) -> Iterator[tuple[str, str]]:
    if progress.in_flight_bytes:
        yield "on the way", format_size(progress.in_flight_bytes)
    if progress.doing == "sending" and not progress.paused:
        yield "rate", format_rate(progress.bytes_per_s)
    if progress.eta_s is not None:
        yield "left", format_duration(progress.eta_s)
    if progress.limited_by is not None:
        yield "limit", _limit_words(progress.limited_by)
    if progress.window:
        fixed = ", as told" if progress.concurrency is not None else ""
        yield "parts", f"{progress.in_flight:,} of {progress.window:,} in flight{fixed}"
    if progress.max_bandwidth is not None:
        yield "cap", format_rate(progress.max_bandwidth)


def _limit_words(limited_by: str) -> str:
    if limited_by == "create":
        return "as fast as the quota of Create"
    # One of another version may name what this one doesn't know.
    return next((words for name, words in LIMITS.items() if name == limited_by), limited_by)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
