"""Transactions a second by operation, as token buckets.

The allowed burst is not documented; here it is one second's worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turboupload.emulator.config import QuotaMode
from turboupload.emulator.errors import throttled
from turboupload.emulator.operations.service import OPERATIONS

__all__ = ["Quotas"]


class _Bucket:
    """Refills at `rate` tokens a second up to `rate` tokens, and at least one."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._capacity = max(rate, 1.0)
        self._tokens = self._capacity
        self._filled_at = now

    def take(self, now: float) -> bool:
        refill = max(now - self._filled_at, 0.0) * self._rate
        self._tokens = min(self._capacity, self._tokens + refill)
        self._filled_at = now
        # Slightly below one counts as one: rounding must not cost a transaction.
        if self._tokens < 1 - 1e-9:
            return False
        self._tokens -= 1
        return True


class Quotas:
    """The buckets of one account in one Region.

    Arguments:
        mode: `real` for the documented rates, `off` for none.
        tps: Rates by operation; overrides the mode.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self, *, mode: QuotaMode, tps: Mapping[str, float], clock: Callable[[], float]
    ) -> None:
        real = {name: each.per_s for name, each in OPERATIONS.items()} if mode == "real" else {}
        rates = {**real, **tps}
        self._clock = clock
        self._buckets = {name: _Bucket(rate, clock()) for name, rate in rates.items()}

    def take(self, operation: str) -> None:
        """Count one transaction.

        Raises:
            ServiceError: ThrottlingException if none is left.
        """
        bucket = self._buckets.get(operation)
        if bucket is not None and not bucket.take(self._clock()):
            raise throttled()
