"""What a coordinator and its workers tell each other; everything can be pickled."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turboupload.config import UploadConfig
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, UploadResult
from turboupload.errors import TurbouploadError

__all__ = [
    "Failure",
    "Job",
    "Order",
    "RowDone",
    "RowTold",
    "Sealed",
    "Steering",
    "Worker",
    "packed",
    "state_folder",
    "unpacked",
]


@dataclass(frozen=True, slots=True)
class Job:
    """What all rows of a batch have in common.

    Attributes:
        config: How to upload.
        store_id: The sequence store.
        coordinator: Name of the coordinator's host: its workers use the state folder itself.
        topic: The Dask topic of the workers' messages about rows.
    """

    config: UploadConfig = field(repr=False)  # where the quota is shared may have a password
    store_id: str
    coordinator: str
    topic: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A `Job` as bytes that show no secrets in a log, and that only the same version reads."""

    content: bytes = field(repr=False)

    @classmethod
    def of(cls, job: Job) -> Sealed:
        """The job, for its way to a worker."""
        return cls(packed(job))

    def opened(self) -> Job:
        """The job."""
        job: Job = unpacked(self.content)
        return job


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

    error: TurbouploadError
    cause: BaseException | None

    @classmethod
    def of(cls, error: TurbouploadError) -> Failure:
        """The error, for its way to another process."""
        return cls(error, error.__cause__)

    def restored(self) -> TurbouploadError:
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
    """

    topic: str
    attempt: str
    read_set: ReadSet
    steering: Steering


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
