"""Who sends an upload's parts: this process, or others that are told which.

The engine decides what is to be sent and records what came of it, whoever reads the bytes and makes
the call. So a part that another machine has sent counts as one of this process does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
from msgspec import Struct, field

from turboupload.clock import Clock
from turboupload.core.model import Part
from turboupload.core.proof.checksum import compare
from turboupload.core.rate.meter import Limiter
from turboupload.core.rate.retry import turns_away
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import PartSeen
from turboupload.engine.calls import Calls
from turboupload.engine.run import OnNotice, Run
from turboupload.engine.survey import digest_part, list_all_parts
from turboupload.engine.traffic import LOOK_S, Sending, Traffic
from turboupload.errors import CallFailed
from turboupload.files.source import PartReader, PartReaders
from turboupload.omics.base import ReadSetService, UploadRef
from turboupload.omics.quotas import Slots

if TYPE_CHECKING:
    from turboupload.files.spool import Spool
    from turboupload.files.spool_room import SpooledPart

__all__ = ["GuestUpload", "Guests", "found_there", "send_here"]


async def send_here(
    traffic: Traffic[Sending],
    clock: Clock,
    sending: Sending,
    service: ReadSetService,
    ref: UploadRef,
    readers: PartReaders | Spool,
    part: Part,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> PartSeen:
    """Reads a part, hashes it in the same pass, and sends it.

    Args:
        traffic: Counts what leaves.
        clock: The time.
        sending: The upload, for the count.
        service: Makes the call, with the policies of an engine.
        ref: The upload's address.
        readers: Of its files.
        part: The part.
        on_bytes: Called, in any thread, with each number of bytes that was just handed over.

    Raises:
        CallFailed: The service refused, or went on failing.
        LinkFailed: No answer came, for too long.
        SourceChanged: A file is no longer the one that was planned.
        Stopped: The disk failed.
    """
    reader: PartReader | SpooledPart | None = None

    def leave() -> None:
        traffic.end(reader)
        if reader is not None:
            reader.close()

    def open_body() -> PartReader | SpooledPart:
        nonlocal reader
        leave()
        reader = readers.reader(part)
        traffic.begin(sending, part, reader, clock.now())
        return reader

    def count(handed_over: int) -> None:
        traffic.count(sending, part, handed_over)
        on_bytes(handed_over)

    try:
        checksum = await service.send_part(ref, part, open_body, count)
        traffic.arrived(part, clock.now())
    finally:
        leave()
    assert reader is not None
    return PartSeen(part=part, digest=reader.digest(), checksum=checksum, origin="sent")


async def found_there(run: Run, readers: PartReaders, part: Part, slots: Slots) -> PartSeen | None:
    """Looks up a part whose sender was lost: it counts as sent where the service has our bytes.

    Args:
        run: The upload.
        readers: Of its files.
        part: The part.
        slots: Reading takes a place, as sending does.

    Returns:
        What an answer would have said; None where it must be sent again.

    Raises:
        CallFailed: The service refused, or went on failing.
        LinkFailed: No answer came, for too long.
    """

    async def list_parts() -> tuple[UploadPart, ...]:
        try:
            return await list_all_parts(
                run.service, run.ref, run.upload.plan.sources, run.upload.file_type
            )
        except CallFailed as failure:
            if not turns_away(failure):
                raise
            return ()  # a listing may lag; sending the part tells whether the upload is gone

    for row in await run.part_listing.of(list_parts):
        if (row.source, row.number, row.size) == (part.source, part.number, part.size):
            async with slots.place():
                digest = await digest_part(readers.reader(part, checksum="all"))
            if compare(row.checksum, digest) == "equal":
                return PartSeen(part=part, digest=digest, checksum=row.checksum, origin="sent")
    return None


# --- parts of uploads that another process decides -----------------------------------------------


class GuestUpload(Struct, eq=False):
    """An upload that another process has in hand, and some of whose parts are sent from here.

    Attributes:
        ref: Its address at the service.
        readers: Of its files, as they are on this machine.
        total_bytes: Of all its files: the parts of smaller uploads go first.
        notify: Hears how the window changes.
        largest_part: The size of its largest part so far, in bytes.
        sent_bytes: Body bytes handed to the network, resends included.
        partial_bytes: The bytes sent of each part that is under way.
        limits_seen: How often each limit was what held it back.
    """

    ref: UploadRef
    readers: PartReaders
    total_bytes: int
    notify: OnNotice
    largest_part: int = 1
    sent_bytes: int = 0
    partial_bytes: dict[Part, int] = field(default_factory=dict)
    limits_seen: Counter[Limiter] = field(default_factory=Counter)

    def wake(self) -> None:
        """Nothing here waits: what is to be sent comes from elsewhere."""


class Guests:
    """Sends parts of uploads that other processes decide, by an engine's policies.

    Args:
        calls: The service with those policies.
        traffic: Measures what leaves, and has the window follow.
        clock: The time.
    """

    def __init__(self, calls: Calls, traffic: Traffic[Sending], clock: Clock) -> None:
        self._calls = calls
        self._traffic = traffic
        self._clock = clock
        self._some = anyio.Event()
        self._in_hand: Counter[GuestUpload] = Counter()

    @property
    def room(self) -> int:
        """How many parts may be in hand, those included that wait for a retry."""
        return 2 * self._traffic.window.size

    @property
    def limited_by(self) -> Limiter | None:
        """What keeps the rate from being higher; None where that isn't known."""
        return self._traffic.limited_by

    async def send(
        self,
        upload: GuestUpload,
        part: Part,
        notify: OnNotice,
        on_bytes: Callable[[int], object],
    ) -> PartSeen:
        """Sends a part.

        Args:
            upload: Which it is of.
            part: The part.
            notify: Receives every call and retry.
            on_bytes: As `send_here` takes it.

        Raises:
            CallFailed: The service refused, or went on failing.
            LinkFailed: No answer came, for too long.
            SourceChanged: A file is no longer the one that was planned.
            Stopped: The disk failed.
        """
        upload.largest_part = max(upload.largest_part, part.size)
        self._come(upload)
        rank = (float(upload.total_bytes), 0.0)
        service = self._calls.service_for(notify, rank=rank, part=part)
        try:
            return await send_here(
                self._traffic,
                self._clock,
                upload,
                service,
                upload.ref,
                upload.readers,
                part,
                on_bytes,
            )
        finally:
            upload.partial_bytes.pop(part, None)
            self._go(upload)

    async def keep_looking(self) -> None:
        """Has the window follow what leaves, while there is something; until cancelled."""
        while True:
            await self._some.wait()
            while self._in_hand:
                self._traffic.look(next(iter(self._in_hand)), self._clock)
                await self._clock.sleep(LOOK_S)
            self._some = anyio.Event()

    def _come(self, upload: GuestUpload) -> None:
        if not self._in_hand[upload]:
            self._traffic.runs.append(upload)
        self._in_hand[upload] += 1
        self._some.set()

    def _go(self, upload: GuestUpload) -> None:
        self._in_hand[upload] -= 1
        if not self._in_hand[upload]:
            del self._in_hand[upload]
            self._traffic.runs[:] = [each for each in self._traffic.runs if each is not upload]
