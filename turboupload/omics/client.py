"""The service's operations: each one's request and reply.

`call.Caller` makes the calls (quotas, retries, notices); without one, a client makes one attempt at
each call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from turboupload import operations
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.records import (
    MultipartUpload,
    ReadSetDetails,
    SequenceStoreDetails,
    UploadPart,
)
from turboupload.errors import LinkFailed
from turboupload.http.body import OpenBody
from turboupload.limits import MAX_PAGE_ROWS
from turboupload.omics import replies
from turboupload.omics.attempt import Payload
from turboupload.omics.base import Call, Page, UploadRef
from turboupload.omics.connection import Connection
from turboupload.operations import Operation

if TYPE_CHECKING:
    from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
    from turboupload.core.imports.jobs import ImportJob, ImportSource

__all__ = ["OmicsClient"]

T = TypeVar("T")

Read = Callable[[Mapping[str, Any]], T | None]
"""Reads a reply or a row; None if it lacks an essential member."""


async def _once(operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
    return await attempt()


class OmicsClient:
    """The sequence stores of one account and Region.

    Every method raises `CallFailed` if the service answered with an error, `LinkFailed` if no
    usable answer came. Listings return a page; `token` comes from an earlier page.

    Args:
        connection: Makes one attempt at a call.
        call: Makes each call from attempts.
    """

    def __init__(self, connection: Connection, call: Call = _once) -> None:
        self._connection = connection
        self._make = call

    def through(self, call: Call) -> OmicsClient:
        """The same service, with `call` to make each call."""
        return OmicsClient(self._connection, call)

    # --- uploads ----------------------------------------------------------------------------

    async def create_upload(
        self, store_id: str, about: Description, file_type: FileType, token: str
    ) -> MultipartUpload:
        """Opens an upload for a read set; see `ReadSetService`."""
        return await self._call(
            operations.CREATE_UPLOAD,
            replies.read_multipart_upload,
            "uploadId",
            sequenceStoreId=store_id,
            clientToken=token,
            **_described(about, file_type),
        )

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str | None:
        """Sends a part; see `ReadSetService`."""
        checksum = await self._call(
            operations.SEND_PART,
            replies.read_checksum,
            "checksum",
            Payload(open_body, on_bytes),
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            partSource=str(part.source),
            partNumber=part.number,
            # Every signer accepts this, whether it needs bytes, a stream or a length.
            payload=b"",
        )
        return checksum or None

    async def list_uploads(
        self, store_id: str, token: str | None = None, page_size: int = MAX_PAGE_ROWS
    ) -> Page[MultipartUpload]:
        """The open uploads; see `ReadSetService`."""
        return await self._list(
            operations.LIST_UPLOADS,
            replies.read_multipart_upload,
            token,
            page_size,
            sequenceStoreId=store_id,
        )

    async def list_parts(
        self,
        upload: UploadRef,
        source: PartSource,
        token: str | None = None,
        page_size: int = MAX_PAGE_ROWS,
    ) -> Page[UploadPart]:
        """The parts that the service has of one source."""
        return await self._list(
            operations.LIST_PARTS,
            lambda row: replies.read_upload_part(row, source),
            token,
            page_size,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            partSource=str(source),
        )

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        """Makes the read set from exactly these parts; see `ReadSetService`."""
        return await self._call(
            operations.COMPLETE_UPLOAD,
            lambda reply: replies.text_or_none(reply.get("readSetId")),
            "readSetId",
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
            parts=[
                {
                    "partNumber": part.number,
                    "partSource": str(part.source),
                    "checksum": part.checksum or "",
                }
                for part in parts
            ],
        )

    async def abort_upload(self, upload: UploadRef) -> None:
        """Aborts an upload; it may still be listed for a while."""
        await self._call(
            operations.ABORT_UPLOAD,
            lambda reply: reply,
            sequenceStoreId=upload.store_id,
            uploadId=upload.upload_id,
        )

    # --- read sets --------------------------------------------------------------------------

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """The read set, with its files; see `ReadSetService`."""

        def read(reply: Mapping[str, Any]) -> ReadSetDetails | None:
            found = replies.read_read_set({**reply, "id": read_set_id})
            return found if found is not None and found.status is not None else None

        return await self._call(
            operations.GET_READ_SET, read, "status", sequenceStoreId=store_id, id=read_set_id
        )

    async def list_read_sets(
        self,
        store_id: str,
        wanted: ReadSetFilter,
        token: str | None = None,
        page_size: int = MAX_PAGE_ROWS,
    ) -> Page[ReadSetDetails]:
        """The read sets that pass the filter; a listing doesn't describe files."""
        return await self._list(
            operations.LIST_READ_SETS,
            replies.read_read_set,
            token,
            page_size,
            passes=wanted.passes,
            sequenceStoreId=store_id,
            filter=_present(
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

    # --- import jobs ------------------------------------------------------------------------

    async def start_import_job(
        self, store_id: str, role_arn: str, sources: Sequence[ImportSource], token: str
    ) -> ImportJob:
        """Starts a job. A token that was used before returns the same job."""
        return await self._call(
            operations.START_IMPORT_JOB,
            replies.read_import_job,
            sequenceStoreId=store_id,
            roleArn=role_arn,
            clientToken=token,
            sources=[
                {
                    "sourceFiles": _present(source1=each.source1, source2=each.source2),
                    **_described(each, each.file_type),
                }
                for each in sources
            ],
        )

    async def get_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """The job, with its sources."""
        return await self._call(
            operations.GET_IMPORT_JOB, replies.read_import_job, sequenceStoreId=store_id, id=job_id
        )

    async def list_import_jobs(
        self,
        store_id: str,
        wanted: ImportJobFilter,
        token: str | None = None,
        page_size: int = MAX_PAGE_ROWS,
    ) -> Page[ImportJob]:
        """The jobs that pass the filter; a listing doesn't describe sources."""
        return await self._list(
            operations.LIST_IMPORT_JOBS,
            replies.read_import_job,
            token,
            page_size,
            passes=wanted.passes,
            sequenceStoreId=store_id,
            filter=_present(
                status=wanted.status,
                createdAfter=wanted.created_after,
                createdBefore=wanted.created_before,
            ),
        )

    # --- stores -----------------------------------------------------------------------------

    async def get_sequence_store(self, store_id: str) -> SequenceStoreDetails:
        """The store."""
        return await self._call(operations.GET_STORE, replies.read_store_details, id=store_id)

    async def list_sequence_stores(
        self,
        wanted: SequenceStoreFilter,
        token: str | None = None,
        page_size: int = MAX_PAGE_ROWS,
    ) -> Page[SequenceStoreDetails]:
        """The stores of the account and Region that pass the filter."""
        return await self._list(
            operations.LIST_STORES,
            replies.read_store_details,
            token,
            page_size,
            passes=wanted.passes,
            filter=_present(
                name=wanted.name,
                status=wanted.status,
                createdAfter=wanted.created_after,
                createdBefore=wanted.created_before,
                updatedAfter=wanted.updated_after,
                updatedBefore=wanted.updated_before,
            ),
        )

    # --- the one path -----------------------------------------------------------------------

    async def _call(
        self,
        operation: Operation,
        read: Read[T],
        needs: str = "id",
        body: Payload | None = None,
        **arguments: Any,
    ) -> T:
        """Makes a call, and reads its reply; one without essential members counts as none."""

        async def attempt() -> T:
            found = read(await self._connection.send(operation.name, arguments, body))
            if found is None:
                raise _unreadable(operation, needs)
            return found

        return await self._make(operation, attempt)

    async def _list(
        self,
        operation: Operation,
        read: Read[T],
        token: str | None,
        page_size: int = MAX_PAGE_ROWS,
        *,
        passes: Callable[[T], bool] = lambda _: True,
        **arguments: Any,
    ) -> Page[T]:
        """A page of a listing: the rows that can be read and that pass the filter.

        Args:
            operation: The operation.
            read: Reads a row.
            token: The page's token; None for the first.
            page_size: The most rows.
            passes: Whether a row passes the filter; the service's own filter may be less strict.
            arguments: The call's arguments; an empty filter is left out.
        """
        if not arguments.get("filter", True):
            del arguments["filter"]

        def read_page(reply: Mapping[str, Any]) -> Page[T]:
            listed = replies.listed(reply, operation.rows)
            if listed is None:
                raise _unreadable(operation, operation.rows)
            rows = map(read, listed)
            return Page(
                tuple(row for row in rows if row is not None and passes(row)),
                replies.text_or_none(reply.get("nextToken")),
            )

        return await self._call(
            operation, read_page, maxResults=page_size, **_present(nextToken=token), **arguments
        )


def _unreadable(operation: Operation, needs: str) -> LinkFailed:
    return LinkFailed(operation.name, fault="bad_reply", message=f"the reply has no {needs}")


def _described(about: Description, file_type: FileType | str) -> dict[str, Any]:
    """How Create and a source of an import job describe a read set."""
    return _present(
        sourceFileType=str(file_type),
        subjectId=about.subject_id,
        sampleId=about.sample_id,
        name=about.name,
        generatedFrom=about.generated_from,
        referenceArn=about.reference_arn,
        description=about.description,
        tags=dict(about.tags) or None,
    )


def _present(**arguments: Any) -> dict[str, Any]:
    """The arguments that are not None: botocore sends no others."""
    return {name: value for name, value in arguments.items() if value is not None}
