"""Open uploads for people and programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from turboupload.cli.report import Report, fields_of
from turboupload.cli.rows import Rows
from turboupload.cli.tables import Column, moment_text
from turboupload.housekeeping import OpenUploadState, SourceParts
from turboupload.units import format_duration, format_size

__all__ = ["fields", "properties", "rows_of_uploads"]


def rows_of_uploads(report: Report, *, with_parts: bool) -> Rows[OpenUploadState]:
    """Where the rows of open uploads are written.

    Args:
        report: Where to.
        with_parts: Whether it is known what they have.
    """
    columns: list[Column[OpenUploadState]] = [
        Column("ID", lambda row: row.upload.upload_id),
        Column("AGE", lambda row: _age(row.upload.created_at)),
        Column("TYPE", lambda row: row.upload.file_type),
        Column("NAME", lambda row: row.upload.name, whole=False),
        Column("SAMPLE", lambda row: row.upload.sample_id, whole=False),
        Column("SUBJECT", lambda row: row.upload.subject_id, whole=False),
    ]
    if with_parts:
        columns += [
            Column("PARTS", lambda row: None if row.parts is None else f"{row.parts:,}"),
            Column("SIZE", lambda row: None if row.bytes is None else format_size(row.bytes)),
            Column("LAST PART", _last_part),
        ]
    columns.append(Column("HERE", _here, whole=False))
    return Rows(report, "upload", columns, fields=fields, id_of=lambda row: row.upload.upload_id)


def fields(state: OpenUploadState) -> dict[str, Any]:
    """What is known of an open upload, ready for JSON."""
    known = state.known
    return {
        **fields_of(state.upload),
        "parts": state.parts,
        "bytes": state.bytes,
        "last_active_at": state.last_active_at,
        "sources": None if state.sources is None else list(map(fields_of, state.sources)),
        "in_journal": known is not None,
        "paths": list(known.paths) if known is not None else None,
        "held": state.held_by is not None,
        "held_by": state.held_by or None,
    }


def properties(state: OpenUploadState) -> Iterator[tuple[str, str]]:
    """Everything that is known of an open upload, what is not known left out."""
    upload = state.upload
    pairs = (
        ("upload", upload.upload_id),
        ("store", upload.store_id),
        ("name", upload.name),
        ("sample", upload.sample_id),
        ("subject", upload.subject_id),
        ("description", upload.description),
        ("type", upload.file_type),
        ("reference", upload.reference_arn),
        ("from", upload.generated_from),
        ("tags", ", ".join(f"{key}={value}" for key, value in upload.tags.items())),
        ("opened", _moment_and_age(upload.created_at)),
    )
    yield from ((name, value) for name, value in pairs if value)
    if state.sources is None:
        yield "parts", "unknown: it is no longer open"
    for source in state.sources or ():
        if source.parts or source.source == "SOURCE1":
            yield source.source.lower(), _source(source)
    yield "here", _here(state) or "not in this machine's journal"
    for path in state.known.paths if state.known is not None else ():
        yield "file", path


def _source(source: SourceParts) -> str:
    if not source.parts:
        return "no part yet"
    missing = source.highest - source.parts
    gaps = f" ({missing:,} missing before the highest)" if missing > 0 else ""
    last = _moment_and_age(source.last_at)
    return (
        f"{source.parts:,} part{'' if source.parts == 1 else 's'}{gaps}, "
        f"{format_size(source.bytes)} ({source.bytes:,} bytes)"
        f"{f', the last one {last}' if last else ''}"
    )


def _here(state: OpenUploadState) -> str | None:
    if state.held_by is not None:
        return f"being sent (process {state.held_by})" if state.held_by else "being sent"
    return "in the journal" if state.known is not None else None


def _last_part(state: OpenUploadState) -> str | None:
    moments = [each.last_at for each in state.sources or () if each.last_at is not None]
    age = _age(max(moments, default=None))
    return f"{age} ago" if age else None


def _moment_and_age(moment: datetime | None) -> str | None:
    return f"{moment_text(moment)} UTC, {_age(moment)} ago" if moment is not None else None


def _age(moment: datetime | None) -> str | None:
    # The service's clock and ours may differ a little.
    return None if moment is None else format_duration(max(0.0, time.time() - moment.timestamp()))
