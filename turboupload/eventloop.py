"""Runs coroutines from code without an event loop, and checks the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVar

import anyio

from turboupload.errors import ConfigError

__all__ = ["BACKEND_OPTIONS", "require_asyncio", "run_alone"]

BACKEND_OPTIONS = {"use_uvloop": find_spec("uvloop") is not None}
"""Options for anyio: uvloop if it is installed.

uvloop is a dependency, but everything works without it.
"""

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


def run_alone(work: Callable[[], Awaitable[T]], name: str) -> T:
    """Runs a coroutine from code without an event loop.

    Args:
        work: Makes the coroutine.
        name: The public function to await if a loop is running.

    Raises:
        ConfigError: A loop is running in this thread, as in a notebook.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(work, backend_options=BACKEND_OPTIONS)
    raise ConfigError(
        f"{name}_sync can't be called where an event loop is running, as in a notebook",
        hint=f"write: await turboupload.{name}(...)",
    )
