"""The files to upload: looked at once, then read in parts, hashed in the same pass.

A source is one file, or several whose bytes follow each other; a part of it may span files. No file
must change while it is uploaded. Its identity (device, inode, size, mtime) is checked on the open
descriptor and at its path, before and after each part's read, so that a rewrite in place, a
replacement and a truncation are all noticed before anything is completed.

A reader opens a file when it comes to it and closes it behind it: a source of a thousand files
needs no more descriptors than one of a single file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from turboupload.core.model import (
    FileIdentity,
    Part,
    PartSource,
    Source,
    SourceFile,
    SourcePaths,
    paths_of,
)
from turboupload.core.proof.checksum import Checksum, Digest, computed_for
from turboupload.errors import InputError, SourceChanged, Stopped
from turboupload.files.digests import HASHERS
from turboupload.paths import regular_size, unreadable
from turboupload.runtime.exhaustion import used_up
from turboupload.units import MIB

if TYPE_CHECKING:
    from turboupload.files.spool_room import SpooledPart

__all__ = [
    "PartReader",
    "PartReaders",
    "check_unchanged",
    "identify_source",
    "inspect_source",
    "read_digest",
]

SAMPLE_BYTES = 256 * 1024
"""The fingerprint's samples, in bytes each: first, last, and two between."""


def identify_source(paths: SourcePaths, part_source: PartSource) -> Source:
    """Looks at a source's files without reading them; the fingerprint is left empty.

    Raises:
        InputError: One isn't a regular file that can be read.
    """
    files = []
    for path in paths_of(paths):
        regular_size(path)
        files.append(SourceFile(path, FileIdentity.of(Path(path).stat())))
    return Source(part_source, tuple(files), "")


def inspect_source(paths: SourcePaths, part_source: PartSource) -> Source:
    """Looks at a source's files and reads samples: can they be read, and which files are they?

    Raises:
        InputError: One can't be read, or is empty.
    """
    source = Source(part_source, tuple(_inspect(path) for path in paths_of(paths)), "")
    return replace(source, fingerprint=_fingerprint(source))


def _inspect(path: str) -> SourceFile:
    if regular_size(path) == 0:
        raise InputError("the file is empty", path=path)
    try:
        descriptor = _open(path)
        try:
            return SourceFile(path, FileIdentity.of(os.fstat(descriptor)))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(path, error) from error


