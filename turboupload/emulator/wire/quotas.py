"""Transactions a second by operation, as token buckets.

Source: https://docs.aws.amazon.com/omics/latest/dev/service-quotas.html (read 2026-11). The allowed
burst is not documented; here it is one second's worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from turboupload.emulator.config import QuotaMode
from turboupload.emulator.errors import throttled

__all__ = ["REAL_TPS", "Quotas"]

REAL_TPS: Mapping[str, float] = {
    "AbortMultipartReadSetUpload": 1,
    "CompleteMultipartReadSetUpload": 1,
    "CreateMultipartReadSetUpload": 1,
    "UploadReadSetPart": 10,
    "ListMultipartReadSetUploads": 5,
    "ListReadSetUploadParts": 5,
    "GetReadSetMetadata": 5,
    "ListReadSets": 5,
    "GetSequenceStore": 5,
    "ListSequenceStores": 5,
    "StartReadSetImportJob": 5,
    "GetReadSetImportJob": 5,
    "ListReadSetImportJobs": 5,
    "TagResource": 5,
    "UntagResource": 5,
    "ListTagsForResource": 5,
    "GetReadSet": 30,
    "CreateSequenceStore": 1,
    "DeleteSequenceStore": 1,
    "UpdateSequenceStore": 1,
    "BatchDeleteReadSet": 1,
}


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
        rates = {**(REAL_TPS if mode == "real" else {}), **tps}
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
