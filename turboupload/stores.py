"""The sequence stores' API, call by call."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from types import TracebackType
from typing import Literal, Self, TypeVar

from turboupload import limits
from turboupload.clock import Clock
from turboupload.config import UploadConfig, config_of
from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.formats import FileType, FileTypeName, file_type_of
from turboupload.core.imports.jobs import ImportJob, ImportSource
from turboupload.core.metadata import Description, check_id, check_kind, check_role_arn
from turboupload.core.model import PartSource
from turboupload.core.notices import Notice
from turboupload.core.records import (
    MultipartUpload,
    ReadSetDetails,
    SequenceStoreDetails,
    UploadPart,
)
from turboupload.core.upload.patience import patience_for
from turboupload.engine.sharing import open_quotas
from turboupload.engine.waiting import until_active
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    LinkFailed,
    TurbouploadError,
)
from turboupload.listening import Listener
from turboupload.omics.base import Page, UploadRef
from turboupload.omics.call import Caller
from turboupload.omics.client import OmicsClient
from turboupload.omics.opening import open_connection
from turboupload.omics.pager import Listed, Listing
from turboupload.omics.service_time import ServiceTime
from turboupload.runtime.eventloop import require_asyncio
from turboupload.runtime.tasks import CallsUnderWay, undisturbed
from turboupload.telemetry import Following

__all__ = ["SequenceStores"]


PATIENCE_S = 5.0
"""How long to wait for cancelled calls to end, in seconds."""

T = TypeVar("T")
Row = TypeVar("Row", bound=Listed)


class SequenceStores:
    """The sequence stores of one account and Region.

    An async context manager, for asyncio and uvloop, in any running loop. Every call keeps to the
    service's quotas (those of `config.transactions_per_s`, shared with every uploader of this event
    loop that has the same endpoint or Region, profile and quotas) and is retried for
    `config.give_up_after_s` while that can help. Records have all members of a reply, under Python
    names; a member that the service leaves out is None. Times have a time zone.

    Every call raises `ConfigError` or `InputError` before anything is sent if a parameter is
    invalid, `ServiceRefused` if the service refuses, and `Stopped` if it couldn't be reached for
    too long.

    Args:
        config: How to reach the service; options about files have no effect.
        on_event: Called with every call (`Calling`) and every retry (`Retrying`), on the event
            loop; it may be `async`.

    Raises:
        ConfigError: On entering: the Region, the profile or a certificate can't be used.

    Example:
        ```python
        async with turboupload.SequenceStores() as stores:
            wanted = turboupload.ReadSetFilter(sample_id="HG002", status="ACTIVE")
            async for read_set in stores.list_read_sets("1234567890", wanted):
                print(read_set.read_set_id, read_set.name)
        ```
    """

    def __init__(
        self,
        config: UploadConfig | None = None,
        *,
        on_event: Callable[[Notice], object] | None = None,
    ) -> None:
        self._config = config_of(config)
        self._listener = Listener(on_event)
        self._following: Following | None = None
        self._clock = Clock()
        self._stack = AsyncExitStack()
        self._under_way = CallsUnderWay("SequenceStores")
        self._caller: Caller | None = None
        self._entered: OmicsClient | None = None
        self._where = ""
        self._service_time = ServiceTime()

    async def __aenter__(self) -> Self:
        if self._entered is not None:
            raise RuntimeError("this SequenceStores is entered already")
        require_asyncio()
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(open_connection(self._config, workers=1))
            self._caller = Caller(
                self._config,
                self._clock,
                quotas=open_quotas(self._config, connection.where),
                endpoint=connection.endpoint,
            )
            self._where, self._service_time = connection.where, connection.time
            self._entered = OmicsClient(connection, self._caller.notifying(self._notify))
            self._following = stack.enter_context(Following("calls"))
            self._under_way.begin()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered = None
        await undisturbed(self._leave())

    async def _leave(self) -> None:
        await self._under_way.end(PATIENCE_S)
        await self._stack.aclose()

    @property
    def where(self) -> str:
        """The endpoint, or the Region; available once entered."""
        return self._where

    @property
    def service_time(self) -> datetime | None:
        """The time by the service's clock, or a little later.

        Compare times in replies with this: this machine's clock may be minutes off. None until a
        reply had a Date.
        """
        return self._service_time.earliest_now()

    @property
    def patience_s(self) -> float:
        """How long to look for what one answer doesn't show, in seconds."""
        return patience_for(self._config.listing_lag_s)

    # --- stores -----------------------------------------------------------------------------

    def list_sequence_stores(
        self,
        wanted: SequenceStoreFilter | None = None,
        *,
        page_size: int = limits.MAX_PAGE_ROWS,
        next_token: str | None = None,
    ) -> Listing[SequenceStoreDetails]:
        """The stores of the account and Region (ListSequenceStores).

        Args:
            wanted: The filter.
            page_size: The most rows of a page, 1 to 100.
            next_token: The token of the first page.
        """
        wanted = wanted or SequenceStoreFilter()
        return self._listing(
            lambda token, rows: self._client.list_sequence_stores(wanted, token, rows),
            "the list of stores",
            page_size=page_size,
            next_token=next_token,
        )

    async def get_sequence_store(self, store_id: str) -> SequenceStoreDetails:
        """A store (GetSequenceStore).

        Args:
            store_id: The store, 10 to 36 digits.
        """
        check_id("a store", store_id)
        return await self._answer(
            lambda: self._client.get_sequence_store(store_id), _store(store_id)
        )

    # --- read sets --------------------------------------------------------------------------

    def list_read_sets(
        self,
        store_id: str,
        wanted: ReadSetFilter | None = None,
        *,
        page_size: int = limits.MAX_PAGE_ROWS,
        next_token: str | None = None,
    ) -> Listing[ReadSetDetails]:
        """The read sets of a store (ListReadSets); a listing doesn't describe files.

        Args:
            store_id: The store, 10 to 36 digits.
            wanted: The filter.
            page_size: The most rows of a page, 1 to 100.
            next_token: The token of the first page.
        """
        check_id("a store", store_id)
        wanted = wanted or ReadSetFilter()
        return self._listing(
            lambda token, rows: self._client.list_read_sets(store_id, wanted, token, rows),
            _store(store_id),
            page_size=page_size,
            next_token=next_token,
        )

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """A read set with its files (GetReadSetMetadata).

        Args:
            store_id: The store, 10 to 36 digits.
            read_set_id: The read set, 10 to 36 digits.
        """
        check_id("a store", store_id)
        check_id("a read set", read_set_id)
        return await self._answer(
            lambda: self._client.get_read_set(store_id, read_set_id),
            f"read set {read_set_id} of store {store_id}",
        )

    async def wait_until_active(
        self,
        store_id: str,
        read_set_id: str,
        *,
        timeout_s: float | None = None,
        on_status: Callable[[ReadSetDetails], None] | None = None,
    ) -> ReadSetDetails:
        """Polls a read set until it is ACTIVE; the service has no waiter for that.

        Pauses grow up to `config.poll_interval_s`.

        Args:
            store_id: The store, 10 to 36 digits.
            read_set_id: The read set, 10 to 36 digits.
            timeout_s: How long to wait, in seconds; None waits for ever.
            on_status: Called when its status has changed.

        Raises:
            ReadSetRejected: The service rejected it (UPLOAD_FAILED).
            ServiceRefused: It doesn't exist, or won't become ACTIVE by itself. One that was shown
                is looked for as long as `config.listing_lag_s` wants, any other one for ten
                seconds.
            Stopped: It was not ACTIVE in time.
        """
        if timeout_s is not None and not isinstance(timeout_s, int | float):
            raise ConfigError(f"timeout_s is a number of seconds, or None, not {timeout_s!r}")
        return await until_active(
            lambda: self.get_read_set_metadata(store_id, read_set_id),
            clock=self._clock,
            timeout_s=timeout_s,
            poll_interval_s=self._config.poll_interval_s,
            patience_s=self.patience_s,
            on_status=on_status,
        )

    # --- multipart uploads ------------------------------------------------------------------

    async def create_multipart_read_set_upload(
        self,
        store_id: str,
        *,
        file_type: FileType | FileTypeName,
        name: str,
        sample_id: str,
        subject_id: str,
        reference_arn: str | None = None,
        generated_from: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        client_token: str | None = None,
    ) -> MultipartUpload:
        """Opens an upload (CreateMultipartReadSetUpload).

        `Uploader.upload` does everything that an upload needs; this is the single call.

        Args:
            store_id: The store, 10 to 36 digits.
            file_type: The type of the files.
            name: The read set's name, 1 to 127 characters.
            sample_id: 1 to 127 characters.
            subject_id: 1 to 127 characters.
            reference_arn: The reference in a HealthOmics reference store. Optional since
                2023-11-09: FASTQ and uBAM need none.
            generated_from: Where the data comes from, 1 to 127 characters.
            description: 1 to 255 characters.
            tags: Up to 50.
            client_token: Makes the call idempotent, up to 127 characters; by default a new one, so
                that a retry within this call opens no second upload.
        """
        check_id("a store", store_id)
        token = _token(client_token)
        about = Description(
            file_type=file_type,
            name=name,
            sample_id=sample_id,
            subject_id=subject_id,
            reference_arn=reference_arn,
            generated_from=generated_from,
            description=description,
            tags=tags or {},
        )
        return await self._answer(
            lambda: self._client.create_upload(store_id, about, file_type_of(file_type), token),
            _store(store_id),
        )

    def list_multipart_read_set_uploads(
        self, store_id: str, *, page_size: int = limits.MAX_PAGE_ROWS, next_token: str | None = None
    ) -> Listing[MultipartUpload]:
        """The open uploads of a store (ListMultipartReadSetUploads).

        An upload may still be listed while its read set is processed.

        Args:
            store_id: The store, 10 to 36 digits.
            page_size: The most rows of a page, 1 to 100.
            next_token: The token of the first page.
        """
        check_id("a store", store_id)
        return self._listing(
            lambda token, rows: self._client.list_uploads(store_id, token, rows),
            _store(store_id),
            page_size=page_size,
            next_token=next_token,
        )

    def list_read_set_upload_parts(
        self,
        store_id: str,
        upload_id: str,
        part_source: PartSource | Literal["SOURCE1", "SOURCE2"] = PartSource.SOURCE1,
        *,
        page_size: int = limits.MAX_PAGE_ROWS,
        next_token: str | None = None,
    ) -> Listing[UploadPart]:
        """The parts that an open upload has of one source (ListReadSetUploadParts).

        Args:
            store_id: The store, 10 to 36 digits.
            upload_id: The upload, 10 to 36 digits.
            part_source: The file; a pair needs two listings.
            page_size: The most rows of a page, 1 to 100.
            next_token: The token of the first page.
        """
        upload = _upload(store_id, upload_id)
        if part_source not in PartSource.__members__:
            raise ConfigError(f"a part's source is SOURCE1 or SOURCE2, not {part_source!r}")
        source = PartSource(part_source)
        return self._listing(
            lambda token, rows: self._client.list_parts(upload, source, token, rows),
            f"upload {upload_id} of store {store_id}",
            page_size=page_size,
            next_token=next_token,
        )

    async def abort_multipart_read_set_upload(self, store_id: str, upload_id: str) -> None:
        """Aborts an open upload and deletes its parts (AbortMultipartReadSetUpload).

        It may still be listed for a while. "Not found" may also mean that an earlier try of this
        call aborted it, and that the reply was lost. An upload is listed, with its parts, while its
        read set is processed, too; what this call does then isn't documented, and it may destroy
        the read set: look for one with `list_read_sets` first.

        Args:
            store_id: The store, 10 to 36 digits.
            upload_id: The upload, 10 to 36 digits.
        """
        upload = _upload(store_id, upload_id)
        await self._answer(
            lambda: self._client.abort_upload(upload),
            f"upload {upload_id} of store {store_id}",
        )

    # --- import jobs ------------------------------------------------------------------------

    async def start_read_set_import_job(
        self,
        store_id: str,
        *,
        role_arn: str,
        sources: Sequence[ImportSource],
        client_token: str | None = None,
    ) -> ImportJob:
        """Starts an import of read sets from S3 (StartReadSetImportJob).

        Args:
            store_id: The store, 10 to 36 digits.
            role_arn: The role with which the service reads the sources.
            sources: 1 to 100 read sets.
            client_token: Makes the call idempotent, up to 127 characters; by default a new one, so
                that a retry within this call starts no second job.

        Returns:
            The job at its start, without its sources.
        """
        check_id("a store", store_id)
        token = _token(client_token)
        check_role_arn(role_arn)
        if not 1 <= len(sources) <= limits.MAX_IMPORT_SOURCES:
            raise InputError(
                f"an import job takes 1 to {limits.MAX_IMPORT_SOURCES} read sets, "
                f"not {len(sources)}"
            )
        for number, each in enumerate(sources, 1):
            check_kind(f"source {number}", each, ImportSource)
        return await self._answer(
            lambda: self._client.start_import_job(store_id, role_arn, sources, token),
            _store(store_id),
        )

    async def get_read_set_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """An import job with its sources (GetReadSetImportJob).

        Args:
            store_id: The store, 10 to 36 digits.
            job_id: The job, 10 to 36 digits.
        """
        check_id("a store", store_id)
        check_id("an import job", job_id)
        return await self._answer(
            lambda: self._client.get_import_job(store_id, job_id),
            f"import job {job_id} of store {store_id}",
        )

    def list_read_set_import_jobs(
        self,
        store_id: str,
        wanted: ImportJobFilter | None = None,
        *,
        page_size: int = limits.MAX_PAGE_ROWS,
        next_token: str | None = None,
    ) -> Listing[ImportJob]:
        """The import jobs of a store (ListReadSetImportJobs); a listing doesn't describe sources.

        Args:
            store_id: The store, 10 to 36 digits.
            wanted: The filter.
            page_size: The most rows of a page, 1 to 100.
            next_token: The token of the first page.
        """
        check_id("a store", store_id)
        wanted = wanted or ImportJobFilter()
        return self._listing(
            lambda token, rows: self._client.list_import_jobs(store_id, wanted, token, rows),
            _store(store_id),
            page_size=page_size,
            next_token=next_token,
        )

    # --- how a call is made -----------------------------------------------------------------

    @property
    def _client(self) -> OmicsClient:
        if self._entered is None:
            raise RuntimeError("SequenceStores is used inside `async with`")
        return self._entered

    async def _answer(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        """Makes a call and returns its answer; `what` names its subject in errors."""
        try:
            return await self._run(call)
        except (CallFailed, LinkFailed) as failure:
            raise self._explained(failure, what) from failure

    def _listing(
        self,
        ask: Callable[[str | None, int], Awaitable[Page[Row]]],
        what: str,
        *,
        page_size: int,
        next_token: str | None,
    ) -> Listing[Row]:
        return Listing(
            lambda token, rows: self._run(lambda: ask(token, rows)),
            page_size=page_size,
            next_token=next_token,
            explained=lambda failure: self._explained(failure, what),
        )

    async def _run(self, call: Callable[[], Awaitable[T]]) -> T:
        return await self._under_way.run(lambda: self._listener.during(call))

    def _explained(self, failure: CallFailed | LinkFailed, what: str) -> TurbouploadError:
        assert self._caller is not None
        return self._caller.explain(failure, what)

    def _notify(self, notice: Notice) -> None:
        assert self._following is not None
        self._following.hear(notice)
        self._listener(notice)


def _store(store_id: str) -> str:
    return f"store {store_id}"


def _upload(store_id: str, upload_id: str) -> UploadRef:
    check_id("a store", store_id)
    check_id("an upload", upload_id)
    return UploadRef(store_id, upload_id)


def _token(given: str | None) -> str:
    if given is None:
        return secrets.token_hex(16)
    if not (isinstance(given, str) and 1 <= len(given) <= limits.CLIENT_TOKEN_LENGTH):
        raise ConfigError(
            f"a client token has 1 to {limits.CLIENT_TOKEN_LENGTH} characters, unlike {given!r}"
        )
    return given
