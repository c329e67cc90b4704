"""A stream's bytes between its producer and the service, in bounded memory.

A thread reads the stream into slots, one a part. A slot is used again when its part is safe, so
that a part can be sent again until then; while all slots are full, the producer waits.

Memory, or disk: the slots, and below 10 MiB.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Final, Literal

from turboupload import limits
from turboupload.core.model import Part
from turboupload.core.proof.checksum import Checksum, computed_for
from turboupload.errors import ConfigError, InputError, Stopped
from turboupload.files.digests import HASHERS
from turboupload.files.etag import ContentHash
from turboupload.files.producers import Producer
from turboupload.files.spool_room import SpooledPart, room
from turboupload.files.stream_content import (
    HEAD_BYTES,
    StreamContent,
    StreamStart,
    look_at_start,
)
from turboupload.runtime.exhaustion import used_up
from turboupload.units import MIB, format_size

__all__ = ["Spool", "stream_part_size"]

LEAST_SLOTS: Final = 2
"""One is filled while another is sent."""

_SLOTS = 4
_READ_BYTES: Final = 1024 * 1024


def stream_part_size(spool_bytes: int, part_size: int | None) -> int:
    """The size of a stream's parts, in bytes.

    A stream's length isn't known before its end, and a source has 10,000 parts at the most. So
    parts are as large as the service takes, unless the spool is small.

    Args:
        spool_bytes: The spool.
        part_size: As the user said, not over the service's limit; None chooses.

    Raises:
        ConfigError: The spool can't hold two parts.
    """
    least = LEAST_SLOTS * (part_size or limits.MIN_PART_BYTES)
    if spool_bytes < least:
        raise ConfigError(
            f"a spool of {format_size(spool_bytes)} doesn't hold {LEAST_SLOTS} parts",
            hint=f"give it {format_size(least)} or more",
        )
    if part_size is not None:
        return part_size
    shared = spool_bytes // _SLOTS // MIB * MIB
    return max(limits.MIN_PART_BYTES, min(limits.MAX_PART_BYTES, shared))


class Spool:
    """Reads a stream ahead of the sending, and keeps each part until it is safe.

    A context manager; leaving it ends the reading, and the producer where that is a command.

    Args:
        producer: Gives the bytes.
        size: For all slots together, in bytes.
        part_size: In bytes.
        checksum: What the parts' readers compute.
        folder: Where to keep them on disk, in a file without a name; None keeps them in memory.
        declared: The type that the user gave.
        family: The ETag family to compute in the same pass; None computes none.

    Attributes:
        producer: As given.
        part_size: As given.
        etag: The content's ETag, once the stream has ended.
        family: As given.

    Raises:
        ConfigError: There is no room for it.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        size: int,
        part_size: int,
        checksum: Checksum = "sha256",
        folder: str | os.PathLike[str] | None = None,
        declared: str | None = None,
        family: str | None = None,
    ) -> None:
        self.producer = producer
        self.part_size = part_size
        self.family = family
        self.etag: ContentHash | None = None
        self._checksum = checksum
        self._declared = declared
        self._memory = room(max(LEAST_SLOTS, size // part_size) * part_size, folder)
        self._view = memoryview(self._memory)
        self._changed = threading.Condition()
        self._free = list(reversed(range(max(LEAST_SLOTS, size // part_size))))
        self._slots: dict[int, int] = {}
        self._start: StreamStart | None = None
        self._content: StreamContent | None = None
        self._size = 0
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)

    # --- for the event loop -----------------------------------------------------------------

    def __enter__(self) -> Spool:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            self._loop = None
            self._changed.notify_all()
        self.producer.stop()
        if self._content is not None:
            # What hashes beside may be what the thread waits for.
            self._content.close()

    @property
    def name(self) -> str:
        """What messages call the stream."""
        return self.producer.name

    @property
    def sha256(self) -> str:
        """Of all bytes, in hexadecimal, once the stream has ended."""
        assert self._content is not None
        return self._content.sha256

    async def start(self) -> StreamStart:
        """Waits for the first part, or the end of what is smaller.

        Raises:
            InputError: What comes can't be uploaded, or the producer failed.
        """
        await self.grown(0)
        assert self._start is not None
        return self._start

    async def grown(self, size: int) -> tuple[int, bool]:
        """Waits until more can be sent, or the end is known.

        Args:
            size: What is known already, in bytes.

        Returns:
            What can be sent by now, in bytes, and whether that is all.

        Raises:
            InputError: The stream is cut, damaged or too long, or its producer failed.
            Stopped: It can't be read.
        """
        assert self._wake is not None
        while True:
            self._wake.clear()
            with self._changed:
                found = self._size, self._ended
                if self._error is not None:
                    raise self._error
            if found[0] > size or found[1]:
                return found
            await self._wake.wait()

    def reader(self, part: Part, *, checksum: Literal["all"] | None = None) -> SpooledPart:
        """A reader of one part, at its first byte.

        Raises:
            Stopped: Its bytes are gone.
        """
        with self._changed:
            slot = self._slots.get(part.number)
        if slot is None:
            raise Stopped(
                f"part {part.number} is to be sent again, and its bytes are gone: what a pipe gave "
                "can't be read a second time",
                path=self.name,
                hint="run the same command again: it starts from the beginning",
            )
        at = slot * self.part_size
        return SpooledPart(
            self._view[at : at + part.size], computed_for(checksum or self._checksum)
        )

    def held(self) -> tuple[int, ...]:
        """The numbers of the parts whose bytes are here."""
        with self._changed:
            return tuple(self._slots)

    def release(self, part: Part) -> None:
        """Frees a part that is safe."""
        with self._changed:
            slot = self._slots.pop(part.number, None)
            if slot is not None:
                self._free.append(slot)
                self._changed.notify_all()

    async def digests(self, part_size: int) -> AsyncIterator[bytes]:
        """Reads the stream to its end, and gives the fingerprint of each part of such a size.

        Nothing of it can be sent afterwards.

        Args:
            part_size: By which another run has cut it, in bytes.
        """
        hasher, filled, number, known = HASHERS["xxh3"](), 0, 1, 0
        ended = False
        while not ended:
            size, ended = await self.grown(known)
            while known < size:
                count = min(self.part_size, size - known)
                slot = self._slots[number]
                data = self._view[slot * self.part_size :][:count]
                while len(data):
                    step = data[: part_size - filled]
                    hasher.update(step)
                    filled, data = filled + len(step), data[len(step) :]
                    if filled == part_size:
                        yield hasher.digest()
                        hasher, filled = HASHERS["xxh3"](), 0
                with self._changed:
                    self._free.append(self._slots.pop(number))
                    self._changed.notify_all()
                known, number = known + count, number + 1
        if filled:
            yield hasher.digest()

    # --- in the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            for number, slot, count, last in self._filled():
                with self._changed:
                    if count:
                        self._slots[number] = slot
                    self._size += count
                    self._ended = last
                self._tell()
        except BaseException as error:
            with self._changed:
                self._error = self._explained(error)
            self._tell()
        finally:
            if self._content is not None:
                self._content.close()
            self.producer.close()

    def _filled(self) -> Iterator[tuple[int, int, int, bool]]:
        """Each part as it is whole: its number, its slot, its size, whether it is the last."""
        number, last = 0, False
        while not last:
            number += 1
            slot = self._free_slot()
            if slot is None:
                return
            count, last = self._fill(slot, first=number == 1)
            if self._closed:
                return
            if count and number > limits.MAX_PARTS:
                raise self._too_long()
            if last:
                self._finish(empty=number == 1 and count == 0)
            yield number, slot, count, last

    def _free_slot(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._free or self._closed)
            return None if self._closed else self._free.pop()

    def _fill(self, slot: int, *, first: bool) -> tuple[int, bool]:
        """Fills a slot; returns how many bytes it has, and whether the stream has ended."""
        view = self._view[slot * self.part_size :][: self.part_size]
        filled = looked = 0
        ended = False
        while filled < self.part_size and not ended and not self._closed:
            count = self.producer.readinto(view[filled : filled + _READ_BYTES])
            filled, ended = filled + count, count == 0
            if self._content is None:
                if filled < min(HEAD_BYTES, self.part_size) and not ended:
                    continue
                if filled == 0 or self._closed:
                    break
                self._look(bytes(view[: min(filled, HEAD_BYTES)]), whole=ended)
            assert self._content is not None
            self._content.feed(view[looked:filled])
            looked = filled
        return filled, ended

    def _look(self, head: bytes, *, whole: bool) -> None:
        name = self.name
        self._start = look_at_start(name, head, whole=whole, declared=self._declared)
        self._content = StreamContent(
            name,
            self._start.file_type,
            head,
            family=self.family,
            tells_success=self.producer.tells_success,
        )

    def _finish(self, *, empty: bool) -> None:
        # Its own words before ours: why something is missing, before what.
        self.producer.finish()
        if empty or self._content is None:
            raise InputError(
                "nothing came",
                code="file.empty",
                path=self.name,
                hint="see whether the command that was to write it failed",
            )
        self.etag = self._content.finish()

    def _too_long(self) -> InputError:
        most = limits.MAX_PARTS * self.part_size
        return InputError(
            f"has more than {format_size(most)}: {limits.MAX_PARTS:,} parts of "
            f"{format_size(self.part_size)}, which is all that the service takes",
            code="stream.too-long",
            path=self.name,
            hint="use larger parts: a larger --spool, or --part-size 100MiB"
            if self.part_size < limits.MAX_PART_BYTES
            else "split it into several read sets",
        )

    def _explained(self, error: BaseException) -> BaseException:
        if not isinstance(error, OSError):
            return error
        return Stopped(
            f"can't be read: {used_up(error) or error.strerror or error}",
            path=self.name,
            operation="read",
            hint="run the same command again: it starts from the beginning",
        )

    def _tell(self) -> None:
        with self._changed:
            if self._loop is not None and self._wake is not None:
                self._loop.call_soon_threadsafe(self._wake.set)
