"""The container structure of CRAM: whether a file is whole, and its headers' counts and text.

Source: CRAM format specification, versions 2.1 and 3.x, section 7 and 9,
https://samtools.github.io/hts-specs/CRAMv3.pdf (read 2026-11).
"""

from __future__ import annotations

import io
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from turboupload.emulator.reading.findings import IngestFailure

__all__ = [
    "CRAM_MAGIC",
    "ContainerCounts",
    "copy_without_lookups",
    "cram_head",
    "records_begin",
    "walk_containers",
    "with_line",
]

CRAM_MAGIC = b"CRAM"
_FILE_DEFINITION_BYTES = 26
_EOF_START = 4_542_278
_UNMAPPED = -1
_MAX_CONTAINER_BYTES = 2**30
_RAW, _GZIP = 0, 1
_FILE_HEADER = 0
_LOOKUPS = re.compile(rb"\t(?:UR|M5):")
"""The fields that make a reader open the reference's file, or fetch bases by MD5."""


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
    """Read a CRAM file container by container, and verify every CRC32.

    Raises:
        IngestFailure: The file isn't CRAM, is damaged, or has no EOF container at its end.
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


def _definition(file: BinaryIO) -> bytes:
    definition = file.read(_FILE_DEFINITION_BYTES)
    if not definition.startswith(CRAM_MAGIC) or len(definition) < _FILE_DEFINITION_BYTES:
        raise IngestFailure("the file is not CRAM")
    if definition[4] not in (2, 3):
        raise IngestFailure(f"CRAM version {definition[4]} is not supported")
    return definition


def _sam_header(file: BinaryIO, major: int) -> tuple[int, bytes | None]:
    """Read the header container.

    Returns:
        Its length in bytes, and its text (None if its compression is unknown here).
    """
    header = _container_header(file, major)
    if header is None:
        raise IngestFailure("the CRAM file is truncated: it ends in the middle of a container")
    body = _exactly(file, header.length)
    block = io.BytesIO(body)
    reader = _Reader(block)
    method = reader.bytes(2)[0]
    reader.itf8()  # content id
    stored = reader.itf8()
    size = reader.itf8()
    if stored < 0 or size < 0:
        raise IngestFailure("the CRAM file is damaged: a block of an impossible size")
    start = block.tell()
    if major >= 3:
        _check_blocks(body, major)
    else:
        # Writers of 2.x give a length that may be less than the block's.
        body += _exactly(file, max(0, start + stored - len(body)))
    data = body[start : start + stored]
    length = header.size + len(body)
    if method == _GZIP:
        try:
            data = zlib.decompress(data, wbits=47)
        except zlib.error:
            raise IngestFailure("the CRAM file is damaged: its header can't be read") from None
    elif method != _RAW:
        return length, None
    return length, data[4 : 4 + int.from_bytes(data[:4], "little")]


def _with_text(file: BinaryIO, change: Callable[[bytes], bytes]) -> tuple[int, bytes] | None:
    """A CRAM file's beginning with another header text; None if its text can't be read here.

    Source: the specification's sections 6 to 8; the header container may be rewritten with another
    length, because no other position in the file counts from the file's start.

    Returns:
        How many bytes it replaces, and the bytes.

    Raises:
        IngestFailure: It is not CRAM, or its beginning is damaged.
    """
    definition = _definition(file)
    major = definition[4]
    length, text = _sam_header(file, major)
    if text is None:
        return None
    text = change(text)
    data = struct.pack("<i", len(text)) + text
    block = bytes((_RAW, _FILE_HEADER)) + _itf8(0) + _itf8(len(data)) * 2 + data
    if major >= 3:
        block += zlib.crc32(block).to_bytes(4, "little")
    # Reference, start, span, records, record counter, bases; then one block, at landmark 0.
    container = struct.pack("<i", len(block)) + bytes(6) + _itf8(1) + _itf8(1) + _itf8(0)
    if major >= 3:
        container += zlib.crc32(container).to_bytes(4, "little")
    return len(definition) + length, definition + container + block


def copy_without_lookups(file: BinaryIO, copy: BinaryIO) -> bool:
    """Copy a CRAM file without the header fields that make a reader open or fetch files.

    Returns:
        False if its header can't be read; then nothing was copied.

    Raises:
        IngestFailure: It is not CRAM, or damaged.
    """
    # Fields in lower case are for private use, and a reader ignores them.
    found = _with_text(file, lambda text: _LOOKUPS.sub(lambda field: field[0].lower(), text))
    if found is None:
        return False
    copy.write(found[1])
    shutil.copyfileobj(file, copy)
    return True


def cram_head(file: BinaryIO, comment: bytes) -> tuple[int, bytes]:
    """A CRAM file's beginning with one more line of header text.

    Returns:
        How many bytes it replaces, and the bytes.

    Raises:
        IngestFailure: It is not CRAM, or its beginning is damaged or can't be read here.
    """
    found = _with_text(file, lambda text: with_line(text.rstrip(b"\0"), comment))
    if found is None:
        raise IngestFailure("the CRAM file's header has a compression that is not supported")
    return found


def records_begin(file: BinaryIO) -> int:
    """The offset of the first container after the header container, in bytes.

    Raises:
        IngestFailure: It is not CRAM, or ends before.
    """
    definition = _definition(file)
    return len(definition) + _sam_header(file, definition[4])[0]


def with_line(text: bytes, line: bytes) -> bytes:
    """The header text of a BAM or CRAM with one more line."""
    return text + (b"" if not text or text.endswith(b"\n") else b"\n") + line + b"\n"


def _itf8(value: int) -> bytes:
    """A number of at least 0 in the format's encoding."""
    for extra, mark in enumerate((0x00, 0x80, 0xC0, 0xE0)):
        if value < 1 << (7 * (extra + 1)):
            return bytes((mark | value >> (8 * extra),)) + (
                value & (1 << (8 * extra)) - 1
            ).to_bytes(extra)
    high = bytes((0xF0 | value >> 28,)) + (value >> 4 & 0xFFFFFF).to_bytes(3)
    return high + bytes((value & 0x0F,))


@dataclass(frozen=True, slots=True)
class _Header:
    size: int
    length: int
    records: int
    bases: int
    is_eof: bool


class _Reader:
    """Reads CRAM's two kinds of variable-length integers, and keeps the bytes for the CRC32."""

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
            # Only the low four bits of the fifth byte count.
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
    size = len(reader.seen) + (4 if major >= 3 else 0)
    is_eof = reference == _UNMAPPED and start == _EOF_START and records == 0
    return _Header(size, length, records, bases, is_eof)


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
