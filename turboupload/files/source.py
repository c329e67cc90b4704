"""The files to upload: looked at once, then read in parts, hashed in the same pass.

A file must not change while it is uploaded. Its identity (device, inode, size, mtime) is checked
on the open descriptor and at its path, before and after each part's read, so that a rewrite in
place, a replacement and a truncation are all noticed before anything is completed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

from turboupload.core.model import FileIdentity, Part, PartSource, Source
from turboupload.core.proof.checksum import Checksum, Digest, computed_for
from turboupload.errors import InputError, SourceChanged, Stopped
from turboupload.exhaustion import used_up
from turboupload.files.digests import HASHERS
from turboupload.paths import regular_size, unreadable
from turboupload.units import MIB

__all__ = [
    "OpenSources",
    "PartReader",
    "check_unchanged",
    "identify_source",
    "inspect_source",
    "read_digest",
]

SAMPLE_BYTES = 256 * 1024
"""The fingerprint's samples, in bytes each: first, last, and two between."""


def identify_source(path: str, part_source: PartSource) -> Source:
    """Looks at a file without reading it; the fingerprint is left empty.

    Raises:
        InputError: It isn't a regular file that can be read.
    """
    regular_size(path)
    return Source(part_source, path, _identity(Path(path).stat()), "")


def inspect_source(path: str, part_source: PartSource) -> Source:
    """Looks at a file and reads samples of it: can it be read, and which file is it?

    Raises:
        InputError: It isn't, or it is empty.
    """
    if regular_size(path) == 0:
        raise InputError("the file is empty", path=path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        identity = _identity(os.fstat(descriptor))
        fingerprint = _fingerprint(descriptor, identity.size)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)
    return Source(part_source, path, identity, fingerprint)


