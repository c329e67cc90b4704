"""Checks by a large gzip file's last bytes whether its compressed data is complete.

A gzip file is one long deflate stream that can only be read from its start, but the stream consists
of blocks. Inflating can begin at one of the last blocks: bytes that it copies from earlier data are
unknown and become filler, but all lengths are known. So it shows whether the stream's last block
ends just before the file's 8-byte trailer.

Nothing in the file says where blocks start, so every bit position is tried. Nearly all fail at
once, because a block starts with code tables that must be consistent. A start counts only if it
yields enough text.

Source: RFC 1951 (deflate), RFC 1952 (gzip).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from enum import StrEnum

from turboupload.value import Value

__all__ = ["Tail", "TailVerdict", "inspect_tail"]

_TAIL_BYTES = 160 * 1024
_TRAILER_BYTES = 8
_MEMBER = b"\x1f\x8b\x08"
_FILLER = b"\x01"
_DICTIONARY = _FILLER * 32768
_STEP_BYTES = 1024
_TRIAL_BYTES = 512
_FIRST_CONTENT_BYTES = 4096
_CONVINCING_BYTES = 16 * 1024
_CONVINCING_MEMBER_BYTES = 256
_MAX_TRIALS = 100_000
_CONTENT_BYTES = 64 * 1024 * 1024
_NO_TEXT = re.compile(rb"[^\x01\t\r\n -~]")
# A dynamic block: its type in bits 1 and 2, then two counts of 5 bits that must not exceed 29.
_BLOCK_START = re.compile(
    b"(?=["
    + b"".join(re.escape(bytes([b])) for b in range(256) if b & 6 == 4 and b >> 3 <= 29)
    + b"]["
    + b"".join(re.escape(bytes([b])) for b in range(256) if b & 31 <= 29)
    + b"])"
)


class TailVerdict(StrEnum):
    """What the end of a gzip file proves."""

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"


class Tail(Value, frozen=True):
    """The end of a gzip file.

    Attributes:
        verdict: What it proves.
        text: If the verdict is `WHOLE`, the known part of the content's end.
        padding: If it is, how many zero bytes follow the compressed data.
    """

    verdict: TailVerdict
    text: bytes = b""
    padding: int = 0


def inspect_tail(descriptor: int, size: int) -> Tail:
    """Looks for the end of the compressed data in the last 160 KiB of a gzip file of text.

    Args:
        descriptor: The file, open.
        size: Where to stop, in bytes; the file's size without zero padding.
    """
    data = os.pread(descriptor, _TAIL_BYTES, max(size - _TAIL_BYTES, 0))
    member = _first_member(data)
    if member is not None:
        return _after_stream(data, member - _TRAILER_BYTES, b"")
    for at, bit in _likely_starts(data):
        tail = _inflate_from(data, at, bit)
        if tail is not None:
            return tail
    return Tail(TailVerdict.UNKNOWN)


def _first_member(data: bytes) -> int | None:
    """Offset of the first gzip member that holds text; its magic number alone proves little."""
    at = data.find(_MEMBER)
    while at != -1:
        try:
            content = zlib.decompressobj(31).decompress(data[at:], _FIRST_CONTENT_BYTES)
        except zlib.error:
            content = b""
        if len(content) >= _CONVINCING_MEMBER_BYTES and not _NO_TEXT.search(content):
            return at
        at = data.find(_MEMBER, at + 1)
    return None


def _likely_starts(data: bytes) -> Iterator[tuple[int, int]]:
    """The byte and bit positions at which a block's code tables are consistent."""
    shifted = [_shift(data, bit) for bit in range(8)]
    trials = 0
    for first in range(0, len(data), _STEP_BYTES):
        for bit, bits in enumerate(shifted):
            for match in _BLOCK_START.finditer(bits, first, first + _STEP_BYTES):
                trials += 1
                if trials > _MAX_TRIALS:
                    return
                if _has_tables(bits, match.start()):
                    yield match.start(), bit


def _shift(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "little") >> bit).to_bytes(len(data), "little")


def _has_tables(bits: bytes, at: int) -> bool:
    try:
        zlib.decompressobj(-15).decompress(bits[at : at + _TRIAL_BYTES], 64)
    except zlib.error as error:
        # The tables were consistent, and a symbol referred to earlier data, which is unknown here.
        return "distance" in str(error) and "set" not in str(error)
    return True


def _inflate_from(data: bytes, at: int, bit: int) -> Tail | None:
    """Inflates from a block's start to the end; None if the output isn't convincing."""
    bits = _shift(data, bit)[at:]
    stream = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        content = stream.decompress(bits, _FIRST_CONTENT_BYTES)
        if _NO_TEXT.search(content):
            return None
        content += stream.decompress(stream.unconsumed_tail, _CONTENT_BYTES)
    except zlib.error:
        return None
    if len(content) < _CONVINCING_BYTES or _NO_TEXT.search(content):
        return None
    if not stream.eof:
        return None if stream.unconsumed_tail else Tail(TailVerdict.CUT)
    end = at + len(bits) - len(stream.unused_data)
    if bit and not _stream_ends_by(data, at, bit, end, content):
        end += 1
    return _after_stream(data, end, content)


def _stream_ends_by(data: bytes, at: int, bit: int, end: int, content: bytes) -> bool:
    """Whether the stream's last bit lies before byte `end` of `data`.

    It does if the bits after `end` don't change the output.
    """
    for fill in (b"\0", b"\xff"):
        stream = zlib.decompressobj(-15, zdict=_DICTIONARY)
        bits = _shift(data[:end] + fill * 8, bit)[at:]
        try:
            if stream.decompress(bits) != content or not stream.eof:
                return False
        except zlib.error:
            return False
    return True


def _after_stream(data: bytes, end: int, content: bytes) -> Tail:
    """Checks the bytes after a deflate stream: its trailer, then nothing or further members."""
    if end + _TRAILER_BYTES > len(data):
        return Tail(TailVerdict.CUT)
    rest = data[end + _TRAILER_BYTES :]
    while rest[:2] == b"\x1f\x8b":
        stream = zlib.decompressobj(31)
        try:
            content = stream.decompress(rest, _CONTENT_BYTES)
        except zlib.error:
            return Tail(TailVerdict.UNKNOWN)
        if not stream.eof:
            return Tail(TailVerdict.UNKNOWN if stream.unconsumed_tail else TailVerdict.CUT)
        rest = stream.unused_data
    if rest.strip(b"\0"):
        return Tail(TailVerdict.UNKNOWN)
    return Tail(TailVerdict.WHOLE, content[content.rfind(_FILLER) + 1 :], len(rest))
