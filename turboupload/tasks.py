"""Work that is carried to its end whoever cancels, and calls that end with whoever serves them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from turboupload.errors import Stopped

__all__ = ["CallsUnderWay", "in_thread", "undisturbed"]

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


class CallsUnderWay:
    """The calls that something serves: when it is left, they are cancelled and waited for.

    Args:
        whose: Who serves them, for the error of those that are cancelled.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._scopes: set[anyio.CancelScope] = set()
        self._ended = anyio.Event()

    async def carry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call, in whichever task.

        Raises:
            Stopped: Who serves it was left meanwhile.
        """
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                return await call()
            finally:
                self._scopes.remove(scope)
                self._ended.set()
        raise Stopped(
            f"{self._whose} was left while this call was under way",
            hint="wait for the calls before leaving `async with`; what an upload has sent is kept, "
            "and the same call goes on",
        )

    async def end(self, within_s: float) -> bool:
        """Cancels the calls, and waits for them.

        Args:
            within_s: How long, in seconds.

        Returns:
            Whether all have ended.
        """
        for scope in self._scopes:
            scope.cancel()
        with anyio.move_on_after(within_s):
            while self._scopes:
                self._ended = anyio.Event()
                await self._ended.wait()
        return not self._scopes
