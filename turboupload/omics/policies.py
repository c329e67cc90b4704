"""The same Protocol around another: limited inside, retrying outside.

A call that waits to be retried holds no slot and no transaction. What is done around a call is a
policy; `Guarded` puts every call of a service through its policies, the first one outermost.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import anyio

from turboupload.clock import Clock
from turboupload.core.limits import TRANSACTIONS_PER_S
from turboupload.core.model import (
    FileType,
    ListedPart,
    OpenUpload,
    Part,
    PartSource,
    ReadSet,
    ReadSetRecord,
)
from turboupload.core.rate.pace import NarrowBucket, TokenBucket
from turboupload.core.rate.retry import FIRST_CONTACT_S, backoff, is_throttling, may_retry
from turboupload.core.rate.window import Window
from turboupload.errors import CallFailed, LinkFailed
from turboupload.http.body import OpenBody
from turboupload.omics.base import Among, Page, ReadSetService, UploadRef

__all__ = ["Contact", "Guarded", "Limit", "Observe", "Policy", "Retry", "Slots", "through"]

T = TypeVar("T")

CREATE = "CreateMultipartReadSetUpload"
COMPLETE = "CompleteMultipartReadSetUpload"
SEND_PART = "UploadReadSetPart"

NARROW = 2.0
"""Up to so many transactions a second, half a second's worth is one."""


