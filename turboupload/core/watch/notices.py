"""The notices of a watcher, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from turboupload.core.batch import BatchNotice, BatchResult
from turboupload.core.notices import Remark
from turboupload.core.watch.records import RunRecord, RunStatus

__all__ = [
    "RunChanged",
    "RunNotice",
    "RunSent",
    "WatchNotice",
    "WatchResult",
    "WatchStarted",
    "WatchedRun",
    "WatchedRunStatus",
]

WatchedRunStatus = Literal["waiting", "would send", "sending"] | RunStatus
"""The status of a run in notices.

- `waiting`: it isn't over yet, or not at rest.
- `would send`: only a rehearsal says that.
- `sending`: its batch runs.
- `planned`, `retrying`, `failed`, `done`: as its record has it (`RunStatus`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRun:
    """What is known of a run.

    Attributes:
        run: Its folder, below the one that is watched.
        status: `waiting` (not over yet, or not at rest), `sending`, `retrying`, `failed` (too
            often: a person must look) or `done`; `would send` in a rehearsal; `planned` where a
            watcher ended before its batch did.
        message: Why, or what went wrong; may be empty.
        store_id: Where its read sets go.
        rows: Of its sheet; 0 before there is one.
        counts: Rows by status, when its batch last ended.
        next_at: When its batch runs again, in seconds since the epoch; None where it doesn't.
        output: The folder of its sheet, results and report.
    """

    run: str
    status: WatchedRunStatus
    message: str = ""
    store_id: str = ""
    rows: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    next_at: float | None = None
    output: str = ""

    @classmethod
    def of(cls, record: RunRecord, *, sending: bool = False) -> WatchedRun:
        """The event of a run that has a record."""
        return cls(
            run=record.run,
            status="sending" if sending else record.status,
            message="" if sending else record.message,
            store_id=record.store_id,
            rows=record.rows,
            counts=dict(record.counts or {}),
            next_at=record.next_at if record.status == "retrying" and not sending else None,
            output=record.output,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResult:
    """The results of the runs of a folder.

    Attributes:
        runs: What is known of each.
        counts: Runs by status.
    """

    runs: tuple[WatchedRun, ...]
    counts: Mapping[WatchedRunStatus, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counter(each.status for each in self.runs))

    @property
    def failed(self) -> tuple[WatchedRun, ...]:
        """Runs that failed too often: a person must look."""
        return tuple(each for each in self.runs if each.status == "failed")

    @property
    def retrying(self) -> tuple[WatchedRun, ...]:
        """Runs whose batch is to run again."""
        return tuple(each for each in self.runs if each.status == "retrying")

    @property
    def outcome(self) -> Literal["some_failed", "stopped", "ok"]:
        """The word that programs branch on; `stopped` where a run's batch is to run again."""
        if self.failed:
            return "some_failed"
        return "stopped" if self.retrying else "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStarted:
    """The folder is watched from now on."""

    folder: str


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run has a new status, or another reason for it."""

    run: WatchedRun


@dataclass(frozen=True, slots=True)
class RunNotice:
    """A notice of a run's batch, such as its progress.

    Attributes:
        run: The run's folder, below the one that is watched.
        notice: The batch's notice.
    """

    run: str
    notice: BatchNotice


@dataclass(frozen=True, slots=True)
class RunSent:
    """A run's batch has ended, with the result of each row; what follows from it comes next.

    Attributes:
        run: The run's folder, below the one that is watched.
        result: As `upload_batch` returns it.
    """

    run: str
    result: BatchResult


WatchNotice = WatchStarted | RunChanged | RunNotice | RunSent | Remark
