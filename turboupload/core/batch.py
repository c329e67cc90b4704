"""Many read sets as one job: what is to be sent, what is told meanwhile, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from turboupload.core.model import ReadSet
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
    """A read set of a batch.

    Attributes:
        number: What people call it: its line in the sheet.
        read_set: The files and their description.
    """

    number: int
    read_set: ReadSet


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStarted:
    """The rows were checked, and are about to be sent."""

    store_id: str
    rows: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class RowChanged:
    """A row came to stand elsewhere."""

    result: RowResult


@dataclass(frozen=True, slots=True)
class RowNotice:
    """Something that a user should hear of a row, such as a retry.

    Attributes:
        row: Its number; None where it concerns all of them.
        notice: What the engine said.
    """

    row: int | None
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class RowUnderWay:
    """A row whose parts are moving."""

    row: int
    name: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """Where a batch stands.

    Attributes:
        rows: In all.
        counts: Rows by status.
        done_bytes: Of rows with nothing left to send, and of those under way what is proven or
            went out.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        bytes_per_s: Over the last ten seconds.
        eta_s: In seconds, by the rate and by the quota of Create; None while it can't be told.
        in_flight: Parts under way.
        limited_by: What the rate would have to wait for to be higher.
        waits_for_create: Whether rows are held up by the quota of Create.
        under_way: The rows whose parts are moving, in the order of the sheet.
    """

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

    @property
    def sent_bytes(self) -> int:
        """`bytes_sent`, by its name before 0.1.0."""
        return self.bytes_sent

    @property
    def done_rows(self) -> int:
        """Rows that ended well."""
        return sum(self.counts.get(status, 0) for status in _WELL)


_WELL: tuple[RowStatus, ...] = ("active", "exists")

BatchNotice = BatchStarted | RowChanged | RowNotice | BatchProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """How a batch ended.

    Attributes:
        rows: What came of each, in the order of the sheet.
        bytes_sent: Body bytes handed to the network by this run, resends included.
        retries: Failed calls that were made again.
        seconds: From begin to end.
        limited_by: What kept the rows from being sent faster; None where that isn't known.
        quota: The operation whose quota that was, where `limited_by` is `quota`.
        stopped_by: What ended it for all rows, such as credentials that expired.
    """

    rows: tuple[RowResult, ...]
    bytes_sent: int
    retries: int
    seconds: float
    limited_by: Limiter | None = None
    quota: str | None = None
    stopped_by: TurbouploadError | None = None
    counts: Mapping[RowStatus, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counter(row.status for row in self.rows))

    @property
    def failed(self) -> tuple[RowResult, ...]:
        """Rows that need somebody."""
        return tuple(row for row in self.rows if row.status in ("failed", "rejected"))

    @property
    def unproven(self) -> tuple[RowResult, ...]:
        """Rows that are there by the journal's word alone, as of files that were touched since."""
        return tuple(row for row in self.rows if row.status == "exists" and row.what_to_do)

    @property
    def unfinished(self) -> tuple[RowResult, ...]:
        """Rows that the same call goes on with."""
        return tuple(row for row in self.rows if row.status in UNFINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRehearsal:
    """What a batch would do.

    Attributes:
        rows: What each row's upload would do, in the order of the sheet; a row that would be
            refused has its error instead.
    """

    rows: tuple[tuple[BatchRow, Rehearsal | TurbouploadError], ...]
