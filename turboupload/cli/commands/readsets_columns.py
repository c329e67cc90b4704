"""Read sets for people: as rows of a table, and one by one."""

from __future__ import annotations

from collections.abc import Iterator

from turboupload.cli.ui.tables import Column, moment_text
from turboupload.core.records import ReadSetDetails, StoredFile
from turboupload.units import format_size

__all__ = ["COLUMNS", "properties"]

COLUMNS: tuple[Column[ReadSetDetails], ...] = (
    Column("ID", lambda row: row.read_set_id),
    Column("STATUS", lambda row: row.status),
    Column("TYPE", lambda row: row.file_type),
    Column("NAME", lambda row: row.name, whole=False),
    Column("SAMPLE", lambda row: row.sample_id, whole=False),
    Column("SUBJECT", lambda row: row.subject_id, whole=False),
    Column("CREATED (UTC)", lambda row: moment_text(row.created_at, seconds=False)),
)


def properties(found: ReadSetDetails) -> Iterator[tuple[str, str]]:
    """Everything that is known of a read set, what is not known left out."""
    pairs = (
        ("read set", found.read_set_id),
        ("status", found.status),
        ("reason", found.status_message),
        ("arn", found.arn),
        ("store", found.store_id),
        ("name", found.name),
        ("sample", found.sample_id),
        ("subject", found.subject_id),
        ("description", found.description),
        ("type", found.file_type),
        ("reference", found.reference_arn),
        ("from", found.generated_from),
        ("created", _utc(moment_text(found.created_at))),
        ("created by", found.creation_type),
        ("import job", found.creation_job_id),
        ("reads", _count(found.total_reads)),
        ("bases", _count(found.total_bases)),
        ("alignment", found.alignment),
    )
    yield from ((name, value) for name, value in pairs if value)
    for name in ("source1", "source2", "index"):
        file = getattr(found.files, name, None)
        if file is not None:
            yield name, _file(file)
        etag = getattr(found.etag, name, None)
        if etag is not None:
            algorithm = getattr(found.etag, "algorithm", None)
            yield "etag", f"{etag} ({algorithm or 'of an unknown algorithm'} of {name})"


def _utc(text: str | None) -> str | None:
    return f"{text} UTC" if text else None


def _count(value: int | None) -> str | None:
    return None if value is None else f"{value:,}"


def _file(file: StoredFile) -> str:
    said = []
    if file.content_length is not None:
        said.append(f"{format_size(file.content_length)} ({file.content_length:,} bytes)")
    if file.total_parts is not None and file.part_size is not None:
        parts = "1 part" if file.total_parts == 1 else f"{file.total_parts:,} parts"
        said.append(f"read in {parts} of {format_size(file.part_size)}")
    if file.s3_uri is not None:
        said.append(file.s3_uri)
    return ", ".join(said) or "-"
