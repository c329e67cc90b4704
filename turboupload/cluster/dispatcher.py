"""The workers that send a batch's rows: who they are, which files they see, which rows they have.

Each row goes to one worker, chosen here, as a future that only this worker may compute: so it is
known at any moment who has which row, and a row whose worker is gone is given to another one. What
became of it is found out by that one as after any crash: from the service's lists.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

import anyio
import distributed
from anyio import to_thread

from turboupload.batch.elsewhere import WORKERS, RowListener
from turboupload.batch.listing import RowListing
from turboupload.cluster.attempts import Attempts, WorkerLost
from turboupload.cluster.connection import Connection, words
from turboupload.cluster.files_seen import FilesSeen, absolute
from turboupload.cluster.handover import Handover
from turboupload.cluster.membership import WATCH_S, Member, Membership
from turboupload.cluster.messages import (
    Failure,
    Job,
    Order,
    RowDone,
    RowTold,
    Steering,
    Worker,
)
from turboupload.cluster.spread import Spread, identities_of
from turboupload.cluster.worker import NotExamined, look, steer, upload_row
from turboupload.core.batch import BatchRow
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, Remark, UploadResult
from turboupload.core.sheet.model import SheetFinding
from turboupload.engine import Engine
from turboupload.errors import Stopped
from turboupload.telemetry import log_notice

__all__ = ["Dispatcher"]

STEER_S: Final = 5.0
"""How long a worker may take to hear what to keep to, in seconds."""

FORGET_S: Final = 3.0
"""How long the workers may take to forget what was handed over, in seconds: some may be gone."""

MOST_IN_HAND: Final = 256
"""Rows that one worker has at a time, those included that the service is processing: each has a
thread that waits."""

MOST_DEATHS: Final = 5
"""So many workers may be lost with the same row: another one would be lost, too."""


class Dispatcher:
    """Gives rows to workers, and follows them; see `Senders`.

    Args:
        connect: Connects to the scheduler.
        engine: The coordinator's own: its controls hold for all.
        job: What all rows have in common.
        tell: Hears what concerns all rows.
        spread_bytes: Rows of so many bytes are spread; None spreads none.
        hand_over: Whether the workers sign with this machine's credentials.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[distributed.Client]],
        engine: Engine,
        job: Job,
        tell: Callable[[Notice], None],
        *,
        spread_bytes: int | None = None,
        hand_over: bool = False,
    ) -> None:
        self._connection = Connection(connect, job.topic, lambda told: self._attempts.hear(told))
        self._engine = engine
        self._job = job
        self._membership = Membership(
            self._connection,
            engine,
            tell,
            job_now=self._job_now,
            before=self._look_first,
            meanwhile=self._meanwhile,
        )
        self._handover: Handover | None = None
        if hand_over:
            assert engine.access is not None
            self._handover = Handover(
                engine.access, self._connection, job.topic, engine.clock, tell
            )
        self._attempts = Attempts(self._connection, self._membership)
        self._files = FilesSeen()
        self._tell = tell
        self._spread_bytes = spread_bytes

    async def __aenter__(self) -> Self:
        if self._handover is not None:
            await self._handover.now()  # told before anybody is asked
        await self._membership.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handover is not None:
            with anyio.move_on_after(FORGET_S, shield=True):
                await self._handover.end(list(self._membership.members.values()))
        await self._membership.close()

    async def _job_now(self) -> Job:
        """What a worker that comes now is told."""
        if self._handover is None:
            return self._job
        return replace(self._job, credentials=await self._handover.now())

    async def _meanwhile(self) -> None:
        """What is done for the workers that are there, every now and then."""
        await self._steer()
        if self._handover is not None:
            await self._handover.keep_current(list(self._membership.members.values()))

    # --- the quotas -------------------------------------------------------------------------

    def steering(self) -> Steering:
        """What each worker keeps to, so that all together keep to the quotas and the cap.

        Processes of one host take turns by themselves, and all do where the quota has a place.
        """
        busy = [each.worker for each in self._membership.members.values() if each.busy]
        hosts, processes = len({each.host for each in busy}), max(1, len(busy))
        engine = self._engine
        cap, parts = engine.max_bandwidth, engine.concurrency
        return Steering(
            portion=1.0 if engine.config.quota_share is not None else 1.0 / max(1, hosts),
            max_bandwidth=None if cap is None else max(1, cap // processes),
            concurrency=None if parts is None else max(1, parts // processes),
            paused=engine.paused,
        )

    async def _steer(self) -> None:
        """Tells those who have rows what to keep to, where that has changed."""
        wanted = self.steering()
        for address, member in list(self._membership.members.items()):
            if member.busy and member.kept_to != wanted:
                try:
                    async with asyncio.timeout(STEER_S):
                        await self._connection.run(address, steer, self._job.topic, wanted)
                    member.kept_to = wanted
                except (OSError, NotExamined) as error:
                    # It is told again, or found gone.
                    log_notice(Remark("worker-unsteered", f"{member.worker.name}: {words(error)}"))

    # --- the files --------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many engines there are now."""
        return len(self._membership.members)

    async def look(
        self, read_sets: Mapping[int, ReadSet]
    ) -> tuple[list[BatchRow], list[SheetFinding]]:
        """Has one worker of each host look at the files of all rows; see `Senders`."""
        self._files.read_sets = dict(read_sets)
        of_host = {
            each.worker.host: each.worker.address for each in self._membership.members.values()
        }
        async with anyio.create_task_group() as group:
            for host, address in of_host.items():
                group.start_soon(self._look_on, host, address)
        return self._files.verdict()

    async def _look_first(self, worker: Worker) -> None:
        """Has a worker look at the files of all rows, if it is the first of its host."""
        if self._files.unknown(worker.host):
            await self._look_on(worker.host, worker.address)

    async def _look_on(self, host: str, address: str) -> None:
        """Finds out which rows a host has the files of."""
        wanted = self._files.wanted()
        try:
            self._files.seen(
                host, *await self._connection.run(address, look, self._job.topic, wanted)
            )
        except OSError:
            return  # it went; another one of that host looks when it comes

    # --- rows that are spread ---------------------------------------------------------------

    async def spread(self, row: BatchRow, on_sent: Callable[[str, int], None]) -> Spread | None:
        """Who sends a row's parts where several workers do; see `Senders`."""
        if self._spread_bytes is None or row.total_bytes < self._spread_bytes:
            return None
        try:
            identities = await to_thread.run_sync(identities_of, row.read_set.paths)
        except OSError as error:
            self._not_spread(row, f"this machine can't read its files: {error.strerror or error}")
            return None
        members = self._membership.members.values()
        if not any(self._files.has_the_very(each.worker.host, row, identities) for each in members):
            self._not_spread(
                row,
                "no worker sees the very files that this machine does, but copies, or files whose "
                "inode or time of modification differ",
            )
            return None
        return Spread(
            self._job.topic,
            self._connection,
            self._membership,
            self._attempts,
            steering=self.steering,
            able=lambda each: self._files.has_the_very(each.worker.host, row, identities),
            tell=self._tell,
            on_sent=on_sent,
        )

    def _not_spread(self, row: BatchRow, why: str) -> None:
        text = f"row {row.number} goes whole to one worker: {why}"
        self._tell(Remark("not-spread", text))

    # --- the rows ---------------------------------------------------------------------------

    async def upload(
        self, row: BatchRow, listener: RowListener, listed: RowListing | None
    ) -> UploadResult | None:
        """Has a worker upload a row; see `Senders`.

        Raises:
            TurbouploadError: As the worker's engine raises it.
        """
        deaths = 0
        while deaths < MOST_DEATHS:
            member = await self._member_for(row)
            listener.on(member.worker.name)
            try:
                done = await self._attempt(member, row, listener, listed)
            except WorkerLost:
                deaths += 1
                continue
            finally:
                # What the one before has made since, it doesn't show.
                listed = None
            if done is None:
                await asyncio.sleep(WATCH_S)
            else:
                _tell_listener(listener, done.told)
                if isinstance(done.ended, Failure):
                    raise done.ended.restored()
                receipt = done.ended.receipt if done.ended is not None else None
                # A worker of this host has it in the very journal.
                if receipt is not None and member.worker.host != self._job.coordinator:
                    await self._engine.keep_receipt(done.key, receipt)
                return done.ended
        raise Stopped(
            f"{MOST_DEATHS} workers were lost while they had this row in hand",
            operation=WORKERS,
            path=row.read_set.paths[0],
            hint="look at the workers' logs (are they out of memory?), then give the same command "
            "again: it goes on",
        )

    async def _member_for(self, row: BatchRow) -> Member:
        """Of the workers that see the row's files, the one with the fewest bytes left to send.

        Raises:
            Stopped: None has come for too long.
        """
        return await self._membership.pick(
            lambda each: self._files.has(each.worker.host, row),
            lambda each: len(each.rows) < MOST_IN_HAND,
            lambda each: (
                sum(each.rows.values()) + sum(each.parts.values()),
                len(each.rows) + len(each.parts),
            ),
            path=row.read_set.paths[0],
        )

    async def _attempt(
        self, member: Member, row: BatchRow, listener: RowListener, listed: RowListing | None
    ) -> RowDone | None:
        """Has a worker upload a row; None where the scheduler was lost.

        Raises:
            WorkerLost: The worker is gone; the row may be why.
        """
        key = f"row-{row.number}-{os.urandom(6).hex()}"
        with self._attempts.in_hand(member, member.rows, key, row.total_bytes):
            member.kept_to = steering = self.steering()
            order = Order(self._job.topic, key, absolute(row.read_set), steering, listed)
            return await self._attempts.make(
                member, upload_row, order, lambda told: _tell_listener(listener, told)
            )


def _tell_listener(listener: RowListener, told: RowTold) -> None:
    for notice in told.notices:
        listener.hear(notice)
    if told.sent:
        listener.sent(told.read_set_id)
