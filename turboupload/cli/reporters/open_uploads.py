"""Open uploads, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from turboupload.cli.reporters.tables import Column, Rows, utc_text
from turboupload.cli.ui.events import fields_of
from turboupload.units import format_duration, format_size

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.open_uploads import OpenUploadState, SourceParts

__all__ = ["LeftAlone", "upload_fields", "upload_properties", "upload_rows"]


class LeftAlone:
    """Tells which uploads are not given up, and why.

    Args:
        reporter: Where to.

    Attributes:
        count: How many were told.
    """

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.count = 0

    def tell(self, state: OpenUploadState, reason: str, why: str) -> None:
        """Tells of one.

        Args:
            state: The upload.
            reason: Why, as a stable word for programs.
            why: The same as a sentence.
        """
        self.count += 1
        upload_id = state.upload.upload_id
        self._reporter.event(
            "left_alone", {"upload_id": upload_id, "reason": reason, "message": why}
        )
        self._reporter.note(f"upload {upload_id} is left alone: {why}")

    def passed_over(self, state: OpenUploadState) -> None:
        """Tells of one whose idle time can't be known, or doesn't count."""
        if state.held_by is not None:
            self.tell(state, "held", f"process {state.held_by or 'unknown'} is sending it")
        elif state.last_active_at is None:
            self.tell(state, "no-times", "the service doesn't say when it was last worked on")
        else:
            why = "the service has no parts of it: its read set is being made, or it has expired"
            self.tell(state, "no-parts", why)


def upload_rows(reporter: Reporter, *, with_parts: bool) -> Rows[OpenUploadState]:
    """Where the rows of open uploads are written.

    Args:
        reporter: Where to.
        with_parts: Whether it is known what they have.
    """
    columns: list[Column[OpenUploadState]] = [
        Column("ID", lambda row: row.upload.upload_id),
        Column("AGE", lambda row: _short_age(row.upload.created_at, row.seen_at)),
        Column("TYPE", lambda row: row.upload.file_type),
        Column("NAME", lambda row: row.upload.name, whole=False),
        Column("SAMPLE", lambda row: row.upload.sample_id, whole=False),
    ]
    if with_parts:
        columns += [
            Column("PARTS", lambda row: None if row.parts is None else f"{row.parts:,}"),
            Column("SIZE", lambda row: None if row.bytes is None else format_size(row.bytes)),
            Column("IDLE", lambda row: _short_age(row.last_active_at, row.seen_at)),
        ]
    columns.append(Column("HERE", _here, whole=False))
    return Rows(
        reporter, "upload", columns, fields=upload_fields, id_of=lambda row: row.upload.upload_id
    )


def upload_fields(state: OpenUploadState) -> dict[str, Any]:
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


def upload_properties(state: OpenUploadState) -> Iterator[tuple[str, str]]:
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
        ("tags", _tags(upload.tags)),
        ("added tags", _tags(upload.service_tags)),
        ("opened", _moment_and_age(upload.created_at, state.seen_at)),
    )
    yield from ((name, value) for name, value in pairs if value)
    if state.sources is None:
        yield "parts", "unknown: it is no longer open, has expired, or its read set is being made"
    for source in state.sources or ():
        if source.parts or source.source == "SOURCE1":
            yield source.source.lower(), _source(source, state.seen_at)
    yield "here", _here(state) or "not in this machine's journal"
    for path in state.known.paths if state.known is not None else ():
        yield "file", path


def _tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())


def _source(source: SourceParts, now: datetime | None) -> str:
    if not source.parts:
        return "no part yet"
    said = ["1 part" if source.parts == 1 else f"{source.parts:,} parts"]
    if source.highest > source.parts:
        said.append(f"{source.highest - source.parts:,} missing before the highest")
    said.append(f"{format_size(source.bytes)} ({source.bytes:,} bytes)")
    if source.last_at is not None:
        said.append(f"the last one {_moment_and_age(source.last_at, now)}")
    return ", ".join(said)


def _here(state: OpenUploadState) -> str | None:
    if state.held_by is not None:
        return f"being sent (process {state.held_by})" if state.held_by else "being sent"
    return "in the journal" if state.known is not None else None


def _moment_and_age(moment: datetime | None, now: datetime | None) -> str | None:
    if moment is None:
        return None
    return f"{utc_text(moment)}, {format_duration(_age_s(moment, now))} ago"


def _short_age(moment: datetime | None, now: datetime | None) -> str | None:
    """An age by its largest unit, which a table has room for."""
    if moment is None:
        return None
    age_s = _age_s(moment, now)
    units = ((86400, "d"), (3600, "h"), (60, "min"))
    size, name = next((unit for unit in units if age_s >= unit[0]), (1, "s"))
    return f"{int(age_s // size):,} {name}"


def _age_s(moment: datetime, now: datetime | None) -> float:
    """By the service's clock, and by ours only where it doesn't say what time it is there."""
    return max(0.0, (now or datetime.now(UTC)).timestamp() - moment.timestamp())
