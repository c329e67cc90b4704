"""The hashing of an upload's files, a little behind the sending, and ready when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio

from turboupload.clock import Clock
from turboupload.core.etag import DEFAULT_FAMILY
from turboupload.core.events import ETagComputed
from turboupload.core.model import Part
from turboupload.core.notices import Hashing, Notice
from turboupload.engine.hashing import ContentHasher

__all__ = ["Follower"]

REPORT_S = 0.5
"""How often it is told how far the hashing is, in seconds."""


class Follower:
    """Hashes an upload's files beside it, and has the answer ready when it is asked for.

    Args:
        hasher: Of the files.
        clock: The time.
        tell: Told how far it is, while the upload waits for it.
    """

    def __init__(self, hasher: ContentHasher, clock: Clock, tell: Callable[[Notice], None]) -> None:
        self._hasher = hasher
        self._clock = clock
        self._tell = tell
        self._computed: ETagComputed | None = None
        self._ended = anyio.Event()

    def begun(self, part: Part) -> None:
        """A part is being sent."""
        self._hasher.gate.begun(part)

    def hurry(self) -> None:
        """Nothing is left to be sent: there is nothing to follow."""
        self._hasher.gate.open()

    async def follow(self) -> None:
        """Hashes the files; no faster than they are sent until it is told to hurry.

        The store's family is known only when the read set is ACTIVE; most stores have the default.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self._computed = await self._hasher.compute(DEFAULT_FAMILY)
        self._ended.set()

    async def computed(self, family: str) -> ETagComputed:
        """The ETag in the service's family, when it is ready."""
        self.hurry()
        if not self._ended.is_set():
            await self._wait()
        assert self._computed is not None
        if self._computed.family != family and self._computed.etag is not None:
            return await self._hasher.compute(family)
        return replace(self._computed, family=family)

    async def _wait(self) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._report)
            await self._ended.wait()
            group.cancel_scope.cancel()

    async def _report(self) -> None:
        while True:
            self._tell(
                Hashing(done_bytes=self._hasher.done_bytes, total_bytes=self._hasher.total_bytes)
            )
            await self._clock.sleep(REPORT_S)
