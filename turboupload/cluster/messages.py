"""What a coordinator and its workers tell each other; everything can be pickled."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turboupload.batch.listing import RowListing
from turboupload.config import UploadConfig
from turboupload.core.model import Part, ReadSet, Source
from turboupload.core.notices import Notice, UploadResult
from turboupload.core.proof.checksum import Checksum
from turboupload.core.rate.meter import Limiter
from turboupload.core.upload.events import PartSeen
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.omics.base import UploadRef
from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = [
    "Failure",
    "Introduction",
    "Job",
    "Order",
    "PartDone",
    "PartOrder",
    "PartTold",
    "RowDone",
    "RowTold",
    "SpreadUpload",
    "Steering",
    "Worker",
    "packed",
    "state_folder",
    "unpacked",
]


@dataclass(frozen=True, slots=True)
class Job:
    """What all rows of a batch have in common.

    It goes to a worker sealed, since it may have secrets.

    Attributes:
        config: How to upload.
        store_id: The sequence store.
        coordinator: Name of the coordinator's host: its workers use the state folder itself.
        topic: The Dask topic of the workers' messages about rows and parts.
        credentials: What workers sign with; None where each has its own.
    """

    config: UploadConfig = field(repr=False)  # where the quota is shared may have a password
    store_id: str
    coordinator: str
    topic: str
    credentials: TemporaryCredentials | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that can send.

    Attributes:
        address: As Dask has it.
        name: For people.
        host: Name of its machine.
    """

    address: str
    name: str
    host: str


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a worker says of itself, before it is told anything.

    Attributes:
        worker: Who it is.
        version: Its turboupload's.
        key: Its public key, for what is sealed for it.
    """

    worker: Worker
    version: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Steering:
    """A worker's share of the quotas until the next one comes.

    Attributes:
        portion: Its share of the account's quotas, between 0 and 1.
        max_bandwidth: Its cap, in bytes a second; None is no cap.
        concurrency: Its parts in flight; None lets the window find the number.
        paused: Nothing new is sent.
    """

    portion: float = 1.0
    max_bandwidth: int | None = None
    concurrency: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class RowTold:
    """What happened to a row since the last message.

    Attributes:
        attempt: Which attempt at the row this is about.
        notices: In their order.
        sent: Whether everything has arrived.
        read_set_id: The read set's id, once it exists.
    """

    attempt: str
    notices: tuple[Notice, ...]
    sent: bool = False
    read_set_id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with its cause, which pickle leaves out."""

    error: TurbouploadError | CallFailed | LinkFailed
    cause: BaseException | None

    @classmethod
    def of(cls, error: TurbouploadError | CallFailed | LinkFailed) -> Failure:
        """The error, for its way to another process."""
        return cls(error, error.__cause__)

    def restored(self) -> TurbouploadError | CallFailed | LinkFailed:
        """The error as it was raised."""
        self.error.__cause__ = self.cause
        return self.error


@dataclass(frozen=True, slots=True)
class RowDone:
    """How a row's attempt ended.

    Attributes:
        told: What wasn't told before.
        ended: Its result or error; None where the service is still working on it.
        key: The upload's key in the worker's journal.
    """

    told: RowTold
    ended: UploadResult | Failure | None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A row that a worker is to send.

    It is in a task's arguments, so nothing secret is in it.

    Attributes:
        topic: Of the batch: the worker got its `Job` before.
        attempt: Tells this attempt from others, also at the same row.
        read_set: With paths that are absolute.
        steering: What to keep to from now on.
        listed: What the store has for the row, from one listing for all; None where it isn't
            known.
    """

    topic: str
    attempt: str
    read_set: ReadSet
    steering: Steering
    listed: RowListing | None


@dataclass(frozen=True, slots=True)
class SpreadUpload:
    """An upload whose parts several workers send; it is told once to each.

    Attributes:
        ref: Its address at the service.
        sources: Its files as the coordinator sees them, with paths that are absolute.
        checksum: What is to be computed of each part.
        total_bytes: Of all files.
    """

    ref: UploadRef
    sources: tuple[Source, ...]
    checksum: Checksum
    total_bytes: int


@dataclass(frozen=True, slots=True)
class PartOrder:
    """A part that a worker is to send; it is in a task's arguments, so nothing secret is in it.

    Attributes:
        topic: Of the batch.
        attempt: Tells this attempt from others, also at the same part.
        upload_id: Of a `SpreadUpload` that the worker was told of.
        part: The part.
        steering: What to keep to from now on.
    """

    topic: str
    attempt: str
    upload_id: str
    part: Part
    steering: Steering


@dataclass(frozen=True, slots=True)
class PartTold:
    """What happened to a part since the last message.

    Attributes:
        attempt: Which attempt at the part this is about.
        notices: In their order.
        sent_bytes: Body bytes handed to the network in this attempt, resends included.
        partial_bytes: Those of the request that is under way.
        room: How many parts this worker may have in hand.
        limited_by: What keeps its rate from being higher.
    """

    attempt: str
    notices: tuple[Notice, ...]
    sent_bytes: int
    partial_bytes: int
    room: int
    limited_by: Limiter | None


@dataclass(frozen=True, slots=True)
class PartDone:
    """How a part's attempt ended: with the service's reply and our digest, or with an error."""

    told: PartTold
    ended: PartSeen | Failure


def packed(message: object) -> bytes:
    """A message as bytes, since Dask takes only plain values as events."""
    return pickle.dumps(message)


def unpacked(message: bytes) -> Any:
    """A message of a worker of ours; see `packed`."""
    return pickle.loads(message)  # noqa: S301 - all of Dask's own messages are pickled, too


def state_folder(job: Job, host: str) -> Path:
    """The folder of the journal on a host: several hosts never have one in common.

    All processes of a host do, as they do without Dask.

    Raises:
        ConfigError: There is no home.
    """
    base = job.config.state_folder
    return base if host == job.coordinator else base / "hosts" / host
