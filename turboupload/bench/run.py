"""Probes the way to a store: made-up bytes in an upload that is aborted in the end.

Parts go by the way of every upload's (`omics.client`, `http.transport`), under the same policies:
window, quotas, retries, and how large parts are. What the parts hold is made up, so no disk is in
the way. A part's number is used again once the part is accepted, since a part that is sent again
replaces the earlier one: so no more is ever stored than is in flight.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import anyio
import anyio.abc
import anyio.lowlevel

from turboupload.bench.made_up import MadeUpBody, MadeUpUpload
from turboupload.bench.temporary import CONTROL_S, TemporaryUpload
from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.bench import (
    BenchNotice,
    BenchResult,
    Sample,
    measured,
    most_seen,
    verdict,
)
from turboupload.core.metadata import check_id
from turboupload.core.model import Part
from turboupload.core.proof.checksum import compare, computed_for
from turboupload.core.rate.risk import LinkRate
from turboupload.core.rate.window import MOST, Window
from turboupload.engine.run import OnNotice
from turboupload.engine.sharing import open_quotas
from turboupload.engine.traffic import LOOK_S, Traffic
from turboupload.errors import CallFailed, ConfigError, LinkFailed, TurbouploadError
from turboupload.http.bandwidth import BandwidthCap
from turboupload.limits import MAX_PART_BYTES
from turboupload.omics.base import UploadRef
from turboupload.omics.call import Caller
from turboupload.omics.client import OmicsClient
from turboupload.omics.connection import Connection
from turboupload.omics.opening import open_connection
from turboupload.omics.quotas import Slots
from turboupload.operations import SEND_PART
from turboupload.runtime.tasks import in_thread
from turboupload.state.journal import Journal
from turboupload.units import format_duration, format_size

__all__ = ["Bench", "open_bench"]

LOOKS: Final = 3
"""How many calls are timed."""

PROBE_S: Final = 5.0


@asynccontextmanager
async def open_bench(
    config: UploadConfig, notify: OnNotice, tell: Callable[[BenchNotice], None]
) -> AsyncIterator[Bench]:
    """Opens the service.

    Args:
        config: How to reach it, and how to upload.
        notify: Receives every call and retry.
        tell: Receives the upload's events and the measurements so far.

    Raises:
        ConfigError: The Region, the profile or a certificate can't be used.
    """
    pace = BandwidthCap(config.max_bandwidth) if config.max_bandwidth else None
    workers = config.concurrency or MOST
    async with open_connection(config, workers=workers, pace=pace) as connection:
        yield Bench(connection, config, notify, tell, cap=pace)


class Bench:
    """Sends made-up parts for a while, as an upload would.

    Args:
        connection: To the service.
        config: How to upload.
        notify: Receives every call and retry.
        tell: Receives the upload's events and the measurements so far.
        cap: The bandwidth cap.
        clock: The time.
    """

    def __init__(
        self,
        connection: Connection,
        config: UploadConfig,
        notify: OnNotice,
        tell: Callable[[BenchNotice], None],
        *,
        cap: BandwidthCap | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._connection = connection
        self._config = config
        self._tell = tell
        self._clock = clock or Clock()
        slots = Slots(Window(fixed=config.concurrency))
        self._caller = Caller(
            replace(config, give_up_after_s=min(config.give_up_after_s, CONTROL_S)),
            self._clock,
            slots=slots,
            quotas=open_quotas(config, connection.where),
            endpoint=connection.endpoint,
        )
        self._traffic: Traffic[MadeUpUpload] = Traffic(
            slots,
            LinkRate(cap=config.max_bandwidth),
            lambda: self._caller.quota_wait_s,
            cap or BandwidthCap(None),
            connection.queued_bytes,
            connection.dropped_bytes,
            parts_per_s=self._caller.rate(SEND_PART.name),
        )
        self._upload = MadeUpUpload(notify, config, self._traffic.link)
        self._service = OmicsClient(connection, self._caller.notifying(self._upload.hear))

    async def run(self, store_id: str, seconds: float) -> BenchResult:
        """Opens an upload, sends parts, and aborts it, whatever happens meanwhile.

        Args:
            store_id: The store, 10 to 36 digits.
            seconds: How long to send.

        Raises:
            TurbouploadError: The service refused or went away; the upload was aborted, or the error
                has its id in `upload_id` and says how to abort it.
        """
        check_id("a store", store_id)
        size = self._config.part_size_bytes
        if size is not None and size > MAX_PART_BYTES:
            raise ConfigError(f"a part has at most {format_size(MAX_PART_BYTES)}")
        temporary = TemporaryUpload(
            self._service, self._clock, self._tell, lambda: self._upload.create_was_repeated
        )
        try:
            call_s = await self._time_calls(store_id)
            round_trip_s = await self._time_round_trip()
            async with temporary.opened(store_id) as ref:
                samples = await self._send(ref, seconds)
            still_listed = not await temporary.is_gone(ref)
        except (CallFailed, LinkFailed) as failure:
            raise self._explained(failure, store_id) from failure
        await self._remember()
        return self._result(ref, samples, call_s, round_trip_s, still_listed=still_listed)

    def _explained(self, failure: CallFailed | LinkFailed, store_id: str) -> TurbouploadError:
        error = self._caller.explain(failure, f"store {store_id}")
        error.hint = (error.hint or "").replace(": it goes on where it stopped", "") or None
        return error

    # --- before ---------------------------------------------------------------------------------

    async def _time_calls(self, store_id: str) -> float:
        """How long the quickest of a few harmless calls takes; the first opens the connection."""
        took = []
        for _ in range(LOOKS):
            began = time.perf_counter()
            await self._service.list_uploads(store_id, page_size=1)
            took.append(time.perf_counter() - began)
        return min(took)

    async def _time_round_trip(self) -> float | None:
        *_, url = self._connection.hosts.values()
        found = await self._connection.probe(url, PROBE_S)
        return found.took_s.get("connect")

    # --- the parts ------------------------------------------------------------------------------

    async def _send(self, ref: UploadRef, seconds: float) -> list[Sample]:
        """Sends parts until the time is over; returns what had left, look by look."""
        upload, samples = self._upload, [self._sample()]
        self._traffic.runs.append(upload)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, samples)
                with anyio.move_on_after(seconds):
                    await self._keep_sending(ref, group)
                samples.append(self._sample())
                group.cancel_scope.cancel()
        finally:
            self._traffic.runs.remove(upload)
        if upload.failure is not None:
            raise upload.failure
        # On a slow link none may be accepted in time, and that is no failure.
        if not upload.parts and (upload.trouble or measured(samples)[0] <= 0):
            message = upload.trouble or f"nothing left within {format_duration(seconds)}"
            raise LinkFailed(SEND_PART.name, fault="lost", message=message)
        return samples

    async def _keep_sending(self, ref: UploadRef, group: anyio.abc.TaskGroup) -> None:
        upload = self._upload
        while upload.failure is None:
            if upload.in_flight >= 2 * self._traffic.window.size:
                await upload.changed.wait()
                continue
            upload.in_flight += 1
            group.start_soon(self._send_one, ref, upload.next_part())
            # One in each turn of the event loop, as an upload does.
            await anyio.lowlevel.checkpoint()

    async def _send_one(self, ref: UploadRef, part: Part) -> None:
        upload, traffic = self._upload, self._traffic
        body: MadeUpBody | None = None

        def open_body() -> MadeUpBody:
            nonlocal body
            traffic.end(body)
            body = MadeUpBody(part.size, computed_for(self._config.checksum))
            traffic.begin(upload, part, body, self._clock.now())
            return body

        try:
            checksum = await self._service.send_part(
                ref, part, open_body, lambda count: traffic.count(upload, part, count)
            )
            assert body is not None
            upload.accepted(compare(checksum, body.digest()))
        except Exception as error:  # raised again by `_send`, outside the group
            upload.fail(error)
        finally:
            traffic.end(body)
            upload.end(part)

    async def _watch(self, samples: list[Sample]) -> None:
        try:
            while True:
                self._traffic.look(self._upload, self._clock)
                samples.append(self._sample())
                self._tell(samples[-1])
                await self._clock.sleep(LOOK_S)
        except Exception as error:  # raised again by `_send`, outside the group
            self._upload.fail(error)

    def _sample(self) -> Sample:
        connection, upload = self._connection, self._upload
        held = connection.queued_bytes() + connection.dropped_bytes()
        return Sample(
            now=self._clock.now(),
            left_bytes=upload.sent_bytes - held,
            parts=upload.parts,
            limits=dict(upload.limits_seen),
            window=self._traffic.window.size,
        )

    # --- afterwards -----------------------------------------------------------------------------

    async def _remember(self) -> None:
        """Keeps the link's rate in the journal, as an upload does; a hint that may be lost."""
        rate = self._traffic.worth_remembering()
        if rate is None:
            return

        def keep() -> None:
            journal = Journal(self._config.state_folder)
            try:
                journal.keep_rate(self._connection.where, rate)
            finally:
                journal.close()

        try:
            await in_thread(keep)
        except TurbouploadError:
            return

    def _result(
        self,
        ref: UploadRef,
        samples: list[Sample],
        call_s: float,
        round_trip_s: float | None,
        *,
        still_listed: bool,
    ) -> BenchResult:
        upload = self._upload
        bytes_per_s, parts_per_s = measured(samples)
        return BenchResult(
            store_id=ref.store_id,
            upload_id=ref.upload_id,
            seconds=samples[-1].now - samples[0].now,
            bytes_sent=upload.sent_bytes,
            bytes_per_s=bytes_per_s,
            parts=upload.parts,
            parts_per_s=parts_per_s,
            part_bytes=upload.largest_part,
            window=self._traffic.window.size,
            retries=upload.retries,
            limited_by=most_seen(samples),
            round_trip_s=round_trip_s,
            call_s=call_s,
            checksums=verdict(upload.matches),
            still_listed=still_listed,
        )
