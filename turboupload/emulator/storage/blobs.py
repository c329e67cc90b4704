"""Bodies as files: written once, with random names, immutable, named by database rows.

A body is written to `incoming/` and renamed into `blobs/` once it is complete. Only then a row
names it. So after a crash a file is either complete and named by a row, or is removed.
"""

from __future__ import annotations

import hashlib
import io
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

__all__ = ["Blob", "BlobFolder", "IncomingBlob", "Tampering", "open_blobs", "read_spans"]

READ_BYTES = 1024 * 1024
"""How many bytes of a blob are read at once."""


@dataclass(frozen=True, slots=True)
class Blob:
    """`size` bytes from `offset` on of the file called `name` in the blob folder."""

    name: str
    size: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Tampering:
    """How a body is changed before it is stored.

    Attributes:
        flip_first_bit: Whether its first bit is flipped.
        keep_bytes: How many bytes are kept from its start; None for all.
        claim_whole: Whether its checksum is that of the sent bytes, not of the stored ones.
    """

    flip_first_bit: bool = False
    keep_bytes: int | None = None
    claim_whole: bool = False


_UNCHANGED = Tampering()


class IncomingBlob:
    """A body being received: written and hashed in one pass.

    Only one thread may use it at a time.
    """

    def __init__(self, path: Path, tampering: Tampering) -> None:
        self.path = path
        self.size = 0
        self._tampering = tampering
        self._received = hashlib.sha256()
        # Most bodies are stored unchanged, and hashed once.
        self._stored = self._received if tampering == _UNCHANGED else hashlib.sha256()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append, and hash while the bytes are still in the processor's cache."""
        for chunk in chunks:
            stored = chunk
            if self._stored is not self._received:
                self._received.update(chunk)
                stored = self._tampered(chunk)
            self._stored.update(stored)
            _write_all(self._file, stored)
            self.size += len(stored)

    def _tampered(self, chunk: bytes) -> bytes:
        if self._tampering.flip_first_bit and self.size == 0 and chunk:
            chunk = bytes((chunk[0] ^ 1,)) + chunk[1:]
        keep = self._tampering.keep_bytes
        return chunk if keep is None else chunk[: max(keep - self.size, 0)]

    @property
    def received_sha256(self) -> str:
        """The hex SHA-256 of the sent bytes."""
        return self._received.hexdigest()

    @property
    def claimed_sha256(self) -> bytes:
        """The SHA-256 that the service reports: that of the stored file, unless `claim_whole`."""
        return (self._received if self._tampering.claim_whole else self._stored).digest()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written == len(data):
        return
    rest = memoryview(data)[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class BlobFolder:
    """All blobs of one emulator.

    Arguments:
        root: The emulator's data folder.
        sync: Whether a blob must be synced to the disk before it counts as kept.
    """

    def __init__(self, root: Path, *, sync: bool) -> None:
        self._incoming = root / "incoming"
        self._folder = root / "blobs"
        self._sync = sync
        self._incoming.mkdir(exist_ok=True)
        self._folder.mkdir(exist_ok=True)

    def receive(self, tampering: Tampering | None = None) -> IncomingBlob:
        """Begin a new blob."""
        return IncomingBlob(self.scratch(), tampering or _UNCHANGED)

    def scratch(self) -> Path:
        """The path of a new file that is removed at the next start unless it is kept."""
        return self._incoming / secrets.token_hex(16)

    def keep(self, incoming: IncomingBlob) -> Blob:
        """Make a completely received body a blob."""
        incoming.close()
        return self.keep_file(incoming.path)

    def keep_file(self, path: Path) -> Blob:
        """Make a file from `scratch` a blob."""
        if self._sync:
            _sync(path)
        blob = Blob(path.name, path.stat().st_size)
        path.rename(self.path(blob.name))
        if self._sync:
            _sync(self._folder)
        return blob

    def write(self, data: bytes) -> Blob:
        """Make bytes a blob."""
        path = self.scratch()
        path.write_bytes(data)
        return self.keep_file(path)

    def link(self, blob: Blob) -> Blob:
        """Make a hard link: a second blob with the same bytes, which may outlive the first."""
        linked = Blob(secrets.token_hex(16), blob.size, blob.offset)
        self.path(linked.name).hardlink_to(self.path(blob.name))
        return linked

    def sync_names(self) -> None:
        """Sync the names that `link` made, if blobs must be on the disk."""
        if self._sync:
            _sync(self._folder)

    def path(self, name: str) -> Path:
        """The path of a blob."""
        return self._folder / name

    def delete(self, names: Iterable[str]) -> None:
        """Remove blobs that no row names any more."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def sweep(self, named: Collection[str]) -> None:
        """Remove the remains of a crash: every file that no row names."""
        for path in self._incoming.iterdir():
            path.unlink()
        for path in self._folder.iterdir():
            if path.name not in named:
                path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Joined(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer, which 3.11 can't name
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def open_blobs(folder: BlobFolder, blobs: Sequence[Blob]) -> BinaryIO:
    """Concatenated blobs as one file, to be read once from start to end."""
    length = sum(blob.size for blob in blobs)
    pieces = read_spans(folder, blobs, offset=0, length=length)
    return cast(BinaryIO, io.BufferedReader(_Joined(pieces), READ_BYTES))


def read_spans(
    folder: BlobFolder,
    blobs: Iterable[Blob],
    *,
    offset: int,
    length: int,
    at_once: int = READ_BYTES,
) -> Iterator[bytes]:
    """The bytes of concatenated blobs from `offset` on, at most `at_once` at a time."""
    for blob in blobs:
        if length <= 0:
            return
        if offset >= blob.size:
            offset -= blob.size
            continue
        with folder.path(blob.name).open("rb", buffering=0) as file:
            file.seek(blob.offset + offset)
            left = min(blob.size - offset, length)
            length -= left
            offset = 0
            while left:
                data = file.read(min(at_once, left))
                if not data:
                    raise OSError(f"blob {blob.name} is shorter than its row says")
                left -= len(data)
                yield data
