"""The seams at which a simulated world takes the place of the machine: threads, disk, chance."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import inf
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
from anyio._backends import _asyncio
from anyio._core import _eventloop

import turboupload.batch.busy
import turboupload.batch.polling
import turboupload.batch.reporting
import turboupload.batch.run
import turboupload.core.polling
import turboupload.core.upload.early_parts
import turboupload.core.upload.parts.cuts
import turboupload.core.upload.patience
import turboupload.engine.delivery
import turboupload.engine.load
import turboupload.engine.loop
import turboupload.engine.parts
import turboupload.engine.prepare
import turboupload.engine.proving.background_hash
import turboupload.engine.proving.hashing
import turboupload.engine.proving.receipts
import turboupload.engine.recorder
import turboupload.engine.traffic
import turboupload.files.source
import turboupload.open_uploads
import turboupload.runtime.tasks
import turboupload.seqcheck.sam_text
from tests.simulation.disk import (
    FileSystem,
    SimulatedJournal,
    SimulatedLock,
    etag_of,
    holder_of,
    known_open_uploads,
)
from tests.simulation.process import undisturbed
from turboupload.core.model import FileType, Part, Source
from turboupload.core.proof.etag import ContentETag, etag_algorithm
from turboupload.core.upload.events import ETagComputed
from turboupload.files.source import check_unchanged
from turboupload.seqcheck.checks.merging import check_lanes
from turboupload.telemetry import set_logging

__all__ = ["Stage", "forget_tasks", "simulated"]


class Stage:
    """Where the world that is playing is found by what stands in for the machine.

    Attributes:
        files: Its files.
        loop: Its event loop.
        threaded: Does what a thread would do, now or a little later, or never.
    """

    files: FileSystem
    loop: asyncio.AbstractEventLoop
    threaded: Callable[..., Any]

    @classmethod
    def set(
        cls, files: FileSystem, loop: asyncio.AbstractEventLoop, threaded: Callable[..., Any]
    ) -> None:
        """Makes this world the one that is playing."""
        cls.files, cls.loop, cls.threaded = files, loop, threaded
        # A world is the same after any other.
        _Scope.made = 0
        for name in OF_OS:
            setattr(_OS, name, getattr(files, name))


def forget_tasks() -> None:
    """Forgets the tasks of a world that has ended."""
    _asyncio._task_states.clear()


class _Scope(_asyncio.CancelScope):
    """A scope whose place in a set depends on when it was made, not on where in memory."""

    __slots__ = ("_number",)
    _number: int
    made = 0

    def __hash__(self) -> int:
        return self._number


def _scope(*, deadline: float = inf, shield: bool = False) -> _Scope:
    """As `anyio.CancelScope`, which asks for the backend, and is initialized twice."""
    self: _Scope = object.__new__(_Scope)
    _Scope.made += 1
    self._number = _Scope.made
    _Scope.__init__(self, deadline, shield)
    return self


class _Hasher:
    """As `turboupload.engine.proving.hashing.ContentHasher`, without threads."""

    def __init__(self, sources: tuple[Source, ...], file_type: FileType, **_: Any) -> None:
        self._sources = tuple(sources)
        self._file_type = file_type
        self._opened = anyio.Event()
        self.gate = self
        self.total_bytes = sum(each.size for each in sources)
        self.done_bytes = 0

    def advance(self, part: Part) -> None:
        """A part is being sent."""

    def open(self) -> None:
        """Everything may be read."""
        self._opened.set()

    async def compute(self, family: str) -> ETagComputed:
        """Hashes the files."""
        await self._opened.wait()
        await anyio.to_thread.run_sync(check_unchanged, self._sources)
        digests = [etag_of(Stage.files.content(each.paths)) for each in self._sources]
        algorithm = etag_algorithm(self._file_type, family)
        etag = ContentETag(algorithm, digests[0], digests[1] if len(digests) > 1 else None)
        return ETagComputed(family=family, etag=etag)


class _Path:
    """A path on a simulated disk."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __str__(self) -> str:
        return self._path

    def absolute(self) -> _Path:
        return self

    def stat(self) -> Any:
        return Stage.files.stat(self._path)


_OS = SimpleNamespace()
"""The module `os`, on the disk of the world that is playing."""

OF_OS = (
    "O_CLOEXEC", "O_NONBLOCK", "O_RDONLY", "close", "fstat", "open", "pread", "preadv", "stat",
)  # fmt: skip


class _Time:
    """A processor's time that never passes: it decides nothing."""

    @staticmethod
    def perf_counter() -> float:
        return 0.0

    @staticmethod
    def process_time() -> float:
        return 0.0


