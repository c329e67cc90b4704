"""How far a command has read: drawn again on a terminal, a line now and then without one."""

from __future__ import annotations

import sys
import threading
import time

from turboupload.cli.ui.output import say
from turboupload.units import format_rate, format_size

__all__ = ["ReadingProgress"]

LINE_EVERY_S = 10.0
REDRAW_EVERY_S = 0.2


class ReadingProgress:
    """Says on stderr how far the reading is; any thread may call it.

    Args:
        verb: What is being done, such as `verifying`.
        silent: Say nothing.
    """

    def __init__(self, verb: str, *, silent: bool) -> None:
        self._verb = verb
        self._silent = silent
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._every_s = REDRAW_EVERY_S if self._terminal else LINE_EVERY_S
        self._began = self._last = time.monotonic()
        self._drawn = False
        self._saying = threading.Lock()

    def __call__(self, done: int, total: int) -> None:
        """Takes in how many bytes were read, of how many."""
        now = time.monotonic()
        if self._silent or now - self._last < self._every_s:
            return
        if not self._saying.acquire(blocking=False):
            return
        try:
            self._last = now
            share = done / total if total else 1.0
            line = (
                f"{self._verb}: {share:.0%}, {format_size(done)} of {format_size(total)}, "
                f"{format_rate(done / (now - self._began))}"
            )
            if self._terminal:
                self._drawn = True
                say(line, before="\r\x1b[K", end="")
            else:
                say(line)
        finally:
            self._saying.release()

    def end(self) -> None:
        """Takes the line away."""
        if self._drawn:
            self._drawn = False
            say("", before="\r\x1b[K", end="")
