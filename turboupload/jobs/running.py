"""A job of this process: listed in the state folder, and listening, while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from turboupload.core.controls import Controls
from turboupload.core.jobs import Asked, BadRequest, Job, JobProgress, read_request
from turboupload.errors import TurbouploadError
from turboupload.jobs.folder import JobFile, JobFolder
from turboupload.jobs.listener import listen, stop_listening
from turboupload.jobs.server import Server
from turboupload.runtime.tasks import in_thread

__all__ = ["OnAsked", "RunningJob", "running_job"]

Heard = TypeVar("Heard")

WRITE_S: Final = 2.0
"""How often a job's file is brought up to date, in seconds: a killed one is known by it."""

OnAsked = Callable[[Asked, Job], None]
"""Told of what was changed from outside, on the event loop."""


class RunningJob:
    """What is known of a job, and what is done with it.

    Args:
        job: As it begins, with what its options say in its progress.
        on_asked: Told of what was changed from outside.
    """

    def __init__(self, job: Job, on_asked: OnAsked) -> None:
        self.job = job
        self._on_asked = on_asked
        self._controls: Controls | None = None
        self._asked_before: list[Asked] = []

    def obey(self, controls: Controls) -> None:
        """Takes the controls of what runs, and does what was asked for before it ran."""
        self._controls = controls
        for asked in self._asked_before:
            _do(controls, asked)
        self._asked_before = []

    def hearing(
        self, after: Callable[[JobProgress, Heard], JobProgress], hear: Callable[[Heard], None]
    ) -> Callable[[Heard], None]:
        """Makes a listener that updates this job, and then passes each notice on.

        Args:
            after: How far the job has come after a notice.
            hear: Hears them, too.
        """

        def both(notice: Heard) -> None:
            self.job = replace(self.job, progress=after(self.job.progress, notice))
            hear(notice)

        return both

    def ended(self, outcome: str, exit_code: int, message: str = "") -> None:
        """Takes in how it ended."""
        self.job = replace(self.job, outcome=outcome, exit_code=exit_code, message=message)

    @property
    def now(self) -> Job:
        """The job as it is."""
        controls = self._controls
        if controls is not None:
            self._set(
                paused=controls.paused,
                max_bandwidth=controls.max_bandwidth,
                concurrency=controls.concurrency,
            )
        return replace(self.job, seen_at=time.time())

    def answer(self, line: bytes) -> bytes:
        """Does what is asked; the answer is the job as it is then, or what was wrong."""
        try:
            asked = read_request(line)
            if self._controls is not None:
                _do(self._controls, asked)
            else:
                self._do_later(asked)
        except (BadRequest, TurbouploadError) as error:
            return json.dumps({"error": str(error)}).encode()
        if asked.deed != "look":
            self._on_asked(asked, self.now)
        return json.dumps({"job": msgspec.to_builtins(self.now)}).encode()

    def _do_later(self, asked: Asked) -> None:
        self._asked_before.append(asked)
        self._set(**asked.settings)
        if asked.deed in ("pause", "resume"):
            self._set(paused=asked.deed == "pause")

    def _set(self, **changes: Any) -> None:
        self.job = replace(self.job, progress=replace(self.job.progress, **changes))


def _do(controls: Controls, asked: Asked) -> None:
    if "max_bandwidth" in asked.settings:
        controls.set_bandwidth(asked.settings["max_bandwidth"])
    if "concurrency" in asked.settings:
        controls.set_concurrency(asked.settings["concurrency"])
    if asked.deed == "pause":
        controls.pause()
    elif asked.deed == "resume":
        controls.resume()


@asynccontextmanager
async def running_job(state_folder: Path, job: Job, on_asked: OnAsked) -> AsyncIterator[RunningJob]:
    """Lists a job while the context lasts, and how it ended afterwards.

    Where it can't be listed, or can't listen, it runs all the same.

    Args:
        state_folder: Its path.
        job: As it begins; its number is found here.
        on_asked: Told of what was changed from outside.
    """
    running = RunningJob(job, on_asked)
    place = _Place(JobFolder(state_folder))
    server: Server | None = None
    writing: asyncio.Task[None] | None = None
    try:
        await in_thread(place.take, job)
        if place.file is not None:
            running.job = place.file.job
            writing = asyncio.ensure_future(_keep_written(running, place.file))
            server = Server(running.answer)
            await server.start(place.listener)
        yield running
    finally:
        if writing is not None:
            writing.cancel()
        if server is not None:
            server.stop()
        await in_thread(place.leave, replace(running.now, ended_at=time.time()))


async def _keep_written(running: RunningJob, file: JobFile) -> None:
    while True:
        await asyncio.sleep(WRITE_S)
        # On a full disk the journal fails with an error; here only the list is out of date.
        with contextlib.suppress(OSError):
            await in_thread(file.write, running.now)


class _Place:
    """A job's file and socket, taken and left in a thread: a disk may hang.

    Args:
        folder: Where they are.

    Attributes:
        file: None where there could be none.
        listener: Where it listens; None where there is no socket.
    """

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._path: Path | None = None
        self.file: JobFile | None = None
        self.listener: Any = None

    def take(self, job: Job) -> None:
        """Makes both, as far as that can be done; never raises."""
        with contextlib.suppress(OSError, TurbouploadError):
            self._folder.prepare()
            self._folder.jobs()  # forgets what is old
            self.file = self._folder.begin(job)
            self._listen(self.file)

    def _listen(self, file: JobFile) -> None:
        try:
            self.listener, self._path = listen(self._folder.socket_of(file.job.id))
            file.write(replace(file.job, socket=str(self._path)))
        except OSError as error:
            file.write(replace(file.job, why_no_socket=error.strerror or str(error)))

    def leave(self, job: Job) -> None:
        """Removes the socket, and keeps how the job ended."""
        if self._path is not None:
            stop_listening(self._path)
        if self.listener is not None:
            self.listener.close()
        if self.file is not None:
            with contextlib.suppress(OSError):
                self.file.write(replace(job, socket=None))
            self.file.close()
