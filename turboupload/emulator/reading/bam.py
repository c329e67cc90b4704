"""Adds a line to the header of a BAM, by the format specification alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from turboupload.emulator.reading.cram import with_line
from turboupload.emulator.reading.findings import IngestFailure

__all__ = ["bam_head"]

MAX_TEXT_BYTES = 64 * 1024 * 1024
_BGZF_DATA_BYTES = 0xFF00
"""This many bytes fit into a block of 64 KiB even if they can't be compressed."""
_BGZF_HEADER = struct.Struct("<4sIBBH2sHH")


def bam_head(source: BinaryIO, comment: bytes) -> tuple[int, bytes]:
    """A BAM file's beginning with one more line of header text.

    Only the blocks that hold the text are rewritten; all others can be copied.

    Source: SAM format specification, sections 4.1 and 4.2.

    Raises:
        IngestFailure: It isn't a BAM file, or its start is damaged.
    """
    replaced = 0
    data = bytearray()
    end = 8
    while len(data) < end:
        size, block = _bgzf_block(source)
        replaced += size
        data += block
        if len(data) >= 8:
            magic, length = struct.unpack_from("<4si", data)
            if magic != b"BAM\1" or not 0 <= length <= MAX_TEXT_BYTES:
                raise IngestFailure("the file is not BAM")
            end = 8 + length
    # Some writers pad the text with NUL.
    text = with_line(bytes(data[8:end].rstrip(b"\0")), comment)
    changed = struct.pack("<4si", b"BAM\1", len(text)) + text + bytes(data[end:])
    return replaced, b"".join(_bgzf(changed))


def _bgzf_block(source: BinaryIO) -> tuple[int, bytes]:
    """The size of the next block, and its content."""
    start = _exactly(source, 12)
    if not start.startswith(b"\x1f\x8b\x08\x04"):
        raise IngestFailure("the file is not BGZF")
    extra = _exactly(source, struct.unpack_from("<H", start, 10)[0])
    size = _block_size(extra)
    rest = _exactly(source, max(size - len(start) - len(extra), 8))
    data = zlib.decompress(rest[:-8], wbits=-15)
    # Compressing again must not hide damage.
    if struct.unpack("<II", rest[-8:]) != (zlib.crc32(data), len(data)):
        raise IngestFailure("a block of the file is damaged")
    return size, data


def _block_size(extra: bytes) -> int:
    at = 0
    while at + 4 <= len(extra):
        name, length = struct.unpack_from("<2sH", extra, at)
        if name == b"BC" and length == 2 and at + 6 <= len(extra):
            return int(struct.unpack_from("<H", extra, at + 4)[0]) + 1
        at += 4 + length
    raise IngestFailure("the file is not BGZF")


def _exactly(source: BinaryIO, count: int) -> bytes:
    data = source.read(count)
    if len(data) < count:
        raise IngestFailure("the file is truncated")
    return data


def _bgzf(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _BGZF_DATA_BYTES):
        piece = data[at : at + _BGZF_DATA_BYTES]
        deflate = zlib.compressobj(wbits=-15)
        packed = deflate.compress(piece) + deflate.flush()
        size = _BGZF_HEADER.size + len(packed) + 8
        yield _BGZF_HEADER.pack(b"\x1f\x8b\x08\x04", 0, 0, 255, 6, b"BC", 2, size - 1)
        yield packed
        yield struct.pack("<II", zlib.crc32(piece), len(piece))
