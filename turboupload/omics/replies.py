"""Reads the service's replies, tolerantly.

Members that the model calls required are missing or null in real replies (referenceArn and
generatedFrom for FASTQ, for one), and new members and enum values may come at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.utils import parse_timestamp

from turboupload.core.model import PartSource
from turboupload.core.records import (
    ETag,
    MultipartUpload,
    ReadSetDetails,
    ReadSetFiles,
    SequenceStoreDetails,
    StoredFile,
    UploadPart,
)

if TYPE_CHECKING:
    from turboupload.core.imports.jobs import ImportJob, ImportJobSource

__all__ = [
    "listed",
    "null_lists",
    "read_checksum",
    "read_import_job",
    "read_multipart_upload",
    "read_read_set",
    "read_store_details",
    "read_upload_part",
    "text_or_none",
    "timestamp_or_none",
]


def text_or_none(value: Any) -> str | None:
    """A non-empty text, or None for anything else."""
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> int | None:
    """A whole number, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    """A structure, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def _tags(row: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The tags of a reply, as two members of a record: the user's and the service's.

    The service adds tags of its own to import sources (`aws:omics:sampleId`), and may to anything.
    AWS reserves that prefix, in any letter case, so no user's tag begins with it.
    """
    tags = {str(key): str(text) for key, text in _mapping(row.get("tags")).items()}
    theirs = {key: text for key, text in tags.items() if key.lower().startswith("aws:")}
    ours = {key: text for key, text in tags.items() if key not in theirs}
    return {"tags": ours, "service_tags": theirs}


