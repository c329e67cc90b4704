"""BGZF: gzip in blocks of at most 64 KiB that say how long they are.

Source: SAM specification, section 4.1 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

from turboupload.seqcheck.deflate import CODEC

__all__ = [
    "EOF_BLOCK",
    "HEADER_BYTES",
    "MAX_BLOCK_BYTES",
    "BadBlock",
    "block_size",
    "find_block",
    "inflate_block",
    "is_bgzf",
    "said_size",
]

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
MAX_BLOCK_BYTES = 64 * 1024

HEADER_BYTES = 18
"""Of the shortest header, with no extra field but the block's size."""

_MAGIC = b"\x1f\x8b\x08\x04"
_TRAILER_BYTES = 8


class BadBlock(Exception):
    """A block's content doesn't match its checksum, or isn't a deflate stream.

    Args:
        reason: Which of them.

    Attributes:
        reason: As given.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def block_size(data: bytes, at: int = 0) -> int | None:
    """The size in bytes of the BGZF block whose header starts at `at`; None if there is none.

    `data` needs 18 bytes from `at` on; a header whose extra field is longer than `data` is none,
    and neither is one with a size in which no block fits.
    """
    said = said_size(data, at)
    if said is None or said < _body(data, at) - at + _TRAILER_BYTES:
        return None
    return said


def said_size(data: bytes, at: int = 0) -> int | None:
    """What the header at `at` says is its block's size in bytes, possible or not; None if nothing.

    A reader of gzip passes over that field, and a reader of BGZF stops where it is wrong.
    """
    if data[at : at + 4] != _MAGIC or len(data) - at < HEADER_BYTES:
        return None
    field, end = at + 12, _body(data, at)
    while field + 4 <= end:
        length = int.from_bytes(data[field + 2 : field + 4], "little")
        if data[field : field + 2] == b"BC" and length == 2:
            return int.from_bytes(data[field + 4 : field + 6], "little") + 1
        field += 4 + length
    return None


def _body(data: bytes, at: int) -> int:
    """Where the compressed data of the block at `at` begins."""
    return at + 12 + int.from_bytes(data[at + 10 : at + 12], "little")


def is_bgzf(head: bytes) -> bool:
    """Whether `head` starts with a BGZF block."""
    return block_size(head) is not None


def inflate_block(data: bytes, at: int, size: int) -> bytes:
    """The content of the whole block at `at`, checked against its CRC-32 and its length.

    Raises:
        BadBlock: The block is damaged.
    """
    body = _body(data, at)
    trailer = at + size - _TRAILER_BYTES
    crc = int.from_bytes(data[trailer : trailer + 4], "little")
    length = int.from_bytes(data[trailer + 4 : trailer + 8], "little")
    if length > MAX_BLOCK_BYTES:
        raise BadBlock("its length field is beyond what a block can hold")
    try:
        content = CODEC.decompress(data[body:trailer], -15, max(length, 1))
    except CODEC.error as error:
        raise BadBlock("its compressed data is damaged") from error
    if len(content) != length:
        raise BadBlock("its length differs from what its trailer says")
    if CODEC.crc32(content) != crc:
        raise BadBlock("its CRC-32 differs from what its trailer says")
    return content


def find_block(data: bytes, start: int = 0) -> int | None:
    """Offset of the first block header at or after `start` that a second one follows.

    A header also counts if `data` ends before the next one would start.
    """
    at = data.find(_MAGIC, start)
    while at != -1:
        size = block_size(data, at)
        if size is not None:
            following = data[at + size : at + size + 4]
            if following == _MAGIC[: len(following)]:
                return at
        at = data.find(_MAGIC, at + 1)
    return None
