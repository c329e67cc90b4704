"""The bytes of a part, as they are asked for: anew for every attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["OpenBody", "PartBody"]


class PartBody(Protocol):
    """The bytes of one part, read once from front to back in a worker thread.

    Only one thread uses a body, and none does after the call that was given it has ended.
    """

    def __len__(self) -> int:
        """Size of the part, in bytes; it doesn't change."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the next bytes and returns how many; may block.

        Fewer than asked for are fine; 0 says that there are no more. What it raises comes out of
        `send_part` as it is.

        Raises:
            OSError: The disk failed.
            SourceChanged: The file is no longer the one that was planned.
        """
        ...

    def hash_chunk(self, chunk: memoryview) -> None:
        """Hashes what `readinto` has just given, before any of it is sent; doesn't block.

        Apart from the reading, so that a thread may wait for a slow disk beside others that use
        the processor, and yet hash and encrypt in one go while the bytes are warm in its cache.
        """
        ...


OpenBody = Callable[[], PartBody]
"""Makes the body anew: every attempt reads the part again from its first byte."""
