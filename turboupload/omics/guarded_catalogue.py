"""The catalogue, with every call through the policies of `wrappers`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

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
from turboupload.omics.base import Page, UploadRef
from turboupload.omics.catalogue import FIRST_PAGE, Catalogue, Paging
from turboupload.omics.policies import Policy, through

__all__ = ["GuardedCatalogue"]

T = TypeVar("T")


class GuardedCatalogue:
    """A catalogue whose every call goes through policies.

    Args:
        inner: What carries the calls out.
        policies: The first is the outermost.
    """

    def __init__(self, inner: Catalogue, policies: Sequence[Policy]) -> None:
        self._inner = inner
        self._policies = tuple(policies)

    async def _run(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        return await through(self._policies, operation, attempt)

    async def create_multipart_upload(
        self, store_id: str, request: UploadRequest, token: str
    ) -> MultipartUpload:
        """See `Catalogue`."""
        return await self._run(
            "CreateMultipartReadSetUpload",
            lambda: self._inner.create_multipart_upload(store_id, request, token),
        )

    async def list_multipart_uploads(
        self, store_id: str, page: Paging = FIRST_PAGE
    ) -> Page[MultipartUpload]:
        """See `Catalogue`."""
        return await self._run(
            "ListMultipartReadSetUploads",
            lambda: self._inner.list_multipart_uploads(store_id, page),
        )

    async def list_upload_parts(
        self, upload: UploadRef, source: PartSource, page: Paging = FIRST_PAGE
    ) -> Page[UploadPart]:
        """See `Catalogue`."""
        return await self._run(
            "ListReadSetUploadParts",
            lambda: self._inner.list_upload_parts(upload, source, page),
        )

    async def abort_multipart_upload(self, upload: UploadRef) -> None:
        """See `Catalogue`."""
        await self._run(
            "AbortMultipartReadSetUpload", lambda: self._inner.abort_multipart_upload(upload)
        )

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """See `Catalogue`."""
        return await self._run(
            "GetReadSetMetadata", lambda: self._inner.get_read_set_metadata(store_id, read_set_id)
        )

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, page: Paging = FIRST_PAGE
    ) -> Page[ReadSetDetails]:
        """See `Catalogue`."""
        return await self._run(
            "ListReadSets", lambda: self._inner.list_read_sets(store_id, wanted, page)
        )

    async def start_import_job(
        self, store_id: str, role_arn: str, sources: Sequence[ImportSource], token: str
    ) -> ImportJob:
        """See `Catalogue`."""
        return await self._run(
            "StartReadSetImportJob",
            lambda: self._inner.start_import_job(store_id, role_arn, sources, token),
        )

    async def get_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """See `Catalogue`."""
        return await self._run(
            "GetReadSetImportJob", lambda: self._inner.get_import_job(store_id, job_id)
        )

    async def list_import_jobs(
        self, store_id: str, wanted: ImportJobFilter, page: Paging = FIRST_PAGE
    ) -> Page[ImportJob]:
        """See `Catalogue`."""
        return await self._run(
            "ListReadSetImportJobs", lambda: self._inner.list_import_jobs(store_id, wanted, page)
        )

    async def get_sequence_store(self, store_id: str) -> SequenceStoreDetails:
        """See `Catalogue`."""
        return await self._run("GetSequenceStore", lambda: self._inner.get_sequence_store(store_id))

    async def list_sequence_stores(
        self, wanted: SequenceStoreFilter, page: Paging = FIRST_PAGE
    ) -> Page[SequenceStoreDetails]:
        """See `Catalogue`."""
        return await self._run(
            "ListSequenceStores", lambda: self._inner.list_sequence_stores(wanted, page)
        )
