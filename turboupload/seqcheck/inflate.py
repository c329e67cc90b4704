"""Gzip and BGZF files as a stream of checked pieces of their content.

`stream_members` reads any gzip file in one thread; `stream_blocks` inflates BGZF in several. Both
check every CRC-32 and length, yield in the file's order, and never raise for damage: a piece
carries the damages found in it, so that the caller can go on.

Memory: a piece holds at most 512 KiB of content; `stream_blocks` has `threads + 2` in flight.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum

from turboupload.seqcheck.bgzf import (
    HEADER_BYTES,
    MAX_BLOCK_BYTES,
    BadBlock,
    block_size,
    inflate_block,
    said_size,
)
from turboupload.seqcheck.deflate import CODEC
from turboupload.value import Value

__all__ = [
    "Damage",
    "DamageKind",
    "Piece",
    "stream_blocks",
    "stream_chain",
    "stream_members",
    "stream_raw",
]

_READ_BYTES = 1024 * 1024
# Read no more padding than this: a preallocated file may end in a terabyte of zeros.
_PADDING_BYTES = 64 * 1024 * 1024
# Just below the size that malloc maps anew each time (128 KiB, glibc's default): mapping costs a
# page fault for every 4 KiB of content, which would lower the rate by a third.
_PIECE_BYTES = 120 * 1024
_MEMBER_READ_BYTES = 32 * 1024
_FLAGS_AT = 3
# Headers with at most one optional field, as nearly all files have them: none, BGZF's extra field,
# a name or a comment; each with or without the text flag.
_SIMPLE_HEADERS = frozenset(field | text for field in (0, 4, 8, 16) for text in (0, 1))
_GROUP_BLOCKS = 8


class DamageKind(StrEnum):
    """How a gzip or BGZF file is damaged."""

    CUT = "cut"
    BLOCK = "block"
    STREAM = "stream"
    CHAIN = "chain"
    TRAILING = "trailing"
    PADDING = "padding"


class Damage(Value, frozen=True):
    """One damage: its kind, its offset in the file in bytes, and a sentence for people."""

    kind: DamageKind
    offset: int
    sentence: str


class Piece(Value, frozen=True):
    """The next piece of content.

    Attributes:
        data: Uncompressed bytes, without those that a damage destroyed.
        position: How many bytes of the file have been read so far.
        damages: The damages in this piece.
    """

    data: bytes
    position: int
    damages: tuple[Damage, ...] = ()


def stream_raw(descriptor: int, size: int, start: int = 0) -> Generator[Piece, None, None]:
    """Reads a file as it is.

    Args:
        descriptor: An open file; its own offset is neither used nor moved.
        size: The file's size in bytes.
        start: Where to begin, in bytes.
    """
    at = start
    while at < size and (data := os.pread(descriptor, min(_READ_BYTES, size - at), at)):
        at += len(data)
        yield Piece(data, at)


def stream_members(descriptor: int, size: int, start: int = 0) -> Generator[Piece, None, None]:
    """Reads gzip members one after the other, up to the end of the file or the first damage.

    Args:
        descriptor: An open file; its own offset is neither used nor moved.
        size: The file's size in bytes.
        start: Where the first member starts, in bytes.
    """
    position, data, member = start, b"", start
    while True:
        while len(data) <= _FLAGS_AT and position < size:
            more = os.pread(descriptor, _MEMBER_READ_BYTES, position)
            if not more:
                break
            data, position = data + more, position + len(more)
        if not data:
            return
        if data[:2] != b"\x1f\x8b":
            yield Piece(b"", position, (_after_last_member(descriptor, size, member, data),))
            return
        # ISA-L reports other headers as damaged if they arrive in more than one piece.
        simple = len(data) > _FLAGS_AT and data[_FLAGS_AT] in _SIMPLE_HEADERS
        stream = CODEC.decompressobj(31) if simple else zlib.decompressobj(31)
        while not stream.eof:
            if not data:
                data = os.pread(descriptor, _MEMBER_READ_BYTES, position)
                position += len(data)
                if not data:
                    yield Piece(b"", position, (_cut(position, member),))
                    return
            try:
                content = stream.decompress(data, _PIECE_BYTES)
            except (CODEC.error, zlib.error) as error:
                yield Piece(b"", position, (_broken(position, member, error),))
                return
            data = stream.unconsumed_tail
            if content:
                yield Piece(content, position)
            elif data and not stream.eof:
                # No progress although there is input: don't loop for ever.
                yield Piece(b"", position, (_stuck(position, member),))
                return
        data = stream.unused_data
        member = position - len(data)


def stream_blocks(
    descriptor: int, size: int, *, threads: int, strict: bool, start: int = 0
) -> Generator[Piece, None, None]:
    """Inflates a chain of BGZF blocks in several threads, in the file's order.

    Args:
        descriptor: An open file; its own offset is neither used nor moved.
        size: The file's size in bytes.
        threads: How many threads inflate.
        strict: Whether anything but a BGZF block is a damage (BAM), or is read as gzip (FASTQ,
            which may mix both).
        start: Where the first block starts, in bytes.
    """
    broken = yield from stream_chain(descriptor, size, threads=threads, start=start)
    if broken is None:
        return
    if strict:
        yield Piece(b"", size, (_chain_damage(descriptor, size, broken),))
        return
    damaged = False
    for piece in stream_members(descriptor, size, broken):
        damaged |= bool(piece.damages)
        yield piece
    # A reader of gzip doesn't miss it, and htslib stops there.
    said = said_size(os.pread(descriptor, MAX_BLOCK_BYTES, broken))
    if said is not None and not damaged:
        sentence = f"the block at byte {broken} is not of {said} bytes, as its header says"
        yield Piece(b"", size, (Damage(DamageKind.BLOCK, broken, sentence),))


def stream_chain(
    descriptor: int, size: int, *, threads: int, start: int = 0
) -> Generator[Piece, None, int | None]:
    """Inflates a chain of BGZF blocks as `stream_blocks` does, and stops at anything else.

    Args:
        descriptor: An open file; its own offset is neither used nor moved.
        size: The file's size in bytes.
        threads: How many threads inflate.
        start: Where the first block starts, in bytes.

    Returns:
        The offset at which the chain ends; None if it ends at the file's end.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="inflate")
    pending: deque[Future[Piece]] = deque()
    try:
        return (yield from _in_order(pool, pending, _groups(descriptor, size, start), threads + 2))
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown()


