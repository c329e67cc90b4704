"""A process of a world: one run of a command, from its start to its end or to its death."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from types import coroutine
from typing import Any, TypeVar

import anyio

from tests.simulation.disk import Machine, SimulatedJournal
from tests.simulation.loop import PROCESS
from turboupload.engine.proving.receipts import Receipts

__all__ = [
    "NOBODY", "Died", "Outcome", "Process", "draws_from", "forget_frames", "threaded", "turn",
    "undisturbed",
]  # fmt: skip

T = TypeVar("T")


class Died(BaseException):
    """The process that would do this is no more."""


@dataclass(slots=True)
class Outcome:
    """How one run of a command ended.

    Attributes:
        code: The exit code; None where it was killed.
        error: What it ended with, if so.
        results: What it said of read sets, by the number of the ask.
        words: What it said of a batch's rows.
        advice: What it said to do next.
    """

    code: int | None
    error: BaseException | None = None
    results: dict[int, str] = field(default_factory=dict)
    proven: bool = False
    words: str = ""
    advice: str = ""

    def __str__(self) -> str:
        if self.code is None:
            return "was killed"
        said = f"exit {self.code}"
        if self.results:
            said += f" {self.results}"
        if self.error is not None:
            said += f" {type(self.error).__name__}: {self.error}"
        return said + (f" {self.words}" if self.words else "")


class Process:
    """One run of a command, from its start to its end, or to its death."""

    __slots__ = (
        "dead", "die_at", "host", "interrupt_at", "machine", "on_death", "part_rows",
        "parts_sent", "run", "scope", "started", "steps", "tasks",
    )  # fmt: skip

    def __init__(
        self, host: int, run: int, machine: Machine, on_death: Callable[[Process, str], None]
    ) -> None:
        self.host = host
        self.run = run
        self.machine = machine
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.dead = False
        self.steps = 0
        self.die_at = -1
        self.interrupt_at = -1
        self.started = machine.now()
        self.on_death = on_death
        self.scope: anyio.CancelScope | None = None
        self.parts_sent = 0
        self.part_rows = 0

    def __str__(self) -> str:
        return f"host {self.host}.{self.run}" if self.host >= 0 else "janitor"

    def stepped(self) -> None:
        """It has come to the step at which it dies, or is interrupted."""
        if self.steps == self.die_at:
            self.kill("at a step")
        elif self.steps == self.interrupt_at and self.scope is not None:
            self.on_death(self, "is interrupted")
            self.scope.cancel()

    def kill(self, why: str) -> None:
        """It is gone, at this very moment; what it asked of others goes on."""
        if self.dead:
            return
        self.dead = True
        self.on_death(self, f"is killed {why}")
        self.machine.disk.free(self)
        self.reap()

    def reap(self) -> None:
        """Cancels what is left of it, until nothing is; it can't do anything any more."""
        left = [task for task in self.tasks if not task.done()]
        for task in left:
            # One that was not started holds what it was to run, which would never be awaited.
            if inspect.getcoroutinestate(task.get_coro()) != inspect.CORO_CREATED:  # type: ignore[arg-type]
                task.cancel()
        if left:
            left[0].get_loop().call_soon(self.reap, context=NOBODY)

    @property
    def ended(self) -> bool:
        """Whether nothing is left of it."""
        return all(task.done() for task in self.tasks)


NOBODY = copy_context()
"""For what is nobody's own doing."""


def forget_frames(error: BaseException | None) -> None:
    """Lets go of all that was going on where an error came from: nobody reads that."""
    seen: set[int] = set()
    left = [error]
    while left:
        each = left.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.__traceback__ = None
        left += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions


@coroutine
def turn() -> Generator[None, None, None]:
    """Lets others run."""
    yield


class _Chance:
    """Where whether a thread takes long is drawn, by the world that is playing."""

    draw: Callable[[], float]


WRITERS = (SimulatedJournal, Receipts)
READ = frozenset({"load", "tail"})
"""Whose methods leave something behind, and which of them don't."""

LONG = 0.06
LONG_TURNS = 6
"""How often others have so many turns while somebody writes, and not one."""


def draws_from(draw: Callable[[], float]) -> None:
    """From now on, how long a thread takes is drawn so: a number from 0 to 1."""
    _Chance.draw = draw


async def threaded(function: Callable[..., T], arguments: tuple[Any, ...], abandon: bool) -> T:
    """Does what a thread would do; its process may die before it and after it."""
    process = PROCESS.get()
    assert isinstance(process, Process)
    whose = getattr(function, "__self__", None)
    if not isinstance(whose, WRITERS) or function.__name__ in READ:
        # It leaves nothing behind, so there is no "after it" to die at.
        await turn()
        if process.dead:
            raise Died
        return function(*arguments)
    assert not abandon  # it is within `undisturbed`, which shields it, too
    await turn()
    if process.dead:
        raise Died
    result = function(*arguments)
    for _ in range(LONG_TURNS if _Chance.draw() < LONG else 1):
        await turn()
    return result


async def undisturbed(work: Coroutine[Any, Any, T]) -> T:
    """As `turboupload.runtime.tasks.undisturbed`, with its contract, in the task that waits.

    There the work has a task of its own, and that took a quarter of a world's steps.
    """
    process = PROCESS.get()
    assert isinstance(process, Process)
    with anyio.CancelScope(shield=True):
        result = await _drive(work, process)
    return result  # noqa: RET504 - mypy takes it that the scope may swallow an error


@coroutine
def _drive(work: Coroutine[Any, Any, T], process: Process) -> Generator[Any, None, T]:
    """Runs the work to its end; a cancellation in the meantime is raised afterwards.

    Of a process that is dead, the work is cancelled, too.
    """
    interrupted: asyncio.CancelledError | None = None
    waited: Any = None
    while True:
        try:
            if interrupted is not None and process.dead:
                waited = work.throw(interrupted)
            else:
                waited = work.send(None)
        except StopIteration as end:
            if interrupted is not None:
                raise interrupted from None
            result: T = end.value
            return result
        except BaseException:
            if interrupted is not None:
                raise interrupted from None
            raise
        if waited is None:
            try:
                yield
            except asyncio.CancelledError as error:
                interrupted = error
            continue
        waited._asyncio_future_blocking = False
        while not waited.done():
            # A cancellation of the task cancels what it waits for, which is the work's own.
            ended = waited.get_loop().create_future()
            waited.add_done_callback(partial(_end, ended))
            try:
                yield from ended
            except asyncio.CancelledError as error:
                interrupted = error
                if process.dead:
                    waited.cancel()


def _end(ended: asyncio.Future[None], _: object) -> None:
    if not ended.done():
        ended.set_result(None)
