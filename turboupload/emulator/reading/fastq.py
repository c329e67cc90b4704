"""Reads an uploaded FASTQ file: whether it is whole, its counts and its ETag."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from turboupload.emulator.reading.findings import IngestFailure

__all__ = ["FastqFindings", "examine_fastq", "gunzip"]

GZIP_MAGIC = b"\x1f\x8b"
MAX_OUTPUT_BYTES = 1024 * 1024
MAX_LINE_BYTES = 64 * 1024 * 1024
_GZIP_WBITS = 31


def _inflater() -> tuple[ModuleType, tuple[type[Exception], ...]]:
    """The fastest installed zlib, and its exception for damaged data."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib, (zlib.error,)
    # Its stubs declare the exception class as an instance.
    return isal_zlib, (cast(type[Exception], isal_zlib.error), zlib.error)


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The uncompressed bytes of all members, at most 1 MiB at a time.

    Raises:
        IngestFailure: The file isn't gzip, is damaged, or ends within a member.
    """
    inflate, errors = _inflater()
    member = None
    members = 0
    padding = False
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None:
                # gzip itself accepts zeros after the last member, as on block devices.
                rest = rest.lstrip(b"\0") if members else rest
                padding = padding or (members > 0 and not rest)
                if not rest:
                    break
                if padding or not rest.startswith(GZIP_MAGIC[: len(rest)]):
                    raise IngestFailure(
                        "the file has bytes after its last gzip member that are not gzip"
                        if members
                        else "the file is not gzip"
                    )
                member = inflate.decompressobj(wbits=_GZIP_WBITS)
            try:
                data = member.decompress(rest, MAX_OUTPUT_BYTES)
            except errors as error:
                raise IngestFailure(f"the gzip data is damaged: {error}") from None
            rest = member.unconsumed_tail
            if member.eof:
                rest = member.unused_data
                member = None
                members += 1
            if data:
                yield data
    if member is not None:
        raise IngestFailure("the gzip data is truncated: it ends in the middle of a member")
    if not members:
        raise IngestFailure("the file is empty")


@dataclass(frozen=True, slots=True)
class FastqFindings:
    """What one FASTQ file holds.

    Attributes:
        digest: The hex hash of its uncompressed bytes.
        reads: Its records.
        bases: The bases in them.
    """

    digest: str
    reads: int
    bases: int


def examine_fastq(
    chunks: Iterable[bytes], hash_name: str, check: Callable[[], None]
) -> FastqFindings:
    """Read one FASTQ file.

    Arguments:
        chunks: The compressed bytes, in small pieces.
        hash_name: The hash of the ETag, as hashlib calls it.
        check: Called now and then; raises to stop.

    Raises:
        IngestFailure: The file isn't a complete gzipped FASTQ.
    """
    digest = hashlib.new(hash_name, usedforsecurity=False)
    records = _Records()
    for data in gunzip(chunks):
        check()
        digest.update(data)
        records.feed(data)
    records.finish()
    return FastqFindings(digest.hexdigest(), records.reads, records.bases)


class _Records:
    """Counts records in text that comes in pieces."""

    def __init__(self) -> None:
        self.reads = 0
        self.bases = 0
        self._lines: list[bytes] = []
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise IngestFailure("the file is not FASTQ: a line of more than 64 MiB")
        if self.reads == 0 and not self._lines and (lines or self._rest):
            _check_start(lines[0] if lines else self._rest)
        self._count(self._lines + lines)

    def _count(self, lines: list[bytes]) -> None:
        whole = len(lines) - len(lines) % 4
        self._lines = lines[whole:]
        del lines[whole:]
        # Slices and maps run the loop over records in C, which makes this fast enough.
        bases = list(map(len, map(bytes.rstrip, lines[1::4])))
        qualities = list(map(len, map(bytes.rstrip, lines[3::4])))
        well_formed = (
            all(line.startswith(b"@") for line in lines[0::4])
            and all(line.startswith(b"+") for line in lines[2::4])
            and bases == qualities
        )
        if not well_formed:
            raise IngestFailure(f"the file is not FASTQ: a bad record after {self.reads} good ones")
        self.reads += len(bases)
        self.bases += sum(bases)

    def finish(self) -> None:
        lines = [*self._lines, self._rest] if self._rest else self._lines
        while lines and not lines[-1].strip():
            lines.pop()
        if len(lines) % 4:
            raise IngestFailure("the FASTQ text is truncated: it ends in the middle of a record")
        self._count(lines)
        if not self.reads:
            raise IngestFailure("the file has no reads")


def _check_start(line: bytes) -> None:
    if line.startswith(b"BAM\1"):
        raise IngestFailure("the file is BAM, not FASTQ")
    if not line.startswith(b"@"):
        raise IngestFailure("the file is not FASTQ: it does not begin with '@'")
