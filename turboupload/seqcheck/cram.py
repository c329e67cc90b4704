"""CRAM 2.1 and 3.x: reads containers and blocks, without decoding records.

It is as lenient as htslib (cram/cram_io.c): it ignores a container's block count, lets a header
container end with its last block even if that lies beyond the stated end, and accepts the EOF
marker of early Java writers, whose reference number has another fifth byte.

Source: CRAM specification, versions 2.1 and 3.1 (samtools.github.io/hts-specs/CRAMv3.pdf).
"""

from __future__ import annotations

import bz2
import lzma
import os
import re
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Final

from turboupload.seqcheck.deflate import CODEC
from turboupload.seqcheck.inflate import Piece, stream_raw
from turboupload.seqcheck.sam_header import MAX_HEADER_BYTES, SamHeader, parse_header
from turboupload.value import Value

__all__ = [
    "EOF_2",
    "EOF_3",
    "FILE_DEFINITION_BYTES",
    "BadCram",
    "Container",
    "CramHeader",
    "Preserved",
    "check_blocks",
    "containers",
    "ends_whole",
    "ends_with_marker",
    "preserved",
    "read_header",
    "self_contained",
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
_MAX_UNPACKED_BYTES = 64 * 1024 * 1024
_RAW, _GZIP, _BZIP2, _LZMA = range(4)
# The fields that make htslib open a file (UR), or look an MD5 up where the environment says (M5).
_LOOKED_UP = re.compile(rb"\t(?:UR|M5):")
_HEADER_FIELDS = b"\0\0\0\0\0\0\1\0"


class BadCram(Exception):
    """The CRAM can't be read; the message is a sentence that says where and why.

    Attributes:
        proven: Whether this proves damage: a checksum is wrong, or the file is cut. Otherwise the
            file is odd, and htslib may be able to read it.
    """

    def __init__(self, sentence: str, *, proven: bool = False) -> None:
        super().__init__(sentence)
        self.proven = proven


class Container(Value, frozen=True):
    """A container's header.

    Attributes:
        offset: Where the container starts in the file, in bytes.
        body: Where its blocks start, in bytes.
        end: Where the next container starts, in bytes.
        records: How many alignment records it holds.
        before: How many records come before this container, by its writer's count.
        bases: How many bases its records have.
        blocks: How many blocks it says it holds.
    """

    offset: int
    body: int
    end: int
    records: int
    before: int
    bases: int
    blocks: int


class CramHeader(Value, frozen=True):
    """A CRAM's version, its SAM header, and the offset of its first data container.

    Attributes:
        major: The major version.
        minor: The minor version.
        text: The header, parsed.
        raw: The header's text; None if it is compressed with a method that no known writer uses
            here.
        first: Where the first data container starts, in bytes.
    """

    major: int
    minor: int
    text: SamHeader
    raw: bytes | None
    first: int


class _Cursor:
    """Reads CRAM's variable-length integers from a piece of the file."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = data
        self.at = 0
        self._what = what

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise BadCram(f"{self._what} is cut short")
        self.at += 1
        return self.data[self.at - 1]

    def int32(self) -> int:
        if self.at + 4 > len(self.data):
            raise BadCram(f"{self._what} is cut short")
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at], "little", signed=True)

    def itf8(self) -> int:
        """Reads a 32-bit integer of 1 to 5 bytes; leading one bits say how many bytes follow."""
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
        """Reads a 64-bit integer of 1 to 9 bytes; leading one bits say how many bytes follow."""
        first = self.byte()
        extra = 8 - (first ^ 0xFF).bit_length()
        value = first & (0x7F >> extra) if extra < 7 else 0
        for _ in range(extra):
            value = value << 8 | self.byte()
        return value


def ends_whole(descriptor: int, size: int, header: CramHeader) -> bool:
    """Whether the file ends with CRAM's EOF marker."""
    return _marker_at(descriptor, size, header) is not None


def _marker_at(descriptor: int, size: int, header: CramHeader) -> int | None:
    length = len(_end_marker(header.major))
    at = max(size - length, 0)
    return at if ends_with_marker(os.pread(descriptor, length, at), header.major) else None


def ends_with_marker(data: bytes, major: int) -> bool:
    """Whether the bytes end with the EOF marker of a CRAM of this major version."""
    marker = _end_marker(major)
    tail = bytearray(data[-len(marker) :])
    if major == 2 and len(tail) == len(marker):
        # Only four bits of an integer's fifth byte count; early Java writers set the others, too.
        # From 3.0 on a checksum covers it.
        tail[8] &= 0x0F
    return tail == marker


def _end_marker(major: int) -> bytes:
    return EOF_2 if major == 2 else EOF_3


def read_header(descriptor: int, size: int) -> CramHeader:
    """Reads the file definition and the SAM header.

    Raises:
        BadCram: The file definition or the header can't be read.
    """
    definition = os.pread(descriptor, FILE_DEFINITION_BYTES, 0)
    if len(definition) < FILE_DEFINITION_BYTES or definition[:4] != b"CRAM":
        raise BadCram("the file ends inside its file definition", proven=True)
    major, minor = definition[4], definition[5]
    container = _read_container(descriptor, size, FILE_DEFINITION_BYTES, major)
    if container.blocks < 1:
        # htslib checks the block count of this container only.
        raise BadCram("the header container holds no block, by its own count")
    # In 2.x, samtools and io_lib write a length that is up to 2 bytes less than the blocks'
    # lengths.
    raw, end = _header_text(descriptor, container.body, size, major)
    for _ in range(container.blocks - 1):
        end = _check_block(descriptor, end, size, major)
    first = max(container.end, end)
    if first > size:
        raise BadCram("the file ends inside its header container", proven=True)
    return CramHeader(major, minor, parse_header(raw or b""), raw, first)


def containers(descriptor: int, size: int, header: CramHeader) -> Iterator[Container]:
    """Yields the headers of the data containers, in the file's order.

    Raises:
        BadCram: A container header can't be read.
    """
    offset = header.first
    end = _marker_at(descriptor, size, header)
    while offset < size and offset != end:
        container = _read_container(descriptor, size, offset, header.major)
        if container.end > size:
            raise BadCram(f"the file ends inside the container that starts at byte {offset}")
        yield container
        offset = container.end


def check_blocks(descriptor: int, container: Container, major: int) -> BadCram | None:
    """Checks the CRC-32 of each block of a container; in 2.x, those of gzip-compressed content.

    Returns:
        The first problem as a sentence; None if there is none.
    """
    offset = container.body
    try:
        while offset < container.end:
            offset = _check_block(descriptor, offset, container.end, major)
    except BadCram as bad:
        return bad
    return None


def self_contained(descriptor: int, size: int, header: CramHeader) -> Generator[Piece, None, None]:
    """Yields the file's bytes without the header fields that make htslib open other files (UR, M5).

    A file must not decide which paths or addresses htslib opens. Only the names of these fields are
    changed, so that htslib still sees any other problem of the header.

    Args:
        descriptor: The file, open. Its own offset is neither used nor moved.
        size: Its size in bytes.
        header: Its header, whose text could be read.
    """
    assert header.raw is not None
    text = _LOOKED_UP.sub(lambda field: field[0].lower(), header.raw)
    data = len(text).to_bytes(4, "little") + text
    length = _itf8(len(data))
    block = _with_crc(b"\0\0\0" + length + length + data, header.major)
    # No reference, records or bases; one block and no landmarks.
    head = _with_crc(len(block).to_bytes(4, "little") + _HEADER_FIELDS, header.major)
    yield Piece(os.pread(descriptor, FILE_DEFINITION_BYTES, 0) + head + block, header.first)
    yield from stream_raw(descriptor, size, header.first)


class Preserved(Value, frozen=True):
    """Which parts of its records a container keeps.

    Attributes:
        names: Whether it keeps all read names; a reader makes up names that are missing.
        needs_reference: Whether their bases are differences from a reference.
    """

    names: bool = True
    needs_reference: bool = True


def preserved(descriptor: int, container: Container, major: int) -> Preserved:
    """Reads the preservation map of a container's compression header.

    Raises:
        BadCram: The map can't be read.
    """
    block, _ = _read_block(descriptor, container.body, container.end, major)
    if block.method == _RAW:
        data = os.pread(descriptor, block.stored, block.data)
    elif block.method in _UNPACK:
        data = _unpacked(descriptor, block, f"the block at byte {container.body}")
    else:
        return Preserved()
    cursor = _Cursor(data, f"the compression header at byte {container.body}")
    cursor.itf8()
    flags: dict[bytes, bool] = {}
    for _ in range(cursor.itf8()):
        key = bytes((cursor.byte(), cursor.byte()))
        if key == b"SM":
            cursor.at += 5
        elif key == b"TD":
            cursor.at += cursor.itf8()
        else:
            flags[key] = bool(cursor.byte())
    return Preserved(flags.get(b"RN", True), flags.get(b"RR", True))


def _with_crc(data: bytes, major: int) -> bytes:
    return data if major < 3 else data + zlib.crc32(data).to_bytes(4, "little")


def _itf8(value: int) -> bytes:
    """Encodes a number below 2 to the power of 28 as the shortest ITF-8 integer."""
    for extra, mark in enumerate((0x00, 0x80, 0xC0, 0xE0)):
        if value < 1 << (7 + 7 * extra):
            return (value | mark << 8 * extra).to_bytes(1 + extra, "big")
    raise ValueError(value)


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
    """The bytes end before the container header's landmarks do."""

    def __init__(self, want: int) -> None:
        super().__init__()
        self.want = want


def _parse_container(cursor: _Cursor, offset: int, major: int) -> Container:
    length = cursor.int32()
    for _ in range(3):  # reference, start and span
        cursor.itf8()
    records = cursor.itf8()
    before = cursor.itf8() if major == 2 else cursor.ltf8()
    bases = cursor.ltf8()
    blocks = cursor.itf8()
    landmarks = cursor.itf8()
    if length < 0 or records < 0 or not 0 <= landmarks <= _MAX_LANDMARKS:
        raise BadCram(f"the container header at byte {offset} is damaged")
    if cursor.at + 5 * landmarks + 4 > len(cursor.data) >= _HEADER_READ_BYTES:
        raise _TooShort(cursor.at + 5 * landmarks + 4)
    for _ in range(landmarks):
        cursor.itf8()
    if major >= 3:
        crc = zlib.crc32(cursor.data[: cursor.at])
        if cursor.int32() & 0xFFFFFFFF != crc:
            sentence = f"the CRC-32 of the container header at byte {offset} is wrong"
            raise BadCram(sentence, proven=True)
    body = offset + cursor.at
    return Container(offset, body, body + length, records, before, bases, blocks)


class _Block(Value, frozen=True):
    method: int
    raw_size: int
    data: int
    stored: int
    end: int


def _read_block(descriptor: int, offset: int, limit: int, major: int) -> tuple[_Block, bytes]:
    """A block's header, parsed and as bytes; the block must end at or before `limit`."""
    head = os.pread(descriptor, min(_BLOCK_HEADER_BYTES, max(limit - offset, 0)), offset)
    cursor = _Cursor(head, f"the block header at byte {offset}")
    method = cursor.byte()
    cursor.byte()
    cursor.itf8()
    stored, raw_size = cursor.itf8(), cursor.itf8()
    data = offset + cursor.at
    end = data + stored + (4 if major >= 3 else 0)
    if stored < 0 or raw_size < 0 or end > limit:
        raise BadCram(f"the block at byte {offset} doesn't fit into its container")
    return _Block(method, raw_size, data, stored, end), head[: cursor.at]


def _check_block(descriptor: int, offset: int, limit: int, major: int) -> int:
    """Checks the block at `offset`; returns the offset of the next one."""
    block, head = _read_block(descriptor, offset, limit, major)
    if major < 3:
        if block.method in _UNPACK and block.raw_size <= _MAX_UNPACKED_BYTES:
            _unpacked(descriptor, block, f"the block at byte {offset}")
        return block.end
    crc, at, stop = CODEC.crc32(head), block.data, block.end - 4
    while at < stop:
        piece = os.pread(descriptor, min(_CRC_READ_BYTES, stop - at), at)
        if not piece:
            raise BadCram(f"the file ends inside the block at byte {offset}", proven=True)
        crc = CODEC.crc32(piece, crc)
        at += len(piece)
    if int.from_bytes(os.pread(descriptor, 4, stop), "little") != crc:
        raise BadCram(f"the CRC-32 of the block at byte {offset} is wrong", proven=True)
    return block.end


def _unpacked(descriptor: int, block: _Block, what: str) -> bytes:
    """Decompresses a block's content, if its method has a checksum of its own."""
    data = os.pread(descriptor, block.stored, block.data)
    try:
        return _UNPACK[block.method](data, max(block.raw_size, 1))
    except (CODEC.error, OSError, EOFError, ValueError, lzma.LZMAError):
        raise BadCram(f"the compressed data of {what} is damaged", proven=True) from None


_UNPACK: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    _GZIP: lambda data, size: CODEC.decompress(data, 47, size),
    _BZIP2: lambda data, _: bz2.decompress(data),
    _LZMA: lambda data, _: lzma.decompress(data),
}


def _header_text(descriptor: int, offset: int, limit: int, major: int) -> tuple[bytes | None, int]:
    """The SAM header's text in the block at `offset`, and the block's end."""
    block, _ = _read_block(descriptor, offset, limit, major)
    if block.raw_size > MAX_HEADER_BYTES:
        raise BadCram("the SAM header is longer than 256 MiB")
    end = _check_block(descriptor, offset, limit, major)
    if block.method == _RAW:
        data = os.pread(descriptor, block.stored, block.data)
    elif block.method in _UNPACK:
        data = _unpacked(descriptor, block, "the SAM header")
    else:
        # Other methods are allowed here, but no writer we know of uses them.
        return None, end
    length = int.from_bytes(data[:4], "little", signed=True)
    if len(data) < 4 or not 0 <= length <= len(data) - 4:
        raise BadCram("the SAM header is cut")
    return data[4 : 4 + length], end
