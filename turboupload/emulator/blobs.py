"""Bodies as files: written once, named at random, never changed, found through the database.

A body is written to `incoming/` and renamed into `blobs/` once it is whole. Only then does a row
name it. So whatever a crash leaves behind is either named by a row, and whole, or swept away.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Blob", "BlobFolder", "IncomingBlob", "read_spans"]

READ_BYTES = 1024 * 1024
"""How much of a blob is read at once."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of `size` bytes called `name` in the blob folder."""

    name: str
    size: int


class IncomingBlob:
    """A body on its way in: written and hashed in one pass.

    Not for several threads at once; one after the other is fine.
    """

    def __init__(self, path: Path, *, flip_first_bit: bool) -> None:
        self.path = path
        self.size = 0
        self._flip = flip_first_bit
        self._received = hashlib.sha256()
        self._stored = hashlib.sha256() if flip_first_bit else self._received
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append, and hash while the bytes are still in the processor's cache."""
        for chunk in chunks:
            stored = chunk
            if self._flip:
                self._received.update(chunk)
                if self.size == 0 and chunk:
                    stored = bytes((chunk[0] ^ 1,)) + chunk[1:]
            self._stored.update(stored)
            _write_all(self._file, stored)
            self.size += len(chunk)

    @property
    def received_sha256(self) -> str:
        """The hex SHA-256 of what was sent."""
        return self._received.hexdigest()

    @property
    def stored_sha256(self) -> bytes:
        """The SHA-256 of what is in the file; differs only where a fault flipped a bit."""
        return self._stored.digest()

    def close(self) -> None:
        """Close the file; closing twice is closing once."""
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def discard(self) -> None:
        """Forget the body."""
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
        sync: Whether a blob must be on the disk itself before it counts as kept.
    """

    def __init__(self, root: Path, *, sync: bool) -> None:
        self._incoming = root / "incoming"
        self._folder = root / "blobs"
        self._sync = sync
        self._incoming.mkdir(exist_ok=True)
        self._folder.mkdir(exist_ok=True)

    def receive(self, *, flip_first_bit: bool = False) -> IncomingBlob:
        """Begin a new blob."""
        return IncomingBlob(self.scratch(), flip_first_bit=flip_first_bit)

    def scratch(self) -> Path:
        """The path of a file that is swept away at the next start unless it is kept."""
        return self._incoming / secrets.token_hex(16)

    def keep(self, incoming: IncomingBlob) -> Blob:
        """Make a body that has been received whole a blob."""
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

    def path(self, name: str) -> Path:
        """Where a blob is."""
        return self._folder / name

    def paths(self, blobs: Iterable[Blob]) -> list[Path]:
        """Where blobs are, in the same order."""
        return [self.path(blob.name) for blob in blobs]

    def delete(self, names: Iterable[str]) -> None:
        """Remove blobs that no row names any more."""
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def sweep(self, named: Collection[str]) -> None:
        """Remove what a crash left behind: everything but the blobs that a row names."""
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


def read_spans(
    folder: BlobFolder, blobs: Iterable[Blob], *, offset: int, length: int
) -> Iterator[bytes]:
    """The bytes from `offset` on of blobs laid end to end, at most 1 MiB at a time."""
    for blob in blobs:
        if length <= 0:
            return
        if offset >= blob.size:
            offset -= blob.size
            continue
        with folder.path(blob.name).open("rb", buffering=0) as file:
            file.seek(offset)
            left = min(blob.size - offset, length)
            length -= left
            offset = 0
            while left:
                data = file.read(min(READ_BYTES, left))
                if not data:
                    raise OSError(f"blob {blob.name} is shorter than its row says")
                left -= len(data)
                yield data
