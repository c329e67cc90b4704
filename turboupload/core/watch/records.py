"""What is known of one run, as its file has it, and what follows from how its batch ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

__all__ = [
    "MOST_FAILURES",
    "Ending",
    "RunRecord",
    "RunStatus",
    "after",
    "is_due",
    "read_record",
    "run_key",
    "written",
]

RunStatus = Literal["planned", "retrying", "failed", "done"]
"""The outcome of a run.

- `planned`: its sheet is written; its batch is to run, runs, or was ended by a kill.
- `retrying`: its batch ended with failures, and runs again at `next_at`.
- `failed`: it did so too often; a person must look.
- `done`: every row is a read set. It is never looked at again.
"""

PAUSES_S: Final = (60.0, 300.0, 900.0, 3600.0, 14_400.0)
"""How long after each failure the batch runs again, in seconds; the last holds for all others."""

STOP_PAUSES_S: Final = (60.0, 300.0, 900.0)
"""The same where something stopped it that may mend itself, such as an outage."""

MOST_FAILURES: Final = 6
"""So many failures in a row, and a person must look. Stops don't count: an outage may last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run's batch ended.

    Attributes:
        done: Whether every row is a read set.
        stopped: Whether something stopped it that may mend itself, such as an outage, or that
            concerns no run in particular, such as credentials.
        message: What went wrong, in a sentence; empty where nothing did.
        counts: Rows by status.
    """

    done: bool = False
    stopped: bool = False
    message: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What is known of a run.

    Attributes:
        run: Its folder, below the one that is watched.
        sentinel: The file that ended it, below its folder; empty where it was only at rest.
        sentinel_ns: When that was written, in nanoseconds since the epoch.
        store_id: Where its read sets go, as the rule says.
        rule: Which rule holds, counted from 1; 0 is none.
        output: The folder of its sheet, results and report.
        sheet: The name of the sheet in it.
        rows: Of its sheet.
        status: Its outcome.
        failures: How often its batch failed since it last ended otherwise.
        stops: How often it was stopped since it last ended otherwise.
        next_at: When it runs again, in seconds since the epoch; 0 at once.
        message: What went wrong last.
        counts: Rows by status, when its batch last ended.
        began_at: When its sheet was written, in seconds since the epoch.
        ended_at: When its batch last ended, likewise; 0 before.
    """

    run: str
    sentinel: str
    sentinel_ns: int
    store_id: str
    rule: int
    output: str
    sheet: str
    rows: int
    status: RunStatus = "planned"
    failures: int = 0
    stops: int = 0
    next_at: float = 0.0
    message: str = ""
    counts: Mapping[str, int] | None = None
    began_at: float = 0.0
    ended_at: float = 0.0

    @property
    def key(self) -> str:
        """The same for the same run, before and after its batch."""
        return run_key(self.run, self.sentinel_ns)


def run_key(run: str, sentinel_ns: int) -> str:
    """What tells a run from all others, 16 hex digits.

    A folder that comes again under its name, with a sentinel that was written at another time, is
    another run; so is one whose sentinel was touched, to have it looked at again.

    Args:
        run: Its folder, below the one that is watched.
        sentinel_ns: When its sentinel was written, in nanoseconds since the epoch; 0 without one.
    """
    text = json.dumps([run, sentinel_ns])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_due(record: RunRecord, now: float) -> bool:
    """Whether its batch is to run now.

    A time further off than any pause was set by a clock that was wrong, and holds nothing up.
    """
    if record.status == "retrying":
        return not 0 < record.next_at - now <= PAUSES_S[-1]
    return record.status == "planned"


def after(record: RunRecord, ending: Ending, now: float) -> RunRecord:
    """What is known of a run after its batch has ended.

    Args:
        record: What was known before.
        ending: How it ended.
        now: In seconds since the epoch.
    """
    record = replace(
        record, message=ending.message, counts=dict(ending.counts), ended_at=now, next_at=0.0
    )
    if ending.done:
        return replace(record, status="done", failures=0, stops=0)
    if ending.stopped:
        pause = STOP_PAUSES_S[min(record.stops, len(STOP_PAUSES_S) - 1)]
        return replace(record, status="retrying", stops=record.stops + 1, next_at=now + pause)
    failures = record.failures + 1
    if failures >= MOST_FAILURES:
        return replace(record, status="failed", failures=failures, stops=0)
    pause = PAUSES_S[min(failures, len(PAUSES_S)) - 1]
    return replace(record, status="retrying", failures=failures, stops=0, next_at=now + pause)


def written(record: RunRecord) -> str:
    """A record as JSON."""
    return json.dumps({"version": 1, **asdict(record)}, indent=1) + "\n"


def read_record(text: str) -> RunRecord | None:
    """A record from its JSON; None where that isn't one."""
    try:
        raw: dict[str, Any] = json.loads(text)
        known = {each.name for each in fields(RunRecord)}
        record = RunRecord(**{name: value for name, value in raw.items() if name in known})
    except (ValueError, TypeError, AttributeError):
        return None
    return record if isinstance(record.run, str) and isinstance(record.sentinel_ns, int) else None
