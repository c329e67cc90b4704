"""Inflates content in a thread of its own, ahead of the reader.

A few buffers of 1 MiB are filled again and again. So the threads hand over a thousand times a
second instead of ten thousand times, rarely compete for the interpreter lock, and allocate no
memory meanwhile. With MD5 as the reader this reaches 0.97 of the rate of MD5 alone; handing over
single pieces reached 0.9.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Self

from msgspec.structs import replace

from turboupload.seqcheck.inflate import Damage, Piece
from turboupload.value import Value

__all__ = ["BUFFER_BYTES", "Prefetched", "Prefetcher", "in_pieces", "prefetch"]

BUFFER_BYTES = 1024 * 1024
"""A buffer's size in bytes; larger than any piece."""

_BUFFERS = 4
# malloc would map more than 128 KiB anew each time; see `inflate`.
_PIECE_BYTES = 120 * 1024


class Prefetched(Value, frozen=True):
    """The next content, in a buffer that will be filled again.

    Attributes:
        buffer: The whole buffer.
        length: How much of it is content, in bytes.
        position: How many bytes of the file have been read so far.
        damages: The damages after this content.
        count: The result of `prefetch`'s `count`; None if the reader was waiting and must count
            itself.
    """

    buffer: memoryview
    length: int
    position: int
    damages: tuple[Damage, ...] = ()
    count: int | None = None

    @property
    def data(self) -> memoryview:
        """The content."""
        return self.buffer[: self.length]


def _fill(
    pieces: Iterable[Piece], take: Callable[[], memoryview | None]
) -> Generator[Prefetched, None, None]:
    """Fills buffers with pieces, as many as fit into each.

    Args:
        pieces: The content.
        take: Waits for the next free buffer; returns None to end.
    """
    buffer = take()
    length = position = 0
    for piece in pieces:
        if buffer is None:
            return
        data = piece.data
        if length + len(data) > len(buffer):
            yield Prefetched(buffer, length, position)
            length = 0
            if (buffer := take()) is None:
                return
        buffer[length : length + len(data)] = data
        length += len(data)
        position = piece.position
        if piece.damages:
            yield Prefetched(buffer, length, position, piece.damages)
            length = 0
            buffer = take()
    if length and buffer is not None:
        yield Prefetched(buffer, length, position)


class Prefetcher:
    """Runs `pieces` in a thread of its own, ahead of the reader.

    A buffer is filled again once the reader has released it. Leaving the context ends the thread.

    Args:
        pieces: The content; its exceptions are raised in the reader's thread.
        buffers: The buffers to fill.
        count: Called with the content of each buffer, unless the reader is waiting for it.
    """

    def __init__(
        self,
        pieces: Iterable[Piece],
        buffers: Iterable[memoryview],
        count: Callable[[memoryview], int] | None = None,
    ) -> None:
        self._pieces = pieces
        self._count = count
        self._free: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._filled: queue.SimpleQueue[Prefetched | BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="inflate")
        for buffer in buffers:
            self._free.put(buffer)

    def __enter__(self) -> Self:
        try:
            self._thread.start()
        except BaseException:
            # After an interrupt the thread may run although no reader will ever release a buffer.
            self._free.put(None)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # The thread takes this after the free buffers: a few milliseconds' work.
        self._free.put(None)
        self._thread.join()

    def __iter__(self) -> Iterator[Prefetched]:
        while (item := self._filled.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def release(self, content: Prefetched) -> None:
        """Gives a buffer back, so that it is filled again."""
        self._free.put(content.buffer)

    def _work(self) -> None:
        try:
            for content in _fill(self._pieces, self._free.get):
                if self._count is not None and not self._filled.empty():
                    content = replace(content, count=self._count(content.data))
                self._filled.put(content)
        except BaseException as error:
            # Raised again in the reader's thread.
            self._filled.put(error)
        self._filled.put(None)


def prefetch(
    pieces: Iterable[Piece], count: Callable[[memoryview], int] | None = None
) -> Generator[Prefetched, None, None]:
    """The buffers of a `Prefetcher`; each is valid until the next one is asked for.

    Args:
        pieces: The content.
        count: Called with the content of each buffer, unless the reader is waiting for it.
    """
    buffers = [memoryview(bytearray(BUFFER_BYTES)) for _ in range(_BUFFERS)]
    with Prefetcher(pieces, buffers, count) as contents:
        for content in contents:
            yield content
            contents.release(content)


def in_pieces(contents: Iterable[Prefetched]) -> Generator[Piece, None, None]:
    """The same content as copies, which the reader may keep."""
    for each in contents:
        data = each.data
        for at in range(0, len(data), _PIECE_BYTES):
            yield Piece(bytes(data[at : at + _PIECE_BYTES]), each.position)
        if each.damages:
            yield Piece(b"", each.position, each.damages)
