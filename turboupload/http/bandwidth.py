"""The cap on bytes a second, shared by all workers of a transport."""

from __future__ import annotations

import threading
import time

from turboupload.core.rate.pace import TokenBucket

__all__ = ["BandwidthCap"]

BURST_S = 0.1
"""The burst after an idle time, as a fraction of one second's bytes."""


class BandwidthCap:
    """Tells each worker how long to wait before its next bytes; any thread may call it.

    Args:
        bytes_per_s: The cap; None is none.

    Attributes:
        bytes_per_s: The cap now.
        waited_s: The sum of all workers' waits, in seconds.
    """

    def __init__(self, bytes_per_s: int | None) -> None:
        self.bytes_per_s = bytes_per_s
        self._bucket = _bucket(bytes_per_s)
        self._reserved = 0
        self._own = _Reservation()
        self._lock = threading.Lock()
        self.waited_s = 0.0

    def change(self, bytes_per_s: int | None) -> None:
        """Sets another cap, or none; it also holds for bytes that already wait."""
        with self._lock:
            self.bytes_per_s = bytes_per_s
            if self._bucket is None or bytes_per_s is None:
                self._bucket = _bucket(bytes_per_s)
            else:
                burst = bytes_per_s * BURST_S
                self._bucket.change(bytes_per_s, burst=burst, now=time.monotonic())

    def __call__(self, count: int) -> float:
        """Reserves `count` bytes, and returns how long to wait before sending them, in seconds.

        With 0 it returns what is left of the wait for this thread's last reservation.
        """
        with self._lock:
            bucket = self._bucket
            if bucket is None:
                return 0.0
            wait = bucket.reserve(count, time.monotonic())
            self._reserved += count
            if count:
                self._own.end = self._reserved
                self.waited_s += wait
            behind = self._reserved - self._own.end
            return max(0.0, wait - behind / bucket.rate)


class _Reservation(threading.local):
    """Where the thread's own bytes end among all that were reserved."""

    end = 0


def _bucket(bytes_per_s: int | None) -> TokenBucket | None:
    return None if bytes_per_s is None else TokenBucket(bytes_per_s, burst=bytes_per_s * BURST_S)
