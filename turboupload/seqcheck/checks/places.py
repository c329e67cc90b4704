"""Samples of a large file: its last blocks, and some places in between.

BGZF blocks are at most 64 KiB, so a window of twice that size holds the start of one.
"""

from __future__ import annotations

import os

from turboupload.seqcheck.bgzf import (
    EOF_BLOCK,
    HEADER_BYTES,
    MAX_BLOCK_BYTES,
    BadBlock,
    block_size,
    find_block,
    inflate_block,
    said_size,
)
from turboupload.value import Value

__all__ = [
    "SAMPLED_PLACES",
    "ZEROS",
    "Window",
    "end_of_data",
    "ends_in_zeros",
    "has_hole",
    "read_window",
    "sampled_offsets",
]

SAMPLED_PLACES = 8
ZEROS = "ends in zero bytes: its space was reserved, but not filled to the end"
_HOLE_BYTES = 64 * 1024
_ZERO_END_BYTES = 64
_SCANNED_BYTES = 1024 * 1024


class Window(Value, frozen=True):
    """Neighbouring BGZF blocks from somewhere in a file, inflated.

    Attributes:
        offset: Where the first of them starts in the file; None if no block was found.
        text: Their content up to the first damaged one.
        end: Where the chain of whole blocks ends in the file, in bytes.
        cut: Whether a block starts at `end` that the window cuts.
        damage: A sentence about the first damaged block.
        has_eof: Whether the last of the whole blocks is an EOF block.
    """

    offset: int | None
    text: bytes = b""
    end: int = 0
    cut: bool = False
    damage: str | None = None
    has_eof: bool = False


def sampled_offsets(size: int, count: int = SAMPLED_PLACES) -> list[int]:
    """Offsets in bytes, spread evenly between the start and the end of a file."""
    return [size * (i + 1) // (count + 1) for i in range(count)]


def read_window(descriptor: int, offset: int, length: int) -> Window:
    """Inflates the whole BGZF blocks between `offset` and `offset + length`."""
    offset = max(offset, 0)
    data = os.pread(descriptor, length, offset)
    at = find_block(data)
    if at is None:
        return Window(None)
    first, contents, has_eof = offset + at, [], False
    while (size := block_size(data, at)) is not None and at + size <= len(data):
        try:
            contents.append(inflate_block(data, at, size))
        except BadBlock as bad:
            sentence = f"the block at byte {offset + at} is damaged: {bad}"
            return Window(first, b"".join(contents), offset + at, damage=sentence)
        has_eof = data[at : at + size] == EOF_BLOCK
        at += size
    if size is None and (said := said_size(data, at)) is not None:
        sentence = f"the block at byte {offset + at} is not of {said} bytes, as its header says"
        return Window(first, b"".join(contents), offset + at, damage=sentence)
    rest = data[at : at + HEADER_BYTES]
    short = EOF_BLOCK[:4].startswith(rest[:4]) and len(rest) < HEADER_BYTES
    cut = bool(rest) and (short or size is not None)
    return Window(first, b"".join(contents), offset + at, cut=cut, has_eof=has_eof)


def has_hole(descriptor: int, size: int) -> int | None:
    """The offset of a place of 64 KiB zero bytes; None if no sample is one.

    No compressed file of reads holds that; a preallocated copy that was not filled does. Asks the
    file system, too, for a hole in the file.
    """
    try:
        hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
    except OSError:
        # Not every file system supports this.
        hole = size
    for offset in (hole, *sampled_offsets(size)):
        if offset + _HOLE_BYTES <= size and not os.pread(descriptor, _HOLE_BYTES, offset).strip(
            b"\0"
        ):
            return offset
    return None


def ends_in_zeros(descriptor: int, size: int) -> bool:
    """Whether the last 64 bytes are zero: longer than any gzip trailer or EOF marker leaves."""
    if size < MAX_BLOCK_BYTES:
        return False
    return not os.pread(descriptor, _ZERO_END_BYTES, size - _ZERO_END_BYTES).strip(b"\0")


def end_of_data(descriptor: int, size: int) -> int:
    """The offset at which the zero bytes at a file's end begin; its size if it has none.

    Bisection reads little even of a terabyte of zeros, because no compressed data holds 64 KiB of
    them; what lies between two probes in the zeros counts as zeros. A trailer may itself end in
    zero bytes, so the data may end a little later.
    """
    if os.pread(descriptor, _ZERO_END_BYTES, max(size - _ZERO_END_BYTES, 0)).strip(b"\0"):
        return size
    data, zeros = 0, size
    while zeros - data > _SCANNED_BYTES:
        middle = (data + zeros) // 2
        if os.pread(descriptor, _HOLE_BYTES, middle).strip(b"\0"):
            data = middle
        else:
            zeros = middle
    # Data may go on for less than a probe's length after the last probe that found some.
    text = os.pread(descriptor, _SCANNED_BYTES + _HOLE_BYTES, data)
    return min(size, data + len(text.rstrip(b"\0")))
