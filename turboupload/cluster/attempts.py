"""Tasks that workers have in hand: each is on one worker, and its loss is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, TypeVar

import distributed

from turboupload.cluster.connection import Connection
from turboupload.cluster.membership import Member, Membership
from turboupload.cluster.messages import Order, PartOrder, PartTold, RowTold, unpacked
from turboupload.cluster.worker import NotExamined

__all__ = ["Attempts", "WorkerLost"]

Ordered = TypeVar("Ordered", Order, PartOrder)
Done = TypeVar("Done")


class WorkerLost(Exception):
    """A worker was lost while it had a row or a part."""


class Attempts:
    """Has workers do something, each as a future that only one worker may compute.

    Args:
        connection: To the scheduler.
        membership: Who is there.
    """

    def __init__(self, connection: Connection, membership: Membership) -> None:
        self._connection = connection
        self._membership = membership
        self._hearers: dict[str, Callable[[Any], object]] = {}

    def hear(self, event: tuple[float, Any]) -> None:
        """Takes in a worker's message about an attempt."""
        told: RowTold | PartTold = unpacked(event[1])
        if (hearer := self._hearers.get(told.attempt)) is not None:
            hearer(told)

    @contextmanager
    def in_hand(
        self, member: Member, hand: dict[str, int], attempt: str, count: int
    ) -> Iterator[None]:
        """Counts what a member has in hand, while it has it.

        Args:
            member: The member.
            hand: Its rows or its parts.
            attempt: Tells this attempt from others.
            count: Its bytes.
        """
        hand[attempt] = count
        try:
            yield
        finally:
            del hand[attempt]
            self._membership.wake()

    async def make(
        self,
        member: Member,
        task: Callable[[Ordered], Done],
        order: Ordered,
        hear: Callable[[Any], object],
    ) -> Done | None:
        """Has a worker carry out an order; None where the scheduler was lost.

        Args:
            member: The worker.
            task: What it runs.
            order: What it is to do.
            hear: Called with what it tells meanwhile.

        Raises:
            WorkerLost: The worker is gone; the order may be why.
        """
        client = self._connection.client
        if client is None:
            return None
        self._hearers[order.attempt] = hear
        future = client.submit(
            task,
            order,
            key=order.attempt,
            workers=[member.worker.address],
            allow_other_workers=False,
            pure=False,
        )
        done = asyncio.ensure_future(_result_of(future))
        gone = asyncio.ensure_future(member.gone.wait())
        try:
            await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
            if done.done():
                found: Done | None = done.result()
                return found
            if self._connection.client is not client:
                return None
            raise WorkerLost
        except NotExamined:
            # Another process has the worker's address: it is examined, as any that comes.
            if self._membership.members.get(member.worker.address) is member:
                del self._membership.members[member.worker.address]
            raise WorkerLost from None
        finally:
            done.cancel()
            gone.cancel()
            # The scheduler has the worker stop where the order isn't carried out.
            future.release()
            del self._hearers[order.attempt]


async def _result_of(future: distributed.Future[Any]) -> Any:
    """The result of a future; None where Dask has cancelled it, since the scheduler was lost.

    Raises:
        WorkerLost: The worker was lost before its result was here.
    """
    try:
        return await future
    except CancelledError:
        return None
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return None
    except (OSError, distributed.scheduler.KilledWorker) as error:
        raise WorkerLost from error
