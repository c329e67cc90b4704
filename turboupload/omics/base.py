"""The service as the engine sees it: a few calls, each with its contract.

Every implementation raises the same two exceptions: `CallFailed` when the service answered with an
error, `LinkFailed` when no usable answer came, in which case the call may have been carried out or
not. A missing resource is `CallFailed` with code `ResourceNotFoundException`.

Implementations: `omics` (AWS, through aiobotocore), `memory` (a fake that is held to the same
contract suite). The engine puts its policies around every call (`engine.calls`), outermost first:
`Retry`, `Limit`, `Observe`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from turboupload.core.model import (
    FileType,
    ListedPart,
    OpenUpload,
    Part,
    PartSource,
    ReadSet,
    ReadSetRecord,
)
from turboupload.http.body import OpenBody

__all__ = ["NOT_FOUND", "Among", "Page", "ReadSetService", "UploadRef"]

NOT_FOUND = "ResourceNotFoundException"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """What the read sets of a listing have in common; None leaves it open.

    What a row of a listing lacks contradicts nothing.

    Attributes:
        name: Exactly this name.
        status: The service's word, such as `PROCESSING_UPLOAD`.
        sample_id: Exactly this sample.
        subject_id: Exactly this subject.
    """

    name: str | None = None
    status: str | None = None
    sample_id: str | None = None
    subject_id: str | None = None

    def holds_for(self, record: ReadSetRecord) -> bool:
        """Whether nothing that a record says contradicts it.

        What the service's filters do exactly is not documented, so that each row is held against
        what was asked for.
        """
        pairs = (
            (self.name, record.name),
            (self.status, record.status),
            (self.sample_id, record.sample_id),
            (self.subject_id, record.subject_id),
        )
        return all(None in (wanted, found) or wanted == found for wanted, found in pairs)


class ReadSetService(Protocol):
    """Reading and writing read sets of one account and Region."""

    async def create_upload(
        self, store_id: str, read_set: ReadSet, file_type: FileType, token: str
    ) -> str:
        """Opens an upload and returns its id.

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
    ) -> Page[ListedPart]:
        """The parts the service has of one source."""
        ...

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[OpenUpload]:
        """The uploads that are open; one may still be listed while its read set is processed."""
        ...

    async def complete_upload(self, upload: UploadRef, parts: tuple[ListedPart, ...]) -> str:
        """Makes the read set of exactly these parts and returns its id.

        Not idempotent: where the answer is lost, look what came of it.
        """
        ...

    async def abort_upload(self, upload: UploadRef) -> None:
        """Gives an upload up; it may be listed for a while yet."""
        ...

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetRecord:
        """The read set's metadata."""
        ...

    async def find_read_sets(
        self, store_id: str, read_set: ReadSet, token: str | None = None
    ) -> Page[ReadSetRecord]:
        """The read sets with this name, sample and subject; a listing knows no sizes."""
        ...

    async def all_read_sets(
        self, store_id: str, among: Among, token: str | None = None
    ) -> Page[ReadSetRecord]:
        """Every read set of the store, or those that have something in common.

        A listing knows no sizes, and may lag behind what GetReadSetMetadata says.
        """
        ...
