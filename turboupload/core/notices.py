"""What the engine reports while it works, beside the upload's events, and the results of its work.

Notices reach `on_event` and the log; no decision depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import field

from turboupload.core.model import FileType, PartSource, Verified
from turboupload.core.proof.etag import ETagComparison
from turboupload.core.proof.receipt import Receipt
from turboupload.core.rate.meter import Limiter
from turboupload.core.upload.events import Event
from turboupload.value import Value

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


class Started(Value, frozen=True, kw_only=True):
    """An upload starts; its files were checked."""

    name: str
    store_id: str
    file_type: FileType
    paths: tuple[str, ...]
    total_bytes: int


class Planned(Value, frozen=True, kw_only=True):
    """The plan is made, and it is known which parts the service has already.

    Attributes:
        resumed: Whether an earlier run, or another host, had opened the upload.
        part_size: In bytes.
        parts: In all.
        parts_there: How many the service has, proven or still to be compared.
    """

    upload_id: str
    resumed: bool
    part_size: int
    parts: int
    total_bytes: int
    parts_there: int


class Progress(Value, frozen=True, kw_only=True):
    """Where an upload stands.

    Attributes:
        total_bytes: Of the files.
        done_bytes: Bytes of the parts that the service has accepted: no interruption loses them.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        parts: In all.
        done_parts: Parts that have arrived, as the service said.
        bytes_per_s: Over the last ten seconds.
        eta_s: Time left, in seconds; None while it isn't known.
        in_flight: Parts under way.
        window: How many parts may be in flight.
        limited_by: What keeps the rate from being higher; None where that isn't known.
        in_flight_bytes: Bytes that left of parts which the service hasn't accepted yet. An
            interruption loses them.
        paused: Nothing new is sent until somebody resumes it.
        last_counts: A newer one says all that this one does.
    """

    last_counts: ClassVar[bool] = True

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
    in_flight_bytes: int = 0
    paused: bool = False

    @property
    def sent_bytes(self) -> int:
        """`bytes_sent`, by its name before 0.1.0."""
        return self.bytes_sent


class Hashing(Value, frozen=True, kw_only=True):
    """All bytes are sent, and the files' ETag is still being computed.

    Attributes:
        done_bytes: How much of the files has been hashed.
        total_bytes: Of the files.
        last_counts: A newer one says all that this one does.
    """

    last_counts: ClassVar[bool] = True

    done_bytes: int
    total_bytes: int


class Retrying(Value, frozen=True, kw_only=True):
    """A call failed and will be made again.

    Attributes:
        reason: The error's name, or how the connection failed.
        pause_s: How long is waited before that, in seconds.
        source: The part's source, where the call sends a part.
        number: The part's number, where the call sends a part.
    """

    operation: str
    reason: str
    message: str
    pause_s: float
    source: PartSource | None = None
    number: int | None = None


class WindowChanged(Value, frozen=True, kw_only=True):
    """The number of parts that may be in flight changed."""

    size: int
    before: int


class Remark(Value, frozen=True):
    """Something that the user is told once.

    Attributes:
        code: A stable word for programs.
        text: A sentence for people.
    """

    code: str
    text: str


class UploadResult(Value, frozen=True, kw_only=True):
    """The result of an upload that succeeded.

    Attributes:
        read_set_id: The service's id.
        read_set_arn: Its ARN; None where the service didn't say it.
        status: As the service last said, such as `ACTIVE` or `PROCESSING_UPLOAD`.
        upload_id: The upload it was made from; None where the read set existed before.
        file_type: As uploaded.
        total_bytes: Of the files.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        parts: In all.
        parts_reused: Parts that an earlier run had sent.
        retries: Failed calls that were made again.
        seconds: From start to end.
        verified: How the parts were proven.
        etag: The service's ETag of each source, with its `algorithm`; empty until ACTIVE.
        existed: Whether the read set existed before this run.
        limited_by: What limited the rate for most of the time that parts were sent.
        total_reads: As counted by the service.
        total_bases: As counted by the service.
        stored_sizes: The size of each stored file, in bytes, where the service says it.
        s3_uris: Where each stored file can be read through S3, if the store gives access.
        comparison: How the read set's ETag compares with that of the files, where both are known.
        receipt: What was sent, the outcome, and what that proves.
        manifest: `equal` where the files were compared with manifests; else None.
        advice: What would have made it faster, in words with a figure; None where nothing limited
            it for long.
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
    s3_uris: Mapping[PartSource, str] = field(default_factory=dict)
    comparison: ETagComparison | None = None
    receipt: Receipt | None = None
    manifest: Literal["equal"] | None = None
    advice: str | None = None

    @property
    def outcome(self) -> Literal["active", "processing", "failed"]:
        """The status in one of the words that programs branch on."""
        if self.status == "UPLOAD_FAILED":
            return "failed"
        return "processing" if self.status == "PROCESSING_UPLOAD" else "active"


class Rehearsal(Value, frozen=True, kw_only=True):
    """What an upload would do.

    Attributes:
        verdict: `create`, `resume`, `exists` (the read set exists) or `complete` (only
            Complete is left).
        read_set_id: Of a read set that exists.
        upload_id: Of an upload that would be continued.
        parts_there: Parts that would not be sent.
        parts_to_check: Parts that would be read here and compared first.
        bytes_to_send: Upper bound, in bytes.
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


class Finished(Value, frozen=True):
    """The upload succeeded."""

    result: UploadResult


class Calling(Value, frozen=True, kw_only=True):
    """A call has ended, with or without an answer.

    Attributes:
        seconds: How long it took, without the wait for the quota.
        outcome: `ok`, the error's name, or how the connection failed.
        source: The part's source, where the call sends a part.
        number: The part's number, where the call sends a part.
    """

    operation: str
    seconds: float
    outcome: str
    source: PartSource | None = None
    number: int | None = None


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
