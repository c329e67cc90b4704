"""Read sets, and how files compare with them, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from turboupload.cli.reporters.tables import Column, moment_text, utc_text
from turboupload.units import format_duration, format_rate, format_size

if TYPE_CHECKING:
    from turboupload.core.records import ReadSetDetails, StoredFile
    from turboupload.proof.verify import Verification

__all__ = [
    "READ_SET_COLUMNS",
    "describe_verification",
    "read_set_properties",
    "verification_warnings",
]

READ_SET_COLUMNS: tuple[Column[ReadSetDetails], ...] = (
    Column("ID", lambda row: row.read_set_id),
    Column("STATUS", lambda row: row.status),
    Column("TYPE", lambda row: row.file_type),
    Column("NAME", lambda row: row.name, whole=False),
    Column("SAMPLE", lambda row: row.sample_id, whole=False),
    Column("SUBJECT", lambda row: row.subject_id, whole=False),
    Column("CREATED (UTC)", lambda row: moment_text(row.created_at, seconds=False)),
)


def read_set_properties(found: ReadSetDetails) -> Iterator[tuple[str, str]]:
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
        ("created", utc_text(found.created_at)),
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


def verification_warnings(found: Verification) -> list[str]:
    """What a comparison leaves uncertain, as sentences."""
    warnings = []
    if not found.proof:
        warnings.append(found.sentence)
    if found.disproven and len(found.paths) > len(found.ours):
        warnings.append(
            "merged files in another order have another ETag: name them in the order in which "
            "they were uploaded"
        )
    if found.counts_differ and not found.disproven:
        warnings.append(
            f"the service counts {found.read_set.total_reads:,} reads, and there are "
            f"{found.reads:,} in these files; how it counts isn't documented in full"
        )
    return warnings


def describe_verification(found: Verification) -> str:
    """The result of a comparison, in lines."""
    read_set_id = found.read_set.read_set_id
    answer = "equal" if found.proven else "different" if found.disproven else "not known"
    size = format_size(found.total_bytes)
    rate = format_rate(found.total_bytes / found.seconds) if found.seconds > 0 else ""
    lines = [f"{answer}: read set {read_set_id} ({found.read_set.status}): {found.sentence}"]
    if found.total_bytes:
        lines.append(f"  read       {size} in {format_duration(found.seconds)} ({rate})")
    # Of merged files the first stands for its source; R1 has as many as R2.
    first_of = found.paths[:: len(found.paths) // max(1, len(found.ours))]
    for index, etag in enumerate(found.theirs):
        lines.append(f"  etag       {etag or 'none'} ({found.algorithm} of source{index + 1})")
        if found.ours and found.ours[index] != etag:
            lines.append(f"  here       {found.ours[index]} ({first_of[index]})")
    if found.read_set.total_reads is not None:
        bases = found.read_set.total_bases or 0
        lines.append(f"  reads      {found.read_set.total_reads:,} ({bases:,} bases)")
    return "\n".join(lines)
