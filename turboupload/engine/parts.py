"""An upload's parts, sent, compared and listed in a task group of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import anyio
import anyio.lowlevel

from turboupload.clock import Clock
from turboupload.core.model import ListedPart, Part
from turboupload.core.notices import Progress, WindowChanged
from turboupload.core.proof.checksum import COMPARABLE, Algorithm, is_computable
from turboupload.core.rate.meter import Effort, Limiter, Meter, what_limits
from turboupload.core.upload.events import Event, PartSeen, PartsListed
from turboupload.core.upload.parts import CheckPart, ListAgain, SendPart, Work
from turboupload.engine.calls import Calls
from turboupload.engine.delivery import Delivery
from turboupload.engine.run import Run
from turboupload.engine.survey import digest_part, list_all_parts, part_pages
from turboupload.errors import CallFailed, LinkFailed, Stopped
from turboupload.files.source import OpenSources, PartReader
from turboupload.omics.base import NOT_FOUND
from turboupload.omics.quotas import Slots
from turboupload.processors import processors

__all__ = ["PartSender"]

REPORT_S = 0.5
"""The pause between two progress notices, in seconds."""

OBSERVE_S = 0.9
"""The pause between two observations of the window, in seconds; a little less than two reports."""


class PartSender:
    """Sends the parts of every upload of an engine through one window.

    Args:
        slots: The places for parts in flight.
        clock: The time.
        delivery: Takes the facts about the parts.
        calls: Explains failures, and knows how long parts have waited for the quota.
        cap_wait_s: How long parts have waited for the bandwidth cap in all, in seconds.
    """

    def __init__(
        self,
        slots: Slots,
        clock: Clock,
        *,
        delivery: Delivery,
        calls: Calls,
        cap_wait_s: Callable[[], float],
    ) -> None:
        self._slots = slots
        self._clock = clock
        self._delivery = delivery
        self._calls = calls
        self._cap_wait_s = cap_wait_s
        self._readers: set[PartReader] = set()
        self._read_s = 0.0
        self._effort: Effort | None = None
        self._limited_by: Limiter | None = None
        self._meter = Meter()
        self._observed_at: float | None = None
        self._sent_bytes = 0
        self._algorithm: Algorithm | None = None
        self._counting = threading.Lock()

    async def send(self, run: Run, *, compare_only: bool = False, list_first: bool = False) -> None:
        """Returns when every part of the upload is proven, and listed where that is due.

        Or when the upload turns out not to be open before it has any part: the service may answer
        a token that it knows with an upload that ended long ago. Then `run.upload_gone` is set.

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
        run.upload_gone = False
        ledger = upload.ledger
        if list_first:
            ledger.begin_listing()
        else:
            ledger.rewind()
        self._share_algorithm(run)

        def done() -> bool:
            if compare_only:
                return ledger.to_compare == 0 or ledger.strange > 0
            if list_first and ledger.strange:
                return True
            return upload.listed and ledger.ready

        with OpenSources(upload.plan.sources, checksum=upload.checksum) as files:
            async with anyio.create_task_group() as group:
                group.start_soon(self._report, run, group.cancel_scope)
                while run.failure is None and not run.upload_gone and not done():
                    compares = compare_only or (list_first and ledger.to_compare > 0)
                    work = self._next_work(run, compare_only=compares)
                    if work is None:
                        await run.changed.wait()
                        continue
                    run.in_flight += 1
                    if run.file_hash is not None and not isinstance(work, ListAgain):
                        run.file_hash.part_started(work.part)
                    group.start_soon(self._do_one, run, files, work, group.cancel_scope)
                    # One part in each turn of the event loop: to prepare and sign a part takes
                    # milliseconds, and a whole window in one turn would block the caller.
                    await anyio.lowlevel.checkpoint()
                group.cancel_scope.cancel()
        self._tell_progress(run)
        if run.failure is not None:
            raise run.failure

    def _next_work(self, run: Run, *, compare_only: bool) -> Work | None:
        """Up to twice as many parts as places, since a part that waits for a retry holds no place.

        More would only pile up while nothing gets through.
        """
        if run.in_flight >= 2 * self._slots.window.size:
            return None
        return run.upload.ledger.take(compare_only=compare_only)

    async def _do_one(
        self, run: Run, files: OpenSources, work: Work, scope: anyio.CancelScope
    ) -> None:
        try:
            event = await self._carry_out(run, files, work)
            await self._delivery.deliver(run, event)
            self._share_algorithm(run)
            self._remark_on(run, event)
        except (CallFailed, LinkFailed) as failure:
            if isinstance(failure, CallFailed) and failure.code == NOT_FOUND:
                self._note_gone(run, failure, scope, listing=isinstance(work, ListAgain))
            else:
                self._fail(run, self._calls.explain_for(run, failure), scope)
        except Exception as error:  # raised again by `send`, outside the group
            self._fail(run, error, scope)
        finally:
            run.in_flight -= 1
            if not isinstance(work, ListAgain):
                run.partial_bytes.pop(work.part, None)
            run.wake()

    def _share_algorithm(self, run: Run) -> None:
        """Shares between the uploads what one of them finds out about the service's checksums."""
        run.upload.ledger.assume(self._algorithm)
        self._algorithm = run.upload.ledger.algorithm

    async def _carry_out(self, run: Run, files: OpenSources, work: Work) -> Event:
        match work:
            case SendPart(part):
                run.retries += run.upload.ledger.sends(part) > 0
                return await self._send(run, files, part)
            case CheckPart(part):
                async with self._slots.place():
                    digest = await digest_part(files.reader(part, checksum="all"))
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
            return PartsListed(await list_all_parts(run.service, run.ref, run.upload.plan.sources))
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            # How soon a listing knows a new upload isn't documented, and it took parts a moment
            # ago. The next part, or Complete, will tell whether it is gone.
            return PartsListed(())

    async def _list_pages(self, run: Run) -> PartsListed:
        """As `_list`; what each page tells lets parts out."""
        rows: list[ListedPart] = []
        async for page in part_pages(run.service, run.ref, run.upload.plan.sources):
            rows += page
            run.upload.ledger.page(page)
            run.wake()
        return PartsListed(tuple(rows))

    async def _send(self, run: Run, files: OpenSources, part: Part) -> PartSeen:
        reader: PartReader | None = None

        def open_body() -> PartReader:
            nonlocal reader
            run.partial_bytes[part] = 0
            self._release(reader)
            reader = files.reader(part)
            self._readers.add(reader)
            return reader

        def on_bytes(count: int) -> None:
            with self._counting:
                run.partial_bytes[part] = run.partial_bytes.get(part, 0) + count
                run.sent_bytes += count
                self._sent_bytes += count

        try:
            checksum = await run.service.send_part(run.ref, part, open_body, on_bytes)
        finally:
            self._release(reader)
        assert reader is not None
        return PartSeen(part=part, digest=reader.digest(), checksum=checksum, origin="sent")

    def _release(self, reader: PartReader | None) -> None:
        if reader is not None:
            self._readers.discard(reader)
            self._read_s += reader.read_s

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

    def _note_gone(
        self, run: Run, failure: CallFailed, scope: anyio.CancelScope, *, listing: bool
    ) -> None:
        if listing or run.upload.ledger.arrived_parts == 0:
            run.upload_gone = True
            scope.cancel()
            return
        self._fail(
            run,
            Stopped(
                f"upload {run.upload.upload_id} is no longer open: it was completed or aborted "
                f"elsewhere, or it expired ({failure.message})",
                path=run.upload.plan.sources[0].path,
                operation=failure.operation,
                hint="run the same command again: it finds out, and begins anew if need be",
            ),
            scope,
        )

    @staticmethod
    def _fail(run: Run, error: Exception, scope: anyio.CancelScope) -> None:
        """Keeps the first failure, and ends the other parts."""
        if run.failure is None:
            run.failure = error
            scope.cancel()

    # --- progress ---------------------------------------------------------------------------

    async def _report(self, run: Run, scope: anyio.CancelScope) -> None:
        try:
            while True:
                self._tell_progress(run)
                self._observe(run)
                await self._clock.sleep(REPORT_S)
        except Exception as error:  # raised again by `send`, outside the group
            self._fail(run, error, scope)

    def _tell_progress(self, run: Run) -> None:
        ledger = run.upload.ledger
        now = self._clock.now()
        run.meter.mark(run.sent_bytes, now)
        with self._counting:
            under_way = sum(run.partial_bytes.values())
        # A part whose bytes have left is not done before the service has answered.
        most = run.upload.plan.total_bytes - (ledger.arrived_parts < run.upload.plan.total_parts)
        done = min(ledger.arrived_bytes + under_way, most)
        run.notify(
            Progress(
                total_bytes=run.upload.plan.total_bytes,
                done_bytes=done,
                bytes_sent=run.sent_bytes,
                parts=run.upload.plan.total_parts,
                done_parts=ledger.arrived_parts,
                bytes_per_s=run.meter.bytes_per_s,
                eta_s=run.meter.eta_s(run.upload.plan.total_bytes - done),
                in_flight=min(run.in_flight, self._slots.window.size),
                window=self._slots.window.size,
                limited_by=self._limited_by,
            )
        )

    def _observe(self, run: Run) -> None:
        """Tells the window how fast bytes go out, once a second for all uploads together."""
        now = self._clock.now()
        if self._observed_at is not None and now - self._observed_at < OBSERVE_S:
            return
        self._observed_at = now
        self._meter.mark(self._sent_bytes, now)
        self._observe_limits(run, now)
        window = self._slots.window
        before = window.size
        window.observed(
            self._meter.bytes_per_s_now,
            run.upload.plan.part_size,
            full=self._slots.full,
            now=now,
        )
        if window.size != before:
            self._slots.resize()
            run.notify(WindowChanged(size=window.size, before=before))
            run.wake()

    def _observe_limits(self, run: Run, now: float) -> None:
        """Finds out what limits the speed, from what the parts under way waited for."""
        quota_s, cap_s = self._calls.quota_wait_s, self._cap_wait_s()
        read_s = self._read_s + sum(reader.read_s for reader in self._readers)
        effort = Effort(now, quota_s, cap_s, read_s, time.process_time())
        if self._effort is not None:
            self._limited_by = what_limits(
                self._effort, effort, in_flight=self._slots.in_use, processors=processors()
            )
            if self._limited_by is not None:
                run.limits_seen[self._limited_by] += 1
        self._effort = effort


def _why_opaque(checksum: str | None) -> str:
    if not is_computable(checksum):
        return (
            f"the service's part checksum ({checksum}) has no form that can be computed here, so "
            "the parts can't be compared with it"
        )
    return (
        f"the service's part checksums are not {COMPARABLE} (it gives {checksum} each time that "
        "the same bytes are sent), so the parts can't be compared with them"
    )
