"""Jobs as another process sees them: listed, asked and told what to do."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Final

from turboupload.core.jobs import Asked, Job, JobState, read_job, request_line, state_of
from turboupload.errors import ConfigError, Stopped
from turboupload.jobs.folder import JobFolder, this_host
from turboupload.value import Value

__all__ = ["Seen", "find_job", "list_jobs", "tell_job"]

LOOK_S: Final = 1.0
"""How long a job may take to say how it is, in seconds."""

TELL_S: Final = 10.0
"""How long a job may take to obey a request, in seconds."""

MOST_BYTES: Final = 1 << 20

_LOOK: Final = Asked("look")


class Seen(Value, frozen=True):
    """A job and its state, as it was seen.

    Attributes:
        job: As its process says, or else as its file does.
        state: Its state.
    """

    job: Job
    state: JobState


def list_jobs(state_folder: Path) -> list[Seen]:
    """All jobs that run with a state folder, and those that ended and are remembered.

    Sockets of processes that are gone are removed.

    Raises:
        ConfigError: The folder can't be read, or is none.
        Stopped: Its disk failed.
    """
    return [_seen(job, alive) for job, alive in JobFolder(state_folder).jobs()]


def _seen(job: Job, alive: bool) -> Seen:
    here = job.host == this_host()
    fresh: Job | None = None
    if alive and here and job.socket is not None:
        try:
            fresh = _ask(job, _LOOK, LOOK_S)
        except (OSError, Stopped):
            fresh = None
    answered = fresh is not None
    return Seen(fresh or job, state_of(fresh or job, alive=alive, here=here, answered=answered))


def find_job(state_folder: Path, number: int) -> Seen:
    """A job by its number.

    Raises:
        ConfigError: There is none, or the folder can't be read.
        Stopped: Its disk failed.
    """
    for job, alive in JobFolder(state_folder).jobs():
        if job.id == number:
            return _seen(job, alive)
    raise ConfigError(
        f"there is no job {number}",
        path=str(state_folder),
        hint="`turboupload jobs` lists them; another state folder is named with --state-dir",
    )


def tell_job(seen: Seen, asked: Asked) -> Job:
    """Tells a job to do something; returns it as it is then.

    Raises:
        ConfigError: It has ended, runs on another machine, or has no socket.
        Stopped: It doesn't answer, or refuses.
    """
    job = seen.job
    if (reason := _why_not(seen)) is not None:
        raise ConfigError(f"job {job.id} can't be changed: {reason}")
    try:
        return _ask(job, asked, TELL_S)
    except OSError as error:
        raise Stopped(
            f"job {job.id} does not answer: {error.strerror or str(error) or 'no reply in time'}",
            hint=f"process {job.pid} may be stopped, or be ending; nothing is known to have "
            "changed",
        ) from error


def _why_not(seen: Seen) -> str | None:
    job = seen.job
    match seen.state:
        case "ended":
            return "it has ended"
        case "killed":
            return "its process was killed; the same command goes on with what it sent"
        case "elsewhere":
            return f"it runs on another machine, {job.host}"
    if job.socket is None:
        return f"it has no socket ({job.why_no_socket or 'no reason is known'})"
    return None


def _ask(job: Job, asked: Asked, within_s: float) -> Job:
    assert job.socket is not None
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(within_s)
        peer.connect(os.fspath(job.socket))
        peer.sendall(f"{request_line(asked)}\n".encode())
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < MOST_BYTES:
            piece = peer.recv(1 << 16)
            if not piece:
                break
            answer += piece
    return _read(job, answer)


def _read(job: Job, answer: bytes) -> Job:
    """The job in an answer.

    Raises:
        Stopped: It refused, or what it said is no answer.
    """
    try:
        raw = json.loads(answer)
        error, told = raw.get("error"), raw.get("job")
    except (ValueError, AttributeError):
        error, told = "its answer makes no sense", None
    fresh = read_job(json.dumps(told)) if told is not None else None
    if fresh is None:
        raise Stopped(f"job {job.id} refused: {error or 'it is of another version'}")
    return fresh
