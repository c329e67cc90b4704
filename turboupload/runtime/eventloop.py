"""Runs coroutines from code without an event loop, and checks the running loop."""

from __future__ import annotations

import _thread
import asyncio
import functools
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import anyio

from turboupload.errors import ConfigError, Stopped
from turboupload.runtime.exhaustion import used_up

__all__ = ["BACKEND_OPTIONS", "blocking", "require_asyncio", "run_here"]

BACKEND_OPTIONS = {"use_uvloop": find_spec("uvloop") is not None}
"""Options for anyio: uvloop if it is installed.

uvloop is a dependency, but everything works without it.
"""

_LIBUV_THREADS = "UV_THREADPOOL_SIZE"
"""libuv's variable for how many threads look names up; 4 where it isn't set."""

_OURS = 4
"""How many of our own may be running by then: for the journal, for files, for a signal."""

P = ParamSpec("P")
T = TypeVar("T")


def require_asyncio() -> None:
    """Checks that the running event loop is asyncio's or compatible, such as uvloop's.

    Raises:
        ConfigError: It is another one, such as trio's: the AWS client needs asyncio.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "turboupload needs asyncio (or uvloop), and another event loop is running",
            hint="run it with asyncio.run, or call the function that ends in _sync in a thread",
        ) from None


def run_here(work: Callable[[], Awaitable[T]]) -> T:
    """Runs a coroutine in an event loop of its own, of the best kind there is.

    Args:
        work: Makes the coroutine.

    Raises:
        Stopped: This machine gives no threads for it.
    """
    if BACKEND_OPTIONS["use_uvloop"]:
        _require_threads()
    return anyio.run(work, backend_options=BACKEND_OPTIONS)


def _require_threads() -> None:
    """Starts as many threads as there will be when libuv starts its own.

    Where libuv can't start one, it ends the process without a message. A `threading.Thread` waits
    until it runs: one by one, on a busy machine, they take 30 ms instead of 4.
    """
    told = os.environ.get(_LIBUV_THREADS, "")
    end, ended = threading.Event(), threading.Semaphore(0)

    def stay() -> None:
        end.wait()
        ended.release()

    started = 0
    try:
        for _ in range(_OURS + (int(told) if told.isdecimal() else 4)):
            _thread.start_new_thread(stay, ())
            started += 1
    except RuntimeError as error:
        raise Stopped(
            used_up(error) or str(error), hint="once that is solved, run the same again"
        ) from error
    finally:
        end.set()
        for _ in range(started):
            ended.acquire()


def blocking(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """A public function for code without an event loop; its name ends in `_sync`.

    A call of it raises ConfigError where a loop is running in its thread, as in a notebook.

    Args:
        function: The function that is awaited where there is a loop.
    """
    name = function.__name__

    @functools.wraps(function)
    def sync(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run_here(functools.partial(function, *args, **kwargs))
        raise ConfigError(
            f"{name}_sync can't be called where an event loop is running, as in a notebook",
            hint=f"write: await turboupload.{name}(...)",
        )

    sync.__name__ = sync.__qualname__ = f"{name}_sync"
    sync.__doc__ = f"The same as `{name}`, from code without an event loop."
    return sync
