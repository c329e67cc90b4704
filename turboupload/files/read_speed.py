"""How fast a file is read from its disk."""

from __future__ import annotations

import os
import time

from turboupload.paths import unreadable
from turboupload.units import KIB, MIB

__all__ = ["read_bytes_per_s"]

CHUNK_BYTES = 512 * KIB
"""As an upload reads."""

LEAST_BYTES = 4 * MIB
"""Reading less gives no measure."""

MOST_BYTES = 256 * MIB


def read_bytes_per_s(path: str, seconds: float) -> float | None:
    """How many bytes a second one reader gets from the middle of a file; blocking.

    The pages that are read are dropped from the system's cache first, which costs nobody more than
    to read them again: else it is the memory that would be measured. Where the system can't do
    that, it is.

    Args:
        path: The file.
        seconds: How long to read, at the most.

    Returns:
        None where the file is too small to tell.

    Raises:
        InputError: It can't be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _measured(descriptor, seconds)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(path, error) from error


def _measured(descriptor: int, seconds: float) -> float | None:
    size = os.fstat(descriptor).st_size
    wanted = min(size, MOST_BYTES)
    if wanted < LEAST_BYTES:
        return None
    offset = (size - wanted) // 2
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, offset, wanted, os.POSIX_FADV_DONTNEED)
    buffer = bytearray(CHUNK_BYTES)
    done, began = 0, time.perf_counter()
    while done < wanted and time.perf_counter() - began < seconds:
        count = os.preadv(descriptor, [buffer], offset + done)
        if count == 0:
            break
        done += count
    took = time.perf_counter() - began
    return done / took if done and took > 0 else None
