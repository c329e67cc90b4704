"""An asyncio event loop whose clock jumps and whose order is drawn; nothing really waits."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import base_events, events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, Protocol

__all__ = ["PROCESS", "Deadlock", "Endless", "Stepping", "VirtualLoop"]


class Stepping(Protocol):
    """Whoever wants to know of each step of its tasks."""

    tasks: dict[asyncio.Task[Any], None]

    def stepped(self) -> None:
        """A callback of one of its tasks has run."""
        ...


PROCESS: ContextVar[Stepping | None] = ContextVar("PROCESS", default=None)
"""The simulated process that a task belongs to."""


class Deadlock(BaseException):
    """Nothing is ready and nothing is timed: everybody waits for ever."""


class Endless(BaseException):
    """A world went on for longer than any should."""


class _Task(asyncio.Task[Any]):
    """A task whose place in a set depends on when it was made, not on where in memory."""

    def __init__(self, number: int, coro: Coroutine[Any, Any, Any], **more: Any) -> None:
        self.number = number
        super().__init__(coro, **more)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(base_events.BaseEventLoop):
    """Runs callbacks in an order that is drawn, and jumps to the next timer when none is ready.

    As asyncio's own loop it runs what is ready in rounds, and what a round makes ready waits for
    the next one. Within a round the order is drawn: no program may rely on it.

    Args:
        draw: Draws a number from 0 up to, but not including, 1; None keeps the order.
        most_steps: So many callbacks are the end of any world.

    Attributes:
        steps: How many callbacks have run.
        broken: Set by whoever finds that it can't go on.
    """

    def __init__(self, draw: Callable[[], float] | None, *, most_steps: int) -> None:
        super().__init__()
        self._now = 0.0
        self._draw = draw
        self._numbers = 0
        self._most_steps = most_steps
        self.steps = 0
        self.broken: BaseException | None = None

    def allow(self, steps: int) -> None:
        """Goes on for so many steps more, whatever was wrong."""
        self._most_steps = self.steps + steps
        self.broken = None

    def time(self) -> float:
        """Seconds since the world began."""
        return self._now

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """A task that is counted, and known to its process."""
        self._numbers += 1
        task = _Task(self._numbers, coro, loop=self, name=name or "task", context=context)
        # Nobody asks for all tasks; those of a thousand worlds would have the same few numbers.
        asyncio.tasks._unregister_task(task)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.tasks[task] = None
        return task

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        scheduled: list[events.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        if not ready:
            while scheduled and scheduled[0]._cancelled:
                heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
            if not scheduled:
                raise Deadlock
            self._now = max(self._now, scheduled[0]._when)  # type: ignore[attr-defined]
            while scheduled and scheduled[0]._when <= self._now:  # type: ignore[attr-defined]
                timer = heapq.heappop(scheduled)
                timer._scheduled = False  # type: ignore[attr-defined]
                ready.append(timer)
        count = len(ready)
        if count == 1:
            batch = [ready.popleft()]
        else:
            batch = list(ready)
            ready.clear()
            if self._draw is not None:
                draw = self._draw
                for last in range(count - 1, 0, -1):
                    other = int(draw() * (last + 1))
                    batch[last], batch[other] = batch[other], batch[last]
        self.steps += count
        if self.broken is not None:
            raise self.broken
        if self.steps > self._most_steps:
            raise Endless(f"more than {self._most_steps:,} steps")
        for handle in batch:
            if handle._cancelled:
                continue
            context = handle._context
            # What a callback raises is a fault of the world, so it isn't caught here.
            context.run(handle._callback, *handle._args)
            process = context.get(PROCESS)
            if process is not None:
                process.stepped()

    def _process_events(self, event_list: Any) -> None:
        """There are none: nothing here has a descriptor."""

    def _write_to_self(self) -> None:
        """Nobody is asleep."""
