"""The account's quotas: one token bucket for each operation, and the places for parts in flight."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from weakref import WeakValueDictionary

import anyio
from anyio.lowlevel import RunVar

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.rate.pace import NarrowBucket, TokenBucket
from turboupload.core.rate.window import Window
from turboupload.quotas import TRANSACTIONS_PER_S

__all__ = ["Quotas", "Slots", "shared_quotas"]

NARROW = 2.0
"""Up to so many transactions a second, half a second's worth is one."""


class Slots:
    """The places for parts in flight, as many as the window says.

    One per engine: every upload's parts, and the local reads that stand in for parts, take their
    places here, first come first served.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self._limiter = anyio.CapacityLimiter(window.size)

    @property
    def in_use(self) -> int:
        """Places that are taken."""
        return self._limiter.borrowed_tokens

    @property
    def full(self) -> bool:
        """Whether the window is what limits."""
        return self._limiter.borrowed_tokens >= self._limiter.total_tokens

    def resize(self) -> None:
        """Follows the window; places that are taken stay taken until they are given back."""
        if self._limiter.total_tokens != self.window.size:
            self._limiter.total_tokens = self.window.size

    async def __aenter__(self) -> None:
        await self._limiter.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._limiter.release()


class Quotas:
    """Transactions a second, by operation.

    Args:
        transactions_per_s: Quotas that differ from the service's defaults, by operation.
    """

    def __init__(self, transactions_per_s: Mapping[str, float] | None = None) -> None:
        self._rates = {**TRANSACTIONS_PER_S, **(transactions_per_s or {})}
        # Half a second's worth at once: the service's own bucket is not documented, and two
        # bursts that meet at its edge cost a throttled call.
        self._buckets = {
            operation: TokenBucket(rate, burst=rate / 2) if rate > NARROW else NarrowBucket(rate)
            for operation, rate in self._rates.items()
        }
        # One at a time takes its turn there, so that a refusal puts the others off as well.
        self._gates = {
            operation: anyio.Lock() for operation, rate in self._rates.items() if rate <= NARROW
        }

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._rates[operation]

    async def take(self, operation: str, clock: Clock) -> float:
        """Waits for a transaction; returns how long that took, in seconds."""
        async with self._gates.get(operation) or nullcontext():
            wait = self._buckets[operation].reserve(1.0, clock.now())
            if wait > 0:
                await clock.sleep(wait)
        return wait

    def drain(self, operation: str, now: float) -> None:
        """Takes in that the service refused a call because too many had come."""
        self._buckets[operation].drain(now)


_SHARED: RunVar[WeakValueDictionary[object, Quotas]] = RunVar("shared quotas")


def shared_quotas(config: UploadConfig, where: str) -> Quotas:
    """The quotas for all in this event loop that reach the same account and Region.

    Args:
        config: Whose profile and quotas are meant.
        where: The endpoint, or the Region.

    The account is taken for the same where neither the profile nor the access key differs.
    """
    try:
        shared = _SHARED.get()
    except LookupError:
        shared = WeakValueDictionary()
        _SHARED.set(shared)
    account = (config.profile or os.environ.get("AWS_PROFILE"), os.environ.get("AWS_ACCESS_KEY_ID"))
    key = (where, account, frozenset(config.transactions_per_s.items()))
    quotas = shared.get(key)
    if quotas is None:
        quotas = shared[key] = Quotas(config.transactions_per_s)
    return quotas
