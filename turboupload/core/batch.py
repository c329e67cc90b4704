"""Many read sets as one batch: its rows, its events and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from turboupload.core.model import FileIdentity, FileType, ReadSet
from turboupload.core.notices import Notice, Rehearsal
from turboupload.core.rate.meter import Limiter
from turboupload.core.rows import UNFINISHED, RowResult, RowStatus
from turboupload.errors import TurbouploadError

__all__ = [
    "BatchNotice",
    "BatchProgress",
    "BatchRehearsal",
    "BatchResult",
    "BatchRow",
    "BatchStarted",
    "RowChanged",
    "RowNotice",
    "RowUnderWay",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """A row that may be sent: its read set, and the files that were found.

    Attributes:
        number: Its line in the sheet.
        read_set: The files and their description.
        file_type: The type found in the files.
        identities: The files' identities.
    """

    number: int
    read_set: ReadSet
    file_type: FileType
    identities: tuple[FileIdentity, ...]

    @property
    def total_bytes(self) -> int:
        """Total size of the files."""
        return sum(each.size for each in self.identities)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStarted:
    """The rows were checked; the uploads start."""

    store_id: str
    rows: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class RowChanged:
    """A row has a new status."""

    result: RowResult


@dataclass(frozen=True, slots=True)
class RowNotice:
    """A notice about a row, such as a retry.

    Attributes:
        row: The row's number; None if the notice concerns all rows.
        notice: The engine's notice.
    """

    row: int | None
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class RowUnderWay:
    """A row whose parts are being sent."""

    row: int
    name: str
    done_bytes: int
    total_bytes: int
    in_flight_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """The progress of a batch.

    Attributes:
        rows: The number of rows.
        counts: Rows by status.
        done_bytes: Bytes of rows with nothing left to send, and bytes of the rows in progress that
            the service has accepted.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        bytes_per_s: Over the last ten seconds.
        eta_s: The time left in seconds, by the rate and by the quota of Create; None while unknown.
        in_flight: Parts in flight.
        limited_by: What limits the rate.
        waits_for_create: Whether rows wait for the quota of Create.
        under_way: The rows whose parts are being sent, in the order of the sheet.
        in_flight_bytes: Bytes sent of parts that the service hasn't accepted yet.
        paused: Nothing new is sent until somebody resumes it.
        workers: The rate of each of several machines, in bytes a second over the last ten seconds,
            by name; empty on one machine.
        last_counts: A newer one says all that this one does.
    """

    last_counts: ClassVar[bool] = True

    rows: int
    counts: Mapping[RowStatus, int]
    total_bytes: int
    done_bytes: int
    bytes_sent: int
    bytes_per_s: float
    eta_s: float | None
    in_flight: int
    window: int
    limited_by: Limiter | None
    waits_for_create: bool
    under_way: tuple[RowUnderWay, ...] = ()
    in_flight_bytes: int = 0
    paused: bool = False
    workers: Mapping[str, float] = field(default_factory=dict)

    @property
    def sent_bytes(self) -> int:
        """`bytes_sent` under its name before 0.1.0."""
        return self.bytes_sent

    @property
    def done_rows(self) -> int:
        """Rows that ended well."""
        return sum(self.counts.get(status, 0) for status in _SUCCEEDED)


_SUCCEEDED: tuple[RowStatus, ...] = ("active", "exists")

BatchNotice = BatchStarted | RowChanged | RowNotice | BatchProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """The result of a batch.

    Attributes:
        rows: The result of each row, in the order of the sheet.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        retries: Failed calls that were made again.
        seconds: The duration, in seconds.
        limited_by: What limited the rate at which rows were sent; None where unknown.
        quota: The operation whose quota that was, where `limited_by` is `quota`.
        stopped_by: The error that ended it for all rows, such as expired credentials.
        advice: What would have made it faster, in words with a figure; None where nothing limited
            it for long.
    """

    rows: tuple[RowResult, ...]
    bytes_sent: int
    retries: int
    seconds: float
    limited_by: Limiter | None = None
    quota: str | None = None
    stopped_by: TurbouploadError | None = None
    advice: str | None = None
    counts: Mapping[RowStatus, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counter(row.status for row in self.rows))

    @property
    def failed(self) -> tuple[RowResult, ...]:
        """Rows that need the user's attention."""
        return tuple(row for row in self.rows if row.status in ("failed", "rejected"))

    @property
    def unproven(self) -> tuple[RowResult, ...]:
        """Rows that exist by the journal's record only, such as those of files touched since."""
        return tuple(row for row in self.rows if row.status == "exists" and row.what_to_do)

    @property
    def unfinished(self) -> tuple[RowResult, ...]:
        """Rows that the same call continues."""
        return tuple(row for row in self.rows if row.status in UNFINISHED)

    @property
    def left(self) -> tuple[RowResult, ...]:
        """Rows that the same call must continue, without those that were not to be waited for."""
        return tuple(row for row in self.unfinished if row.status != "processing" or row.message)

    @property
    def outcome(self) -> str:
        """The word that programs branch on.

        `some_failed`, `stopped` (the same call goes on), `processing` (nothing is left but what was
        not to be waited for) or `active`; where an error ended the batch, that error's.
        """
        if self.stopped_by is not None:
            return self.stopped_by.outcome
        if self.failed:
            return "some_failed"
        if self.left:
            return "stopped"
        return "processing" if self.unfinished else "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRehearsal:
    """What a batch would do.

    Attributes:
        rows: The plan of each row's upload, in the order of the sheet; a row that would be refused
            has its error.
    """

    rows: tuple[tuple[BatchRow, Rehearsal | TurbouploadError], ...]

    @property
    def outcome(self) -> Literal["some_failed", "rehearsed"]:
        """The word that programs branch on: whether a row would be refused."""
        refused = any(isinstance(each, TurbouploadError) for _, each in self.rows)
        return "some_failed" if refused else "rehearsed"
