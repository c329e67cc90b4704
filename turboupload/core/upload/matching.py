"""What the service has, compared with what we want to upload, by metadata and sizes alone.

Which open upload to continue, which read set may be ours; `ownership` proves it.

Output members that the model calls required are missing or null in real replies, so a member that
the service leaves out contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from turboupload.core.formats import FORMATS
from turboupload.core.model import FileType, ReadSet, Source
from turboupload.core.records import MultipartUpload, ReadSetDetails
from turboupload.core.upload.events import Candidate

__all__ = [
    "choose_candidate",
    "differences",
    "goes_first",
    "has_ended",
    "holds_these_sizes",
    "is_finished",
    "is_gone",
    "open_upload_matches",
    "read_set_matches",
]

_GONE = frozenset({"UPLOAD_FAILED", "DELETED", "DELETING"})
_FINISHED = frozenset({"ACTIVE", "ARCHIVED", "ACTIVATING"})


def is_gone(record: ReadSetDetails) -> bool:
    """Whether a read set holds nothing (any more): failed, deleted or being deleted."""
    return record.status in _GONE


def is_finished(record: ReadSetDetails) -> bool:
    """Whether the service has read its files, and made what it makes of them."""
    return record.status in _FINISHED


def has_ended(record: ReadSetDetails) -> bool:
    """Whether a read set doesn't change any more by itself."""
    return is_finished(record) or is_gone(record)


def open_upload_matches(read_set: ReadSet, file_type: FileType, upload: MultipartUpload) -> bool:
    """Whether an open upload was made for this read set, by its metadata."""
    return (
        upload.file_type == file_type
        and _same_texts(read_set, upload)
        and (not upload.tags or dict(upload.tags) == dict(read_set.tags))
    )


def read_set_matches(read_set: ReadSet, file_type: FileType, record: ReadSetDetails) -> bool:
    """Whether a read set has this metadata."""
    return (
        record.file_type in (None, file_type)
        and record.creation_type in (None, "UPLOAD")
        and _same_texts(read_set, record)
    )


def differences(read_set: ReadSet, file_type: FileType, record: ReadSetDetails) -> tuple[str, ...]:
    """How a read set's metadata differ from ours, each in words; empty where they don't.

    What it doesn't show and we have is a difference, too: it may have been left out of the reply,
    so that it proves nothing, but people who add a description want to know that it isn't there.
    """
    pairs = (
        ("type", record.file_type or str(file_type), str(file_type)),
        ("reference", record.reference_arn, read_set.reference_arn),
        ("origin (generated from)", record.generated_from, read_set.generated_from),
        ("description", record.description, read_set.description),
    )
    return tuple(
        f"its {label} is {theirs!r}, not {ours!r}"
        if theirs and ours
        else f"it has the {label} {theirs!r}"
        if theirs
        else f"it shows no {label}"
        for label, theirs, ours in pairs
        if (theirs or None) != (ours or None)
    )


def _same_texts(read_set: ReadSet, theirs: MultipartUpload | ReadSetDetails) -> bool:
    pairs = (
        (theirs.name, read_set.name),
        (theirs.sample_id, read_set.sample_id),
        (theirs.subject_id, read_set.subject_id),
        (theirs.reference_arn, read_set.reference_arn),
        (theirs.generated_from, read_set.generated_from),
        (theirs.description, read_set.description),
    )
    return all(their is None or their == our for their, our in pairs)


def holds_these_sizes(
    record: ReadSetDetails, sources: Sequence[Source], file_type: FileType
) -> Literal["yes", "no", "unknown"]:
    """Whether the stored files have the sizes of ours; evidence either way, and never proof.

    A stored FASTQ was seen to have the size that was sent. What the service rewrites has another
    size (`FileFormat.rewritten`); which size is shown while it is PROCESSING_UPLOAD isn't
    documented.
    """
    nothing_read = any(source.streamed and source.size == 0 for source in sources)
    if not record.sizes or nothing_read or FORMATS[file_type].rewritten:
        return "unknown"
    ours = {source.part_source: source.size for source in sources}
    return "yes" if dict(record.sizes) == ours else "no"


def choose_candidate(candidates: Sequence[Candidate]) -> Candidate | None:
    """The open upload to continue: the one with the most bytes whose probe equals our content.

    Of several with as many, it is the one that other hosts choose, too (`goes_first`).

    Its other parts are compared before anything is sent. An upload without parts saves nothing and
    may have been opened by another process a moment ago, so it is left alone; Create with our
    token returns our own.
    """
    proven = [each for each in candidates if each.probe == "equal"]
    return min(proven, key=lambda each: (-each.size, _by_age(each.upload.upload_id)), default=None)


def goes_first(upload_id: str, rivals: Iterable[str]) -> bool:
    """Whether, of several uploads that hold the same parts, this is the one to complete.

    Independent hosts must come to the same answer: the smallest id.
    """
    return all(_by_age(upload_id) < _by_age(each) for each in rivals)


def _by_age(upload_id: str) -> tuple[int, str]:
    """Ids are numbers written in decimal (botocore's model: `[0-9]+`)."""
    return (len(upload_id), upload_id)
