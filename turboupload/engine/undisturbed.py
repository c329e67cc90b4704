"""What must not be left half-way: it is carried to its end, whoever cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import anyio.to_thread

__all__ = ["in_thread", "undisturbed"]

T = TypeVar("T")


async def undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Carries the work to its end; a cancellation that came meanwhile is raised then.

    A shield of anyio keeps off only what anyio cancels. `asyncio.timeout` and `Task.cancel` go
    through it, and would leave a thread at work for somebody who has gone.
    """
    task = asyncio.ensure_future(work)
    interrupted: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                interrupted = error
    if interrupted is not None:
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio doesn't complain of one that nobody saw
        raise interrupted
    return task.result()


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Calls it in a thread, undisturbed."""
    return await undisturbed(anyio.to_thread.run_sync(work, *arguments))
