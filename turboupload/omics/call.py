"""One call: its place in the window, its transaction, its attempts, and its notices."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Final, TypeVar

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.notices import Calling, Notice, Remark, Retrying
from turboupload.core.rate import retry
from turboupload.core.rate.refusals import Refusals
from turboupload.core.rate.retry import FIRST_CONTACT_S, backoff, is_throttling, may_retry
from turboupload.errors import CallFailed, LinkFailed, ServiceRefused, TurbouploadError
from turboupload.omics.base import NOT_FOUND, Call
from turboupload.omics.quotas import FIRST, Quotas, Rank, Slots
from turboupload.operations import CREATE_UPLOAD, SEND_PART, Operation
from turboupload.value import Value

__all__ = ["QUOTA_LOWER", "QUOTA_UNSHARED", "Caller"]

QUOTA_LOWER: Final = "quota-lower"
"""The code of the remark that the service grants less than the quota; it concerns all uploads."""

QUOTA_UNSHARED: Final = "quota-unshared"
"""The code of the remark that the quota can't be shared with other processes."""

T = TypeVar("T")


class Caller:
    """Makes calls within the quotas, and retries them while that can help.

    All users of a configuration share one. A call that waits for a retry holds no place and no
    transaction.

    Args:
        config: How long a call may fail, and the quotas.
        clock: The time.
        slots: The places for parts in flight; None if no part is sent.
        quotas: Quotas shared with others; its own ones by default.
        endpoint: The custom endpoint, if there is one, for messages.
        jitter: Draws a number between 0 and 1.

    Attributes:
        answered: Whether the service has answered anything.
        quota_wait_s: How long parts have waited for their transactions, in seconds in total.
    """

    def __init__(
        self,
        config: UploadConfig,
        clock: Clock,
        *,
        slots: Slots | None = None,
        quotas: Quotas | None = None,
        endpoint: str | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._slots = slots
        self._quotas = quotas or Quotas(config.transactions_per_s)
        self._give_up_after_s = config.give_up_after_s
        self._endpoint = endpoint
        self._jitter = jitter
        self._refusals: dict[str, Refusals] = {}
        self._granted: dict[str, float] = {}
        self._told_trouble = False
        self.answered = False
        self.quota_wait_s = 0.0

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._quotas.rate(operation)

    def granted(self, operation: str) -> float | None:
        """What the service was seen to grant, in transactions a second, where it is too little.

        None as long as nothing says that it is less than the quota.
        """
        return self._granted.get(operation)

    def take_portion(self, portion: float) -> None:
        """Keeps to this share of all quotas, between 0 and 1, from now on."""
        self._quotas.portion = portion

    def notifying(self, notify: Callable[[Notice], None], rank: Rank = FIRST) -> Call:
        """Returns a `Call` that reports each attempt and each retry.

        Args:
            notify: Called on the event loop.
            rank: The upload's rank: parts of a lower rank take free places first.
        """
        return _NotifyingCall(self, notify, rank)

    def explain(self, failure: CallFailed | LinkFailed, missing: str | None) -> TurbouploadError:
        """The error for the user after the last failure.

        Args:
            failure: A call's failure.
            missing: The thing that doesn't exist if the service says "not found".
        """
        error = retry.explain(failure, answered_before=self.answered, endpoint=self._endpoint)
        if missing and isinstance(error, ServiceRefused) and error.code == NOT_FOUND:
            error.message = f"{missing} was not found ({error.code})"
        return error

    async def call(
        self,
        operation: Operation,
        attempt: Callable[[], Awaitable[T]],
        notify: Callable[[Notice], None],
        rank: Rank = FIRST,
    ) -> T:
        """Makes a call, and retries it while its failure may be temporary.

        The last failure is raised unchanged, with the total time.

        Args:
            operation: The operation.
            attempt: Makes one attempt.
            notify: Called for each attempt.
            rank: As `notifying` takes it.

        Raises:
            CallFailed: The service refused, or went on failing.
            LinkFailed: No usable answer came.
        """
        tries = 0
        failing_since: float | None = None
        while True:
            try:
                result = await self._attempt_in_window(operation, attempt, notify, rank)
            except (CallFailed, LinkFailed) as failure:
                answered = isinstance(failure, CallFailed)
                self.answered |= answered
                now = self._working_time(operation)
                failing_since = now if failing_since is None else failing_since
                failure.failing_for_s = now - failing_since
                if not self._may_retry_now(operation, failure):
                    raise
                tries += 1
                pause = backoff(tries, jitter=self._jitter(), answered=answered)
                await self._pause(failure, pause, notify)
            else:
                self.answered = True
                return result

    def _working_time(self, operation: Operation) -> float:
        """The clock without the pauses, in which a part's call could not be made again."""
        now = self._clock.now()
        if self._slots is None or not operation.takes_slot:
            return now
        return now - self._slots.paused_s(now)

    def _may_retry_now(self, operation: Operation, failure: CallFailed | LinkFailed) -> bool:
        if not may_retry(failure):
            return False
        if operation.repeat == "throttled" and not is_throttling(failure):
            return False
        slow = isinstance(failure, LinkFailed) and failure.fault == "stalled"
        if operation.repeat == "in time" and slow:
            return False
        budget = self._give_up_after_s
        if not self.answered:
            budget = min(budget, FIRST_CONTACT_S)
        return failure.failing_for_s < budget

    async def _attempt_in_window(
        self,
        operation: Operation,
        attempt: Callable[[], Awaitable[T]],
        notify: Callable[[Notice], None],
        rank: Rank,
    ) -> T:
        slots = self._slots if operation.takes_slot else None
        # Take the place first: transactions that waited for places would be spent in a burst.
        async with slots.place(rank) if slots is not None else nullcontext():
            waited = await self._quotas.take(operation.name, self._clock)
            if operation is CREATE_UPLOAD or operation is SEND_PART:
                self._tell_trouble(notify)
            if operation.takes_slot:
                self.quota_wait_s += waited
            while True:
                try:
                    result = await self._timed(operation, attempt, notify)
                except CallFailed as failure:
                    if not is_throttling(failure):
                        raise
                    again_s = await self._take_refusal(operation, notify)
                    if not again_s:
                        raise
                    await self._pause(failure, again_s, notify)
                else:
                    self._refusals_of(operation).granted()
                    return result

    async def _take_refusal(self, operation: Operation, notify: Callable[[Notice], None]) -> float:
        """Returns after how long the call is made again in its turn; 0 if it needs another one."""
        again_s = await self._quotas.refused(operation.name, self._clock)
        granted = self._refusals_of(operation).refused(self._clock.now())
        if granted is not None:
            self._granted[operation.name] = granted
            notify(_less_granted(operation.name, granted, self.rate(operation.name)))
        return again_s

    async def _pause(
        self, failure: CallFailed | LinkFailed, seconds: float, notify: Callable[[Notice], None]
    ) -> None:
        """Waits before a call is made again, and says so."""
        notify(
            Retrying(
                operation=failure.operation,
                reason=_reason(failure),
                message=failure.message,
                pause_s=seconds,
            )
        )
        await self._clock.sleep(seconds)

    def _tell_trouble(self, notify: Callable[[Notice], None]) -> None:
        """Says once that the quota is not shared although it was to be.

        Only to the uploads: a listing of the store has no listener.
        """
        if self._quotas.trouble is None or self._told_trouble:
            return
        self._told_trouble = True
        notify(
            Remark(
                QUOTA_UNSHARED,
                "the quota is not shared with other processes for now: "
                f"{self._quotas.trouble}; the upload goes on, and if others send at the same "
                "time, the service refuses some calls, which are made again",
            )
        )

    def _refusals_of(self, operation: Operation) -> Refusals:
        name = operation.name
        if name not in self._refusals:
            self._refusals[name] = Refusals(self.rate(name))
        return self._refusals[name]

    async def _timed(
        self,
        operation: Operation,
        attempt: Callable[[], Awaitable[T]],
        notify: Callable[[Notice], None],
    ) -> T:
        began = self._clock.now()
        outcome = "cancelled"
        try:
            result = await attempt()
            outcome = "ok"
            self._quotas.answered(operation.name, began, self._clock)
        except (CallFailed, LinkFailed) as failure:
            outcome = _reason(failure)
            if isinstance(failure, CallFailed):
                self._quotas.answered(operation.name, began, self._clock)
            raise
        finally:
            seconds = self._clock.now() - began
            notify(Calling(operation=operation.name, seconds=seconds, outcome=outcome))
        return result


class _NotifyingCall(Value, frozen=True):
    """A `Call` that notifies one listener."""

    caller: Caller
    notify: Callable[[Notice], None]
    rank: Rank

    async def __call__(self, operation: Operation, attempt: Callable[[], Awaitable[T]]) -> T:
        return await self.caller.call(operation, attempt, self.notify, self.rank)


def _less_granted(operation: str, granted: float, quota: float) -> Remark:
    seen = f"{granted:.0f}" if granted >= 3 else f"{max(0.1, granted):.1f}"
    return Remark(
        QUOTA_LOWER,
        f"the service grants about {seen} {operation} a second, and the quota here is {quota:g}: "
        "others may be using the account's quota, or it is lower; "
        f"--quota {operation}={seen} keeps to that",
    )


def _reason(failure: CallFailed | LinkFailed) -> str:
    if isinstance(failure, LinkFailed):
        return failure.fault
    return failure.code or str(failure.status)
