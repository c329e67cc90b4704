"""What a worker does: one engine for all rows and parts that it gets, in a thread of its own.

Dask runs functions of this module in its worker processes. A task leaves Dask's thread pool
at once: how much a worker has in hand is the coordinator's matter, not that of its threads.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import distributed

import turboupload
from turboupload.batch.check import look_at_rows
from turboupload.cluster.messages import (
    Introduction,
    Order,
    PartDone,
    PartOrder,
    RowDone,
    SpreadUpload,
    Steering,
    Worker,
    packed,
    unpacked,
)
from turboupload.cluster.sealing import Reader, SealedBox
from turboupload.cluster.worker_engine import NotExamined, RowInHand, WorkerEngine
from turboupload.core.batch import BatchRow
from turboupload.core.model import ReadSet
from turboupload.core.sheet.model import SheetFinding
from turboupload.errors import TurbouploadError

__all__ = [
    "NotExamined",
    "examine",
    "forget",
    "introduce",
    "look",
    "renew",
    "send_part",
    "steer",
    "take_upload",
    "upload_row",
]

T = TypeVar("T")

LOOK_S: Final = 1.0
"""How often a task's thread looks whether somebody still wants it, in seconds."""


# --- what the coordinator calls --------------------------------------------------------------


_READER: Final = Reader()
"""Opens what a coordinator has sealed for this process."""


async def introduce(dask_worker: distributed.Worker) -> Introduction:
    """Says who this worker is.

    Args:
        dask_worker: Given by Dask.
    """
    host = socket.gethostname()
    name = f"{host}/{dask_worker.name}" if isinstance(dask_worker.name, int) else dask_worker.name
    me = Worker(dask_worker.address, str(name), host)
    return Introduction(me, turboupload.__version__, _READER.key)


async def examine(box: SealedBox) -> str | None:
    """Says what keeps this worker from sending, if anything.

    Args:
        box: The `Job`.
    """
    try:
        working = WorkerEngine.of(unpacked(_READER.opened(box)))
        asked = await asyncio.to_thread(working.start, WorkerEngine.try_service)
        await asyncio.wrap_future(asked)
    except TurbouploadError as error:
        return f"{error}" + (f" ({error.hint})" if error.hint else "")
    return None


async def renew(topic: str, box: SealedBox) -> None:
    """Signs with other credentials from now on.

    Args:
        topic: Of the batch.
        box: The `TemporaryCredentials`.
    """
    working = WorkerEngine.for_topic(topic)
    working.credentials = unpacked(_READER.opened(box))


async def forget(topic: str) -> None:
    """Ends what was for a batch that has ended, with the credentials that were handed over."""
    WorkerEngine.forget(topic)


async def look(
    topic: str, read_sets: Mapping[int, ReadSet]
) -> tuple[list[BatchRow], list[SheetFinding]]:
    """Looks at the files of rows on this host; see `check_rows`."""
    return await look_at_rows(read_sets, WorkerEngine.for_topic(topic).job.config)


async def steer(topic: str, steering: Steering) -> None:
    """Keeps to this from now on."""
    WorkerEngine.for_topic(topic).keep_to(steering)


async def take_upload(topic: str, spread: SpreadUpload) -> str | None:
    """Takes in an upload whose parts are spread; returns what keeps this worker from it, if any."""
    working = WorkerEngine.for_topic(topic)
    taken = await asyncio.to_thread(working.start, lambda it: it.take(spread))
    return await asyncio.wrap_future(taken)


def upload_row(order: Order) -> RowDone:
    """Uploads a row's read set, and polls it to its end, or until the coordinator cancels it."""
    worker = distributed.get_worker()
    row = RowInHand(order, lambda told: worker.log_event(order.topic, packed(told)))
    return _while_wanted(order, worker, lambda it: it.upload(row))


def send_part(order: PartOrder) -> PartDone:
    """Sends a part, unless nobody wants it any more."""
    worker = distributed.get_worker()
    return _while_wanted(
        order,
        worker,
        lambda it: it.send_part(order, lambda told: worker.log_event(order.topic, packed(told))),
    )


def _while_wanted(
    order: Order | PartOrder,
    worker: distributed.Worker,
    work: Callable[[WorkerEngine], Coroutine[Any, Any, T]],
) -> T:
    """Has the engine do what a task is for, until that is done or the task is cancelled."""
    key = worker.get_current_task()
    distributed.secede()
    working = WorkerEngine.for_topic(order.topic)
    working.keep_to(order.steering)
    doing = working.start(work)
    while True:
        try:
            return doing.result(LOOK_S)
        except TimeoutError:
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                # The coordinator has died, or stopped.
                doing.cancel()
                raise
