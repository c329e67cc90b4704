"""CRAM 2.1 and 3.x: its containers and blocks, without decoding what is in them.

Source: CRAM specification, versions 2.1 and 3.1 (samtools.github.io/hts-specs/CRAMv3.pdf).
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from turboupload.local.codec import CODEC
from turboupload.local.samheader import SamHeader, parse_header

__all__ = [
    "EOF_2",
    "EOF_3",
    "FILE_DEFINITION_BYTES",
    "BadCram",
    "Container",
    "CramHeader",
    "check_blocks",
    "containers",
    "eof_container",
    "read_header",
]

FILE_DEFINITION_BYTES = 26
EOF_2 = bytes.fromhex("0b000000ffffffff0fe0454f4600000000010000010006060100010001 00")
EOF_3 = bytes.fromhex(
    "0f000000ffffffff0fe0454f4600000000010005bdd94f0001000606010001000100ee63014b"
)

_HEADER_READ_BYTES = 4096
_MAX_LANDMARKS = 1_000_000
_BLOCK_HEADER_BYTES = 32
_CRC_READ_BYTES = 4 * 1024 * 1024
_MAX_HEADER_BYTES = 256 * 1024 * 1024
_RAW, _GZIP = 0, 1


class BadCram(Exception):
    """A CRAM is damaged; the message is a sentence that says where and how."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container's header.

    Attributes:
        offset: Where the container starts in the file, in bytes.
        body: Where its blocks start, in bytes.
        end: Where the next container starts, in bytes.
        records: How many alignment records it holds.
        bases: How many bases these have.
        blocks: How many blocks it holds.
        is_eof: Whether it is the marker at the end of a file.
    """

    offset: int
    body: int
    end: int
    records: int
    bases: int
    blocks: int
    is_eof: bool


@dataclass(frozen=True, slots=True)
class CramHeader:
    """A CRAM's version, its SAM header, and where its first data container starts."""

    major: int
    minor: int
    text: SamHeader
    first: int