def _rows_of(value: Any) -> list[Mapping[str, Any]]:
    """The structures of a list, none for anything else."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def listed(reply: Mapping[str, Any], member: str) -> list[Mapping[str, Any]] | None:
    """The rows of a listing's page.

    A page without its list is an empty one if the service sent it: botocore's model (1.43) requires
    neither `uploads` nor `parts` nor `importJobs`. Somebody else's page with status 200, such as a
    proxy's, must not count as an empty listing.

    Returns:
        None where the list is something else, or nothing shows that the service has answered.
    """
    rows = reply.get(member, [] if _is_of_service(reply) else "")
    return _rows_of(rows) if isinstance(rows, list | None) else None


def null_lists(body: bytes, names: Sequence[str]) -> dict[str, list[Any]]:
    """The lists that a reply has as null, as empty ones.

    botocore drops null members, and a listing without its rows is none: something else may have
    answered. One that names its rows, and has none, is an empty one.

    Args:
        body: The reply.
        names: The members of the operation's reply that are lists.
    """
    if not names or b"null" not in body:
        return {}
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return {}
    return {name: [] for name in names if bytes(members.get(name, b"")) == b"null"}


def _moment(value: Any) -> datetime | None:
    """A moment; UTC where the reply names no zone, so that all can be compared."""
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def timestamp_or_none(value: Any) -> datetime | None:
    """Reads a reply's timestamp as botocore does; None if it is none.

    Without this, a listing of a hundred rows can't be read for an odd time in one of them.
    """
    try:
        found: datetime = parse_timestamp(value)
    except (ValueError, TypeError, OverflowError, OSError, RuntimeError):
        return None
    return found


def read_read_set(row: Mapping[str, Any]) -> ReadSetDetails | None:
    """A row of ListReadSets, or a GetReadSetMetadata reply; None without its id."""
    read_set_id = text_or_none(row.get("id"))
    if read_set_id is None:
        return None
    information = _mapping(row.get("sequenceInformation"))
    return ReadSetDetails(
        read_set_id=read_set_id,
        status=text_or_none(row.get("status")),
        arn=text_or_none(row.get("arn")),
        store_id=text_or_none(row.get("sequenceStoreId")),
        name=text_or_none(row.get("name")),
        subject_id=text_or_none(row.get("subjectId")),
        sample_id=text_or_none(row.get("sampleId")),
        description=text_or_none(row.get("description")),
        file_type=text_or_none(row.get("fileType")),
        reference_arn=text_or_none(row.get("referenceArn")),
        created_at=_moment(row.get("creationTime")),
        status_message=text_or_none(row.get("statusMessage")),
        creation_type=text_or_none(row.get("creationType")),
        creation_job_id=text_or_none(row.get("creationJobId")),
        generated_from=text_or_none(information.get("generatedFrom")),
        total_reads=_number(information.get("totalReadCount")),
        total_bases=_number(information.get("totalBaseCount")),
        alignment=text_or_none(information.get("alignment")),
        files=_files(_mapping(row.get("files"))),
        etag=ETag.of_members(_mapping(row.get("etag"))),
    )


def _files(row: Mapping[str, Any]) -> ReadSetFiles | None:
    found = {name: _file(_mapping(row.get(name))) for name in ("source1", "source2", "index")}
    return ReadSetFiles(**found) if any(found.values()) else None


def _file(row: Mapping[str, Any]) -> StoredFile | None:
    if not row:
        return None
    return StoredFile(
        total_parts=_number(row.get("totalParts")),
        part_size=_number(row.get("partSize")),
        content_length=_number(row.get("contentLength")),
        s3_uri=text_or_none(_mapping(row.get("s3Access")).get("s3Uri")),
    )


def read_multipart_upload(row: Mapping[str, Any]) -> MultipartUpload | None:
    """A row of ListMultipartReadSetUploads, or a Create reply; None without its id."""
    upload_id = text_or_none(row.get("uploadId"))
    if upload_id is None:
        return None
    return MultipartUpload(
        upload_id=upload_id,
        store_id=text_or_none(row.get("sequenceStoreId")),
        file_type=text_or_none(row.get("sourceFileType")),
        name=text_or_none(row.get("name")),
        subject_id=text_or_none(row.get("subjectId")),
        sample_id=text_or_none(row.get("sampleId")),
        generated_from=text_or_none(row.get("generatedFrom")),
        reference_arn=text_or_none(row.get("referenceArn")),
        description=text_or_none(row.get("description")),
        **_tags(row),
        created_at=_moment(row.get("creationTime")),
    )


def read_upload_part(row: Mapping[str, Any], source: PartSource) -> UploadPart | None:
    """A row of ListReadSetUploadParts; None if it lacks its number or size.

    Args:
        row: The parsed row.
        source: The listed source.
    """
    part_number, size = _number(row.get("partNumber")), _number(row.get("partSize"))
    if part_number is None or size is None or row.get("partSource") not in (None, source):
        return None
    return UploadPart(
        source,
        part_number,
        size,
        text_or_none(row.get("checksum")),
        created_at=_moment(row.get("creationTime")),
        updated_at=_moment(row.get("lastUpdatedTime")),
    )


def read_checksum(reply: Mapping[str, Any]) -> str | None:
    """The checksum that UploadReadSetPart answers with.

    Empty where the service took the part and tells none: to send all of it again would bring the
    same reply. None where nothing shows that the service has answered.
    """
    return text_or_none(reply.get("checksum")) or ("" if _is_of_service(reply) else None)


def _is_of_service(reply: Mapping[str, Any]) -> bool:
    """Whether the reply has a request's id: what answers in the service's place has none."""
    return bool(_mapping(reply.get("ResponseMetadata")).get("RequestId"))


def read_import_job(row: Mapping[str, Any]) -> ImportJob | None:
    """A row of ListReadSetImportJobs, or the reply of Start or Get; None without its id."""
    job_id = text_or_none(row.get("id"))
    if job_id is None:
        return None
    from turboupload.core.imports.jobs import ImportJob  # uploads know no jobs

    return ImportJob(
        job_id=job_id,
        store_id=text_or_none(row.get("sequenceStoreId")),
        role_arn=text_or_none(row.get("roleArn")),
        status=text_or_none(row.get("status")),
        status_message=text_or_none(row.get("statusMessage")),
        created_at=_moment(row.get("creationTime")),
        completed_at=_moment(row.get("completionTime")),
        sources=tuple(map(_job_source, _rows_of(row.get("sources")))),
    )


def _job_source(row: Mapping[str, Any]) -> ImportJobSource:
    from turboupload.core.imports.jobs import ImportJobSource

    files = _mapping(row.get("sourceFiles"))
    return ImportJobSource(
        source1=text_or_none(files.get("source1")),
        source2=text_or_none(files.get("source2")),
        file_type=text_or_none(row.get("sourceFileType")),
        status=text_or_none(row.get("status")),
        status_message=text_or_none(row.get("statusMessage")),
        subject_id=text_or_none(row.get("subjectId")),
        sample_id=text_or_none(row.get("sampleId")),
        name=text_or_none(row.get("name")),
        generated_from=text_or_none(row.get("generatedFrom")),
        reference_arn=text_or_none(row.get("referenceArn")),
        description=text_or_none(row.get("description")),
        **_tags(row),
        read_set_id=text_or_none(row.get("readSetId")),
    )


def read_store_details(row: Mapping[str, Any]) -> SequenceStoreDetails | None:
    """A row of ListSequenceStores, or a GetSequenceStore reply; None without its id."""
    store_id = text_or_none(row.get("id"))
    if store_id is None:
        return None
    encryption, access = _mapping(row.get("sseConfig")), _mapping(row.get("s3Access"))
    tags = row.get("propagatedSetLevelTags")
    return SequenceStoreDetails(
        store_id=store_id,
        arn=text_or_none(row.get("arn")),
        name=text_or_none(row.get("name")),
        description=text_or_none(row.get("description")),
        encryption_type=text_or_none(encryption.get("type")),
        encryption_key_arn=text_or_none(encryption.get("keyArn")),
        created_at=_moment(row.get("creationTime")),
        updated_at=_moment(row.get("updateTime")),
        fallback_location=text_or_none(row.get("fallbackLocation")),
        s3_uri=text_or_none(access.get("s3Uri")),
        s3_access_point_arn=text_or_none(access.get("s3AccessPointArn")),
        access_log_location=text_or_none(access.get("accessLogLocation")),
        etag_algorithm_family=text_or_none(row.get("eTagAlgorithmFamily")),
        status=text_or_none(row.get("status")),
        status_message=text_or_none(row.get("statusMessage")),
        propagated_tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
    )
