"""The engine: asks the state for an action, carries it out, and reports the event to the state.

One window, one quota and one journal serve all uploads of an engine. The only task
groups are those that send an upload's parts and hash its files. They live inside the caller's
call: cancelling it ends them, and nothing runs in the background.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from msgspec import structs

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.model import Phase, ReadSet
from turboupload.core.notices import Finished, Rehearsal, Started, UploadResult
from turboupload.core.proof.receipt import Receipt
from turboupload.core.rate.risk import LinkRate
from turboupload.core.rate.window import Window
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.actions import Done
from turboupload.core.upload.events import Event, StatusSeen
from turboupload.engine.calls import Calls
from turboupload.engine.carrying import Guests
from turboupload.engine.complete import Completer
from turboupload.engine.create import Creator
from turboupload.engine.delivery import Delivery
from turboupload.engine.load import Forced, RunLoader
from turboupload.engine.parts import PartSender
from turboupload.engine.perform import Performer
from turboupload.engine.poll import ReadSetPoller
from turboupload.engine.prepare import Prepared, prepare
from turboupload.engine.proving.manifests import ManifestChecks
from turboupload.engine.proving.proof import Prover
from turboupload.engine.proving.receipts import Receipts
from turboupload.engine.rehearse import rehearse
from turboupload.engine.result import result_of, tell_differences
from turboupload.engine.run import OnNotice, PartCarrier, Run
from turboupload.engine.streaming import abort_stream, prepare_stream, resolve_earlier
from turboupload.engine.survey import OpenUploads, Surveyor
from turboupload.engine.traffic import Sending, Traffic
from turboupload.errors import CallFailed, InputError, IntegrityError, LinkFailed, TurbouploadError
from turboupload.http.bandwidth import BandwidthCap
from turboupload.omics.base import Access, ReadSetService
from turboupload.omics.quotas import Quotas, Slots
from turboupload.operations import SEND_PART
from turboupload.runtime.processors import processors
from turboupload.state.journal import Journal
from turboupload.state.receipt_file import ReceiptTarget

if TYPE_CHECKING:
    from turboupload.files.spool import Spool

__all__ = ["Engine"]


class Engine:
    """Uploads read sets, any number side by side.

    Args:
        service: The service, without policies: the engine puts its own around every call.
        journal: The journal.
        config: How to upload.
        where: The endpoint or Region, for the journal's keys.
        endpoint: The custom endpoint, if there is one, for what users read.
        clock: The time.
        link: What is known of the link's rate.
        pace: The cap on bytes a second.
        queued_bytes: How many bytes the kernel has taken and not sent yet.
        dropped_bytes: How many it had taken and not sent when their connection was closed.
        quotas: Token buckets shared with others; None makes new ones.
        access: What others need to sign as this engine does.

    Attributes:
        access: As given.
        calls: The service with the engine's policies around every call, for other work, too.
        clock: The time.
        config: How to upload.
        manifests: What files are compared with, before anything is completed.
        guests: Sends parts of uploads that other processes decide.
    """

    def __init__(
        self,
        service: ReadSetService,
        journal: Journal,
        config: UploadConfig,
        *,
        where: str,
        endpoint: str | None = None,
        clock: Clock | None = None,
        link: LinkRate | None = None,
        pace: BandwidthCap | None = None,
        queued_bytes: Callable[[], int] = lambda: 0,
        dropped_bytes: Callable[[], int] = lambda: 0,
        quotas: Quotas | None = None,
        access: Access | None = None,
    ) -> None:
        self.config = config
        self.access = access
        self.clock = clock or Clock()
        self._link = link or LinkRate(cap=config.max_bandwidth)
        self._slots = slots = Slots(Window(fixed=config.concurrency))
        self.calls = Calls(service, config, self.clock, slots, endpoint=endpoint, quotas=quotas)
        self._pace = pace or BandwidthCap(config.max_bandwidth)
        self._traffic: Traffic[Sending] = Traffic(
            slots,
            self._link,
            lambda: self.calls.quota_wait_s,
            self._pace,
            queued_bytes,
            dropped_bytes,
            parts_per_s=self.calls.rate(SEND_PART.name),
            granted_per_s=lambda: self.calls.granted(SEND_PART.name),
        )
        self.guests = Guests(self.calls, self._traffic, self.clock)
        self._journal = journal
        self._delivery = Delivery(journal)
        self._receipts = Receipts(journal, where=where)
        self._preparing = anyio.CapacityLimiter(processors())
        self._loader = RunLoader(journal, self.calls, config, self.clock, where=where)
        self._poller = ReadSetPoller(self.clock, config)
        self._prover = Prover(config)
        self.manifests = ManifestChecks(config, journal)
        self._performer = Performer(
            self.clock,
            creator=Creator(self.clock, give_up_after_s=config.give_up_after_s),
            sender=PartSender(
                slots,
                self.clock,
                delivery=self._delivery,
                calls=self.calls,
                traffic=self._traffic,
                may_cut=config.part_size_bytes is None,
                remember=partial(self._delivery.remember_rate, where),
            ),
            completer=Completer(self.clock, give_up_after_s=config.give_up_after_s),
            poller=self._poller,
            prover=self._prover,
            open_uploads=self.open_uploads,
            made_otherwise=self._delivery.made_otherwise,
        )
        self._open_uploads: dict[str, OpenUploads] = {}

    # --- what may be changed meanwhile: `core.controls.Controls` ---------------------------------

    @property
    def max_bandwidth(self) -> int | None:
        """The cap, in bytes a second; None is no cap."""
        return self._pace.bytes_per_s

    @property
    def concurrency(self) -> int | None:
        """Parts in flight, where somebody fixed that number."""
        return self._slots.window.size if self._slots.window.is_fixed else None

    @property
    def paused(self) -> bool:
        """Whether nothing new is sent."""
        return self._slots.paused

    def set_bandwidth(self, bytes_per_s: int | None) -> None:
        """Caps what is sent from now on; see `Controls`."""
        replace(self.config, max_bandwidth=bytes_per_s)  # raises where it makes no sense
        self._pace.change(bytes_per_s)
        self._link.cap = bytes_per_s
        self._slots.window.settle(self.clock.now())
        self._traffic.changed()

    def set_concurrency(self, parts: int | None) -> None:
        """Sets how many parts are sent at a time; see `Controls`."""
        replace(self.config, concurrency=parts)  # raises where it makes no sense
        self._slots.window.fix(parts, self.clock.now())
        self._traffic.changed()

    def pause(self) -> None:
        """Sends and reads no new part until `resume`; see `Controls`."""
        self._slots.pause(self.clock.now())
        self._traffic.changed()

    def resume(self) -> None:
        """Ends a pause."""
        self._slots.resume(self.clock.now())
        self._traffic.changed()

    def working_time(self) -> float:
        """The clock without the pauses, for time-outs, in seconds."""
        now = self.clock.now()
        return now - self._slots.paused_s(now)

    @property
    def link_bytes_per_s(self) -> float | None:
        """What the link takes, in bytes a second, as far as anything is known of it."""
        return self._link.rate or self._link.measured

    @property
    def advice(self) -> str | None:
        """What would make uploads faster, in words, where that was the same for long."""
        return self._traffic.adviser.in_all()

    # --- uploads --------------------------------------------------------------------------------

    def open_uploads(self, store_id: str) -> OpenUploads:
        """What is open in a store, as far as anything that is sent there was shown it."""
        return self._open_uploads.setdefault(store_id, OpenUploads())

    def hurry(self) -> None:
        """Stops waiting for another process that has the journal locked, in all uploads."""
        self._journal.hurry()

    def keep_places(self, small_bytes: Sequence[float]) -> None:
        """Keeps a few places of the window for uploads of fewer bytes, for each of these sizes."""
        self._slots.small_bytes = small_bytes
        self._slots.resize()

    async def upload(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        receipt_path: str | os.PathLike[str] | None = None,
    ) -> UploadResult:
        """Uploads a read set, or resumes its upload, and polls it for as long as configured.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Receives everything that happens.
            receipt_path: Where to write the receipt, beside keeping it in the journal.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        run = await self._run(read_set, store_id, notify, receipt_path=receipt_path)
        return await self._finish(run)

    async def upload_stream(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        open_spool: Callable[[str | None], Spool],
        *,
        receipt_path: str | os.PathLike[str] | None = None,
    ) -> UploadResult:
        """As `upload`, of what a stream gives; its bytes are read once, so nothing is resumed.

        Args:
            read_set: The description; its source is a name.
            store_id: The sequence store.
            notify: Receives everything that happens.
            open_spool: Makes the spool, to be entered, from the ETag family to compute.
            receipt_path: Where to write the receipt, beside keeping it in the journal.

        Raises:
            InputError: The stream can't be uploaded, isn't whole, or its producer failed. Nothing
                was completed, and what was begun was aborted, or is named.
            TurbouploadError: See `turboupload.errors`.
        """
        family = self._prover.family(store_id) if self.config.prove else None
        with open_spool(family) as spool:
            run = await self._run(
                read_set, store_id, notify, receipt_path=receipt_path, spool=spool
            )
            return await self._finish(run)

    async def send(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        surveyor: Surveyor | None = None,
        receipt_path: str | os.PathLike[str] | None = None,
        forced: Forced | None = None,
        carrier: PartCarrier | None = None,
    ) -> Run:
        """As `upload`, but ends once the read set exists, without polling it.

        The run that is returned holds no file and no lock; `poll` and `take_status` continue it.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Receives everything that happens.
            surveyor: Answers the first survey, when the upload is planned; None asks the service.
            receipt_path: Where to write the receipt, beside keeping it in the journal.
            forced: Decides whether to upload anew; None leaves that to the configuration.
            carrier: Has the parts sent by other machines; None sends them from here.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        return await self._run(
            read_set,
            store_id,
            notify,
            receipt_path=receipt_path,
            surveyor=surveyor,
            forced=forced,
            carrier=carrier,
            wait_for_end=False,
        )

    async def poll(self, run: Run) -> UploadResult | None:
        """Asks once for the status of a read set that `send` made or found.

        Returns:
            The result; None while the service is working on it (`run.processing`), or if the
            read set must be sent again: it is gone, or another upload made it and it failed.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        assert run.upload.read_set_id is not None
        try:
            event = await self._poller.poll_once(run, run.upload.read_set_id)
            return None if event is None else await self._conclude(run, event)
        except (CallFailed, LinkFailed) as failure:
            raise self.calls.explain_for(run, failure) from failure

    async def take_status(self, run: Run, record: ReadSetDetails) -> UploadResult | None:
        """As `poll`, with the status that a listing shows."""
        return await self._conclude(run, StatusSeen(record))

    async def write_receipt(self, run: Run) -> None:
        """Writes the receipt of a read set that `send` made or found and that isn't polled."""
        await self._receipts.write_despite_errors(run, self.clock.wall())

    async def keep_receipt(self, key: str, receipt: Receipt) -> None:
        """Keeps the receipt of an upload by an engine elsewhere; see `Receipts.keep`."""
        await self._receipts.keep(key, receipt)

    async def progress_elsewhere(self, lock: str) -> str | None:
        """How far another process has come with an upload; see `Delivery.progress_elsewhere`."""
        return await self._delivery.progress_elsewhere(lock)

    async def _conclude(self, run: Run, event: Event) -> UploadResult | None:
        upload = run.upload
        known = upload.record is not None and upload.record.status
        if isinstance(event, StatusSeen) and event.record.status == known:
            upload.receive(event)
        else:
            await self._delivery.deliver_after_release(run, event)
        try:
            # Raises if the read set is not ours, or does not hold what was sent.
            while upload.phase in (Phase.ACTIVE, Phase.FAILED):
                action = upload.next()
                if isinstance(action, Done):
                    return await self._finish(run)
                found = await self._performer.perform(run, action)
                if found is not None:
                    await self._delivery.deliver_after_release(run, found)
        except IntegrityError:
            await self._write_receipt_of_failure(run)
            raise
        return None

    async def _finish(self, run: Run) -> UploadResult:
        result = result_of(run, self.clock.now())
        if result.existed and run.upload.record is not None:
            tell_differences(run, [run.upload.record])
        receipt = await self._receipts.write(run, self.clock.wall())
        result = structs.replace(
            result,
            receipt=receipt,
            manifest="equal" if receipt.manifest else None,
            advice=self.advice if result.bytes_sent else None,
        )
        run.notify(Finished(result))
        return result

    async def _write_receipt_of_failure(self, run: Run) -> None:
        """Writes the receipt of a read set that doesn't hold the files, to document that."""
        if run.upload.phase is Phase.ACTIVE:
            await self.write_receipt(run)

    async def _run(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        receipt_path: str | os.PathLike[str] | None,
        surveyor: Surveyor | None = None,
        forced: Forced | None = None,
        carrier: PartCarrier | None = None,
        wait_for_end: bool = True,
        spool: Spool | None = None,
    ) -> Run:
        await self._slots.until_resumed()
        if spool is None:
            rate = self._link.rate if carrier is None else None
            prepared = await self._prepare(read_set, notify, bytes_per_s=rate)
        else:
            prepared = await prepare_stream(read_set, spool, notify)
        notify(
            Started(
                name=prepared.read_set.name,
                store_id=store_id,
                file_type=prepared.file_type,
                paths=prepared.read_set.paths if spool is None else (spool.name,),
                total_bytes=prepared.plan.total_bytes,
            )
        )
        self._prover.check(prepared.file_type)
        key = self._loader.key(prepared, store_id)
        target = await anyio.to_thread.run_sync(
            partial(_receipt_target, prepared, store_id, receipt_path)
        )
        with self._delivery.lock(key) as lock:
            run = await self._loader.load(prepared, store_id, key, notify, forced=forced)
            run.wait_for_end, run.surveyor, run.receipt_target = wait_for_end, surveyor, target
            run.held, run.spool, run.carrier = {key: lock}, spool, carrier
            try:
                with run.locks:
                    self._delivery.hold_open_upload(run)
                    if spool is not None:
                        await resolve_earlier(
                            run, spool, perform=self._performer.perform, delivery=self._delivery
                        )
                    await self.manifests.drive(run, prepared.wanted, self._drive_to_end)
                    await self._delivery.remember_tail(run)
            except (CallFailed, LinkFailed) as failure:
                raise self.calls.explain_for(run, failure) from failure
            except TurbouploadError as error:
                error.path = error.path or prepared.plan.sources[0].path
                error.upload_id = error.upload_id or run.upload.upload_id
                if isinstance(error, IntegrityError):
                    await self._write_receipt_of_failure(run)
                raise
            finally:
                run.held = {}
        return run

    async def _drive_to_end(self, run: Run) -> None:
        try:
            await self._prover.drive(run, self._drive)
        except InputError as error:
            # Of files, it comes before anything is sent.
            await abort_stream(run, error, self._delivery)
            raise

    async def rehearse(
        self,
        read_set: ReadSet,
        store_id: str,
        notify: OnNotice,
        *,
        surveyor: Surveyor | None = None,
        forced: Forced | None = None,
    ) -> Rehearsal:
        """Finds out what `upload` would do, and changes nothing.

        Args:
            read_set: The files and their description.
            store_id: The sequence store.
            notify: Receives what happens.
            surveyor: Answers the first survey; None asks the service.
            forced: Decides whether it would be uploaded anew; None leaves that to the
                configuration.

        Raises:
            TurbouploadError: See `turboupload.errors`.
        """
        prepared = await self._prepare(read_set, notify, bytes_per_s=self._link.rate)
        key = self._loader.key(prepared, store_id)
        run = await self._loader.load(
            prepared, store_id, key, notify, remember=False, forced=forced
        )
        run.surveyor = surveyor
        try:
            return await rehearse(run, self._performer.perform)
        except (CallFailed, LinkFailed) as failure:
            raise self.calls.explain_for(run, failure) from failure

    async def _prepare(
        self, read_set: ReadSet, notify: OnNotice, *, bytes_per_s: float | None
    ) -> Prepared:
        """Checks the files; as many read sets at a time as there are processors."""
        async with self._preparing:
            prepared = await prepare(read_set, self.config, notify, bytes_per_s=bytes_per_s)
            return structs.replace(prepared, wanted=await self.manifests.wanted(prepared.read_set))

    async def _drive(self, run: Run) -> None:
        """Asks the state for an action, carries it out, delivers the event; until it is done."""
        while True:
            action = run.upload.next()
            if isinstance(action, Done) or self._poller.waited_enough(run, action):
                return
            event = await self._performer.perform(run, action)
            if event is not None:
                await self._delivery.deliver(run, event)


def _receipt_target(
    prepared: Prepared, store_id: str, path: str | os.PathLike[str] | None
) -> ReceiptTarget | None:
    """The file that the receipt is written to, where the user asked for one.

    Raises:
        ConfigError: The file can't be written, or another receipt would be lost.
    """
    if path is None:
        return None
    sources = prepared.plan.sources
    return ReceiptTarget(path, store_id=store_id, read_set=prepared.read_set, sources=sources)
