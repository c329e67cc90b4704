"""Parts with made-up content: everything but the disk is measured."""

from __future__ import annotations

import heapq
import os
from collections import Counter
from typing import Final

import anyio

from turboupload.config import UploadConfig
from turboupload.core.model import Part, PartSource
from turboupload.core.notices import Notice, Retrying
from turboupload.core.proof.checksum import Digest, Match
from turboupload.core.rate.meter import Limiter
from turboupload.core.rate.risk import LinkRate, part_size_for
from turboupload.engine.run import OnNotice
from turboupload.files.digests import HASHERS
from turboupload.operations import CREATE_UPLOAD, SEND_PART
from turboupload.telemetry import log_notice
from turboupload.units import MIB

__all__ = ["MadeUpBody", "MadeUpUpload"]

FIRST_PART_BYTES: Final = 16 * MIB
"""Until the link is known: small enough that a slow one gets some accepted."""


class MadeUpUpload:
    """The parts of a measurement; what `Traffic` wants to know of an upload.

    Args:
        notify: Receives every notice.
        config: How to upload.
        link: What is known of the link's rate.
    """

    def __init__(self, notify: OnNotice, config: UploadConfig, link: LinkRate) -> None:
        self._listener = notify
        self.notify: OnNotice = self.hear
        self.sent_bytes = 0
        self.partial_bytes: dict[Part, int] = {}
        self.limits_seen: Counter[Limiter] = Counter()
        self.in_flight = 0
        self.parts = 0
        self.retries = 0
        self.trouble = ""
        self.create_was_repeated = False
        self.failure: Exception | None = None
        self.matches: Counter[Match] = Counter()
        self.changed = anyio.Event()
        self._fixed = config.part_size_bytes
        self._link = link
        self._free: list[int] = []
        self._numbers = 0

    @property
    def largest_part(self) -> int:
        """The size of the next part, in bytes."""
        if self._fixed is not None:
            return self._fixed
        return part_size_for(self._link.rate) if self._link.is_known else FIRST_PART_BYTES

    def next_part(self) -> Part:
        """The next part, of the smallest number that is not in flight."""
        if not self._free:
            self._numbers += 1
            heapq.heappush(self._free, self._numbers)
        return Part(PartSource.SOURCE1, heapq.heappop(self._free), 0, self.largest_part)

    def end(self, part: Part) -> None:
        """Takes in that a part is no longer under way."""
        self.in_flight -= 1
        self.partial_bytes.pop(part, None)
        heapq.heappush(self._free, part.number)
        self.wake()

    def fail(self, error: Exception) -> None:
        """Takes in what ends the measurement; the first counts."""
        self.failure = self.failure or error
        self.wake()

    def accepted(self, match: Match) -> None:
        """Takes in that the service has accepted a part."""
        self.parts += 1
        self.matches[match] += 1

    def wake(self) -> None:
        """Wakes what waits for a change."""
        self.changed.set()
        self.changed = anyio.Event()

    def hear(self, notice: Notice) -> None:
        """Counts retries, and passes the notice on."""
        if isinstance(notice, Retrying):
            self.retries += 1
            self.create_was_repeated |= notice.operation == CREATE_UPLOAD.name
            if notice.operation == SEND_PART.name:
                self.trouble = notice.message
        log_notice(notice)
        self._listener(notice)


_BLOCK: Final = memoryview(os.urandom(MIB))
"""What the parts are made of: nothing on the way can compress it."""


class MadeUpBody:
    """A part's body that isn't read from a disk.

    Args:
        size: In bytes.
        wanted: The hashes to compute, as for a real part.
    """

    read_s = 0.0

    def __init__(self, size: int, wanted: tuple[str, ...]) -> None:
        self._size = self._left = size
        self._hashers = {name: HASHERS[name]() for name in wanted}

    def __len__(self) -> int:
        return self._size

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer."""
        count = min(len(buffer), self._left, len(_BLOCK))
        buffer[:count] = _BLOCK[:count]
        self._left -= count
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        """Hashes what was given, as for a real part."""
        for each in self._hashers.values():
            each.update(chunk)

    def digest(self) -> Digest:
        """Of the whole part."""
        return Digest(**{name: each.digest() for name, each in self._hashers.items()})
