"""Replies about stores, read sets, uploads and import jobs, with every member; see `replies`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from turboupload.core.imports.jobs import ImportJob, ImportJobSource
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
from turboupload.omics.replies import mapping, number, tags_of, text_or_none

__all__ = [
    "read_import_job",
    "read_multipart_upload",
    "read_read_set_details",
    "read_store_details",
    "read_upload_part",
]


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def read_read_set_details(row: Mapping[str, Any]) -> ReadSetDetails | None:
    """A row of ListReadSets, or a GetReadSetMetadata reply; None without its id."""
    read_set_id = text_or_none(row.get("id"))
    if read_set_id is None:
        return None
    information = mapping(row.get("sequenceInformation"))
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
        total_reads=number(information.get("totalReadCount")),
        total_bases=number(information.get("totalBaseCount")),
        alignment=text_or_none(information.get("alignment")),
        files=_files(mapping(row.get("files"))),
        etag=_etag(mapping(row.get("etag"))),
    )


def _files(row: Mapping[str, Any]) -> ReadSetFiles | None:
    found = {name: _file(mapping(row.get(name))) for name in ("source1", "source2", "index")}
    return ReadSetFiles(**found) if any(found.values()) else None


def _file(row: Mapping[str, Any]) -> StoredFile | None:
    if not row:
        return None
    return StoredFile(
        total_parts=number(row.get("totalParts")),
        part_size=number(row.get("partSize")),
        content_length=number(row.get("contentLength")),
        s3_uri=text_or_none(mapping(row.get("s3Access")).get("s3Uri")),
    )


def _etag(row: Mapping[str, Any]) -> ETag | None:
    found = {name: text_or_none(row.get(name)) for name in ("algorithm", "source1", "source2")}
    return ETag(**found) if any(found.values()) else None


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
        **tags_of(row),
        created_at=_moment(row.get("creationTime")),
    )


def read_upload_part(row: Mapping[str, Any], source: PartSource) -> UploadPart | None:
    """A row of ListReadSetUploadParts; None where it lacks its number or size.

    Args:
        row: As parsed.
        source: The source that was asked for.
    """
    part_number, size = number(row.get("partNumber")), number(row.get("partSize"))
    if part_number is None or size is None or row.get("partSource") not in (None, source):
        return None
    return UploadPart(
        source=source,
        number=part_number,
        size=size,
        checksum=text_or_none(row.get("checksum")),
        created_at=_moment(row.get("creationTime")),
        updated_at=_moment(row.get("lastUpdatedTime")),
    )


def read_import_job(row: Mapping[str, Any]) -> ImportJob | None:
    """A row of ListReadSetImportJobs, or the reply of Start or Get; None without its id."""
    job_id = text_or_none(row.get("id"))
    if job_id is None:
        return None
    return ImportJob(
        job_id=job_id,
        store_id=text_or_none(row.get("sequenceStoreId")),
        role_arn=text_or_none(row.get("roleArn")),
        status=text_or_none(row.get("status")),
        status_message=text_or_none(row.get("statusMessage")),
        created_at=_moment(row.get("creationTime")),
        completed_at=_moment(row.get("completionTime")),
        sources=tuple(map(_job_source, _rows(row.get("sources")))),
    )


def _job_source(row: Mapping[str, Any]) -> ImportJobSource:
    files = mapping(row.get("sourceFiles"))
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
        **tags_of(row),
        read_set_id=text_or_none(row.get("readSetId")),
    )


def read_store_details(row: Mapping[str, Any]) -> SequenceStoreDetails | None:
    """A row of ListSequenceStores, or a GetSequenceStore reply; None without its id."""
    store_id = text_or_none(row.get("id"))
    if store_id is None:
        return None
    encryption, access = mapping(row.get("sseConfig")), mapping(row.get("s3Access"))
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
