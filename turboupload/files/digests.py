"""The digests of a whole file and of its parts, read again from the disk.

Memory: a buffer of 1 MiB for each thread, whatever the file's size.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import xxhash

from turboupload.core.proof.checksum import Digest
from turboupload.paths import regular_size, unreadable
from turboupload.threads import results
from turboupload.units import MIB

__all__ = ["HASHERS", "Advance", "digest_parts", "hash_as", "hash_file"]

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


def hash_file(path: str, advance: Advance) -> str:
    """The SHA-256 of a file, in hexadecimal, as `sha256sum` prints it; it blocks.

    Raises:
        InputError: It can't be read.
    """
    digest = hashlib.sha256()
    _read(path, 0, None, (digest.update,), advance)
    return digest.hexdigest()


def hash_as(path: str, names: Iterable[str], advance: Advance) -> dict[str, str]:
    """The hashes of a file, in hexadecimal, by their names in `hashlib`; it blocks.

    Raises:
        InputError: It can't be read.
    """
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    _read(path, 0, None, [each.update for each in hashes.values()], advance)
    return {name: each.hexdigest() for name, each in hashes.items()}


def digest_parts(
    path: str, part_size: int, advance: Advance, *, threads: int
) -> tuple[Digest, ...]:
    """The digests of a file's parts, in order, several read at a time; it blocks.

    Args:
        path: The file.
        part_size: Size of every part but the last, in bytes.
        advance: Told of the progress.
        threads: How many parts are read at a time.

    Raises:
        InputError: It can't be read.
    """
    offsets = range(0, regular_size(path), part_size)
    digest = partial(_digest_part, path, part_size, advance)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="digest")
    try:
        return tuple(results([pool.submit(digest, offset) for offset in offsets]))
    finally:
        pool.shutdown(cancel_futures=True)


def _digest_part(path: str, part_size: int, advance: Advance, offset: int) -> Digest:
    hashers = {name: make() for name, make in HASHERS.items()}
    _read(path, offset, part_size, [each.update for each in hashers.values()], advance)
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
