"""Jobs, the uploads and batches of this machine: what is known of them and asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, get_args

import msgspec
from msgspec import field
from msgspec.structs import replace

from turboupload.config import MAX_CONCURRENCY
from turboupload.core.notices import Finished, Hashing, Notice, Planned, Progress, Started
from turboupload.core.upload.events import Completed
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.core.batch import BatchProgress

__all__ = [
    "Asked",
    "BadRequest",
    "Job",
    "JobProgress",
    "JobState",
    "outlived",
    "progress_after",
    "read_job",
    "read_request",
    "request_line",
    "sending",
    "state_of",
    "written",
]

JobState = Literal["running", "paused", "silent", "ended", "killed", "elsewhere"]
"""A job's state.

- `running`, `paused`: its process says so.
- `silent`: its process lives and doesn't answer: it is stopped, or very busy, or has no socket.
- `ended`: it said how.
- `killed`: its process is gone without recording an outcome.
- `elsewhere`: it runs on another machine that has the same state folder, as far as is known.
"""

KEPT: Final = 100
KEPT_S: Final = 30 * 86_400.0
"""So many jobs that have ended are remembered, and for so long, in seconds."""

Doing = Literal["preparing", "sending", "proving", "waiting"]
"""What a job does: it looks at files; sends; computes ETags; waits for the service."""


class JobProgress(Value, frozen=True, kw_only=True):
    """How far a job has come.

    Attributes:
        doing: What it does.
        total_bytes: Of its files; 0 while they aren't known.
        done_bytes: What is safe: bytes of parts that the service has accepted.
        in_flight_bytes: Bytes that left beside them.
        bytes_per_s: Over the last ten seconds.
        eta_s: The time left, in seconds; None while unknown.
        limited_by: What limits the rate; None where that isn't known.
        in_flight: Parts in flight.
        window: How many may be.
        paused: Nothing new is sent.
        max_bandwidth: The cap, in bytes a second; None is none.
        concurrency: Parts at a time, where somebody fixed that number.
        rows: Of a batch; 0 for an upload.
        done_rows: Rows that ended well.
    """

    doing: Doing = "preparing"
    total_bytes: int = 0
    done_bytes: int = 0
    in_flight_bytes: int = 0
    bytes_per_s: float = 0.0
    eta_s: float | None = None
    limited_by: str | None = None
    in_flight: int = 0
    window: int = 0
    paused: bool = False
    max_bandwidth: int | None = None
    concurrency: int | None = None
    rows: int = 0
    done_rows: int = 0


class Job(Value, frozen=True, kw_only=True):
    """A job, as its file has it.

    Attributes:
        id: Its number in this state folder.
        pid: Of its process.
        host: The machine on which that runs.
        kind: Its command.
        about: The read set's name, or the sheet.
        store_id: The sequence store.
        command: The command line, quoted for a shell.
        started_at: In seconds since the epoch.
        seen_at: When `progress` was true, likewise.
        socket: Where it listens; None where it doesn't.
        why_no_socket: Why it doesn't, in words.
        progress: How far it has come.
        ended_at: In seconds since the epoch; None as long as it runs, or was killed.
        outcome: How it ended, in the word of its last JSON line.
        exit_code: With which it ended.
        message: What went wrong, in a sentence; empty where nothing did.
    """

    id: int
    pid: int
    host: str
    kind: str
    about: str
    store_id: str
    command: str
    started_at: float
    seen_at: float
    socket: str | None = None
    why_no_socket: str = ""
    progress: JobProgress = field(default_factory=JobProgress)
    ended_at: float | None = None
    outcome: str | None = None
    exit_code: int | None = None
    message: str = ""


def written(job: Job) -> str:
    """A job as a line of JSON."""
    return json.dumps(msgspec.to_builtins(job))


def read_job(text: str) -> Job | None:
    """A job from its JSON, also of another version; None where that isn't one."""
    try:
        raw = json.loads(text)
        known = _known(Job, raw)
        known["progress"] = JobProgress(**_known(JobProgress, raw.get("progress") or {}))
        job = Job(**known)
    except (ValueError, TypeError, AttributeError):
        return None
    numbers = (job.id, job.pid, job.started_at, job.seen_at)
    return job if all(isinstance(each, int | float) for each in numbers) else None


_Record = TypeVar("_Record", Job, JobProgress)


