"""What the service has, held against what we want.

Which open upload to go on with, how it was cut, which read set is ours.

Output members that the model calls required are missing or null in real replies, so a member that
the service leaves out contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from turboupload.core import limits
from turboupload.core.events import Candidate
from turboupload.core.model import (
    FileType,
    ListedPart,
    OpenUpload,
    PartSource,
    ReadSet,
    ReadSetRecord,
    Source,
)

__all__ = [
    "choose_candidate",
    "holds_these_sizes",
    "infer_part_size",
    "is_gone",
    "open_upload_matches",
    "read_set_matches",
]

_GONE = frozenset({"UPLOAD_FAILED", "DELETED", "DELETING"})


def is_gone(record: ReadSetRecord) -> bool:
    """Whether a read set exists only in name: failed, deleted or being deleted."""
    return record.status in _GONE


def open_upload_matches(read_set: ReadSet, file_type: FileType, upload: OpenUpload) -> bool:
    """Whether an open upload was made for this read set, by its metadata."""
    return (
        upload.file_type == file_type
        and _same_texts(read_set, upload)
        and (not upload.tags or dict(upload.tags) == dict(read_set.tags))
    )


def read_set_matches(read_set: ReadSet, file_type: FileType, record: ReadSetRecord) -> bool:
    """Whether a read set has this metadata."""
    return (
        record.file_type in (None, file_type)
        and record.creation_type in (None, "UPLOAD")
        and _same_texts(read_set, record)
    )


def _same_texts(read_set: ReadSet, theirs: OpenUpload | ReadSetRecord) -> bool:
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
    record: ReadSetRecord, sources: Sequence[Source]
) -> Literal["yes", "no", "unknown"]:
    """Whether the stored files have the sizes of ours.

    "no" is no proof of difference: the service may recompress (user guide).
    """
    if not record.sizes:
        return "unknown"
    ours = {source.part_source: source.size for source in sources}
    return "yes" if dict(record.sizes) == ours else "no"


def infer_part_size(
    parts: Sequence[ListedPart], sources: Sequence[Source], *, planned: int
) -> int | None:
    """The part size under which somebody cut these very sources; None where no single one fits.

    A source's parts are all of one size but the last, which has the rest. The size that we would
    choose ourselves is preferred, since a lone last part fits more than one.
    """
    sizes = {source.part_source: source.size for source in sources}
    for part_size in (planned, *sorted({part.size for part in parts}, reverse=True)):
        if 0 < part_size <= limits.MAX_PART_BYTES and all(
            _fits(part, part_size, sizes) for part in parts
        ):
            return part_size
    return None


def _fits(part: ListedPart, part_size: int, sizes: dict[PartSource, int]) -> bool:
    size = sizes.get(part.source)
    if size is None or -(-size // part_size) > limits.MAX_PARTS:
        return False
    offset = (part.number - 1) * part_size
    return 0 <= offset < size and part.size == min(part_size, size - offset)


def choose_candidate(candidates: Sequence[Candidate]) -> Candidate | None:
    """The open upload to go on with: proven to be of this content, with the most bytes there.

    One without parts saves nothing and could be another process's that just began, so it is left
    alone; Create with our token gives our own back.
    """
    proven = [each for each in candidates if each.probe == "equal"]
    return max(
        proven,
        key=lambda each: (sum(part.size for part in each.parts), each.upload.upload_id),
        default=None,
    )
