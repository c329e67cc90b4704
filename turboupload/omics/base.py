"""The service's calls that the engine needs, each with its contract.

Every implementation raises the same two exceptions: `CallFailed` when the service answered with an
error, `LinkFailed` when no usable answer came, after which the call may or may not have been
carried out. A missing resource is `CallFailed` with code `ResourceNotFoundException`.

`client.OmicsClient` is the service over a live connection. Tests have an in-memory one, which
passes the same contract suite.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from turboupload.core.filters import ReadSetFilter
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.rate.retry import NOT_FOUND
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.http.body import OpenBody
from turboupload.operations import Operation
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = [
    "NOT_FOUND",
    "Access",
    "Call",
    "Page",
    "ReadSetService",
    "UploadRef",
]


T = TypeVar("T")
Row = TypeVar("Row", covariant=True)


class Page(Value, Generic[Row], frozen=True):
    """A page of a listing. Each page is a transaction, and counts against the quota.

    Attributes:
        rows: In any order.
        next_token: The token of the next page; None on the last.
    """

    rows: tuple[Row, ...]
    next_token: str | None = None


class UploadRef(Value, frozen=True):
    """An upload's address: its store and its id."""

    store_id: str
    upload_id: str


class Call(Protocol):
    """Makes a call from attempts."""

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs the attempt, once or more, and returns its result."""
        ...


class Access(Protocol):
    """What another process needs to sign as this one does."""

    @property
    def region(self) -> str:
        """The Region that requests are signed for."""
        ...

    async def temporary_credentials(self) -> TemporaryCredentials | None:
        """What signs now, renewed where it is about to end; None if it never ends.

        Raises:
            LinkFailed: There are none, or they can't be had.
        """
        ...


class ReadSetService(Protocol):
    """Reading and writing read sets of one account and Region."""

    def through(self, call: Call) -> ReadSetService:
        """The same service, with `call` to make each call."""
        ...

    async def create_upload(
        self, store_id: str, about: Description, file_type: FileType, token: str
    ) -> MultipartUpload:
        """Opens an upload for the read set that is described.

        A token that was used before returns the same upload (documented as an idempotency token;
        its lifetime is not documented).
        """
        ...

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str | None:
        """Sends a part, replacing an earlier part of its number; returns the checksum.

        None if the service's reply has none: then only a listing shows what has arrived.

        Args:
            upload: The upload.
            part: The part.
            open_body: Makes its body; called once for each attempt.
            on_bytes: Called, in any thread, with the number of body bytes just handed to the
                network; resends count, too.
        """
        ...

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        """The parts the service has of one source."""
        ...

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[MultipartUpload]:
        """The open uploads; one may still be listed while its read set is processed."""
        ...

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        """Makes the read set from exactly these parts, and returns its id.

        Not idempotent: if the answer is lost, look for the read set before another call.
        """
        ...

    async def abort_upload(self, upload: UploadRef) -> None:
        """Aborts an upload and deletes its parts; it may still be listed for a while."""
        ...

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """The read set's metadata."""
        ...

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        """The read sets of the store that pass a filter.

        A listing doesn't describe files, and may lag behind GetReadSetMetadata.
        """
        ...
