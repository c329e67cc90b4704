"""Memory that other processes read as a file, without a copy."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, Self

__all__ = ["SharedBuffers"]


class SharedBuffers:
    """Buffers in an unnamed file, which is in memory if the system supports that.

    Args:
        count: How many buffers.
        size: How large each is, in bytes.

    Raises:
        OSError: There is no room for them.
        MemoryError: There is no memory to fill them with zeros.

    Attributes:
        buffers: The buffers.
    """

    def __init__(self, count: int, size: int) -> None:
        with ExitStack() as stack:
            self._file = stack.enter_context(_unnamed_file())
            # Write zeros instead of only setting the size: a write beyond a full disk would kill
            # us.
            self._file.write(bytes(count * size))
            self._file.flush()
            memory = memoryview(mmap.mmap(self._file.fileno(), count * size))
            stack.pop_all()
        starts = range(0, count * size, size)
        self.buffers: Sequence[memoryview] = [memory[at : at + size] for at in starts]
        self._places = dict(zip(map(id, self.buffers), starts, strict=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def descriptor(self) -> int:
        """The file, open."""
        return self._file.fileno()

    def place(self, buffer: memoryview) -> int:
        """Offset of a buffer in the file, in bytes."""
        return self._places[id(buffer)]


def _unnamed_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("turboupload"), "r+b")
    return tempfile.TemporaryFile()
