"""Where a spool keeps its parts, and how one of them is read."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from collections.abc import Sequence

from turboupload.core.proof.checksum import Digest
from turboupload.errors import ConfigError
from turboupload.files.digests import HASHERS
from turboupload.units import MIB, format_size

__all__ = ["SpooledPart", "room"]


class SpooledPart:
    """One part's bytes out of the spool, once, hashed as they pass: the service's `PartBody`.

    Attributes:
        read_s: How long the reads took: no time.
    """

    read_s = 0.0

    def __init__(self, view: memoryview, wanted: Sequence[str]) -> None:
        self._view = view
        self._done = self._hashed = 0
        self._hashers = {name: HASHERS[name]() for name in wanted}

    def __len__(self) -> int:
        return len(self._view)

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the part's next bytes and returns how many; 0 at its end."""
        count = min(len(buffer), len(self._view) - self._done)
        buffer[:count] = self._view[self._done : self._done + count]
        self._done += count
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        """Hashes the bytes that `readinto` has just given."""
        for each in self._hashers.values():
            each.update(chunk)
        self._hashed += len(chunk)

    def close(self) -> None:
        """Nothing is open: the spool has the bytes."""

    def digest(self) -> Digest:
        """What was computed; only of a part that was read and hashed to its end."""
        if self._hashed != len(self._view):
            raise ValueError(f"only {self._hashed} of {len(self._view)} bytes were hashed")
        return Digest(**{name: each.digest() for name, each in self._hashers.items()})


def room(size: int, folder: str | os.PathLike[str] | None) -> mmap.mmap:
    """Memory, or a file without a name whose disk has room for all of it.

    Args:
        size: In bytes.
        folder: Where the file is; None takes memory.

    Raises:
        ConfigError: There is too little.
    """
    try:
        if folder is None:
            return mmap.mmap(-1, size)
        with tempfile.TemporaryFile(dir=folder, prefix="turboupload-spool-") as file:
            _fill(file.fileno(), size)
            return mmap.mmap(file.fileno(), size)
    except (OSError, MemoryError, ValueError) as error:
        where = "memory" if folder is None else os.fspath(folder)
        raise ConfigError(
            f"there is no room for a spool of {format_size(size)} in {where}: "
            f"{getattr(error, 'strerror', None) or error}",
            hint="use a smaller --spool, or another --spool-dir",
        ) from error


def _fill(descriptor: int, size: int) -> None:
    """Makes sure of a file's disk space: a disk that fills later ends the process by a signal.

    Raises:
        OSError: There is too little.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            # Some file systems don't know it.
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
        else:
            return
    zeros = bytes(MIB)
    for at in range(0, size, MIB):
        os.pwrite(descriptor, zeros[: size - at], at)
