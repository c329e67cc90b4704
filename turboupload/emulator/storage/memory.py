"""Makes the allocator reuse memory for bodies, instead of returning it after every piece."""

from __future__ import annotations

import ctypes

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_THRESHOLD_BYTES = 64 * 1024 * 1024


def keep_freed_memory() -> None:
    """Tell glibc's allocator to reuse pieces of up to 64 MiB from its own heap.

    Otherwise every piece of a body is mapped, faulted in page by page, and unmapped again, which
    costs a quarter of the throughput of TLS uploads. Does nothing if the C library has no mallopt.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES)