def _in_order(
    pool: ThreadPoolExecutor,
    pending: deque[Future[Piece]],
    chain: Generator[_Group, None, int | None],
    depth: int,
) -> Generator[Piece, None, int | None]:
    while True:
        try:
            group = next(chain)
        except StopIteration as stop:
            broken: int | None = stop.value
            break
        pending.append(pool.submit(_inflate_group, group))
        if len(pending) >= depth:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
    return broken


class _Group(Value, frozen=True):
    """Neighbouring blocks, not yet inflated; edges are offsets within `data`."""

    offset: int
    data: bytes
    edges: tuple[int, ...]


def _groups(descriptor: int, size: int, start: int) -> Generator[_Group, None, int | None]:
    """Follows the block sizes; returns the offset where they break off, or None at the end."""
    position = start
    while position < size:
        data = os.pread(descriptor, min(_READ_BYTES, size - position), position)
        edges = [0]
        while True:
            length = block_size(data, edges[-1])
            if length is None or edges[-1] + length > len(data):
                break
            edges.append(edges[-1] + length)
        if len(edges) == 1:
            return position
        for first in range(0, len(edges) - 1, _GROUP_BLOCKS):
            yield _Group(position, data, tuple(edges[first : first + _GROUP_BLOCKS + 1]))
        position += edges[-1]
    return None


def _inflate_group(group: _Group) -> Piece:
    contents: list[bytes] = []
    damages: list[Damage] = []
    for at, end in zip(group.edges, group.edges[1:], strict=False):
        try:
            contents.append(inflate_block(group.data, at, end - at))
        except BadBlock as bad:
            offset = group.offset + at
            damages.append(
                Damage(DamageKind.BLOCK, offset, f"the block at byte {offset} is damaged: {bad}")
            )
    return Piece(b"".join(contents), group.offset + group.edges[-1], tuple(damages))


def _chain_damage(descriptor: int, size: int, offset: int) -> Damage:
    data = os.pread(descriptor, _READ_BYTES, offset)
    if block_size(data) is not None or len(data) < HEADER_BYTES:
        return Damage(
            DamageKind.CUT, offset, f"the file ends inside the block that starts at byte {offset}"
        )
    if data[:2] == b"\x1f\x8b":
        return Damage(DamageKind.CHAIN, offset, f"no BGZF block starts at byte {offset}")
    return _after_last_member(descriptor, size, offset, data)


def _after_last_member(descriptor: int, size: int, offset: int, data: bytes) -> Damage:
    count = size - offset
    if not data.strip(b"\0") and _zero_from(descriptor, offset, size):
        partly = "" if count <= _PADDING_BYTES else ", as far as they were read"
        sentence = f"{count} zero bytes follow the compressed data{partly}"
        return Damage(DamageKind.PADDING, offset, sentence)
    return Damage(
        DamageKind.TRAILING,
        offset,
        f"the last {count} bytes, from byte {offset} on, are not gzip data",
    )


def _zero_from(descriptor: int, offset: int, size: int) -> bool:
    # The last bytes show at once that nearly all files are not padded.
    if os.pread(descriptor, HEADER_BYTES, max(offset, size - HEADER_BYTES)).strip(b"\0"):
        return False
    end = min(size, offset + _PADDING_BYTES)
    while offset < end:
        data = os.pread(descriptor, min(_READ_BYTES, end - offset), offset)
        if not data or data.strip(b"\0"):
            return not data
        offset += len(data)
    return True


def _cut(position: int, member: int) -> Damage:
    where = "" if member == 0 else f" that starts at byte {member}"
    return Damage(
        DamageKind.CUT, position, f"the file ends before the end of the gzip member{where}"
    )


def _broken(position: int, member: int, error: Exception) -> Damage:
    where = f"the gzip member at byte {member}, at or before byte {position}"
    reason = "its checksum is wrong" if _is_checksum(error) else "its compressed data is damaged"
    return Damage(DamageKind.STREAM, position, f"{where}: {reason}")


def _stuck(position: int, member: int) -> Damage:
    sentence = f"the gzip member at byte {member} can't be inflated beyond byte {position}"
    return Damage(DamageKind.STREAM, position, sentence)


def _is_checksum(error: Exception) -> bool:
    text = str(error).lower()
    return "checksum" in text or "data check" in text or "length check" in text
