"""Runs a coroutine as a command: uvloop, and signals that end it cleanly and in time."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, Self, TypeVar

from turboupload.cli.ui.errors import INTERRUPTED
from turboupload.runtime.eventloop import run_here

__all__ = ["CLEAN_UP_S", "Interrupted", "Signals", "interrupt_on_sigterm"]

T = TypeVar("T")

CLEAN_UP_S: Final = 1.0
"""How long cleaning up after a signal may take by default, in seconds; a thread that hangs on a
dead disk must not hold the user."""

FAREWELL_S: Final = 0.6
"""How long the last words may take then, in seconds: their reader may hang, too."""

_SHOW_CURSOR = b"\x1b[?25h\n"

_HANGUP: Final = getattr(signal, "SIGHUP", None)
_ENDING: Final = tuple(
    each for each in (signal.SIGINT, signal.SIGTERM, _HANGUP) if each is not None
)


class Interrupted(KeyboardInterrupt):
    """The user, or the system, asked us to stop (SIGINT, SIGTERM, SIGHUP)."""


class Signals:
    """While the context lasts, the first SIGINT, SIGTERM or SIGHUP interrupts, the second leaves.

    SIGHUP comes when a terminal goes away; under `nohup` it is ignored, and stays so. An interrupt
    cancels what `run` runs; outside of `run` it raises `Interrupted`, so that it works while
    modules are being imported as well. Where cleaning up takes too long, the last words are said
    from another thread and the process ends.

    Args:
        last_words: Says what a user must know before the process ends early.
        clean_up_s: How long cleaning up after a signal may take, in seconds.

    Attributes:
        caught: Whether a signal has interrupted; one that comes after `finish` doesn't.
    """

    def __init__(self, last_words: Callable[[], object], *, clean_up_s: float = CLEAN_UP_S) -> None:
        self._last_words = last_words
        self._clean_up_s = clean_up_s
        self._cancel: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}
        self._done = False
        self._came = False
        self.caught = False

    def __enter__(self) -> Self:
        for number in _ENDING:
            if number != _HANGUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._catch)
        return self

    def finish(self) -> None:
        """Lets no signal interrupt any more: how the command ends is decided, and being told."""
        self._done = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.caught or self._done:
            # While threads end, a second signal still leaves at once; while the interpreter closes
            # down, which puts back the system's handlers, none changes how the command ended.
            atexit.register(_ignore_signals)
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            _leave()
        self._came = True
        if self._done:
            return
        self.caught = True
        # Where no more threads can be started, the signal counts all the same.
        with suppress(RuntimeError, MemoryError):
            threading.Thread(target=self._leave_in_time, name="watchdog", daemon=True).start()
        if self._cancel is None:
            raise Interrupted
        self._cancel()

    def _leave_in_time(self) -> None:
        time.sleep(self._clean_up_s)
        farewell = threading.Thread(target=self._last_words, daemon=True)
        farewell.start()
        farewell.join(FAREWELL_S)
        _leave()

    def run(self, command: Callable[[], Awaitable[T]]) -> T:
        """Runs a coroutine to its end, or to the first signal.

        Raises:
            Interrupted: A signal ended it.
        """
        return run_here(lambda: self._run(command))

    async def _run(self, command: Callable[[], Awaitable[T]]) -> T:
        import asyncio

        import anyio

        with anyio.CancelScope() as scope:
            loop = asyncio.get_running_loop()
            self._cancel = lambda: loop.call_soon_threadsafe(scope.cancel)
            try:
                result = await command()
                # From here on a signal comes too late to interrupt anything.
                self.finish()
                return result
            finally:
                self._cancel = None
        raise Interrupted


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def _leave() -> None:
    """Ends the process without waiting for anything."""
    if os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    os._exit(INTERRUPTED)


def interrupt_on_sigterm() -> None:
    """From now on SIGTERM does what Ctrl-C does, so that what was started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
