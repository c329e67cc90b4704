"""Work that cancellation doesn't interrupt, and calls that end when their server closes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from turboupload.errors import Stopped

__all__ = ["CallsUnderWay", "beside", "in_thread", "undisturbed"]

T = TypeVar("T")


async def undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """Runs the work to its end; a cancellation in the meantime is raised afterwards.

    An anyio shield stops only anyio's cancellation. `asyncio.timeout` and `Task.cancel` pass
    through it, and would leave a thread running without its caller.
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
            task.exception()  # fetched, so that asyncio doesn't report it as never retrieved
        raise interrupted
    return task.result()


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Runs a function in a thread, and waits for its end even if cancelled."""
    return await undisturbed(anyio.to_thread.run_sync(work, *arguments))


@asynccontextmanager
async def beside(work: Callable[[], T]) -> AsyncIterator[asyncio.Future[T]]:
    """Runs a function in a thread beside the block, which doesn't end before it.

    It begins at once, even if the block keeps the event loop busy.

    Yields:
        Its result; what it raises is raised where that is awaited, and only there.
    """
    # A thread of its own: those of the program's executor may all be busy.
    executor = ThreadPoolExecutor(1)
    begun = asyncio.get_running_loop().run_in_executor(executor, work)
    result = asyncio.shield(begun)
    try:
        yield result
    finally:
        executor.shutdown(wait=False)
        await undisturbed(asyncio.wait([begun, result]))
        if not result.cancelled():
            result.exception()  # fetched, so that asyncio doesn't report it as never retrieved


class CallsUnderWay:
    """The running calls of an object: when the object closes, it cancels them and waits for them.

    Args:
        owner: The object's name, for the error of cancelled calls.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scopes: set[anyio.CancelScope] = set()
        self._ended = anyio.Event()

    def begin(self) -> None:
        """Takes calls from now on, of this event loop."""
        self._loop = asyncio.get_running_loop()

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Makes a call, in any task.

        Raises:
            RuntimeError: It is of another event loop, which would break what this one has.
            Stopped: The object was closed meanwhile.
        """
        if self._loop not in (None, asyncio.get_running_loop()):
            raise RuntimeError(
                f"{self._owner} was entered in another event loop, and serves that alone; each "
                "loop needs one of its own"
            )
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                return await call()
            finally:
                self._scopes.remove(scope)
                self._ended.set()
        raise Stopped(
            f"{self._owner} was closed while this call was running",
            hint="wait for the calls before leaving `async with`; what an upload has sent is kept, "
            "and the same call goes on",
        )

    async def end(self, within_s: float) -> bool:
        """Cancels the calls, and waits for them.

        Args:
            within_s: How long to wait, in seconds.

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
