"""An asyncio event loop whose clock jumps and whose order is drawn; nothing really waits."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import base_events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol

__all__ = ["PROCESS", "Deadlock", "Endless", "Stepping", "VirtualLoop"]


class Stepping(Protocol):
    """Whoever wants to know of each step of its tasks."""

    tasks: dict[asyncio.Task[Any], None]
    steps: int
    die_at: int
    interrupt_at: int

    def stepped(self) -> None:
        """It has come to the step at which it dies, or is interrupted."""
        ...


PROCESS: ContextVar[Stepping | None] = ContextVar("PROCESS", default=None)
"""The simulated process that a task belongs to."""


class Deadlock(BaseException):
    """Nothing is ready and nothing is timed: everybody waits for ever."""


class Endless(BaseException):
    """A world went on for longer than any should."""


class _Task(asyncio.Task[Any]):
    """A task whose place in a set depends on when it was made, not on where in memory."""

    number = 0

    def __hash__(self) -> int:
        return self.number

    def __repr__(self) -> str:
        # asyncio's own looks at the stack, and anyio asks for it with every cancellation.
        return f"task {self.number}"


class _Handle(list[Any]):
    """A callback that is ready or timed, its arguments, and its context.

    A list, since it is made without any code in Python: there are hundreds in each world.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """It won't be called."""
        self[0] = None


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
        self._ready: list[_Handle] = []
        self._timers: list[tuple[float, int, _Handle]] = []
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

    get_debug = bool
    """Never; it is asked for with every callback and every future."""

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> _Handle:
        """In the next round."""
        handle = _Handle((callback, args, copy_context() if context is None else context))
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
        """When the clock has come to that moment."""
        handle = _Handle((callback, args, copy_context() if context is None else context))
        self._numbers += 1
        # In the order in which they were set, where they are for the same moment.
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> _Handle:
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
        task = _Task(coro, loop=self, name=name or "task", context=context)
        self._numbers = task.number = self._numbers + 1
        # Nobody asks for all tasks; those of a thousand worlds would have the same few numbers.
        asyncio.tasks._unregister_task(task)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.tasks[task] = None
        return task

    def _run_once(self) -> None:
        """Rounds until the loop is stopped, without going back to the one who asks for each."""
        draw, timers, steps = self._draw, self._timers, self.steps
        pop, process_of = heapq.heappop, PROCESS
        while not self._stopping:  # type: ignore[attr-defined]
            batch = self._ready
            self._ready = []
            if not batch:
                while timers and timers[0][2][0] is None:
                    pop(timers)
                if not timers:
                    raise Deadlock
                now = self._now = max(self._now, timers[0][0])
                while timers and timers[0][0] <= now:
                    batch.append(pop(timers)[2])
            count = len(batch)
            if count > 1 and draw is not None:
                for last in range(count - 1, 0, -1):
                    other = int(draw() * (last + 1))
                    batch[last], batch[other] = batch[other], batch[last]
            self.steps = steps = steps + count
            if self.broken is not None:
                raise self.broken
            if steps > self._most_steps:
                raise Endless(f"more than {self._most_steps:,} steps")
            for callback, args, context in batch:
                # One that is called after another of its round may be cancelled by that one.
                if callback is None:
                    continue
                # What a callback raises is a fault of the world, so it isn't caught here.
                context.run(callback, *args)
                process = context.get(process_of)
                if process is not None:
                    process.steps = so_many = process.steps + 1
                    if so_many == process.die_at or so_many == process.interrupt_at:
                        process.stepped()

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        """Nobody asks which asynchronous generators there are."""

    def _process_events(self, event_list: Any) -> None:
        """There are none: nothing here has a descriptor."""

    def _write_to_self(self) -> None:
        """Nobody is asleep."""
