"""Import jobs and their sources, for people and for programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from turboupload.cli.ui.reporter import fields_of
from turboupload.cli.ui.tables import Column, Table, moment_text, printable, record_lines
from turboupload.core.imports.jobs import ImportJob, ImportJobSource

__all__ = ["JOB_COLUMNS", "described", "job_fields", "source_lines"]

JOB_COLUMNS: tuple[Column[ImportJob], ...] = (
    Column("ID", lambda job: job.job_id),
    Column("STATUS", lambda job: job.status),
    Column("STARTED (UTC)", lambda job: moment_text(job.created_at)),
    Column("ENDED (UTC)", lambda job: moment_text(job.completed_at)),
    Column("ROLE", lambda job: job.role_arn, whole=False),
)

_SOURCE_COLUMNS: tuple[Column[ImportJobSource], ...] = (
    Column("STATUS", lambda source: source.status),
    Column("READ SET", lambda source: source.read_set_id),
    Column("TYPE", lambda source: source.file_type),
    Column("NAME", lambda source: source.name, whole=False),
    Column("SAMPLE", lambda source: source.sample_id, whole=False),
    Column("SUBJECT", lambda source: source.subject_id, whole=False),
    Column(
        "FILES",
        lambda source: " ".join(filter(None, (source.source1, source.source2))),
        whole=False,
    ),
    Column("MESSAGE", lambda source: source.status_message, whole=False),
)


def job_fields(job: ImportJob) -> dict[str, Any]:
    """A row of a listing, which knows neither sources nor a reason."""
    fields = fields_of(job)
    return {key: fields[key] for key in fields if key not in ("sources", "status_message")}


def described(job: ImportJob) -> str:
    """A job, and a table of its sources."""
    counts = Counter(source.status or "-" for source in job.sources)
    pairs = (
        ("import job", job.job_id),
        ("status", job.status),
        ("reason", job.status_message),
        ("store", job.store_id),
        ("role", job.role_arn),
        ("started", _utc(moment_text(job.created_at))),
        ("ended", _utc(moment_text(job.completed_at))),
        ("sources", ", ".join(f"{count:,} {status}" for status, count in counts.items())),
    )
    head = record_lines((name, value) for name, value in pairs if value)
    table = Table(_SOURCE_COLUMNS).piece(job.sources)
    return f"{head}\n\n{table}" if table else head


def source_lines(job: ImportJob) -> str:
    """Status, read set id, name and first file of each source, tabs between."""
    return "\n".join(
        "\t".join(
            printable(text or "")
            for text in (source.status, source.read_set_id, source.name, source.source1)
        )
        for source in job.sources
    )


def _utc(text: str | None) -> str | None:
    return f"{text} UTC" if text else None