class Policy(Protocol):
    """What is done around one call."""

    async def __call__(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Carries the attempt out, once or more often, and returns its result."""
        ...


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


class Limit:
    """Keeps to the quotas, and parts to the window.

    Args:
        slots: The places for parts in flight.
        clock: The time.
        transactions_per_s: Quotas that differ from the service's defaults, by operation.

    Attributes:
        quota_wait_s: How long parts have waited for their transaction, in seconds in all.
    """

    def __init__(
        self,
        slots: Slots,
        clock: Clock,
        *,
        transactions_per_s: Mapping[str, float] | None = None,
    ) -> None:
        self._slots = slots
        self._clock = clock
        rates = {**TRANSACTIONS_PER_S, **(transactions_per_s or {})}
        # Half a second's worth at once: the service's own bucket is not documented, and two
        # bursts that meet at its edge cost a throttled call.
        self._buckets = {
            operation: TokenBucket(rate, burst=rate / 2) if rate > NARROW else NarrowBucket(rate)
            for operation, rate in rates.items()
        }
        # One at a time takes its turn there, so that a refusal puts the others off as well.
        self._gates = {
            operation: anyio.Lock() for operation, rate in rates.items() if rate <= NARROW
        }
        self._rates = rates
        self.quota_wait_s = 0.0

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._rates[operation]

    async def __call__(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Waits for a place and a transaction, then makes the call."""
        if operation != SEND_PART:
            return await self._in_turn(operation, attempt)
        # The place first: a transaction that waited for a place would be spent in a burst.
        async with self._slots:
            return await self._in_turn(operation, attempt)

    async def _in_turn(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        bucket = self._buckets[operation]
        async with self._gates.get(operation) or nullcontext():
            wait = bucket.reserve(1.0, self._clock.now())
            if wait > 0:
                if operation == SEND_PART:
                    self.quota_wait_s += wait
                await self._clock.sleep(wait)
        try:
            return await attempt()
        except CallFailed as failure:
            if is_throttling(failure):
                bucket.drain(self._clock.now())
                if operation == SEND_PART:
                    self._slots.window.throttled(self._clock.now())
                    self._slots.resize()
            raise


class Observe:
    """Tells of every attempt, how long it took and how it ended; the innermost policy.

    Args:
        clock: The time.
        on_call: Given the operation, seconds, and `ok`, the error's name or where the link broke.
    """

    def __init__(self, clock: Clock, on_call: Callable[[str, float, str], None]) -> None:
        self._clock = clock
        self._on_call = on_call

    async def __call__(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Makes the attempt and tells of it."""
        began = self._clock.now()
        outcome = "cancelled"
        try:
            result = await attempt()
            outcome = "ok"
        except CallFailed as failure:
            outcome = failure.code or str(failure.status)
            raise
        except LinkFailed as failure:
            outcome = failure.fault
            raise
        finally:
            self._on_call(operation, self._clock.now() - began, outcome)
        return result


@dataclass(slots=True)
class Contact:
    """Whether the service has answered anything in this process."""

    made: bool = False


class Retry:
    """Makes a call again while that can help.

    The last failure is raised as it came, with the time that went into it. A Complete whose answer
    is not known is not made again here, nor is a Create that isn't answered: they may have been
    carried out, and whoever called them looks.

    Args:
        contact: Shared by all uploads of an engine.
        clock: The time.
        give_up_after_s: How long a call may fail over all its tries, in seconds.
        on_retry: Told of every failure that will be tried again, with the pause in seconds.
        jitter: Draws a number between 0 and 1.
    """

    def __init__(
        self,
        contact: Contact,
        clock: Clock,
        *,
        give_up_after_s: float,
        on_retry: Callable[[CallFailed | LinkFailed, float], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._contact = contact
        self._clock = clock
        self._give_up_after_s = give_up_after_s
        self._on_retry = on_retry
        self._jitter = jitter

    async def __call__(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Makes the call, and again while it fails in a way that may pass."""
        tries = 0
        failing_since: float | None = None
        while True:
            try:
                result = await attempt()
            except (CallFailed, LinkFailed) as failure:
                self._contact.made |= isinstance(failure, CallFailed)
                now = self._clock.now()
                failing_since = now if failing_since is None else failing_since
                failure.failing_for_s = now - failing_since
                if not self._again(operation, failure):
                    raise
                tries += 1
                answered = isinstance(failure, CallFailed)
                pause = backoff(tries, jitter=self._jitter(), answered=answered)
                self._on_retry(failure, pause)
                await self._clock.sleep(pause)
            else:
                self._contact.made = True
                return result

    def _again(self, operation: str, failure: CallFailed | LinkFailed) -> bool:
        if not may_retry(failure):
            return False
        if operation == COMPLETE and not is_throttling(failure):
            return False
        if operation == CREATE and isinstance(failure, LinkFailed) and failure.fault == "stalled":
            # It may have opened an upload that the list of open ones shows.
            return False
        budget = self._give_up_after_s
        if not self._contact.made:
            budget = min(budget, FIRST_CONTACT_S)
        return failure.failing_for_s < budget


async def through(
    policies: Sequence[Policy], operation: str, attempt: Callable[[], Awaitable[T]]
) -> T:
    """Makes a call through policies.

    Args:
        policies: The first is the outermost.
        operation: The API's name for it.
        attempt: The call itself.
    """
    for policy in reversed(policies):
        attempt = _around(policy, operation, attempt)
    return await attempt()


class Guarded:
    """A service whose every call goes through policies.

    Args:
        inner: What carries the calls out.
        policies: The first is the outermost.
    """

    def __init__(self, inner: ReadSetService, policies: Sequence[Policy]) -> None:
        self._inner = inner
        self._policies = tuple(policies)

    async def _run(self, operation: str, attempt: Callable[[], Awaitable[T]]) -> T:
        return await through(self._policies, operation, attempt)

    async def create_upload(
        self, store_id: str, read_set: ReadSet, file_type: FileType, token: str
    ) -> str:
        """See `ReadSetService`."""
        return await self._run(
            CREATE,
            lambda: self._inner.create_upload(store_id, read_set, file_type, token),
        )

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        """See `ReadSetService`."""
        return await self._run(
            SEND_PART, lambda: self._inner.send_part(upload, part, open_body, on_bytes)
        )

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[ListedPart]:
        """See `ReadSetService`."""
        return await self._run(
            "ListReadSetUploadParts", lambda: self._inner.list_parts(upload, source, token)
        )

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[OpenUpload]:
        """See `ReadSetService`."""
        return await self._run(
            "ListMultipartReadSetUploads", lambda: self._inner.list_uploads(store_id, token)
        )

    async def complete_upload(self, upload: UploadRef, parts: tuple[ListedPart, ...]) -> str:
        """See `ReadSetService`."""
        return await self._run(COMPLETE, lambda: self._inner.complete_upload(upload, parts))

    async def abort_upload(self, upload: UploadRef) -> None:
        """See `ReadSetService`."""
        await self._run("AbortMultipartReadSetUpload", lambda: self._inner.abort_upload(upload))

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetRecord:
        """See `ReadSetService`."""
        return await self._run(
            "GetReadSetMetadata", lambda: self._inner.get_read_set(store_id, read_set_id)
        )

    async def find_read_sets(
        self, store_id: str, read_set: ReadSet, token: str | None = None
    ) -> Page[ReadSetRecord]:
        """See `ReadSetService`."""
        return await self._run(
            "ListReadSets", lambda: self._inner.find_read_sets(store_id, read_set, token)
        )

    async def all_read_sets(
        self, store_id: str, among: Among, token: str | None = None
    ) -> Page[ReadSetRecord]:
        """See `ReadSetService`."""
        return await self._run(
            "ListReadSets", lambda: self._inner.all_read_sets(store_id, among, token)
        )


def _around(
    policy: Policy, operation: str, attempt: Callable[[], Awaitable[Any]]
) -> Callable[[], Awaitable[Any]]:
    return lambda: policy(operation, attempt)
