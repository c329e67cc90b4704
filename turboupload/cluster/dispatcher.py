"""The workers that send a batch's rows: who they are, which files they see, which rows they have.

Each row goes to one worker, chosen here, as a future that only this worker may compute: so it is
known at any moment who has which row, and a row whose worker is gone is given to another one. What
became of it is found out by that one as after any crash: from the service's lists.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError
from types import TracebackType
from typing import Any, Final, Self

import anyio
import distributed

from turboupload.batch.elsewhere import WORKERS, Follower
from turboupload.cluster.connection import Connection, words
from turboupload.cluster.files_seen import FilesSeen, absolute
from turboupload.cluster.membership import WATCH_S, Member, Membership
from turboupload.cluster.messages import (
    Failure,
    Job,
    Order,
    RowDone,
    RowTold,
    Steering,
    Worker,
    unpacked,
)
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
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[distributed.Client]],
        engine: Engine,
        job: Job,
        tell: Callable[[Notice], None],
    ) -> None:
        self._connection = Connection(connect, job.topic, self._hear)
        self._engine = engine
        self._job = job
        self._membership = Membership(
            self._connection, engine, job, tell, before=self._look_first, meanwhile=self._steer
        )
        self._files = FilesSeen()
        self._followers: dict[str, Follower] = {}

    async def __aenter__(self) -> Self:
        await self._membership.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._membership.close()

    # --- the quotas -------------------------------------------------------------------------

    def _steering(self) -> Steering:
        """What each worker keeps to, so that all together keep to the quotas and the cap.

        Processes of one host take turns by themselves, and all do where the quota has a place.
        """
        busy = [each.worker for each in self._membership.members.values() if each.rows]
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
        wanted = self._steering()
        for address, member in list(self._membership.members.items()):
            if member.rows and member.kept_to != wanted:
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

    # --- the rows ---------------------------------------------------------------------------

    async def upload(self, row: BatchRow, follower: Follower) -> UploadResult | None:
        """Has a worker upload a row; see `Senders`.

        Raises:
            TurbouploadError: As the worker's engine raises it.
        """
        deaths = 0
        while deaths < MOST_DEATHS:
            member = await self._member_for(row)
            follower.on(member.worker.name)
            try:
                done = await self._attempt(member, row, follower)
            except _WorkerLost:
                deaths += 1
                continue
            if done is None:
                await asyncio.sleep(WATCH_S)
            else:
                _tell_follower(follower, done.told)
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
        clock = self._engine.clock
        ends = clock.now() + self._engine.config.give_up_after_s
        while True:
            if self._membership.broken is not None:
                raise self._membership.broken
            if self._membership.lost is not None:
                raise Stopped(
                    self._membership.lost.message,
                    operation=WORKERS,
                    hint=self._membership.lost.hint,
                )
            able = [
                each
                for each in self._membership.members.values()
                if self._files.has(each.worker.host, row)
            ]
            free = [each for each in able if len(each.rows) < MOST_IN_HAND]
            if free:
                return min(free, key=lambda each: (sum(each.rows.values()), len(each.rows)))
            if able:
                ends = clock.now() + self._engine.config.give_up_after_s
            changed = self._membership.changed
            try:
                async with asyncio.timeout(max(0.0, ends - clock.now())):
                    await changed.wait()
            except TimeoutError:
                raise Stopped(
                    "no worker that sees its files has been there for "
                    f"{self._engine.config.give_up_after_s:g} s",
                    operation=WORKERS,
                    path=row.read_set.paths[0],
                    hint="start workers that see it, then give the same command: it goes on",
                ) from None

    async def _attempt(self, member: Member, row: BatchRow, follower: Follower) -> RowDone | None:
        """Has a worker upload a row; None where the scheduler was lost.

        Raises:
            _WorkerLost: The worker is gone; the row may be why.
        """
        client = self._connection.client
        if client is None:
            return None
        key = f"row-{row.number}-{os.urandom(6).hex()}"
        member.rows[key] = row.total_bytes
        self._followers[key] = follower
        member.kept_to = steering = self._steering()
        order = Order(self._job.topic, key, absolute(row.read_set), steering)
        future = client.submit(
            upload_row,
            order,
            key=key,
            workers=[member.worker.address],
            allow_other_workers=False,
            pure=False,
        )
        done = asyncio.ensure_future(_result_of(future))
        gone = asyncio.ensure_future(member.gone.wait())
        try:
            await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
            if done.done():
                return done.result()
            if self._connection.client is not client:
                return None
            raise _WorkerLost
        except NotExamined:
            # Another process has the worker's address: it is examined, as any that comes.
            if self._membership.members.get(member.worker.address) is member:
                del self._membership.members[member.worker.address]
            raise _WorkerLost from None
        finally:
            done.cancel()
            gone.cancel()
            # The scheduler has the worker stop where the row isn't done.
            future.release()
            member.rows.pop(key, None)
            self._followers.pop(key, None)
            self._membership.wake()

    def _hear(self, event: tuple[float, Any]) -> None:
        """Takes in a worker's message about a row."""
        told: RowTold = unpacked(event[1])
        follower = self._followers.get(told.attempt)
        if follower is not None:
            _tell_follower(follower, told)


class _WorkerLost(Exception):
    """A worker was lost while it had a row."""


async def _result_of(future: distributed.Future[Any]) -> RowDone | None:
    """The result of a row's future; None where Dask has cancelled it, since the scheduler was lost.

    Raises:
        _WorkerLost: The worker was lost before its result was here.
    """
    try:
        done: RowDone = await future
    except CancelledError:
        return None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None
    except (OSError, distributed.scheduler.KilledWorker) as error:
        raise _WorkerLost from error
    return done


def _tell_follower(follower: Follower, told: RowTold) -> None:
    for notice in told.notices:
        follower.hear(notice)
    if told.sent:
        follower.sent(told.read_set_id)