async def _run_sync(
    function: Callable[..., Any],
    *arguments: Any,
    abandon_on_cancel: bool = False,
    cancellable: bool | None = None,
    limiter: anyio.CapacityLimiter | None = None,
) -> Any:
    if limiter is None:
        return await Stage.threaded(function, arguments, abandon_on_cancel)
    # What a thread would do waits for a moment in any case, so a place that is free takes none.
    try:
        limiter.acquire_nowait()
    except anyio.WouldBlock:
        await limiter.acquire()
    try:
        return await Stage.threaded(function, arguments, abandon_on_cancel)
    finally:
        limiter.release()


def _current_task(loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Task[Any] | None:
    """As asyncio's own, which is written in Python, too, and also looks for a loop."""
    return asyncio.tasks._current_tasks.get(Stage.loop)  # type: ignore[attr-defined,no-any-return]


_NO_SET_OF_TASKS: list[tuple[Any, str, Any]] = [
    (there, "add", id)
    for there in [getattr(asyncio.tasks, "_all_tasks", None)]
    if there is not None
]
"""Python 3.11 keeps all tasks in a set that isn't written in C, and nobody asks for them."""


@lru_cache(maxsize=1024)
def _lanes(*sources: tuple[str, ...]) -> None:
    check_lanes(sources)


def _require_type(path: str, declared: FileType | None) -> str:
    """The files of a world have no form: they are what the read set says."""
    assert declared is not None
    return str(declared)


@contextmanager
def simulated() -> Iterator[None]:
    """While this lasts, the engine finds a simulated machine under it; nothing else may run."""
    stand_ins: list[tuple[Any, str, Any]] = [
        (anyio.to_thread, "run_sync", _run_sync),
        (_asyncio, "CancelScope", _scope),
        (anyio, "CancelScope", _scope),
        *_NO_SET_OF_TASKS,
        # As anyio's own, but faster: a world's tasks go with it, and there is one loop only.
        (_asyncio, "_task_states", {}),
        (_asyncio, "current_task", _current_task),
        (_eventloop, "current_async_library", lambda: "asyncio"),
        (turboupload.files.source, "os", _OS),
        (turboupload.files.source, "Path", _Path),
        (turboupload.files.source, "time", _Time),
        (turboupload.engine.load, "Path", _Path),
        (turboupload.engine.proving.receipts, "Path", _Path),
        # By their names alone, which are the same in every world.
        (turboupload.engine.prepare, "check_lanes", lambda sources: _lanes(*map(tuple, sources))),
        (turboupload.files.source, "regular_size", lambda path: Stage.files.regular_size(path)),
        (turboupload.engine.prepare, "require_type", _require_type),
        (turboupload.engine.delivery, "UploadLock", SimulatedLock),
        (turboupload.engine.delivery, "holder_of", holder_of),
        (turboupload.runtime.tasks, "undisturbed", undisturbed),
        (turboupload.engine.recorder, "undisturbed", undisturbed),
        (turboupload.engine.loop, "processors", lambda: 2),
        (turboupload.engine.traffic, "processors", lambda: 2),
        (turboupload.engine.traffic, "time", _Time),
        (turboupload.engine.proving.hashing, "ContentHasher", _Hasher),
        # How often progress is told decides nothing, and takes most of a world's steps.
        (turboupload.engine.parts, "LOOK_S", 10.0),
        # Its files have a few parts each, so here all that isn't recorded leaves at once.
        (turboupload.core.upload.early_parts, "IN_FLIGHT", 0),
        # And its parts have a few bytes each.
        (turboupload.core.upload.parts.cuts, "GRAIN", 4),
        # What somebody waits for is waited for as long, in fewer looks.
        (turboupload.core.upload.patience, "_FIRST_PAUSE_S", 3.0),
        (turboupload.core.upload.patience, "_LONGEST_PAUSE_S", 30.0),
        (turboupload.core.polling, "PAUSE_FACTOR", 3.0),
        (turboupload.batch.polling, "PAUSE_FACTOR", 3.0),
        (turboupload.batch.busy, "LONGEST_PAUSE_S", 20.0),
        (turboupload.batch.busy, "IDLE_PAUSE_S", 5.0),
        (turboupload.engine.proving.background_hash, "REPORT_S", 60.0),
        (turboupload.batch.reporting, "REPORT_S", 60.0),
        (turboupload.batch.run, "rooms", lambda: 8),
        (turboupload.seqcheck.sam_text, "can_read_alignments", lambda: True),
        (turboupload.open_uploads, "UploadLock", SimulatedLock),
        (turboupload.open_uploads, "holder_of", holder_of),
        (turboupload.open_uploads, "known_open_uploads", known_open_uploads),
        (turboupload.open_uploads, "Journal", SimulatedJournal),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in stand_ins]
    chance = random.getstate()
    collecting = gc.isenabled()
    for place, name, value in stand_ins:
        setattr(place, name, value)
    set_logging(enabled=False)
    # Objects die when nobody has them, or between two worlds: never at some moment in one. What is
    # there before the first one needn't be looked at again and again.
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
        set_logging(enabled=True)
        random.setstate(chance)
        for place, name, value in before:
            setattr(place, name, value)
