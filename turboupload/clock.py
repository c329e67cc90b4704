"""The clock as an argument: all code above the core that waits or measures takes a `Clock`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

from turboupload.value import Value

__all__ = ["Clock"]


class Clock(Value, frozen=True):
    """The event loop's clock and the wall clock; tests pass their own.

    Attributes:
        now: Seconds on a steady clock.
        sleep: Waits for a number of seconds.
        wall: Seconds since the epoch.
    """

    now: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    wall: Callable[[], float] = time.time
