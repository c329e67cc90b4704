"""A worker's engine: one for all rows and parts that it gets, in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeVar

import anyio

from turboupload.batch.busy import until_free
from turboupload.batch.listing import FRESH_S, RowListing, known_end
from turboupload.batch.polling import BatchPoller
from turboupload.cluster.messages import (
    Failure,
    Job,
    Order,
    PartDone,
    PartOrder,
    PartTold,
    RowDone,
    RowTold,
    SpreadUpload,
    Steering,
    state_folder,
)
from turboupload.cluster.parts_in_hand import SpreadParts
from turboupload.core.filters import ReadSetFilter
from turboupload.core.notices import Notice, Progress, UploadResult
from turboupload.engine.compose import open_engine
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError, UploadBusy
from turboupload.runtime.eventloop import BACKEND_OPTIONS
from turboupload.telemetry import log_notice

__all__ = ["NotExamined", "RowInHand", "WorkerEngine"]

T = TypeVar("T")

_Ended = UploadResult | TurbouploadError | None

TELL_S: Final = 0.25
"""The pause between two messages about a row, in seconds."""


class NotExamined(Exception):
    """This process was not examined for a batch, or not told of an upload."""


class RowInHand:
    """A row under way, with its messages; belongs to the worker's event loop.

    Attributes:
        order: What is to be done.
        key: The upload's key in the journal, once it is known.
    """

    def __init__(self, order: Order, tell: Callable[[RowTold], None]) -> None:
        self.order = order
        self.key = ""
        self._tell = tell
        self._listed = order.listed
        self._came = time.monotonic()
        self._notices: list[Notice] = []
        self._sent = False
        self._read_set_id: str | None = None

    def take_listed(self) -> RowListing | None:
        """What the store has for the row, once; None where that was too long ago."""
        fresh = time.monotonic() - self._came < FRESH_S
        listed, self._listed = self._listed, None
        return listed if fresh else None

    def hear(self, notice: Notice) -> None:
        """Keeps a notice until something is told; of the progress only the last counts."""
        log_notice(notice)
        last = self._notices[-1] if self._notices else None
        if isinstance(notice, Progress) and isinstance(last, Progress):
            self._notices.pop()
        self._notices.append(notice)

    def arrived(self, read_set_id: str | None) -> None:
        """Everything has arrived."""
        self._sent, self._read_set_id = True, read_set_id
        self._tell(self.told())

    def told(self) -> RowTold:
        """What wasn't told yet."""
        notices, self._notices = tuple(self._notices), []
        return RowTold(self.order.attempt, notices, self._sent, self._read_set_id)

    async def keep_reporting(self) -> None:
        """Tells what happened every moment, until cancelled."""
        while True:
            await anyio.sleep(TELL_S)
            if self._notices:
                self._tell(self.told())


