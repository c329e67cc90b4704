"""The body of a part's request: read anew for every attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["OpenBody", "PartBody"]


class PartBody(Protocol):
    """The bytes of one part, read once from front to back in a worker thread.

    Only one thread uses a body, and none does after the call that got it has ended.
    """

    def __len__(self) -> int:
        """Size of the part, in bytes; it doesn't change."""
        ...

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the next bytes and returns their number; may block.

        Fewer bytes than the buffer holds are allowed; 0 means the end. `send_part` passes its
        exceptions on unchanged.

        Raises:
            OSError: The disk failed.
            SourceChanged: The file isn't the planned one any more.
        """
        ...

    def hash_chunk(self, chunk: memoryview) -> None:
        """Hashes the bytes of the last `readinto`, before they are sent; doesn't block.

        Separate from `readinto`, so that a thread holds no CPU slot while it waits for a slow disk,
        and yet hashes and encrypts the bytes while they are in the processor's cache.
        """
        ...


OpenBody = Callable[[], PartBody]
"""Makes a body that reads the part from its first byte, for one attempt."""
