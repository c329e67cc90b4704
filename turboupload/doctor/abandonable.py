"""Blocking work in a thread that can be abandoned: a dead disk can hold it for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

__all__ = ["in_abandonable_thread"]

T = TypeVar("T")


async def in_abandonable_thread(work: Callable[[], T], within_s: float) -> T:
    """Runs a function in a thread of its own, which may outlive us.

    Args:
        work: The function.
        within_s: How long to wait for it, in seconds.

    Raises:
        TimeoutError: It did not end in time.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def resolve(set_it: Callable[[], None]) -> None:
        if not ended.done():
            set_it()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # raised again where it is awaited
            failure = error
            tell = lambda: resolve(lambda: ended.set_exception(failure))  # noqa: E731
        else:
            tell = lambda: resolve(lambda: ended.set_result(result))  # noqa: E731
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(tell)

    Thread(target=run, name="turboupload-doctor", daemon=True).start()
    async with asyncio.timeout(within_s):
        return await ended
