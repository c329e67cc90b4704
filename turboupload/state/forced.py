"""Which rows of a forced batch are still to be uploaded anew, over kills and restarts.

`--force` makes another read set of a row that has one. Run again after an interruption, it must not
make a third of the rows that it was done with. So the read set that each row had is written down
before anything of the row is opened: as long as the journal knows the row by that one, it is still
to be done.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
from pathlib import Path

from turboupload.state.folder import hold
from turboupload.state.lock import unusable

__all__ = ["ForcedRows"]


class ForcedRows:
    """The rows of a forced batch; any number of processes may work on them.

    Decide about a row only while holding its upload's lock.

    Args:
        path: The file, in the state folder; it is there for as long as the batch isn't done.

    Attributes:
        done: Whether nothing is left to do.

    Raises:
        ConfigError: It can't be opened.
    """

    done = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = hold(path, shared=True)
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
        self._alone = threading.Lock()
        self._before: dict[str, str] = {}
        self._read = 0
        self._tail = b""
        try:
            self._catch_up()
        except OSError as error:
            os.close(self._descriptor)
            raise unusable(path.parent, error) from error

    def decide(self, key: str, finished: str | None) -> bool:
        """Whether to upload a row anew; durable when it returns. Blocking.

        Args:
            key: The upload's key in the journal.
            finished: The read set that the journal has of it; None if there is none.

        Raises:
            ConfigError: The file can't be read or written.
        """
        return self._decide(key, finished, remember=True)

    def would(self, key: str, finished: str | None) -> bool:
        """As `decide`, without remembering it."""
        return self._decide(key, finished, remember=False)

    def _decide(self, key: str, finished: str | None, *, remember: bool) -> bool:
        had = finished or ""
        with self._alone:
            try:
                if key not in self._before:
                    self._catch_up()
                if key not in self._before and remember:
                    self._write(key, had)
            except OSError as error:
                raise unusable(self._path.parent, error) from error
            return self._before.get(key, had) == had

    def _write(self, key: str, had: str) -> None:
        # A line break before it, too: a line that a crash tore spoils no other.
        line = f"\n{json.dumps([key, had])}\n".encode()
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._descriptor)
        self._before[key] = had

    def _catch_up(self) -> None:
        """Reads what another process, or an earlier run, has written down; a torn line is none."""
        while piece := os.pread(self._descriptor, 1 << 20, self._read):
            self._read += len(piece)
            *lines, self._tail = (self._tail + piece).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError):
                    key, had = json.loads(line)
                    self._before.setdefault(key, had)

    def close(self) -> None:
        """Ends the work on it; where all is done, the next forced batch begins anew.

        Unless another process is still at work on this one.
        """
        if self.done or not self._before:
            with contextlib.suppress(OSError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
