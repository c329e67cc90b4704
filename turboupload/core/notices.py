"""What the engine says while it works, beside the upload's own events; and what it ends with.

These reach `on_event` and the log, and nobody's decisions hang on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from turboupload.core.model import FileType, PartSource, Verified
from turboupload.core.proof.etag import ETagComparison
from turboupload.core.proof.receipt import Receipt
from turboupload.core.rate.meter import Limiter
from turboupload.core.upload.events import Event

__all__ = [
    "Calling",
    "Finished",
    "Hashing",
    "Notice",
    "Planned",
    "Progress",
    "Rehearsal",
    "Remark",
    "Retrying",
    "Started",
    "UploadResult",
    "WindowChanged",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """An upload begins: its files were looked at."""

    name: str
    store_id: str
    file_type: FileType
    paths: tuple[str, ...]
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """It is known what there is to send, and what is there already.

    Attributes:
        resumed: Whether an earlier run's work goes on.
        part_size: In bytes.
        parts: In all.
        parts_there: Those the service has, proven or still to be compared.
    """

    upload_id: str
    resumed: bool
    part_size: int
    parts: int
    total_bytes: int
    parts_there: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where an upload stands.

    Attributes:
        done_bytes: Bytes of the parts that are proven, and of those under way what went out.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        bytes_per_s: Over the last ten seconds.
        eta_s: In seconds; None while it can't be told.
        in_flight: Parts under way.
        limited_by: What the rate would have to wait for to be higher.
    """

    total_bytes: int
    done_bytes: int
    bytes_sent: int
    parts: int
    done_parts: int
    bytes_per_s: float
    eta_s: float | None
    in_flight: int
    window: int
    limited_by: Limiter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """All bytes are sent, and the files' ETag is still being computed.

    Attributes:
        done_bytes: How much of the files has been hashed.
        total_bytes: Of the files.
    """

    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """A call failed and will be made again.

    Attributes:
        reason: The error's name, or where the link broke.
        pause_s: In seconds.
    """

    operation: str
    reason: str
    message: str
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChanged:
    """The number of parts that may be in flight changed."""

    size: int
    before: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a user should hear once.

    Attributes:
        code: A stable word for programs.
        text: A sentence for people.
    """

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadResult:
    """How an upload ended well.

    Attributes:
        read_set_id: The service's id.
        read_set_arn: Where the service told it.
        status: The service's last word, such as `ACTIVE` or `PROCESSING_UPLOAD`.
        upload_id: The upload it was made from; None where the read set was there already.
        file_type: As uploaded.
        total_bytes: Of the files.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        parts: In all.
        parts_reused: Parts that an earlier run had sent.
        retries: Failed calls that were made again.
        seconds: From begin to end.
        verified: How the parts were proven.
        etag: The service's ETag of each source, with its `algorithm`; empty until ACTIVE.
        existed: The read set was there before this run.
        limited_by: What limited the rate for most of the time that parts were moving.
        total_reads: As counted by the service.
        total_bases: As counted by the service.
        comparison: What the read set's ETag and that of the files say about each other, where they
            were compared.
        receipt: What was sent, what became of it, and what that proves.
    """

    read_set_id: str
    status: str
    upload_id: str | None
    file_type: FileType
    total_bytes: int
    bytes_sent: int
    parts: int
    parts_reused: int
    retries: int
    seconds: float
    verified: Verified
    read_set_arn: str | None = None
    etag: Mapping[str, str] = field(default_factory=dict)
    existed: bool = False
    total_reads: int | None = None
    total_bases: int | None = None
    limited_by: Limiter | None = None
    stored_sizes: Mapping[PartSource, int] = field(default_factory=dict)
    comparison: ETagComparison | None = None
    receipt: Receipt | None = None

    @property
    def outcome(self) -> Literal["active", "processing", "failed"]:
        """The status in one of the words that programs branch on."""
        if self.status == "UPLOAD_FAILED":
            return "failed"
        return "processing" if self.status == "PROCESSING_UPLOAD" else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What an upload would do.

    Attributes:
        verdict: `create`, `resume`, `exists` (the read set is there) or `complete` (only
            Complete is left).
        read_set_id: Of a read set that is there.
        upload_id: Of an upload that would be gone on with.
        parts_there: Parts that would not be sent.
        parts_to_check: Parts that would be read here and compared first.
        bytes_to_send: At the most.
    """

    verdict: Literal["create", "resume", "exists", "complete"]
    file_type: FileType
    part_size: int
    parts: int
    total_bytes: int
    parts_there: int = 0
    parts_to_check: int = 0
    bytes_to_send: int = 0
    read_set_id: str | None = None
    upload_id: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The upload ended well."""

    result: UploadResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """A call was answered, or not.

    Attributes:
        seconds: How long it took, waiting for its turn not included.
        outcome: `ok`, the error's name, or where the link broke.
    """

    operation: str
    seconds: float
    outcome: str


Notice = (
    Event
    | Started
    | Planned
    | Progress
    | Hashing
    | Retrying
    | WindowChanged
    | Remark
    | Finished
    | Calling
)
