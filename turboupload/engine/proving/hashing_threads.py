"""Threads that hash files a little behind the sending, in their own time.

A gate keeps them behind: what they read is in the page cache already, or the sending is about to
read it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import anyio

from turboupload.core.model import Part, PartSource

__all__ = ["Gate", "run_gated"]

NICENESS = 5
"""The threads' nice value, so that the event loop goes first, as for the part transport's threads;
on Linux only."""

SHUTDOWN_TIMEOUT_S = 2.0
"""How long a cancellation waits for the threads to end, in seconds: only a read that hangs in the
operating system takes that long."""


class _Abandoned(Exception):
    """The hashing was cancelled."""


class Gate:
    """How far into each file the threads may read."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._upto: dict[PartSource, int] = {}
        self._open = False
        self._closed = False

    def advance(self, part: Part) -> None:
        """Lets the file be read up to the end of a part, which is being sent."""
        with self._changed:
            self._upto[part.source] = max(part.offset + part.size, self._upto.get(part.source, 0))
            self._changed.notify_all()

    def open(self) -> None:
        """Lets the files be read to their end."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Wakes all waiters; later waits raise."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, source: PartSource, position: int) -> None:
        """Waits until a file may be read up to there.

        Raises:
            _Abandoned: The gate was closed.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._open or position <= self._upto.get(source, 0)
            )
            if self._closed:
                raise _Abandoned


async def run_gated(gate: Gate, works: Sequence[Callable[[], object]]) -> None:
    """Does blocking work, each in a thread of its own; a cancellation ends the threads.

    Args:
        gate: What the work waits at; it is closed in the end.
        works: The work.

    Raises:
        Exception: The first that the work raised.
    """
    failures: list[Exception] = []
    pool = ThreadPoolExecutor(
        max(1, len(works)), thread_name_prefix="hash", initializer=_lower_priority
    )

    async def in_thread(work: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(pool, work)
        except Exception as error:  # raised again below, outside the group
            failures.append(error)
            group.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            for work in works:
                group.start_soon(in_thread, work)
    finally:
        gate.close()
        await _shut_down(pool)
    if failures:
        raise failures[0]


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


async def _shut_down(pool: ThreadPoolExecutor) -> None:
    """Waits for the threads to end, but not for ever."""
    left = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait() -> None:
        pool.shutdown(cancel_futures=True)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(left.set)

    threading.Thread(target=wait, name="etag-shutdown", daemon=True).start()
    with anyio.move_on_after(SHUTDOWN_TIMEOUT_S, shield=True):
        await left.wait()
