"""Does a large gzip file end where its compressed data does? Found out from its last bytes.

A gzip file is one long deflate stream that can only be read from its start, but the stream is a
row of blocks. Where one of the last blocks starts, inflating can begin there: what it refers to
further back is not known and stands as filler, but the length of everything is, and so it shows
whether the stream's last block ends just before the file's 8-byte trailer.

Where blocks start is not written down anywhere. Every bit position is tried; nearly all of them
are refused at once, because the code tables that a block starts with must add up. What comes out
must look like text, and enough of it, before it is believed.

Source: RFC 1951 (deflate), RFC 1952 (gzip).
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Tail", "TailVerdict", "inspect_tail"]

_TAIL_BYTES = 160 * 1024
_TRAILER_BYTES = 8
_MEMBER = b"\x1f\x8b\x08"
_FILLER = b"\x01"
_DICTIONARY = _FILLER * 32768
_STEP_BYTES = 1024
_TRIAL_BYTES = 512
_FIRST_CONTENT_BYTES = 4096
_BELIEVED_BYTES = 16 * 1024
_MEMBER_BELIEVED_BYTES = 256
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
    """What the end of a gzip file shows."""

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Tail:
    """The verdict, and what is surely known of the content's end where it is `WHOLE`."""

    verdict: TailVerdict
    text: bytes = b""


def inspect_tail(descriptor: int, size: int) -> Tail:
    """Looks for the end of the compressed data in the last 160 KiB of a gzip file of text.

    Args:
        descriptor: The file, open.
        size: Up to where to look, in bytes; zero bytes there after the data are none of it.
    """
    data = os.pread(descriptor, _TAIL_BYTES, max(size - _TAIL_BYTES, 0))
    member = _first_member(data)
    if member is not None:
        return _after_stream(data, member - _TRAILER_BYTES, b"")
    for at, bit in _likely_starts(data):
        tail = _read_on(data, at, bit)
        if tail is not None:
            return tail
    return Tail(TailVerdict.UNKNOWN)


def _first_member(data: bytes) -> int | None:
    """Where the first gzip member starts that holds text; its magic number alone proves little."""
    at = data.find(_MEMBER)
    while at != -1:
        try:
            content = zlib.decompressobj(31).decompress(data[at:], _FIRST_CONTENT_BYTES)
        except zlib.error:
            content = b""
        if len(content) >= _MEMBER_BELIEVED_BYTES and not _NO_TEXT.search(content):
            return at
        at = data.find(_MEMBER, at + 1)
    return None


def _likely_starts(data: bytes) -> Iterator[tuple[int, int]]:
    """The byte and bit positions at which a block's code tables add up."""
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
        # The tables were in order, and a symbol pointed back to what is not known here.
        return "distance" in str(error) and "set" not in str(error)
    return True


def _read_on(data: bytes, at: int, bit: int) -> Tail | None:
    """Inflates from a block's start to the end; None where what comes out can't be believed."""
    bits = _shift(data, bit)[at:]
    stream = zlib.decompressobj(-15, zdict=_DICTIONARY)
    try:
        content = stream.decompress(bits, _FIRST_CONTENT_BYTES)
        if _NO_TEXT.search(content):
            return None
        content += stream.decompress(stream.unconsumed_tail, _CONTENT_BYTES)
    except zlib.error:
        return None
    if len(content) < _BELIEVED_BYTES or _NO_TEXT.search(content):
        return None
    if not stream.eof:
        return None if stream.unconsumed_tail else Tail(TailVerdict.CUT)
    end = at + len(bits) - len(stream.unused_data)
    if bit and not _ends_by(data, at, bit, end, content):
        end += 1
    return _after_stream(data, end, content)


def _ends_by(data: bytes, at: int, bit: int, end: int, content: bytes) -> bool:
    """Whether the stream's last bit lies before byte `end` of `data`.

    It does where the bits after `end` make no difference to what comes out.
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
    """Judges what follows a deflate stream: its trailer, and nothing or further members."""
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
    return Tail(TailVerdict.WHOLE, content[content.rfind(_FILLER) + 1 :])
