"""Pipes to other processes."""

from __future__ import annotations

import contextlib
import fcntl
from typing import IO

__all__ = ["widen"]

_PIPE_BYTES = 1024 * 1024


def widen(pipe: IO[bytes] | None) -> None:
    """Lets 1 MiB through at once: else it would take a dozen wake-ups of both sides."""
    if pipe is not None and hasattr(fcntl, "F_SETPIPE_SZ"):
        # A user's pipes may be limited together; then this one stays as it is.
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
