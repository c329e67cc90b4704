"""The account's quotas: the turns of each operation, and the places for parts in flight."""

from __future__ import annotations

import heapq
import itertools
import os
import weakref
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Final
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.rate.gaps import Gap
from turboupload.core.rate.share import NothingShared, QuotaShare, ShareFailed, Step, account_of
from turboupload.core.rate.turns import Turns, next_turn, refused, turns_at_once
from turboupload.core.rate.window import Window
from turboupload.operations import TRANSACTIONS_PER_S

__all__ = ["FIRST", "Quotas", "Rank", "Slots", "shared_quotas"]

CLOCK_S: Final = 0.001
"""A timer may come so much too early, in seconds."""

SHARE_THREADS: Final = 4
SHARE_S: Final = 5.0
"""How long a step in the shared place may take, in seconds."""

ALONE_S: Final = 30.0
"""How long we go on alone before the shared place is tried again, in seconds."""

_Turn = Callable[[Turns | None, float, float], tuple[Turns, float]]

Rank = tuple[float, float]
"""Who gets a place first: the smaller one."""

FIRST: Final[Rank] = (0.0, 0.0)
LAST: Final[Rank] = (inf, inf)


KEPT: Final = 3
"""So many places are kept for each size, but never more than half of all."""


class Slots:
    """The places for parts in flight, as many as the window says.

    One per engine: every upload's parts, and the local reads that stand in for parts, take their
    places here. Of several uploads the one of the smallest rank is served first, and of one upload
    its parts in their order. Were all served alike, they would come to their end at the same
    moment, and wait for Complete, of which there is one a second, while nothing is sent.

    Attributes:
        window: Says how many there are. It is never exceeded: it bounds what a kill may lose.
        in_use: Places that are taken.
        small_bytes: For each of these sizes, a few places are kept for uploads of fewer bytes. A
            large part holds its place for long where the link is slow, and small uploads should
            not wait for it: each needs a turn of Create and of Complete of its own.
        paused: No new places are given; calls that have one keep it to their end.
    """

    def __init__(self, window: Window) -> None:
        self.window = window
        self.in_use = 0
        self.paused = False
        self._paused_since = self._paused_s = 0.0
        self._resumed = anyio.Event()
        self.small_bytes: Sequence[float] = ()
        self._waiting: list[tuple[Rank, int, anyio.Event]] = []
        self._turns = itertools.count()

    def pause(self, now: float) -> None:
        """Gives no place until `resume`."""
        if not self.paused:
            self.paused, self._paused_since = True, now
            self._resumed = anyio.Event()

    def resume(self, now: float) -> None:
        """Ends a pause."""
        if self.paused:
            self._paused_s = self.paused_s(now)
            self.paused = False
            self._resumed.set()
            self.window.settle(now)
            self.resize()

    def paused_s(self, now: float) -> float:
        """For how long no place could be taken, in total, in seconds: no time-out counts it."""
        return self._paused_s + (now - self._paused_since if self.paused else 0.0)

    async def until_resumed(self) -> None:
        """Waits for the end of a pause, if there is one."""
        while self.paused:
            await self._resumed.wait()

    @property
    def full(self) -> bool:
        """Whether the window is what limits."""
        return not self._has_room(LAST)

    def _has_room(self, rank: Rank) -> bool:
        """Whether a part may take a place now; where one of some rank may, so may all smaller."""
        if self.paused:
            return False
        size = self.window.size
        kept = KEPT * sum(rank[0] >= each for each in self.small_bytes)
        return self.in_use < size - min(kept, size // 2)

    def resize(self) -> None:
        """Follows the window; places that are taken stay taken until they are given back."""
        while self._waiting and self._has_room(self._waiting[0][0]):
            _, _, admitted = heapq.heappop(self._waiting)
            self.in_use += 1
            admitted.set()

    @asynccontextmanager
    async def place(self, rank: Rank = FIRST) -> AsyncIterator[None]:
        """Waits for a place, and gives it back in the end.

        Args:
            rank: Of the upload.
        """
        admitted = anyio.Event()
        waiter = (rank, next(self._turns), admitted)
        heapq.heappush(self._waiting, waiter)
        self.resize()
        try:
            await admitted.wait()
            yield
        finally:
            if admitted.is_set():
                self.in_use -= 1
            else:
                self._waiting.remove(waiter)
                heapq.heapify(self._waiting)
            self.resize()


class Quotas:
    """Transactions a second, by operation.

    One call at a time takes its turn of an operation. So a refusal puts off those that come after
    it, and of several processes that share a quota each waits for one turn, however much it has to
    send.

    Args:
        transactions_per_s: Quotas that differ from the service's defaults, by operation.
        share: Where the turns are kept for all processes; None keeps them here.

    Attributes:
        portion: The share of all quotas that is ours, between 0 and 1: the rest is for others, who
            don't take turns with us.
        trouble: Why the quota isn't shared although it was to be; None where it is.
    """

    def __init__(
        self,
        transactions_per_s: Mapping[str, float] | None = None,
        share: QuotaShare | None = None,
    ) -> None:
        self._rates = {**TRANSACTIONS_PER_S, **(transactions_per_s or {})}
        # A gate that is free costs no round of the event loop: every call passes one.
        self._gates = defaultdict[str, anyio.Lock](partial(anyio.Lock, fast_acquire=True))
        self._own: dict[str, Turns] = {}
        self._gaps = defaultdict[str, Gap](Gap)
        self._in_hand: Counter[str] = Counter()
        self._share = share
        self._threads = anyio.CapacityLimiter(SHARE_THREADS)
        self._alone_until = -inf
        self.trouble: str | None = None
        self.portion = 1.0

    def rate(self, operation: str) -> float:
        """The quota of an operation, in transactions a second."""
        return self._rates[operation] * self.portion

    async def take(self, operation: str, clock: Clock) -> float:
        """Waits for a transaction; returns how long that took, in seconds."""
        began = clock.now()
        async with self._gates[operation]:
            if not self._in_hand[operation]:
                wait = await self._step(operation, clock, next_turn)
                if wait > 0:
                    await clock.sleep(wait)
                await self._keep_apart(operation, clock)
                self._in_hand[operation] = turns_at_once(self._rates[operation])
            self._in_hand[operation] -= 1
        return clock.now() - began

    async def _keep_apart(self, operation: str, clock: Clock) -> None:
        gap = self._gaps[operation]
        # Meanwhile an answer may tell that the call before came later still.
        while (wait := gap.wait_s(self.rate(operation), clock.now())) > CLOCK_S:
            await clock.sleep(wait)
        gap.leave(clock.now())

    def answered(self, operation: str, left_at: float, clock: Clock) -> None:
        """Takes in that the service has answered a call, with whatever it was."""
        self._gaps[operation].answered(left_at, clock.now())

    async def refused(self, operation: str, clock: Clock) -> float:
        """Takes in that the service refused a call because too many had come.

        Returns:
            After how long the call is to be made again in the turn that it has, in seconds; 0 where
            it needs another turn.
        """
        again_s = await self._step(operation, clock, refused)
        self._gaps[operation].refused(again_s, clock.now())
        return again_s

    async def _step(self, operation: str, clock: Clock, turn: _Turn) -> float:
        per_s = self.rate(operation)
        if self._share is not None and clock.now() >= self._alone_until:
            try:
                wait = await self._shared_step(self._share, operation, partial(_step, turn, per_s))
            except NothingShared:
                pass
            except ShareFailed as failure:
                self.trouble = str(failure)
                self._alone_until = clock.now() + ALONE_S
            else:
                self.trouble = None
                return wait
        self._own[operation], wait = turn(self._own.get(operation), per_s, clock.now())
        return wait

    async def _shared_step(self, share: QuotaShare, operation: str, step: Step) -> float:
        """Takes a step in a thread, since a file server may take its time.

        Raises:
            ShareFailed: The share can't be used now.
        """
        with anyio.move_on_after(SHARE_S):
            return await anyio.to_thread.run_sync(
                share.take, operation, step, abandon_on_cancel=True, limiter=self._threads
            )
        raise ShareFailed(f"{share} did not answer within {SHARE_S:g} s")


def _step(turn: _Turn, per_s: float, turns: Turns | None, now: float) -> tuple[Turns, float]:
    return turn(turns, per_s, now)


_SHARED: RunVar[WeakValueDictionary[object, Quotas]] = RunVar("shared quotas")


def shared_quotas(
    config: UploadConfig,
    where: str,
    open_share: Callable[[str], QuotaShare | None] = lambda _: None,
) -> Quotas:
    """The quotas for all in this event loop that reach the same account and Region.

    Args:
        config: Whose profile and quotas are meant.
        where: The endpoint, or the Region.
        open_share: Given what stands for the account, opens the place where they are shared with
            other processes.

    The account is taken for the same where neither the profile nor the access key differs.
    """
    try:
        shared = _SHARED.get()
    except LookupError:
        shared = WeakValueDictionary()
        _SHARED.set(shared)
    account = _account(config)
    key = (where, account, config.quota_share, frozenset(config.transactions_per_s.items()))
    quotas = shared.get(key)
    if quotas is None:
        share = open_share(account)
        quotas = shared[key] = Quotas(config.transactions_per_s, share)
        if share is not None:
            weakref.finalize(quotas, share.close)
    return quotas


def _account(config: UploadConfig) -> str:
    """What stands for the account, as far as it is known without asking anybody."""
    profile = config.profile
    if profile is None and config.session is not None:
        from turboupload.omics.told_credentials import profile_of  # it imports the AWS client

        profile = profile_of(config.session)
    if profile := profile or os.environ.get("AWS_PROFILE"):
        return f"profile {profile}"
    return account_of(os.environ.get("AWS_ACCESS_KEY_ID", ""))
