"""An upload's parts, sent, compared and listed in a task group of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from turboupload.clock import Clock
from turboupload.core.model import Part
from turboupload.core.notices import Progress
from turboupload.core.proof.checksum import COMPARABLE, Algorithm, is_computable
from turboupload.core.rate.retry import turns_away
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import Event, PartSeen, PartsListed, SourceGrew
from turboupload.core.upload.parts.facts import Verdict
from turboupload.core.upload.parts.work import CheckPart, ListAgain, SendPart, Work
from turboupload.engine.calls import Calls
from turboupload.engine.carrying import found_there, send_here
from turboupload.engine.delivery import Delivery
from turboupload.engine.run import PartLost, Run
from turboupload.engine.survey import digest_part, list_all_parts, part_pages
from turboupload.engine.traffic import LOOK_S, Sending, Traffic
from turboupload.errors import CallFailed, LinkFailed
from turboupload.files.source import PartReaders
from turboupload.omics.base import NOT_FOUND
from turboupload.omics.quotas import Slots
from turboupload.units import format_rate

if TYPE_CHECKING:
    from turboupload.files.spool import Spool

__all__ = ["PartSender"]

LOOKS_A_REPORT = 2
"""One progress notice is made for this many looks at what has left."""


class PartSender:
    """Sends the parts of every upload of an engine through one window.

    Args:
        slots: The places for parts in flight.
        clock: The time.
        delivery: Takes the facts about the parts.
        calls: Explains failures.
        traffic: Measures what leaves, and adjusts the window.
        may_cut: Whether files may be cut anew for a slow link: not where the user said how.
        remember: Keeps the link's rate, in bytes a second, for the next process.
    """

    def __init__(
        self,
        slots: Slots,
        clock: Clock,
        *,
        delivery: Delivery,
        calls: Calls,
        traffic: Traffic[Sending],
        may_cut: bool,
        remember: Callable[[float], Awaitable[None]],
    ) -> None:
        self._slots = slots
        self._clock = clock
        self._delivery = delivery
        self._calls = calls
        self._traffic = traffic
        self._may_cut = may_cut
        self._remember = remember
        self._scopes: dict[int, anyio.CancelScope] = {}
        self._too_large: list[Run] = []
        self._algorithm: Algorithm | None = None

    async def send(self, run: Run, *, compare_only: bool = False, list_first: bool = False) -> None:
        """Returns when every part of the upload is proven, and listed where that is due.

        Or when the upload turns out not to be open: the service may answer a token that it knows
        with an upload that ended long ago, and another host may have completed it just now. Then
        `run.turned_away` is set.
        Or when the link turns out to be too slow for its cut; then `run.recut` is set.
        Or when another host turns out to have cut the files differently, and ours gives way.

        Args:
            run: The upload.
            compare_only: Send nothing, and return when it is known whether the parts that another
                run or host has sent are of these files.
            list_first: List what the service has before anything that somebody may have sent is
                sent, and return early where it has parts of other files.

        Raises:
            TurbouploadError: A part failed for good; what was done with the others is kept.
            Exception: Whatever the caller's own callback raised, as it is.
        """
        upload = run.upload
        run.turned_away, run.recut, run.withdrawn = None, None, True
        self._share_algorithm(run)
        readers = run.spool or PartReaders(upload.plan.sources, checksum=upload.checksum)
        while run.withdrawn and run.failure is None:
            if list_first and not upload.listed:
                upload.ledger.begin_listing()
            else:
                upload.ledger.rewind()
            if upload.listed and not compare_only:
                run.recut = self._better_cut(run)
                if run.recut is not None:
                    return
            run.withdrawn = False
            await self._send_all(run, readers, compare_only=compare_only, list_first=list_first)
        self._tell_progress(run)
        if run.failure is not None:
            raise run.failure
        await self._remember_rate()

    async def _send_all(
        self, run: Run, readers: PartReaders | Spool, *, compare_only: bool, list_first: bool
    ) -> None:
        """One pass over the parts; it ends early where they fail or are taken back."""
        upload, ledger = run.upload, run.upload.ledger

        def done() -> bool:
            if upload.cut_of_others is not None:
                return True
            if compare_only:
                return ledger.counts.to_compare == 0 or upload.has_parts_of_others
            if list_first and upload.has_parts_of_others:
                return True
            return upload.listed and ledger.ready

        async with anyio.create_task_group() as group:
            scope = self._scopes[id(run)] = group.cancel_scope
            if run.carrier is None:
                self._traffic.runs.append(run)
            try:
                group.start_soon(self._report, run, scope)
                if run.spool is not None and upload.plan.open_ended:
                    group.start_soon(self._follow, run, run.spool, scope)
                while run.failure is None and run.turned_away is None and not done():
                    compares = compare_only or (list_first and ledger.counts.to_compare > 0)
                    work = self._next_work(run, compare_only=compares)
                    if work is None:
                        await run.changed.wait()
                        continue
                    run.in_flight += 1
                    if not isinstance(work, ListAgain):
                        run.part_started(work.part)
                    group.start_soon(self._do_one, run, readers, work, scope)
                    # One part in each turn of the event loop: to prepare and sign a part takes
                    # milliseconds, and a whole window in one turn would block the caller.
                    await anyio.lowlevel.checkpoint()
                scope.cancel()
            finally:
                # By identity: two uploads may be equal.
                self._traffic.runs[:] = [each for each in self._traffic.runs if each is not run]
                del self._scopes[id(run)]

    def _next_work(self, run: Run, *, compare_only: bool) -> Work | None:
        """Up to twice as many parts as places, since a part that waits for a retry holds no place.

        More would only pile up while nothing gets through.
        """
        room = run.carrier.room if run.carrier is not None else 0
        if run.in_flight >= max(room, 2 * self._slots.window.size):
            return None
        return run.upload.ledger.take(compare_only=compare_only)

    async def _do_one(
        self, run: Run, readers: PartReaders | Spool, work: Work, scope: anyio.CancelScope
    ) -> None:
        try:
            event = await self._carry_out(run, readers, work)
            await self._delivery.deliver(run, event)
            if run.spool is not None and isinstance(event, PartSeen):
                _let_go(run, run.spool)
            self._share_algorithm(run)
            self._remark_on(run, event)
        except (CallFailed, LinkFailed) as failure:
            if isinstance(failure, CallFailed) and _ends_upload(run, work, failure):
                run.turned_away = failure
                scope.cancel()
            else:
                self._fail(run, self._calls.explain_for(run, failure), scope)
        except Exception as error:  # raised again by `send`, outside the group
            self._fail(run, error, scope)
        finally:
            run.in_flight -= 1
            if not isinstance(work, ListAgain):
                run.partial_bytes.pop(work.part, None)
            run.wake()

    async def _follow(self, run: Run, spool: Spool, scope: anyio.CancelScope) -> None:
        """Reads a stream up to its end."""
        try:
            ended = False
            while not ended:
                size, ended = await spool.grown(run.upload.plan.total_bytes)
                await self._delivery.deliver(run, SourceGrew(size, ended))
                run.wake()
        except Exception as error:  # raised again by `send`, outside the group
            self._fail(run, error, scope)

    def _share_algorithm(self, run: Run) -> None:
        """Shares between the uploads what one of them finds out about the service's checksums."""
        run.upload.ledger.assume(self._algorithm)
        self._algorithm = run.upload.ledger.algorithm

    async def _carry_out(self, run: Run, readers: PartReaders | Spool, work: Work) -> Event:
        match work:
            case SendPart(part):
                run.retries += run.upload.ledger.sends(part) > 0
                return await self._send(run, readers, part)
            case CheckPart(part):
                async with self._slots.place():
                    digest = await digest_part(readers.reader(part, checksum="all"))
                checksum = run.upload.ledger.confirmed(part, digest)
                return PartSeen(part=part, digest=digest, checksum=checksum, origin="checked")
            case ListAgain(paged=True):
                return await self._list_pages(run)
            case ListAgain(after_s):
                return await self._list(run, after_s)

    async def _list(self, run: Run, after_s: float) -> PartsListed:
        """Lists the parts that the service has."""
        if after_s:
            run.remark(
                "listing-lags",
                "the service doesn't list all parts yet as they were sent; it is asked again for "
                "as long as its listings may lag",
            )
        await self._clock.sleep(after_s)
        try:
            return PartsListed(
                await list_all_parts(
                    run.service, run.ref, run.upload.plan.sources, run.upload.file_type
                )
            )
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            # How soon a listing knows a new upload isn't documented, and it took parts a moment
            # ago. The next part, or Complete, will tell whether it is gone.
            return PartsListed(())

    async def _list_pages(self, run: Run) -> PartsListed:
        """As `_list`; parts are sent while the pages come."""
        rows: list[UploadPart] = []
        async for page in part_pages(
            run.service, run.ref, run.upload.plan.sources, run.upload.file_type
        ):
            rows += page
            run.upload.ledger.page(page)
            run.wake()
        return PartsListed(tuple(rows))

    async def _send(self, run: Run, readers: PartReaders | Spool, part: Part) -> PartSeen:
        if run.carrier is None or not isinstance(readers, PartReaders):
            service = run.service_for(part)
            return await send_here(self._traffic, self._clock, run, service, run.ref, readers, part)
        while True:
            try:
                return await run.carrier.send(run, part)
            except PartLost:
                run.count_retry()
                found = await found_there(run, readers, part, self._slots)
                if found is not None:
                    return found

    def _remark_on(self, run: Run, event: Event) -> None:
        """Tells the user what is unusual about a part."""
        ledger = run.upload.ledger
        if isinstance(event, PartsListed):
            for part, size in ledger.cut_short():
                run.remark(
                    "part-cut-short",
                    f"part {part.number} was sent with {part.size:,} bytes, and the service lists "
                    f"it with {size:,}; it is sent again",
                )
        if not isinstance(event, PartSeen) or event.origin != "sent":
            return
        match ledger.match(event.part):
            case "opaque" if event.digest.provable:
                run.remark("checksum-opaque", _why_opaque(event.checksum))
            case "differs":
                run.remark(
                    "checksum-differs",
                    f"part {event.part.number} arrived with another checksum than it was sent "
                    "with; it is sent again",
                )

    @staticmethod
    def _fail(run: Run, error: Exception, scope: anyio.CancelScope) -> None:
        """Keeps the first failure, and ends the other parts."""
        if run.failure is None:
            run.failure = error
            scope.cancel()

    # --- progress ---------------------------------------------------------------------------

    async def _report(self, run: Run, scope: anyio.CancelScope) -> None:
        looks = 0
        try:
            while True:
                if looks % LOOKS_A_REPORT == 0:
                    self._tell_progress(run)
                looks += 1
                if run.carrier is None and self._traffic.look(run, self._clock):
                    runs = self._traffic.runs
                    self._too_large = [each for each in runs if isinstance(each, Run)]
                    await self._remember_rate()
                self._withdraw()
                await self._clock.sleep(LOOK_S)
        except Exception as error:  # raised again by `send`, outside the group
            self._fail(run, error, scope)

    def _tell_progress(self, run: Run) -> None:
        plan, ledger = run.upload.plan, run.upload.ledger
        run.meter.mark(run.sent_bytes, self._clock.now())
        # What has left is not safe before the service has answered.
        done = ledger.counts.arrived_bytes
        under_way = min(run.bytes_under_way, plan.total_bytes - done)
        paused = self._slots.paused
        window, limited_by = self._slots.window.size, self._traffic.limited_by
        if run.carrier is not None:
            window, limited_by = run.carrier.room, run.carrier.limited_by
        places = self._slots.in_use if paused and run.carrier is None else window
        eta_s = (
            None
            if paused or plan.open_ended
            else run.meter.eta_s(plan.total_bytes - done - under_way)
        )
        run.notify(
            Progress(
                total_bytes=plan.total_bytes,
                done_bytes=done,
                in_flight_bytes=under_way,
                bytes_sent=run.sent_bytes,
                parts=plan.total_parts,
                done_parts=ledger.counts.arrived_parts,
                bytes_per_s=run.meter.bytes_per_s,
                eta_s=eta_s,
                in_flight=min(run.in_flight, places),
                window=window,
                limited_by=limited_by,
                paused=paused,
            )
        )

    # --- what is at risk --------------------------------------------------------------------

    def _withdraw(self) -> None:
        """Takes the parts in flight back if they are too large for the link's rate.

        Whatever was sent of them was sent within seconds. A part that is wholly handed over is
        waited for first, since the service may have accepted it. Parts of other uploads that wait
        for a place are taken back, too.
        """
        rate = format_rate(self._traffic.link.rate or 0.0)
        waiting = []
        for run in self._too_large:
            if id(run) not in self._scopes:
                continue
            if any(sent >= part.size for part, sent in run.partial_bytes.items()):
                waiting.append(run)
                continue
            if not self._traffic.has_too_many(run) and self._better_cut(run) is None:
                continue
            run.withdrawn = True
            run.remark(
                "link-slow",
                f"the link takes {rate}: what was begun is begun again with less in flight, so "
                "that an interruption loses no more than 15 seconds of sending",
            )
            self._scopes[id(run)].cancel()
        self._too_large = waiting

    def _better_cut(self, run: Run) -> int | None:
        if not self._may_cut or run.spool is not None or run.carrier is not None:
            return None
        return self._traffic.better_cut(run.upload)

    async def _remember_rate(self) -> None:
        news = self._traffic.worth_remembering()
        if news is not None:
            self._traffic.link.remember(news)
            await self._remember(news)


def _ends_upload(run: Run, work: Work, failure: CallFailed) -> bool:
    """Whether a failure may mean that the upload isn't open any more.

    Where the service has none of its parts, it may as well not take this one.
    """
    first = isinstance(work, SendPart) and not run.upload.ledger.bytes_there
    return failure.code == NOT_FOUND or (turns_away(failure) and not first)


def _let_go(run: Run, spool: Spool) -> None:
    """Frees the parts of a stream whose bytes can't be needed again."""
    plan = run.upload.plan
    for number in spool.held():
        part = plan.part(plan.sources[0].part_source, number)
        if part is None:
            continue
        if run.upload.ledger.verdict(part) in (Verdict.PROVEN, Verdict.LIST):
            spool.release(part)


def _why_opaque(checksum: str | None) -> str:
    if checksum is None:
        return "the service answered without a part's checksum: its listing must show the part"
    if not is_computable(checksum):
        return (
            f"the service's part checksum ({checksum}) has no form that can be computed here, so "
            "the parts can't be compared with it"
        )
    return (
        f"the service's part checksums are not {COMPARABLE} (it gives {checksum} each time that "
        "the same bytes are sent), so the parts can't be compared with them"
    )
