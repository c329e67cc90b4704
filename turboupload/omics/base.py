"""The service as the engine sees it: a few calls, each with its contract.

Every implementation raises the same two exceptions: `CallFailed` when the service answered with an
error, `LinkFailed` when no usable answer came, in which case the call may have been carried out or
not. A missing resource is `CallFailed` with code `ResourceNotFoundException`.

`client.OmicsClient` is the service over a live connection. Tests have one in memory, which is held
to the same contract suite.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from turboupload.core.filters import ReadSetFilter
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.http.body import OpenBody
from turboupload.omics.operations import Operation

__all__ = ["NOT_FOUND", "Call", "Page", "ReadSetService", "UploadRef"]

NOT_FOUND = "ResourceNotFoundException"


T = TypeVar("T")
Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of a listing. Each is a transaction of its own, and counts against the quota.

    Attributes:
        rows: In any order.
        next_token: Brings the next page; None on the last.
    """

    rows: tuple[Row, ...]
    next_token: str | None = None


@dataclass(frozen=True, slots=True)
class UploadRef:
    """Where an upload is: its store and its id."""

    store_id: str
    upload_id: str


class Call(Protocol):
    """Makes a call of attempts at it."""

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        """Makes the attempt, once or more often, and returns its result."""
        ...


class ReadSetService(Protocol):
    """Reading and writing read sets of one account and Region."""

    def through(self, call: Call) -> ReadSetService:
        """The same service, where `call` makes each call."""
        ...

    async def create_upload(
        self, store_id: str, about: Description, file_type: FileType, token: str
    ) -> MultipartUpload:
        """Opens an upload for the read set that is described.

        With a token that was used before, the same upload comes back (documented as an
        idempotency token; how long it lives is not documented).
        """
        ...

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """Sends a part, replacing what was there under its number; returns the checksum.

        Args:
            upload: Where to.
            part: Which.
            open_body: Its bytes; called once an attempt.
            on_bytes: Told how many body bytes were just handed to the network, from any
                thread; resends count too.
        """
        ...

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        """The parts the service has of one source."""
        ...

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[MultipartUpload]:
        """The uploads that are open; one may still be listed while its read set is processed."""
        ...

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        """Makes the read set of exactly these parts and returns its id.

        Not idempotent: where the answer is lost, look what came of it.
        """
        ...

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """The read set's metadata."""
        ...

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        """The read sets of the store that pass a filter.

        A listing knows no files, and may lag behind what GetReadSetMetadata says.
        """
        ...
