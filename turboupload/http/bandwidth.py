"""The cap on bytes a second, kept by all of the transport's workers together."""

from __future__ import annotations

import threading
import time

from turboupload.core.rate.pace import TokenBucket

__all__ = ["BandwidthCap"]

BURST_S = 0.1
"""How much of a second's bytes may go out at once after a rest."""


class BandwidthCap:
    """Says to each worker how long to wait before its next bytes; any thread may ask.

    Args:
        bytes_per_s: The cap.

    Attributes:
        waited_s: How long the workers have waited in all, in seconds.
    """

    def __init__(self, bytes_per_s: int) -> None:
        self._bucket = TokenBucket(bytes_per_s, burst=bytes_per_s * BURST_S)
        self._lock = threading.Lock()
        self.waited_s = 0.0

    def __call__(self, count: int) -> float:
        """Takes `count` bytes' turn and returns how long to wait for it, in seconds."""
        with self._lock:
            wait = self._bucket.reserve(count, time.monotonic())
            self.waited_s += wait
            return wait
