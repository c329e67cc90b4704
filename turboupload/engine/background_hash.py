"""The hashing of an upload's files, a little behind the sending, and ready when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio

from turboupload.core.model import Part
from turboupload.core.notices import Hashing, Notice
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.hashing import ContentHasher

__all__ = ["Follower"]

REPORT_S = 0.5
"""How often it is told how far the hashing is, in seconds."""


class Follower:
    """Hashes an upload's files beside it, and has the answer ready when it is asked for.

    Args:
        hasher: Of the files.
        family: The ETag family that the answer is likely to be asked for in.
        tell: Told how far it is, while the upload waits for it.
    """

    def __init__(self, hasher: ContentHasher, family: str, tell: Callable[[Notice], None]) -> None:
        self._hasher = hasher
        self._family = family
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

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self._computed = await self._hasher.compute(self._family)
        self._ended.set()

    async def computed(self, family: str | None = None) -> ETagComputed:
        """The ETag in the service's family, when it is ready.

        Args:
            family: As the service says; None takes the one that was likely.
        """
        self.hurry()
        while not self._ended.is_set():
            self._tell(
                Hashing(done_bytes=self._hasher.done_bytes, total_bytes=self._hasher.total_bytes)
            )
            with anyio.move_on_after(REPORT_S):
                await self._ended.wait()
        assert self._computed is not None
        if family is None or family == self._computed.family:
            return self._computed
        if self._computed.etag is None:
            return replace(self._computed, family=family)
        return await self._hasher.compute(family)
