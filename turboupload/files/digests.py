"""The digests of a source's files and of its parts, read again from the disk.

Memory: a buffer of 1 MiB for each thread, whatever the file's size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import xxhash

from turboupload.core.model import spans
from turboupload.core.proof.checksum import Digest
from turboupload.paths import regular_size, unreadable
from turboupload.runtime.threads import results
from turboupload.units import MIB
from turboupload.value import Value

__all__ = ["HASHERS", "Advance", "FileHashes", "digest_parts", "hash_as", "hash_files"]

Advance = Callable[[int], None]
"""Told how many bytes were just read, in the reading thread. It may wait, and what it raises ends
the reading."""


class Hasher(Protocol):
    """A hash under way."""

    def update(self, data: memoryview, /) -> object:
        """Takes the next bytes."""
        ...

    def digest(self) -> bytes:
        """The hash of what was taken so far."""
        ...


HASHERS: Final[Mapping[str, Callable[[], Hasher]]] = MappingProxyType(
    {"xxh3": xxhash.xxh3_128, "sha256": hashlib.sha256}
)
"""What computes each of `core.proof.checksum.ALGORITHMS`."""


class FileHashes(Value, frozen=True):
    """SHA-256 of a source's files, in hexadecimal, as `sha256sum` prints it.

    Attributes:
        whole: Of all of them, one after the other, as of `cat FILE…`.
        each: Of each file, in order.
    """

    whole: str
    each: tuple[str, ...]


def hash_files(paths: Sequence[str], advance: Advance) -> FileHashes:
    """Hashes a source's files as they are; it blocks.

    Raises:
        InputError: One can't be read.
    """
    whole = hashlib.sha256()
    each: list[str] = []
    for path in paths:
        # The first file is what all of them begin with, so one hash serves both.
        alone = hashlib.sha256() if each else whole
        updates = (whole.update, alone.update) if each else (whole.update,)
        _read(path, 0, None, updates, advance)
        each.append(alone.hexdigest())
    return FileHashes(whole.hexdigest(), tuple(each))


def hash_as(path: str, names: Iterable[str], advance: Advance) -> dict[str, str]:
    """The hashes of a file, in hexadecimal, by their names in `hashlib`; it blocks.

    Raises:
        InputError: It can't be read.
    """
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    _read(path, 0, None, [each.update for each in hashes.values()], advance)
    return {name: each.hexdigest() for name, each in hashes.items()}


def digest_parts(
    paths: Sequence[str], part_size: int, advance: Advance, *, threads: int
) -> tuple[Digest, ...]:
    """The digests of a source's parts, in order, several read at a time; it blocks.

    Args:
        paths: Its files.
        part_size: Size of every part but the last, in bytes.
        advance: Told of the progress.
        threads: How many parts are read at a time.

    Raises:
        InputError: A file can't be read.
    """
    sizes = [regular_size(path) for path in paths]
    offsets = range(0, sum(sizes), part_size)
    digest = partial(_digest_part, paths, sizes, part_size, advance)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="digest")
    try:
        return tuple(results([pool.submit(digest, offset) for offset in offsets]))
    finally:
        pool.shutdown(cancel_futures=True)


def _digest_part(
    paths: Sequence[str], sizes: Sequence[int], part_size: int, advance: Advance, offset: int
) -> Digest:
    hashers = {name: make() for name, make in HASHERS.items()}
    updates = [each.update for each in hashers.values()]
    for index, at, count in spans(sizes, offset, part_size):
        _read(paths[index], at, count, updates, advance)
    return Digest(**{name: each.digest() for name, each in hashers.items()})


def _read(
    path: str,
    offset: int,
    size: int | None,
    updates: Iterable[Callable[[memoryview], object]],
    advance: Advance,
) -> None:
    buffer = memoryview(bytearray(MIB))
    try:
        with closing(os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "rb", 0)) as file:
            left = size
            while left is None or left > 0:
                view = buffer if left is None else buffer[:left]
                count = os.preadv(file.fileno(), [view], offset)
                if count == 0:
                    return
                for update in updates:
                    update(view[:count])
                offset += count
                left = None if left is None else left - count
                advance(count)
    except OSError as error:
        raise unreadable(path, error) from error
