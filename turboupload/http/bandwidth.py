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
        bytes_per_s: The cap.

    Attributes:
        waited_s: The sum of all workers' waits, in seconds.
    """

    def __init__(self, bytes_per_s: int) -> None:
        self._bucket = TokenBucket(bytes_per_s, burst=bytes_per_s * BURST_S)
        self._lock = threading.Lock()
        self.waited_s = 0.0

    def __call__(self, count: int) -> float:
        """Reserves `count` bytes, and returns how long to wait before sending them, in seconds."""
        with self._lock:
            wait = self._bucket.reserve(count, time.monotonic())
            self.waited_s += wait
            return wait
