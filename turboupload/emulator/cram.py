"""The container structure of CRAM: is the file whole, and what do its headers count.

Source: CRAM format specification, versions 2.1 and 3.x, section 7 and 9,
https://samtools.github.io/hts-specs/CRAMv3.pdf (read 2026-11).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from turboupload.emulator.findings import IngestFailure

__all__ = ["CRAM_MAGIC", "ContainerCounts", "walk_containers"]

CRAM_MAGIC = b"CRAM"
_FILE_DEFINITION_BYTES = 26
_EOF_START = 4_542_278
_UNMAPPED = -1
_MAX_CONTAINER_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class ContainerCounts:
    """Sums over the headers of all containers.

    Attributes:
        records: Alignment records.
        bases: Bases in them.
    """

    records: int
    bases: int


def walk_containers(file: BinaryIO) -> ContainerCounts:
    """Go through a CRAM file container by container, verifying every CRC32 on the way.

    Raises:
        IngestFailure: It is not CRAM, damaged, or has no EOF container at its end.
    """
    definition = file.read(_FILE_DEFINITION_BYTES)
    if not definition.startswith(CRAM_MAGIC) or len(definition) < _FILE_DEFINITION_BYTES:
        raise IngestFailure("the file is not CRAM")
    major = definition[4]
    if major not in (2, 3):
        raise IngestFailure(f"CRAM version {major} is not supported")
    records = bases = 0
    ended = False
    while True:
        header = _container_header(file, major)
        if header is None:
            break
        if ended:
            raise IngestFailure("the CRAM file goes on after its EOF container")
        _check_blocks(_exactly(file, header.length), major)
        ended = header.is_eof
        records += header.records
        bases += header.bases
    if not ended:
        raise IngestFailure("the CRAM file is truncated: its EOF container is missing")
    return ContainerCounts(records, bases)


@dataclass(frozen=True, slots=True)
class _Header:
    length: int
    records: int
    bases: int
    is_eof: bool


class _Reader:
    """Integers of CRAM's two variable lengths, remembering the bytes for their CRC32."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seen = bytearray()

    def bytes(self, count: int) -> bytes:
        data = _exactly(self._file, count)
        self.seen += data
        return data

    def _variable(self, longest: int) -> int:
        first = self.bytes(1)[0]
        extra = 0
        while extra < longest and first & (0x80 >> extra):
            extra += 1
        value = first & (0x7F >> extra)
        for byte in self.bytes(extra):
            value = value << 8 | byte
        return value

    def itf8(self) -> int:
        first = self.bytes(1)[0]
        if first >= 0xF0:
            # The fifth byte gives its low four bits only.
            high, last = self.bytes(3), self.bytes(1)[0]
            value = (first & 0x0F) << 28 | int.from_bytes(high) << 4 | last & 0x0F
        else:
            extra = 3 if first >= 0xE0 else 2 if first >= 0xC0 else 1 if first >= 0x80 else 0
            value = first & (0x7F >> extra)
            for byte in self.bytes(extra):
                value = value << 8 | byte
        return value - 2**32 if value >= 2**31 else value

    def ltf8(self) -> int:
        return self._variable(8)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise IngestFailure("the CRAM file is truncated: it ends in the middle of a container")
    return data


def _container_header(file: BinaryIO, major: int) -> _Header | None:
    length_bytes = file.read(4)
    if not length_bytes:
        return None
    reader = _Reader(file)
    reader.seen += length_bytes
    if len(length_bytes) < 4:
        raise IngestFailure("the CRAM file is truncated: it ends in the middle of a container")
    (length,) = struct.unpack("<i", length_bytes)
    if not 0 <= length <= _MAX_CONTAINER_BYTES:
        raise IngestFailure("the CRAM file is damaged: a container of an impossible size")
    reference, start = reader.itf8(), reader.itf8()
    reader.itf8()  # alignment span
    records = reader.itf8()
    reader.ltf8() if major >= 3 else reader.itf8()  # record counter
    bases = reader.ltf8()
    reader.itf8()  # number of blocks
    for _ in range(reader.itf8()):
        reader.itf8()  # landmark
    if major >= 3:
        _check_crc(bytes(reader.seen), _exactly(file, 4))
    is_eof = reference == _UNMAPPED and start == _EOF_START and records == 0
    return _Header(length, records, bases, is_eof)


def _check_blocks(container: bytes, major: int) -> None:
    if major < 3:
        return
    body = io.BytesIO(container)
    while body.tell() < len(container):
        reader = _Reader(body)
        reader.bytes(2)  # compression method, content type
        reader.itf8()  # content id
        size = reader.itf8()
        reader.itf8()  # uncompressed size
        if size < 0:
            raise IngestFailure("the CRAM file is damaged: a block of an impossible size")
        start = body.tell() - len(reader.seen)
        body.seek(size, io.SEEK_CUR)
        _check_crc(container[start : body.tell()], _exactly(body, 4))
        if body.tell() > len(container):
            raise IngestFailure("the CRAM file is damaged: a block leaves its container")


def _check_crc(data: bytes, stored: bytes) -> None:
    if zlib.crc32(data) != int.from_bytes(stored, "little"):
        raise IngestFailure("the CRAM file is damaged: a CRC32 does not match")