class WorkerEngine:
    """One engine of this process, in a thread with an event loop of its own.

    Args:
        job: The batch that it sends rows of.

    Attributes:
        job: As given, without its credentials.
        credentials: What it signs with; None where this machine has its own.
    """

    _all: ClassVar[dict[str, WorkerEngine]] = {}
    _opening: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def of(cls, job: Job) -> WorkerEngine:
        """The engine for a batch; an engine that is of no use any more ends with its last row."""
        with cls._opening:
            working = next((each for each in cls._all.values() if each.serves(job)), None)
            if working is None:
                for each in cls._all.values():
                    each.close()
                cls._all.clear()
                working = cls(job)
            cls._all[job.topic] = working
            working.credentials = job.credentials
            return working

    @classmethod
    def for_topic(cls, topic: str) -> WorkerEngine:
        """The engine of a batch that this worker was examined for.

        Raises:
            NotExamined: It wasn't: it is another process than the coordinator thinks.
        """
        with cls._opening:
            if topic not in cls._all:
                raise NotExamined(topic)
            return cls._all[topic]

    @classmethod
    def forget(cls, topic: str) -> None:
        """Ends the engine of a batch that has ended."""
        with cls._opening:
            if (working := cls._all.pop(topic, None)) is not None:
                working.close()

    def __init__(self, job: Job) -> None:
        self.credentials = job.credentials
        self.job = job = replace(job, credentials=None)
        self._steering = Steering()
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._under_way = 0
        self._closing = False
        self._numbers = itertools.count()
        self._following: dict[int, asyncio.Future[_Ended]] = {}
        # Where the process ends, so does the thread: what was sent is in the journal.
        threading.Thread(target=self._serve, name="turboupload", daemon=True).start()

    def serves(self, job: Job) -> bool:
        """Whether a batch can be sent with this engine."""
        if self._ready.done() and self._ready.exception() is not None:
            return False  # what was in the way may have been mended
        handed = self.credentials is not None or job.credentials is not None
        if handed and job.topic != self.job.topic:
            return False  # the credentials of one batch sign for no other
        same = replace(self.job, topic=job.topic) == replace(job, credentials=None)
        return same and not self._closing

    def start(self, work: Callable[[WorkerEngine], Coroutine[Any, Any, T]]) -> Future[T]:
        """Starts a coroutine on the worker's event loop; blocks until there is one.

        Raises:
            TurbouploadError: The engine could not be opened.
        """
        self._ready.result()
        return asyncio.run_coroutine_threadsafe(work(self), self._loop)

    def keep_to(self, steering: Steering) -> None:
        """Keeps to this from now on; called from any thread."""
        self._steering = steering
        if self._ready.done() and self._ready.exception() is None:
            self._loop.call_soon_threadsafe(self._apply)

    def close(self) -> None:
        """Ends the engine once no row is under way; called from any thread."""
        self._closing = True
        if self._ready.done() and self._ready.exception() is None:
            self._loop.call_soon_threadsafe(self._end_if_idle)

    def _serve(self) -> None:
        try:
            anyio.run(self._main, backend_options=BACKEND_OPTIONS)
        except BaseException as error:  # the caller that starts it gets it
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _main(self) -> None:
        folder = state_folder(self.job, socket.gethostname())
        config = replace(self.job.config, state_dir=folder)
        if self.credentials is not None:
            config = replace(config, session=self._credentials_now)
        async with open_engine(config) as engine:
            self._engine, self._loop = engine, asyncio.get_running_loop()
            self._idle = anyio.Event()
            self._poller = BatchPoller(
                engine,
                engine.calls.service_for(log_notice),
                self.job.store_id,
                engine.clock,
                poll_interval_s=config.poll_interval_s,
                wait_timeout_s=config.wait_timeout_s,
                on_end=self._on_end,
            )
            self._spread = SpreadParts(engine)
            self._ready.set_result(None)
            self._apply()
            async with anyio.create_task_group() as group:
                group.start_soon(self._poller.run)
                group.start_soon(engine.guests.keep_looking)
                await self._idle.wait()
                group.cancel_scope.cancel()

    async def _credentials_now(self) -> dict[str, Any]:
        """What the coordinator has handed over last; see `UploadConfig.session`."""
        assert self.credentials is not None
        return self.credentials.told()

    def _apply(self) -> None:
        engine, steering = self._engine, self._steering
        engine.calls.take_portion(steering.portion)
        if engine.max_bandwidth != steering.max_bandwidth:
            engine.set_bandwidth(steering.max_bandwidth)
        if engine.concurrency != steering.concurrency:
            engine.set_concurrency(steering.concurrency)
        if engine.paused != steering.paused:
            (engine.pause if steering.paused else engine.resume)()

    def _end_if_idle(self) -> None:
        if self._closing and not self._under_way:
            self._idle.set()

    # --- what is done on its event loop ---------------------------------------------------------

    async def try_service(self) -> None:
        """Asks the service something small, with this worker's credentials.

        Raises:
            TurbouploadError: It can't be used from here.
        """
        service = self._engine.calls.service_for(log_notice)
        try:
            await service.list_read_sets(self.job.store_id, ReadSetFilter(status="ACTIVATING"))
        except (CallFailed, LinkFailed) as failure:
            raise self._engine.calls.explain(failure, self.job.store_id) from failure

    async def upload(self, row: RowInHand) -> RowDone:
        """Uploads a row, and follows it for as long as is configured."""
        ended: UploadResult | Failure | None
        self._under_way += 1
        telling = asyncio.ensure_future(row.keep_reporting())
        try:
            ended = await self._to_its_end(row)
        except TurbouploadError as error:
            ended = Failure.of(error)
        finally:
            telling.cancel()
            self._under_way -= 1
            self._end_if_idle()
        return RowDone(row.told(), ended, row.key)

    async def take(self, spread: SpreadUpload) -> str | None:
        """Takes in an upload whose parts are spread; see `SpreadParts.take`."""
        return await self._spread.take(spread)

    async def send_part(self, order: PartOrder, tell: Callable[[PartTold], None]) -> PartDone:
        """Sends a part of an upload that the coordinator decides.

        Raises:
            NotExamined: It wasn't told of the upload: it is another process than the coordinator
                thinks.
        """
        if not self._spread.knows(order.upload_id):
            raise NotExamined(order.upload_id)
        self._under_way += 1
        try:
            return await self._spread.send(order, tell)
        finally:
            self._under_way -= 1
            self._end_if_idle()

    async def _to_its_end(self, row: RowInHand) -> UploadResult | None:
        engine = self._engine
        while True:
            listed = row.take_listed()

            async def listing(listed: RowListing | None = listed) -> RowListing | None:
                return listed

            try:
                run = await engine.send(
                    row.order.read_set,
                    self.job.store_id,
                    row.hear,
                    surveyor=listed.survey if listed is not None else None,
                )
            except UploadBusy as busy:
                await until_free(engine, busy)
                continue
            row.key = run.key
            if (known := await known_end(engine, run, listing)) is not None:
                return known
            waits = engine.config.wait or run.upload.unproven
            if run.processing and not waits:
                await engine.write_receipt(run)
            row.arrived(run.upload.read_set_id)
            ended = await self._followed(run) if waits else None
            if isinstance(ended, TurbouploadError):
                raise ended
            if ended is not None:
                return ended
            if run.processing or not waits:
                return None
            # The read set was deleted, or it was made by another upload and failed.

    async def _followed(self, run: Run) -> _Ended:
        number = next(self._numbers)
        self._following[number] = self._loop.create_future()
        self._poller.add(number, run)
        try:
            return await self._following[number]
        finally:
            self._poller.drop(number)
            del self._following[number]

    def _on_end(self, number: int, run: Run, ended: _Ended) -> None:
        del run
        if (waits := self._following.get(number)) is not None and not waits.done():
            waits.set_result(ended)
