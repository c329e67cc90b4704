"""When a watcher looks again: after an event of the file system, or a while."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Any

import anyio

from turboupload.files.watched import network_file_system

__all__ = ["FolderEvents", "events_of"]

_STEP_MS = 200
"""How often the thread looks whether it is to end, in milliseconds."""


class FolderEvents:
    """Tells a watcher when to look again.

    Args:
        every_s: The longest pause, in seconds, also where there are events: some are missed.
        why_polls: Why there are no events, in words; empty where there are.
    """

    def __init__(self, every_s: float, why_polls: str) -> None:
        self.every_s = every_s
        self.why_polls = why_polls
        self._event = anyio.Event()

    def happened(self) -> None:
        """An event came: ends the pause."""
        self._event.set()

    async def wait(self, soonest_s: float | None) -> None:
        """Waits for an event, for so long, or for the longest pause.

        Args:
            soonest_s: When something is known to be due, in seconds; None where nothing is.
        """
        pause = self.every_s if soonest_s is None else min(self.every_s, max(0.05, soonest_s))
        with anyio.move_on_after(pause):
            await self._event.wait()
        self._event = anyio.Event()


@asynccontextmanager
async def events_of(
    folder: str,
    *,
    every_s: float,
    poll: bool,
    names: Sequence[str],
    tell: Callable[[str], None],
) -> AsyncIterator[FolderEvents]:
    """The events of a folder, as a context.

    Args:
        folder: The folder.
        every_s: The longest pause, in seconds.
        poll: Whether to do without events.
        names: The patterns of the files that are waited for.
        tell: Told where events end, and why.
    """
    kind = network_file_system(folder)
    if poll:
        why = "as told"
    elif kind is not None:
        why = f"{kind} has no events of what other machines write"
    elif importlib.util.find_spec("watchfiles") is None:
        why = "watchfiles is not installed (pip install 'turboupload[watch]')"
    else:
        why = ""
    events = FolderEvents(every_s, why)
    if why:
        yield events
        return
    stop = anyio.Event()
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_hear, folder, names, events, tell, stop)
        try:
            yield events
        except Exception as error:  # raised again outside the group, which would wrap it
            failure = error
        finally:
            # A cancellation alone would wait for the thread that waits for the file system.
            stop.set()
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _hear(
    folder: str,
    names: Sequence[str],
    events: FolderEvents,
    tell: Callable[[str], None],
    stop: anyio.Event,
) -> None:
    """Wakes for each file that is waited for, and each folder that comes."""
    from watchfiles import Change, awatch

    def matters(change: Any, path: str) -> bool:
        name = path.rpartition("/")[2]
        return change is not Change.deleted and any(fnmatchcase(name, each) for each in names)

    try:
        async for _ in awatch(
            folder,
            watch_filter=matters,
            step=_STEP_MS,
            stop_event=stop,
            ignore_permission_denied=True,
        ):
            events.happened()
    except (OSError, RuntimeError) as error:
        # Such as the limit of inotify: what is there is found all the same, only later.
        events.why_polls = str(error)
        tell(f"the file system tells of no more changes ({error}): it is looked at now and then")