def _open(path: str) -> int:
    """The file, open; a path that became a FIFO since it was looked at doesn't hang."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _fingerprint(source: Source) -> str:
    digest = hashlib.sha256(f"{source.size}\n".encode())
    last = max(0, source.size - SAMPLE_BYTES)
    for offset in sorted({0, last // 3, last // 3 * 2, last}):
        for file, at, count in source.spans(offset, SAMPLE_BYTES):
            digest.update(_sample(file.path, at, count))
    return digest.hexdigest()[:32]


def _sample(path: str, offset: int, size: int) -> bytes:
    try:
        descriptor = _open(path)
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(path, error) from error


class PartReaders:
    """Makes the readers of one upload's parts.

    Args:
        sources: As inspected.
        checksum: What the parts' readers compute.

    Raises:
        SourceChanged: A file is no longer the one that was inspected.
    """

    def __init__(self, sources: Sequence[Source], *, checksum: Checksum | Literal["all"]) -> None:
        self._checksum = checksum
        self._sources = {source.part_source: source for source in sources}
        check_unchanged(sources)

    def reader(self, part: Part, *, checksum: Literal["all"] | None = None) -> PartReader:
        """A reader of one part, at its first byte."""
        return PartReader(
            self._sources[part.source], part, computed_for(checksum or self._checksum)
        )


def _open_file(file: SourceFile) -> int:
    """The file that was inspected, open.

    Raises:
        SourceChanged: It is another, or can't be reached.
        Stopped: This machine can't open it now.
    """
    try:
        descriptor = _open(file.path)
    except OSError as error:
        raise _gone(file, error) from error
    try:
        check_identity(file, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_identity(file: SourceFile, descriptor: int) -> None:
    """Checks that the open file, and the one at its path, are the one that was inspected.

    Raises:
        SourceChanged: One of them isn't.
    """
    try:
        found = FileIdentity.of(os.fstat(descriptor))
        if found == file.identity:
            found = FileIdentity.of(Path(file.path).stat())
    except OSError as error:
        raise _gone(file, error) from error
    if found != file.identity:
        raise SourceChanged(
            f"the file changed while it was being uploaded: {_difference(file.identity, found)}",
            path=file.path,
            hint="nothing was completed; when the file no longer changes, run the same command "
            "again",
        )


def check_unchanged(sources: Sequence[Source]) -> tuple[FileIdentity, ...]:
    """Checks that every file is still the one that was inspected.

    Returns:
        Each file's identity, which is the same but for the last change of its inode.

    Raises:
        SourceChanged: One isn't.
    """
    return tuple(_look_at(file) for source in sources for file in source.files)


def _look_at(file: SourceFile) -> FileIdentity:
    descriptor = _open_file(file)
    try:
        return FileIdentity.of(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _gone(file: SourceFile, error: OSError) -> SourceChanged | Stopped:
    if (what := used_up(error)) is not None:
        hint = "once that is solved, run the same command again: it goes on where it stopped"
        return Stopped(f"can't be opened: {what}", path=file.path, hint=hint)
    return SourceChanged(
        f"the file can no longer be reached: {error.strerror or error}",
        path=file.path,
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

    def __init__(self, source: Source, part: Part, wanted: Sequence[str]) -> None:
        self._part = part
        self._spans = source.spans(part.offset, part.size)
        self._open: _OpenSpan | None = None
        self._closed = False
        self._hashed = 0
        self.read_s = 0.0
        self._hashers = {name: HASHERS[name]() for name in wanted}
        self._updates = [each.update for each in self._hashers.values()]

    def __len__(self) -> int:
        return self._part.size

    def close(self) -> None:
        """Closes the file that is being read; nothing can be read afterwards."""
        self._closed = True
        if self._open is not None:
            self._open.close()
            self._open = None

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the part's next bytes and returns how many; 0 at its end.

        Raises:
            SourceChanged: A file is no longer the one that was planned.
            Stopped: The disk failed.
        """
        began = time.perf_counter()
        try:
            if (open_span := self._open) is None:
                span = None if self._closed else next(self._spans, None)
                if span is None:
                    return 0
                open_span = self._open = _OpenSpan(*span)
            count = open_span.readinto(buffer)
            if open_span.left == 0:
                open_span.close()
                self._open = None
            return count
        finally:
            self.read_s += time.perf_counter() - began

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


class _OpenSpan:
    """A range of a file that is being read; its file is open until `close`.

    Attributes:
        left: How many bytes of it weren't read yet.

    Raises:
        SourceChanged: The file is no longer the one that was planned.
    """

    def __init__(self, file: SourceFile, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self.left = size
        self._descriptor = _open_file(file)

    def close(self) -> None:
        """Closes the file; again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def readinto(self, buffer: memoryview) -> int:
        """Fills the buffer with the next bytes; `left` is what remains.

        Raises:
            SourceChanged: The file is no longer the one that was planned.
            Stopped: The disk failed.
        """
        count = self._read(buffer[: min(len(buffer), self.left)])
        if count == 0:
            # Shorter than planned: the identity says how; a file that lies about its size doesn't.
            check_identity(self._file, self._descriptor)
            raise Stopped("the file ended before its size", path=self._file.path)
        self._offset += count
        self.left -= count
        if self.left == 0:
            check_identity(self._file, self._descriptor)
        return count

    def _read(self, view: memoryview) -> int:
        try:
            return os.preadv(self._descriptor, [view], self._offset)
        except OSError as error:
            if error.errno == errno.ESTALE:
                raise _gone(self._file, error) from error
            raise Stopped(
                f"reading failed at byte {self._offset:,}: {error.strerror or error}",
                path=self._file.path,
                operation="read",
                hint="what was sent is kept; check the disk, then run the same command again",
            ) from error


def read_digest(
    reader: PartReader | SpooledPart, stop: threading.Event, *, chunk_bytes: int = MIB
) -> Digest:
    """Reads a part to its end without sending it, and closes its reader; blocking.

    Args:
        reader: At the part's first byte.
        stop: Set when the answer is no longer wanted: the reading ends at the next chunk, and
            `digest()` raises ValueError.
        chunk_bytes: Size of the buffer.
    """
    buffer = memoryview(bytearray(min(chunk_bytes, max(1, len(reader)))))
    with closing(reader):
        while not stop.is_set() and (count := reader.readinto(buffer)):
            reader.hash_chunk(buffer[:count])
        return reader.digest()
