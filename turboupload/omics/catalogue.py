"""The rest of the service: what people ask of their stores beside uploading.

`base.ReadSetService` is what the engine needs, and stays that small. Exceptions are the same here:
`CallFailed` where the service answered with an error, `LinkFailed` where no usable answer came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.imports.jobs import ImportJob, ImportSource
from turboupload.core.limits import MAX_PAGE_ROWS
from turboupload.core.model import PartSource
from turboupload.core.records import (
    MultipartUpload,
    ReadSetDetails,
    SequenceStoreDetails,
    UploadPart,
    UploadRequest,
)
from turboupload.omics.base import Page, UploadRef

__all__ = ["FIRST_PAGE", "Catalogue", "Paging"]

Paging = tuple[str | None, int]
"""The page that is asked for: its token, None for the first, and its rows at most."""

FIRST_PAGE: Paging = (None, MAX_PAGE_ROWS)


class Catalogue(Protocol):
    """What is in the stores of one account and Region, and how more comes into them."""

    async def create_multipart_upload(
        self, store_id: str, request: UploadRequest, token: str
    ) -> MultipartUpload:
        """Opens an upload. With a token that was used before, the same upload comes back."""
        ...

    async def list_multipart_uploads(
        self, store_id: str, page: Paging = FIRST_PAGE
    ) -> Page[MultipartUpload]:
        """The uploads that are open; one may still be listed while its read set is processed."""
        ...

    async def list_upload_parts(
        self, upload: UploadRef, source: PartSource, page: Paging = FIRST_PAGE
    ) -> Page[UploadPart]:
        """The parts the service has of one source."""
        ...

    async def abort_multipart_upload(self, upload: UploadRef) -> None:
        """Gives an upload up; it may be listed for a while yet."""
        ...

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """The read set, with its files."""
        ...

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, page: Paging = FIRST_PAGE
    ) -> Page[ReadSetDetails]:
        """The read sets that pass the filter; a listing knows no files."""
        ...

    async def start_import_job(
        self, store_id: str, role_arn: str, sources: Sequence[ImportSource], token: str
    ) -> ImportJob:
        """Starts a job. With a token that was used before, the same job comes back."""
        ...

    async def get_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """The job, with its sources."""
        ...

    async def list_import_jobs(
        self, store_id: str, wanted: ImportJobFilter, page: Paging = FIRST_PAGE
    ) -> Page[ImportJob]:
        """The jobs that pass the filter; a listing knows no sources."""
        ...

    async def get_sequence_store(self, store_id: str) -> SequenceStoreDetails:
        """The store."""
        ...

    async def list_sequence_stores(
        self, wanted: SequenceStoreFilter, page: Paging = FIRST_PAGE
    ) -> Page[SequenceStoreDetails]:
        """The stores of the account and Region that pass the filter."""
        ...
