"""Hashes an upload's files in the background, a little behind the sending."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from msgspec.structs import replace

from turboupload.core.model import Part
from turboupload.core.notices import Hashing, Notice
from turboupload.core.upload.events import ETagComputed
from turboupload.engine.proving.hashing import ContentHasher

__all__ = ["BackgroundHash"]

REPORT_S = 0.5
"""The pause between two progress notices of the hashing, in seconds."""


class BackgroundHash:
    """Hashes an upload's files while they are sent, and keeps the ETag until it is asked for.

    Args:
        hasher: Hashes the files.
        family: The ETag family that will probably be asked for.
        tell: Receives the progress while the upload waits for the ETag.
    """

    def __init__(self, hasher: ContentHasher, family: str, tell: Callable[[Notice], None]) -> None:
        self._hasher = hasher
        self._family = family
        self._tell = tell
        self._computed: ETagComputed | None = None
        self._done = anyio.Event()

    def part_started(self, part: Part) -> None:
        """Allows hashing up to the end of a part, since that part is being sent now."""
        self._hasher.gate.advance(part)

    def hurry(self) -> None:
        """Allows hashing to the end of the files, since nothing is left to send."""
        self._hasher.gate.open()

    async def run(self) -> None:
        """Hashes the files; until `hurry` is called, no faster than they are sent.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self._computed = await self._hasher.compute(self._family)
        self._done.set()

    async def computed(self, family: str | None = None) -> ETagComputed:
        """Waits for the ETag.

        Args:
            family: The family of the service's ETag; None takes the expected one.

        Raises:
            IntegrityError: A FASTQ is damaged, or a file changed while it was read.
        """
        self.hurry()
        while not self._done.is_set():
            self._tell(
                Hashing(done_bytes=self._hasher.done_bytes, total_bytes=self._hasher.total_bytes)
            )
            with anyio.move_on_after(REPORT_S):
                await self._done.wait()
        assert self._computed is not None
        if family is None or family == self._computed.family:
            return self._computed
        if self._computed.etag is None:
            return replace(self._computed, family=family)
        return await self._hasher.compute(family)