def _identity(found: os.stat_result) -> FileIdentity:
    return FileIdentity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _fingerprint(descriptor: int, size: int) -> str:
    digest = hashlib.sha256(f"{size}\n".encode())
    last = max(0, size - SAMPLE_BYTES)
    for offset in sorted({0, last // 3, last // 3 * 2, last}):
        digest.update(os.pread(descriptor, SAMPLE_BYTES, offset))
    return digest.hexdigest()[:32]


class OpenSources:
    """The files of one upload, open for positioned reads from any thread.

    Args:
        sources: As inspected.
        checksum: What the parts' readers compute.

    Raises:
        SourceChanged: A file is no longer the one that was inspected.
    """

    def __init__(self, sources: Sequence[Source], *, checksum: Checksum | Literal["all"]) -> None:
        self._checksum = checksum
        self._open: dict[PartSource, tuple[Source, int]] = {}
        try:
            for source in sources:
                self._open[source.part_source] = (source, self._open_one(source))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> OpenSources:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; no reader may be in use."""
        while self._open:
            _, (_, descriptor) = self._open.popitem()
            os.close(descriptor)

    def reader(self, part: Part, *, checksum: Literal["all"] | None = None) -> PartReader:
        """A reader of one part, at its first byte."""
        source, descriptor = self._open[part.source]
        return PartReader(source, descriptor, part, computed_for(checksum or self._checksum))

    def _open_one(self, source: Source) -> int:
        try:
            descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _gone(source, error) from error
        try:
            check_identity(source, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def check_identity(source: Source, descriptor: int) -> None:
    """Checks that the open file, and the one at its path, are the one that was inspected.

    Raises:
        SourceChanged: One of them isn't.
    """
    try:
        found = _identity(os.fstat(descriptor))
        if found == source.identity:
            found = _identity(Path(source.path).stat())
    except OSError as error:
        raise _gone(source, error) from error
    if found != source.identity:
        raise SourceChanged(
            f"the file changed while it was being uploaded: {_difference(source.identity, found)}",
            path=source.path,
            hint="nothing was completed; when the file is at rest, run the same command again",
        )


def check_unchanged(sources: Sequence[Source]) -> None:
    """Checks that every file is still the one that was inspected.

    Raises:
        SourceChanged: One isn't.
    """
    OpenSources(sources, checksum="xxh3").close()


def _gone(source: Source, error: OSError) -> SourceChanged | Stopped:
    if (what := used_up(error)) is not None:
        hint = "once that is mended, run the same command again: it goes on where it stopped"
        return Stopped(f"can't be opened: {what}", path=source.path, hint=hint)
    return SourceChanged(
        f"the file can no longer be reached: {error.strerror or error}",
        path=source.path,
        hint="nothing was completed; bring the file back and run the same command again",
    )


def _difference(before: FileIdentity, now: FileIdentity) -> str:
    if (before.device, before.inode) != (now.device, now.inode):
        return "another file has taken its place"
    if before.size != now.size:
        return f"it had {before.size:,} bytes and has {now.size:,} now"
    return "it was written to"


class PartReader:
    """One part's bytes, from front to back, once; hashed as they pass.

    This is the service's `PartBody`: `readinto` and `hash_chunk` run in a worker thread, and hash
    the very bytes that are then sent, out of the worker's buffer.

    Attributes:
        read_s: How long the reads took, in seconds.
    """

    def __init__(self, source: Source, descriptor: int, part: Part, wanted: Sequence[str]) -> None:
        self._source = source
        self._descriptor = descriptor
        self._part = part
        self._done = 0
        self._hashed = 0
        self.read_s = 0.0
        self._hashers = {name: HASHERS[name]() for name in wanted}
        self._updates = [each.update for each in self._hashers.values()]

    def __len__(self) -> int:
        return self._part.size

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the part's next bytes and returns how many; 0 at its end.

        Raises:
            SourceChanged: The file is no longer the one that was planned.
            Stopped: The disk failed.
        """
        wanted = min(len(buffer), self._part.size - self._done)
        if wanted == 0:
            return 0
        if self._done == 0:
            check_identity(self._source, self._descriptor)
        count = self._read(buffer[:wanted])
        if count == 0:
            # Shorter than planned: the identity says how; a file that lies about its size doesn't.
            check_identity(self._source, self._descriptor)
            raise Stopped("the file ended before its size", path=self._source.path)
        if self._done + count == self._part.size:
            check_identity(self._source, self._descriptor)
        self._done += count
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        """Hashes the bytes that `readinto` has just given."""
        for update in self._updates:
            update(chunk)
        self._hashed += len(chunk)

    def digest(self) -> Digest:
        """What was computed; only of a part that was read and hashed to its end."""
        if self._hashed != self._part.size:
            raise ValueError(f"only {self._hashed} of {self._part.size} bytes were hashed")
        return Digest(**{name: each.digest() for name, each in self._hashers.items()})

    def _read(self, view: memoryview) -> int:
        began = time.perf_counter()
        try:
            return os.preadv(self._descriptor, [view], self._part.offset + self._done)
        except OSError as error:
            if error.errno == errno.ESTALE:
                raise _gone(self._source, error) from error
            raise Stopped(
                f"reading failed at byte {self._part.offset + self._done:,}: "
                f"{error.strerror or error}",
                path=self._source.path,
                operation="read",
                hint="what was sent is kept; check the disk, then run the same command again",
            ) from error
        finally:
            self.read_s += time.perf_counter() - began


def read_digest(reader: PartReader, stop: threading.Event, *, chunk_bytes: int = MIB) -> Digest:
    """Reads a part to its end without sending it; blocking.

    Args:
        reader: At the part's first byte.
        stop: Set by whoever no longer wants the answer: the reading ends at the next chunk, and
            `digest()` raises ValueError.
        chunk_bytes: Size of the buffer.
    """
    buffer = memoryview(bytearray(min(chunk_bytes, max(1, len(reader)))))
    while not stop.is_set() and (count := reader.readinto(buffer)):
        reader.hash_chunk(buffer[:count])
    return reader.digest()
