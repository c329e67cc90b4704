"""What is in the stores, over a live client; see `catalogue`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.imports.jobs import ImportJob, ImportSource
from turboupload.core.model import PartSource
from turboupload.core.records import (
    MultipartUpload,
    ReadSetDetails,
    SequenceStoreDetails,
    UploadPart,
    UploadRequest,
)
from turboupload.errors import LinkFailed
from turboupload.omics.base import Page, UploadRef
from turboupload.omics.call import Calls, present
from turboupload.omics.catalogue import FIRST_PAGE, Paging
from turboupload.omics.catalogue_replies import (
    read_import_job,
    read_multipart_upload,
    read_read_set_details,
    read_store_details,
    read_upload_part,
)

__all__ = ["OmicsCatalogue"]

T = TypeVar("T")


class OmicsCatalogue:
    """`Catalogue` over a live client."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._client = calls.client

    # --- uploads ----------------------------------------------------------------------------

    async def create_multipart_upload(
        self, store_id: str, request: UploadRequest, token: str
    ) -> MultipartUpload:
        """See `Catalogue`."""
        operation = "CreateMultipartReadSetUpload"
        reply = await self._calls.call(
            operation,
            self._client.create_multipart_read_set_upload,
            sequenceStoreId=store_id,
            clientToken=token,
            **_described(request),
        )
        return _whole(operation, read_multipart_upload(reply))

    async def list_multipart_uploads(
        self, store_id: str, page: Paging = FIRST_PAGE
    ) -> Page[MultipartUpload]:
        """See `Catalogue`."""
        rows, following = await self._calls.page(
            "ListMultipartReadSetUploads",
            self._client.list_multipart_read_set_uploads,
            "uploads",
            page,
            sequenceStoreId=store_id,
        )
        return Page(_usable(map(read_multipart_upload, rows)), following)

    async def list_upload_parts(
        self, upload: UploadRef, source: PartSource, page: Paging = FIRST_PAGE
    ) -> Page[UploadPart]:
        """See `Catalogue`."""
        rows, following = await self._calls.page(
            "ListReadSetUploadParts",
            self._client.list_read_set_upload_parts,
            "parts",
            page,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            partSource=str(source),
        )
        return Page(_usable(read_upload_part(row, source) for row in rows), following)

    async def abort_multipart_upload(self, upload: UploadRef) -> None:
        """See `Catalogue`."""
        await self._calls.call(
            "AbortMultipartReadSetUpload",
            self._client.abort_multipart_read_set_upload,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
        )

    # --- read sets --------------------------------------------------------------------------

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """See `Catalogue`."""
        operation = "GetReadSetMetadata"
        reply = await self._calls.call(
            operation,
            self._client.get_read_set_metadata,
            sequenceStoreId=store_id,
            id=read_set_id,
        )
        return _whole(operation, read_read_set_details(reply))

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, page: Paging = FIRST_PAGE
    ) -> Page[ReadSetDetails]:
        """See `Catalogue`."""
        rows, following = await self._calls.page(
            "ListReadSets",
            self._client.list_read_sets,
            "readSets",
            page,
            sequenceStoreId=store_id,
            **_filter(
                name=wanted.name,
                status=wanted.status,
                referenceArn=wanted.reference_arn,
                createdAfter=wanted.created_after,
                createdBefore=wanted.created_before,
                sampleId=wanted.sample_id,
                subjectId=wanted.subject_id,
                generatedFrom=wanted.generated_from,
                creationType=wanted.creation_type,
            ),
        )
        return Page(_usable(map(read_read_set_details, rows), wanted.passes), following)

    # --- import jobs ------------------------------------------------------------------------

    async def start_import_job(
        self, store_id: str, role_arn: str, sources: Sequence[ImportSource], token: str
    ) -> ImportJob:
        """See `Catalogue`."""
        operation = "StartReadSetImportJob"
        reply = await self._calls.call(
            operation,
            self._client.start_read_set_import_job,
            sequenceStoreId=store_id,
            roleArn=role_arn,
            clientToken=token,
            sources=[
                {
                    "sourceFiles": present(source1=each.source1, source2=each.source2),
                    **_described(each),
                }
                for each in sources
            ],
        )
        return _whole(operation, read_import_job(reply))

    async def get_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """See `Catalogue`."""
        operation = "GetReadSetImportJob"
        reply = await self._calls.call(
            operation,
            self._client.get_read_set_import_job,
            sequenceStoreId=store_id,
            id=job_id,
        )
        return _whole(operation, read_import_job(reply))

    async def list_import_jobs(
        self, store_id: str, wanted: ImportJobFilter, page: Paging = FIRST_PAGE
    ) -> Page[ImportJob]:
        """See `Catalogue`."""
        rows, following = await self._calls.page(
            "ListReadSetImportJobs",
            self._client.list_read_set_import_jobs,
            "importJobs",
            page,
            sequenceStoreId=store_id,
            **_filter(
                status=wanted.status,
                createdAfter=wanted.created_after,
                createdBefore=wanted.created_before,
            ),
        )
        return Page(_usable(map(read_import_job, rows), wanted.passes), following)

    # --- stores -----------------------------------------------------------------------------

    async def get_sequence_store(self, store_id: str) -> SequenceStoreDetails:
        """See `Catalogue`."""
        operation = "GetSequenceStore"
        reply = await self._calls.call(operation, self._client.get_sequence_store, id=store_id)
        return _whole(operation, read_store_details(reply))

    async def list_sequence_stores(
        self, wanted: SequenceStoreFilter, page: Paging = FIRST_PAGE
    ) -> Page[SequenceStoreDetails]:
        """See `Catalogue`."""
        rows, following = await self._calls.page(
            "ListSequenceStores",
            self._client.list_sequence_stores,
            "sequenceStores",
            page,
            **_filter(
                name=wanted.name,
                status=wanted.status,
                createdAfter=wanted.created_after,
                createdBefore=wanted.created_before,
                updatedAfter=wanted.updated_after,
                updatedBefore=wanted.updated_before,
            ),
        )
        return Page(_usable(map(read_store_details, rows), wanted.passes), following)


def _described(about: UploadRequest | ImportSource) -> dict[str, Any]:
    """What Create and a source of an import job say of a read set in the same words."""
    return present(
        sourceFileType=str(about.file_type),
        subjectId=about.subject_id,
        sampleId=about.sample_id,
        name=about.name,
        generatedFrom=about.generated_from,
        referenceArn=about.reference_arn,
        description=about.description,
        tags=dict(about.tags) or None,
    )


def _filter(**wanted: Any) -> Mapping[str, Any]:
    """The argument of a listing, none where nothing is filtered."""
    found = present(**wanted)
    return {"filter": found} if found else {}


def _usable(
    rows: Iterable[T | None], passes: Callable[[T], bool] = lambda _: True
) -> tuple[T, ...]:
    """The rows that say at least what they are about, and pass the filter."""
    return tuple(row for row in rows if row is not None and passes(row))


def _whole(operation: str, record: T | None) -> T:
    if record is None:
        raise LinkFailed(operation, fault="bad_reply", message="the reply has no id")
    return record
