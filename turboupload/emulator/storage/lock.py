"""Lets one emulator use a root at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["RootBusy", "RootLock"]


class RootBusy(Exception):
    """Another emulator uses this root."""


class RootLock:
    """A lock on a root; the kernel drops it when the process dies.

    Raises:
        RootBusy: Another process holds it.
    """

    def __init__(self, root: Path) -> None:
        path = root / "emulator.lock"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise RootBusy(f"another emulator uses {root}") from None

    def release(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)
