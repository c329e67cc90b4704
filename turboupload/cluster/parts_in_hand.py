"""Parts of spread uploads that a worker has in hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

import anyio
from anyio import to_thread

from turboupload.cluster.messages import Failure, PartDone, PartOrder, PartTold, SpreadUpload
from turboupload.core.model import Source
from turboupload.core.notices import Notice
from turboupload.engine import Engine
from turboupload.engine.carrying import GuestUpload
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.files.source import PartReaders, inspect_source
from turboupload.telemetry import log_notice

__all__ = ["SpreadParts", "same_files"]

TELL_S = 1.0
"""The pause between two messages about a part, in seconds."""


class SpreadParts:
    """Sends the parts that the coordinator asks for; belongs to the worker's event loop.

    Args:
        engine: The worker's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._uploads: dict[str, GuestUpload] = {}

    async def take(self, spread: SpreadUpload) -> str | None:
        """Takes an upload in, if its very files are here; else returns what is different.

        A file with the size, time of modification, inode and samples of the coordinator's is the
        same one: on a file system that both have mounted. A copy isn't, since parts of two files
        that differ somewhere would become one read set that nobody has.
        """
        try:
            sources = await to_thread.run_sync(_inspect, spread.sources)
            if (trouble := same_files(spread.sources, sources)) is not None:
                return trouble
            readers = await to_thread.run_sync(
                partial(PartReaders, sources, checksum=spread.checksum)
            )
        except TurbouploadError as error:
            return str(error)
        self._uploads[spread.ref.upload_id] = GuestUpload(
            spread.ref, readers, spread.total_bytes, log_notice
        )
        return None

    def knows(self, upload_id: str) -> bool:
        """Whether the upload was taken in."""
        return upload_id in self._uploads

    async def send(self, order: PartOrder, tell: Callable[[PartTold], None]) -> PartDone:
        """Sends a part, and tells of it meanwhile."""
        hand = _PartInHand(order, self._uploads[order.upload_id], self._engine)
        ended: TurbouploadError | CallFailed | LinkFailed
        async with anyio.create_task_group() as group:
            group.start_soon(hand.keep_reporting, tell)
            try:
                seen = await self._engine.guests.send(
                    hand.upload, order.part, hand.hear, hand.count
                )
            except (TurbouploadError, CallFailed, LinkFailed) as error:
                ended = error
            else:
                return PartDone(hand.told(), seen)
            finally:
                group.cancel_scope.cancel()
        return PartDone(hand.told(), Failure.of(ended))


class _PartInHand:
    """A part in hand, with what is to be told of it."""

    def __init__(self, order: PartOrder, upload: GuestUpload, engine: Engine) -> None:
        self.upload = upload
        self._order = order
        self._guests = engine.guests
        self._notices: list[Notice] = []
        self._sent_bytes = 0

    def hear(self, notice: Notice) -> None:
        log_notice(notice)
        self._notices.append(notice)

    def count(self, count: int) -> None:
        # Called in the one thread that sends the part.
        self._sent_bytes += count

    def told(self) -> PartTold:
        notices, self._notices = tuple(self._notices), []
        return PartTold(
            self._order.attempt,
            notices,
            self._sent_bytes,
            self.upload.partial_bytes.get(self._order.part, 0),
            self._guests.room,
            self._guests.limited_by,
        )

    async def keep_reporting(self, tell: Callable[[PartTold], None]) -> None:
        while True:
            await anyio.sleep(TELL_S)
            tell(self.told())


def _inspect(sources: Sequence[Source]) -> list[Source]:
    return [inspect_source(each.paths, each.part_source) for each in sources]


def same_files(theirs: Sequence[Source], ours: Sequence[Source]) -> str | None:
    """What tells the files here from the coordinator's; None where nothing does."""
    for their, our in zip(theirs, ours, strict=True):
        for there, here in zip(their.files, our.files, strict=True):
            a, b = there.identity, here.identity
            # The device is a number of each machine's own.
            for what, one, other in (
                ("size", a.size, b.size),
                ("time of modification", a.mtime_ns, b.mtime_ns),
                ("inode", a.inode, b.inode),
            ):
                if one != other:
                    return (
                        f"{os.path.basename(here.path)} has another {what} there than on the "  # noqa: PTH119 - a path of another machine
                        "coordinator: it is another file, or a copy"
                    )
        if their.fingerprint != our.fingerprint:
            return f"{our.path} has other content there than on the coordinator"
    return None
