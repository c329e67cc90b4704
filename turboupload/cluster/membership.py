"""Who is there: the scheduler, and the workers that can send."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import anyio

import turboupload
from turboupload.batch.elsewhere import WORKERS
from turboupload.cluster.connection import UNREACHABLE, Connection, words
from turboupload.cluster.messages import Introduction, Job, Steering, Worker, packed
from turboupload.cluster.sealing import SealedBox
from turboupload.cluster.worker import examine, introduce
from turboupload.core.notices import Notice, Remark
from turboupload.core.rate.window import START
from turboupload.engine import Engine
from turboupload.errors import ConfigError, Stopped
from turboupload.omics.temporary_credentials import TemporaryCredentials

__all__ = ["WATCH_S", "Member", "Membership"]

WATCH_S: Final = 0.5
"""The pause between two looks at who is there, in seconds."""

FIRST_WORKER_S: Final = 60.0
"""How long to wait for the first worker: a cluster may only just be starting. In seconds."""

AGAIN_S: Final = 60.0
"""After so long a worker that could not send is examined again, in seconds."""


@dataclass(eq=False)
class Member:
    """A worker and its rows.

    Attributes:
        worker: Who it is.
        rows: Bytes of the rows that it has, by attempt.
        parts: The same of parts of spread rows.
        room: How many parts it may have in hand, as it last said.
        key: Its public key.
        credentials: What was handed over to it.
        kept_to: What it was last told to keep to.
        gone: Set once it is gone.
    """

    worker: Worker
    key: bytes = field(repr=False)
    credentials: TemporaryCredentials | None = None
    rows: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    room: int = 2 * START
    kept_to: Steering | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def busy(self) -> bool:
        """Whether it has something in hand."""
        return bool(self.rows or self.parts)


class Membership:
    """The workers that can send, kept up to date.

    Args:
        connection: To the scheduler.
        engine: The coordinator's, for its patience and its clock.
        tell: Hears who comes and goes.
        job_now: What workers are examined for.
        before: Called with a worker that can send, before it is a member.
        meanwhile: Called after each look.

    Attributes:
        members: By address.
        changed: Set, and replaced, whenever somebody comes or goes.
        lost: Why the scheduler is lost, once it is no longer waited for.
        broken: What ended the watch; rows are to raise it.
    """

    def __init__(
        self,
        connection: Connection,
        engine: Engine,
        tell: Callable[[Notice], None],
        *,
        job_now: Callable[[], Awaitable[Job]],
        before: Callable[[Worker], Awaitable[None]],
        meanwhile: Callable[[], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._job_now = job_now
        self._tell = tell
        self._before = before
        self._meanwhile = meanwhile
        self._unfit: dict[str, tuple[str, float]] = {}
        self._told_unfit: set[str] = set()
        self._examined: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None
        self.members: dict[str, Member] = {}
        self.changed = asyncio.Event()
        self.lost: Stopped | None = None
        self.broken: BaseException | None = None

    async def open(self) -> None:
        """Connects, waits for the first workers, and watches them from then on.

        Raises:
            ConfigError: There is no scheduler, or no worker that can send.
        """
        try:
            await self._connection.open()
        except UNREACHABLE as error:
            raise ConfigError(
                f"the Dask scheduler can't be reached: {words(error)}",
                hint="is it running, and is its address (and, for tls://, Dask's configuration of "
                "certificates) right?",
            ) from error
        try:
            await self._first_workers()
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.ensure_future(self._watch())
        self._watching.add_done_callback(self._break_if_failed)

    async def close(self) -> None:
        """Ends the watch and the connection."""
        tasks = [*self._examined.values(), *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._connection.close()

    async def _first_workers(self) -> None:
        """Waits until a worker is there that can send, and all that are there were examined.

        Raises:
            ConfigError: There is none.
        """
        told = False
        with anyio.move_on_after(FIRST_WORKER_S):
            while not self.members:
                try:
                    addresses = await self._connection.addresses()
                    self._look_who_is_there(addresses)
                except OSError as error:
                    raise ConfigError(
                        f"the Dask scheduler is gone: {words(error)}", hint="start it again"
                    ) from error
                if not addresses and not told:
                    told = True
                    self._remark("no-worker-yet", "the Dask cluster has no worker yet; waiting")
                await asyncio.gather(*self._examined.values())
                if self._unfit and not self.members:
                    break
                await asyncio.sleep(0 if self.members else WATCH_S)
        if not self.members:
            why = "; ".join(sorted({text for text, _ in self._unfit.values()}))
            raise ConfigError(
                f"none of the Dask cluster's {len(self._unfit)} workers can send: {why}"
                if self._unfit
                else f"the Dask cluster has no worker, after {FIRST_WORKER_S:g} s",
                hint="" if self._unfit else "start workers, then give the same command again",
            )

    def _look_who_is_there(self, addresses: Mapping[str, Any]) -> None:
        for address in self.members.keys() - addresses.keys():
            member = self.members.pop(address)
            member.gone.set()
            hands = ((member.rows, "rows"), (member.parts, "parts"))
            had = " and ".join(f"{len(each)} {what}" for each, what in hands if each)
            others = f"; its {had} go to others" if had else ""
            self._remark("worker-gone", f"worker {member.worker.name} is gone{others}")
            self.wake()
        now = self._engine.clock.now()
        for address, (_, since) in list(self._unfit.items()):
            if address not in addresses or now - since >= AGAIN_S:
                del self._unfit[address]
        for address in addresses:
            if not any(address in each for each in (self.members, self._unfit, self._examined)):
                task = asyncio.ensure_future(self._admit(address))
                self._examined[address] = task
                task.add_done_callback(partial(self._was_examined, address))

    def _was_examined(self, address: str, task: asyncio.Task[None]) -> None:
        del self._examined[address]
        self._break_if_failed(task)

    def _break_if_failed(self, task: asyncio.Task[None]) -> None:
        """Has the rows raise what ended a task of ours, such as an exception of the caller's."""
        if not task.cancelled() and task.exception() is not None:
            self.broken = self.broken or task.exception()
            for member in self.members.values():
                member.gone.set()
            self.wake()

    async def _admit(self, address: str) -> None:
        """Examines a worker, and gives it rows from now on if it can send."""
        member: Member | None = None
        try:
            found: Introduction = await self._connection.run(address, introduce)
            worker, trouble = found.worker, _unlike(found)
            if trouble is None:
                job = await self._job_now()
                box = SealedBox.of(packed(job), found.key)
                trouble = await self._connection.run(address, examine, box)
                member = Member(worker, found.key, job.credentials)
            if trouble is None:
                await self._before(worker)
        except OSError:
            return  # it went, or is about to be found gone
        except (ImportError, AttributeError) as error:
            worker = Worker(address, address, "")
            trouble = f"turboupload, with its extra `dask`, can't be loaded there: {words(error)}"
        except Exception as error:  # a worker's trouble stops no other
            worker, trouble = Worker(address, address, ""), words(error)
        if trouble is None and member is not None:
            self.members[address] = member
            self.wake()
        else:
            text = f"worker {worker.name} gets no rows: {trouble}"
            self._unfit[address] = text, self._engine.clock.now()
            if text not in self._told_unfit:
                self._told_unfit.add(text)
                self._remark("worker-left-out", text)

    async def _watch(self) -> None:
        """Has an eye on the scheduler and the workers, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                addresses = await self._connection.addresses()
            except (OSError, RuntimeError) as error:  # TimeoutError is an OSError
                await self._go_back(error)
            else:
                self._look_who_is_there(addresses)
                await self._meanwhile()

    async def _go_back(self, error: Exception) -> None:
        """Connects to the scheduler again, which may have been started again."""
        self._look_who_is_there({})
        self._remark("scheduler-gone", f"the Dask scheduler is gone: {words(error)}")
        await self._connection.close()
        ends = self._engine.clock.now() + self._engine.config.give_up_after_s
        while True:
            try:
                await self._connection.open()
            except UNREACHABLE as again:
                if self._engine.clock.now() >= ends:
                    self.lost = Stopped(
                        f"the Dask scheduler can't be reached any more: {words(again)}",
                        operation=WORKERS,
                        hint="start it again, then give the same command: it goes on",
                    )
                    self.wake()
                    return
                await asyncio.sleep(WATCH_S)
            else:
                self.lost = None
                self._remark("scheduler-back", "the Dask scheduler is there again")
                return

    async def pick(
        self,
        able: Callable[[Member], bool],
        free: Callable[[Member], bool],
        load: Callable[[Member], tuple[float, ...]],
        *,
        path: str,
        check: Callable[[], None] = lambda: None,
    ) -> Member:
        """The one of the least load, of those who are able and free; waits for one.

        Args:
            able: Whether a member could ever do it.
            free: Whether it could now.
            load: What it has in hand.
            path: The file that waits, for messages.
            check: Called before each look; raises where waiting is of no use.

        Raises:
            Stopped: Nobody who is able has been there for too long.
        """
        clock, patience_s = self._engine.clock, self._engine.config.give_up_after_s
        ends = clock.now() + patience_s
        while True:
            if self.broken is not None:
                raise self.broken
            if self.lost is not None:
                raise Stopped(self.lost.message, operation=WORKERS, hint=self.lost.hint)
            check()
            ables = [each for each in self.members.values() if able(each)]
            if frees := [each for each in ables if free(each)]:
                return min(frees, key=load)
            if ables:
                ends = clock.now() + patience_s
            changed = self.changed
            try:
                async with asyncio.timeout(max(0.0, ends - clock.now())):
                    await changed.wait()
            except TimeoutError:
                raise Stopped(
                    f"no worker that sees its files has been there for {patience_s:g} s",
                    operation=WORKERS,
                    path=path,
                    hint="start workers that see it, then give the same command: it goes on",
                ) from None

    def _remark(self, code: str, text: str) -> None:
        self._tell(Remark(code, text))

    def wake(self) -> None:
        """Wakes those who wait for a change."""
        self.changed.set()
        self.changed = asyncio.Event()


def _unlike(found: Introduction) -> str | None:
    """Why a worker can't be told anything: it has another version."""
    if found.version == turboupload.__version__:
        return None
    return (
        f"it has turboupload {found.version}, and the coordinator {turboupload.__version__}: "
        "install the same version on both"
    )
