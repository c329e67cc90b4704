"""An asyncio event loop whose clock jumps and whose order is drawn; nothing really waits."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import base_events, events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
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


class _Handle(events.Handle):
    """A callback that is ready; as asyncio's own, without what is only for debugging."""

    def __init__(
        self,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._cancelled = False
        self._callback = callback
        self._args = arguments
        self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True


class _Timer(events.TimerHandle):
    """A callback at a time, likewise."""

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        arguments: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._cancelled = False
        self._callback = callback
        self._args = arguments
        self._source_traceback = None
        self._when = when
        self._scheduled = True

    def cancel(self) -> None:
        self._cancelled = True


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
        self._timers: list[tuple[float, int, _Timer]] = []
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

    def get_debug(self) -> bool:
        """Never; it is asked for with every callback."""
        return False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.Handle:
        """In the next round."""
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> events.TimerHandle:
        """When the clock has come to that moment."""
        timer = _Timer(when, callback, args, self, context)
        self._numbers += 1
        # In the order in which they were set, where they are for the same moment.
        heapq.heappush(self._timers, (when, self._numbers, timer))
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> events.TimerHandle:
        """After so many seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

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
        if not ready:
            timers = self._timers
            while timers and timers[0][2]._cancelled:
                heapq.heappop(timers)
            if not timers:
                raise Deadlock
            now = self._now = max(self._now, timers[0][0])
            while timers and timers[0][0] <= now:
                ready.append(heapq.heappop(timers)[2])
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
