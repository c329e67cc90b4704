"""The service's replies, read tolerantly.

Members that the model calls required are missing or null in real replies (referenceArn and
generatedFrom for FASTQ, for one), and new members and enum values may come at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from turboupload.core.model import ListedPart, OpenUpload, PartSource, ReadSetRecord

__all__ = [
    "mapping",
    "number",
    "read_listed_part",
    "read_open_upload",
    "read_read_set",
    "tags_of",
    "text_or_none",
]

_FILES = {"source1": PartSource.SOURCE1, "source2": PartSource.SOURCE2}


def text_or_none(value: Any) -> str | None:
    """A non-empty text, or None for anything else."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> int | None:
    """A whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """A structure, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def tags_of(row: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The tags of a reply, as two members of a record: those that were asked for, and others.

    The service adds tags of its own to import sources (`aws:omics:sampleId`), and may to anything.
    AWS reserves that prefix, in any case, so that nobody else's begin with it.
    """
    tags = {str(key): str(text) for key, text in mapping(row.get("tags")).items()}
    theirs = {key: text for key, text in tags.items() if key.lower().startswith("aws:")}
    ours = {key: text for key, text in tags.items() if key not in theirs}
    return {"tags": ours, "service_tags": theirs}


def _seconds(value: Any) -> float | None:
    return value.timestamp() if isinstance(value, datetime) else None


def read_listed_part(row: Mapping[str, Any], source: PartSource) -> ListedPart | None:
    """A row of ListReadSetUploadParts; None where it lacks its number or size.

    Args:
        row: As parsed.
        source: The source that was asked for.
    """
    part_number, size = number(row.get("partNumber")), number(row.get("partSize"))
    if part_number is None or size is None or row.get("partSource") not in (None, source):
        return None
    return ListedPart(
        source,
        part_number,
        size,
        text_or_none(row.get("checksum")),
        updated=_seconds(row.get("lastUpdatedTime")),
    )


def read_open_upload(row: Mapping[str, Any]) -> OpenUpload | None:
    """A row of ListMultipartReadSetUploads; None where it lacks its id or type."""
    upload_id, file_type = (
        text_or_none(row.get("uploadId")),
        text_or_none(row.get("sourceFileType")),
    )
    if upload_id is None or file_type is None:
        return None
    return OpenUpload(
        upload_id=upload_id,
        file_type=file_type,
        name=text_or_none(row.get("name")),
        sample_id=text_or_none(row.get("sampleId")),
        subject_id=text_or_none(row.get("subjectId")),
        reference_arn=text_or_none(row.get("referenceArn")),
        generated_from=text_or_none(row.get("generatedFrom")),
        description=text_or_none(row.get("description")),
        **tags_of(row),
        created=_seconds(row.get("creationTime")),
    )


def read_read_set(row: Mapping[str, Any]) -> ReadSetRecord | None:
    """A row of ListReadSets, or a GetReadSetMetadata reply; None without its id or status."""
    read_set_id, status = text_or_none(row.get("id")), text_or_none(row.get("status"))
    if read_set_id is None or status is None:
        return None
    information = mapping(row.get("sequenceInformation"))
    files = mapping(row.get("files"))
    sizes = {
        source: size
        for member, source in _FILES.items()
        if (size := number(mapping(files.get(member)).get("contentLength"))) is not None
    }
    etag = {
        str(key): value
        for key, value in mapping(row.get("etag")).items()
        if text_or_none(value) is not None
    }
    return ReadSetRecord(
        read_set_id=read_set_id,
        status=status,
        arn=text_or_none(row.get("arn")),
        name=text_or_none(row.get("name")),
        sample_id=text_or_none(row.get("sampleId")),
        subject_id=text_or_none(row.get("subjectId")),
        file_type=text_or_none(row.get("fileType")),
        reference_arn=text_or_none(row.get("referenceArn")),
        generated_from=text_or_none(information.get("generatedFrom")),
        description=text_or_none(row.get("description")),
        status_message=text_or_none(row.get("statusMessage")),
        creation_type=text_or_none(row.get("creationType")),
        created=_seconds(row.get("creationTime")),
        sizes=sizes,
        etag=etag,
        total_reads=number(information.get("totalReadCount")),
        total_bases=number(information.get("totalBaseCount")),
    )
