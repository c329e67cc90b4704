"""Adds up the progress of files that are read at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Meter", "ProgressCallback"]

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes to read, of all files together."""


class CheckStopped(Exception):
    """Another thread stopped the check."""


class Meter:
    """Adds up what several threads have read.

    The callback is called by the reading threads, one call at a time. An exception that it raises
    ends the check, so a caller can cancel.

    Attributes:
        stopped: Whether the check is to end.
    """

    def __init__(self, total_bytes: int, callback: ProgressCallback | None) -> None:
        self._total = total_bytes
        self._callback = callback
        self._done = 0
        self._lock = threading.Lock()
        self.stopped = False

    def stop(self) -> None:
        """Ends every check that adds to it, at its next step."""
        self.stopped = True

    def add(self, count_bytes: int) -> None:
        """Adds bytes that were read.

        Raises:
            CheckStopped: `stop` was called.
        """
        if self.stopped:
            raise CheckStopped
        if self._callback is None or count_bytes <= 0:
            return
        with self._lock:
            self._done += count_bytes
            self._callback(self._done, self._total)