def _known(kind: type[_Record], raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: raw[name] for name in kind.__struct_fields__ if name in raw}


def state_of(job: Job, *, alive: bool, here: bool, answered: bool) -> JobState:
    """The state of a job.

    Args:
        job: As its file, or its process, says.
        alive: Whether its file is locked, so that its process lives.
        here: Whether it runs, or ran, on this machine.
        answered: Whether its process has just answered.
    """
    if job.ended_at is not None:
        return "ended"
    if not here:
        return "elsewhere"
    if not alive:
        return "killed"
    if not answered:
        return "silent"
    return "paused" if job.progress.paused else "running"


def outlived(ended: Iterable[Job], now: float) -> list[Job]:
    """Those of the jobs that have ended, however they did, that are to be forgotten.

    Args:
        ended: All of them.
        now: In seconds since the epoch.
    """
    newest = sorted(ended, key=lambda job: job.id, reverse=True)
    return [
        job
        for place, job in enumerate(newest)
        if place >= KEPT or now - (job.ended_at or job.seen_at) > KEPT_S
    ]


def progress_after(before: JobProgress, notice: Notice) -> JobProgress:
    """How far an upload has come after a notice; for a batch see `core.batch_jobs`."""
    match notice:
        case Started():
            return replace(before, total_bytes=notice.total_bytes)
        case Planned():
            return replace(before, doing="sending", total_bytes=notice.total_bytes)
        case Hashing():
            return replace(before, doing="proving", **_AT_REST)
        case Completed():
            return replace(before, doing="waiting", **_AT_REST)
        case Progress():
            return sending(before, notice)
        case Finished():
            # Where the read set was there before, nothing of it was planned or sent.
            return replace(before, done_bytes=before.total_bytes, **_AT_REST)
        case _:
            return before


_AT_REST: Final[Mapping[str, Any]] = {
    "bytes_per_s": 0.0, "eta_s": None, "limited_by": None, "in_flight": 0, "in_flight_bytes": 0,
}  # fmt: skip


def sending(before: JobProgress, notice: Progress | BatchProgress) -> JobProgress:
    """The progress of a job that sends, from the fields that uploads and batches share."""
    return replace(
        before,
        doing="sending",
        total_bytes=notice.total_bytes,
        done_bytes=notice.done_bytes,
        in_flight_bytes=notice.in_flight_bytes,
        bytes_per_s=round(notice.bytes_per_s),
        eta_s=None if notice.eta_s is None else round(notice.eta_s, 1),
        limited_by=notice.limited_by,
        in_flight=notice.in_flight,
        window=notice.window or before.window,
        paused=notice.paused,
    )


# --- what is asked of a job -----------------------------------------------------------------------

Deed = Literal["look", "set", "pause", "resume"]


class BadRequest(ValueError):
    """The request is invalid, or of another version."""


class Asked(Value, frozen=True):
    """A request to a job; the answer is always the job's state.

    Attributes:
        deed: What to do.
        settings: For `set`: `max_bandwidth`, in bytes a second, and `concurrency`, each where it is
            to change; None lifts it.
    """

    deed: Deed
    settings: Mapping[str, int | None] = field(default_factory=dict)


_MOST: Final[Mapping[str, int]] = {"max_bandwidth": 2**62, "concurrency": MAX_CONCURRENCY}


def request_line(asked: Asked) -> str:
    """A request as a line of JSON."""
    return json.dumps({"do": asked.deed, **asked.settings})


def read_request(line: str | bytes) -> Asked:
    """A request from its JSON.

    Raises:
        BadRequest: It makes no sense.
    """
    try:
        raw = json.loads(line)
    except ValueError:
        raise BadRequest("that is no JSON") from None
    if not isinstance(raw, dict) or raw.get("do") not in get_args(Deed):
        raise BadRequest("this job doesn't know what is asked: it is of another version")
    settings = {name: value for name, value in raw.items() if name != "do"}
    for name, value in settings.items():
        if name not in _MOST or raw["do"] != "set":
            raise BadRequest(f"this job has no {name!r} to set: it is of another version")
        if value is not None and not (type(value) is int and 0 < value <= _MOST[name]):
            raise BadRequest(f"{name} is a number from 1 to {_MOST[name]}, or null, not {value!r}")
    if raw["do"] == "set" and not settings:
        raise BadRequest("nothing is to be set")
    return Asked(raw["do"], settings)