class _Cursor:
    """Reads CRAM's variable-length integers from a piece of the file."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.at = 0
        self._what = what

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise BadCram(f"the file ends inside {self._what}")
        self.at += 1
        return self.data[self.at - 1]

    def int32(self) -> int:
        if self.at + 4 > len(self.data):
            raise BadCram(f"the file ends inside {self._what}")
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at], "little", signed=True)

    def itf8(self) -> int:
        """An integer of 32 bits in 1 to 5 bytes; leading ones say how many follow."""
        first = self.byte()
        if first < 0x80:
            return first
        extra = 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
        if extra < 4:
            value = first & (0x7F >> extra)
            for _ in range(extra):
                value = value << 8 | self.byte()
            return value
        value = first & 0x0F
        for _ in range(3):
            value = value << 8 | self.byte()
        value = value << 4 | self.byte() & 0x0F
        return value - (1 << 32) if value >= 1 << 31 else value

    def ltf8(self) -> int:
        """An integer of 64 bits in 1 to 9 bytes; leading ones say how many follow."""
        first = self.byte()
        extra = 8 - (first ^ 0xFF).bit_length()
        value = first & (0x7F >> extra) if extra < 7 else 0
        for _ in range(extra):
            value = value << 8 | self.byte()
        return value


def eof_container(major: int) -> bytes:
    """The bytes that a complete CRAM of this major version ends with."""
    return EOF_2 if major == 2 else EOF_3


def read_header(descriptor: int, size: int) -> CramHeader:
    """Reads the file definition and the SAM header.

    Raises:
        BadCram: They are cut, damaged or of an unknown version.
    """
    definition = os.pread(descriptor, FILE_DEFINITION_BYTES, 0)
    if len(definition) < FILE_DEFINITION_BYTES or definition[:4] != b"CRAM":
        raise BadCram("the file ends inside its file definition")
    major, minor = definition[4], definition[5]
    container = _read_container(descriptor, size, FILE_DEFINITION_BYTES, major)
    if container.end > size:
        raise BadCram("the file ends inside its header container")
    text = _header_text(descriptor, container, major)
    return CramHeader(major, minor, parse_header(text), container.end)


def containers(descriptor: int, size: int, header: CramHeader) -> Iterator[Container]:
    """The headers of the data containers, in the file's order, up to the end of the file.

    Raises:
        BadCram: One is cut or damaged.
    """
    offset = header.first
    while offset < size:
        container = _read_container(descriptor, size, offset, header.major)
        if container.end > size:
            raise BadCram(f"the file ends inside the container that starts at byte {offset}")
        yield container
        offset = container.end


def check_blocks(descriptor: int, container: Container, major: int) -> str | None:
    """Walks a container's blocks and, from version 3 on, checks each one's CRC-32.

    Returns:
        What is wrong with it; None where nothing is.
    """
    offset = container.body
    try:
        for _ in range(container.blocks):
            offset = _check_block(descriptor, offset, container.end, major)
    except BadCram as bad:
        return str(bad)
    if offset != container.end:
        return f"the blocks of the container at byte {container.offset} don't fill it"
    return None


def _read_container(descriptor: int, size: int, offset: int, major: int) -> Container:
    what = f"the container header at byte {offset}"
    want = _HEADER_READ_BYTES
    while True:
        cursor = _Cursor(os.pread(descriptor, want, offset), what)
        try:
            return _parse_container(cursor, offset, major)
        except _TooShort as short:
            if offset + want >= size or short.want <= want:
                raise BadCram(f"the file ends inside {what}") from None
            want = short.want


class _TooShort(Exception):
    """A container header has more landmarks than were read."""

    def __init__(self, want: int) -> None:
        super().__init__()
        self.want = want


def _parse_container(cursor: _Cursor, offset: int, major: int) -> Container:
    length = cursor.int32()
    cursor.itf8()
    start = cursor.itf8()
    cursor.itf8()
    records = cursor.itf8()
    cursor.itf8() if major == 2 else cursor.ltf8()
    bases = cursor.ltf8()
    blocks = cursor.itf8()
    landmarks = cursor.itf8()
    if length < 0 or records < 0 or blocks < 0 or not 0 <= landmarks <= _MAX_LANDMARKS:
        raise BadCram(f"the container header at byte {offset} is damaged")
    if cursor.at + 5 * landmarks + 4 > len(cursor.data) >= _HEADER_READ_BYTES:
        raise _TooShort(cursor.at + 5 * landmarks + 4)
    for _ in range(landmarks):
        cursor.itf8()
    if major >= 3:
        crc = zlib.crc32(cursor.data[: cursor.at])
        if cursor.int32() & 0xFFFFFFFF != crc:
            raise BadCram(f"the CRC-32 of the container header at byte {offset} is wrong")
    body = offset + cursor.at
    is_eof = start == 0x454F46 and records == 0
    return Container(offset, body, body + length, records, bases, blocks, is_eof)


@dataclass(frozen=True, slots=True)
class _Block:
    method: int
    content_type: int
    raw_size: int
    data: int
    end: int


def _read_block(descriptor: int, offset: int, limit: int, major: int) -> tuple[_Block, bytes]:
    """A block's header, parsed and as bytes; the block must end at or before `limit`."""
    head = os.pread(descriptor, min(_BLOCK_HEADER_BYTES, max(limit - offset, 0)), offset)
    cursor = _Cursor(head, f"the block header at byte {offset}")
    method, content_type = cursor.byte(), cursor.byte()
    cursor.itf8()
    stored, raw_size = cursor.itf8(), cursor.itf8()
    data = offset + cursor.at
    end = data + stored + (4 if major >= 3 else 0)
    if stored < 0 or raw_size < 0 or end > limit:
        raise BadCram(f"the block at byte {offset} doesn't fit into its container")
    return _Block(method, content_type, raw_size, data, end), head[: cursor.at]


def _check_block(descriptor: int, offset: int, limit: int, major: int) -> int:
    """Checks the block at `offset`; returns where the next one starts."""
    block, head = _read_block(descriptor, offset, limit, major)
    if major < 3:
        return block.end
    crc, at, stop = CODEC.crc32(head), block.data, block.end - 4
    while at < stop:
        piece = os.pread(descriptor, min(_CRC_READ_BYTES, stop - at), at)
        if not piece:
            raise BadCram(f"the file ends inside the block at byte {offset}")
        crc = CODEC.crc32(piece, crc)
        at += len(piece)
    if int.from_bytes(os.pread(descriptor, 4, stop), "little") != crc:
        raise BadCram(f"the CRC-32 of the block at byte {offset} is wrong")
    return block.end


def _header_text(descriptor: int, container: Container, major: int) -> bytes:
    block, _ = _read_block(descriptor, container.body, container.end, major)
    if block.content_type != 0 or block.raw_size > _MAX_HEADER_BYTES:
        raise BadCram("the first block is not a SAM header")
    _check_block(descriptor, container.body, container.end, major)
    stored = block.end - (4 if major >= 3 else 0) - block.data
    data = os.pread(descriptor, stored, block.data)
    if block.method == _GZIP:
        try:
            data = CODEC.decompress(data, 31, max(block.raw_size, 1))
        except CODEC.error:
            raise BadCram("the SAM header's compressed data is damaged") from None
    elif block.method != _RAW:
        # Other methods are allowed here, but no writer we know of uses them.
        return b""
    if len(data) < 4:
        raise BadCram("the SAM header is cut")
    length = int.from_bytes(data[:4], "little")
    if length > len(data) - 4:
        raise BadCram("the SAM header is cut")
    return data[4 : 4 + length]
