"""The container structure of CRAM: is the file whole, and what do its headers count.

Source: CRAM format specification, versions 2.1 and 3.x, section 7 and 9,
https://samtools.github.io/hts-specs/CRAMv3.pdf (read 2026-11).
"""

from __future__ import annotations

import io
import re
import shutil
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from turboupload.emulator.findings import IngestFailure

__all__ = ["CRAM_MAGIC", "ContainerCounts", "copy_without_lookups", "walk_containers"]

CRAM_MAGIC = b"CRAM"
_FILE_DEFINITION_BYTES = 26
_EOF_START = 4_542_278
_UNMAPPED = -1
_MAX_CONTAINER_BYTES = 2**30
_RAW, _GZIP = 0, 1
_LOOKUPS = re.compile(rb"\t(?:UR|M5):")
"""What a reader would go and get: the reference's file, and its bases by their MD5."""


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
    major = _definition(file)[4]
    _sam_header(file, major)
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


def copy_without_lookups(file: BinaryIO, copy: BinaryIO) -> bool:
    """Copy a CRAM file, but for what its header tells a reader to open or fetch.

    Returns:
        False where its header can't be read, and nothing was copied.

    Raises:
        IngestFailure: It is not CRAM, or damaged.
    """
    definition = _definition(file)
    major = definition[4]
    text = _sam_header(file, major)
    if text is None:
        return False
    # Fields in small letters are anybody's, and mean nothing to a reader.
    text = _LOOKUPS.sub(lambda field: field[0].lower(), text)
    content = struct.pack("<I", len(text)) + text
    size = _as_itf8(len(content))
    block = bytes((_RAW, 0, 0)) + size + size + content
    if major >= 3:
        block += struct.pack("<I", zlib.crc32(block))
    # No reference, no span, no records, no bases; one block, no landmarks.
    head = struct.pack("<I", len(block)) + bytes((0, 0, 0, 0, 0, 0, 1, 0))
    if major >= 3:
        head += struct.pack("<I", zlib.crc32(head))
    copy.write(definition + head + block)
    shutil.copyfileobj(file, copy)
    return True


def _definition(file: BinaryIO) -> bytes:
    definition = file.read(_FILE_DEFINITION_BYTES)
    if not definition.startswith(CRAM_MAGIC) or len(definition) < _FILE_DEFINITION_BYTES:
        raise IngestFailure("the file is not CRAM")
    if definition[4] not in (2, 3):
        raise IngestFailure(f"CRAM version {definition[4]} is not supported")
    return definition


def _sam_header(file: BinaryIO, major: int) -> bytes | None:
    """Read the header container; its text, or None where its compression is not known here."""
    header = _container_header(file, major)
    if header is None:
        raise IngestFailure("the CRAM file is truncated: it ends in the middle of a container")
    start = file.tell()
    reader = _Reader(file)
    method = reader.bytes(2)[0]
    reader.itf8()  # content id
    stored = reader.itf8()
    size = reader.itf8()
    if stored < 0 or size < 0:
        raise IngestFailure("the CRAM file is damaged: a block of an impossible size")
    data = reader.bytes(stored)
    if major >= 3:
        file.seek(start)
        _check_blocks(_exactly(file, header.length), major)
    else:
        # Writers of 2.x give a length that may be less than that of the block.
        file.seek(max(file.tell(), start + header.length))
    if method == _GZIP:
        try:
            data = zlib.decompress(data, wbits=47)
        except zlib.error:
            raise IngestFailure("the CRAM file is damaged: its header can't be read") from None
    elif method != _RAW:
        return None
    return data[4 : 4 + int.from_bytes(data[:4], "little")]


def _as_itf8(value: int) -> bytes:
    for extra in range(4):
        if value < 1 << (7 + 7 * extra):
            lead = (0x00, 0x80, 0xC0, 0xE0)[extra] << (8 * extra)
            return (lead | value).to_bytes(extra + 1)
    raise IngestFailure("the CRAM file is damaged: its header is too long")


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
