"""Checks a range of whole BGZF blocks, apart from the rest of its file.

The caller, which reads a file in order, skips a range whose records are all well-formed. A range
starts somewhere within a record, so the worker guesses where the first record begins. It returns
the bytes before that (`head`) and after the last record (`tail`), and the caller checks the guess:
the head must complete the record before it. If anything is unusual, there is no result, and the
caller reads the range itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from turboupload.seqcheck.bam import BamRecords
from turboupload.seqcheck.bgzf import BadBlock, block_size, inflate_block
from turboupload.seqcheck.fast_path import Vectorized, load_vectorized
from turboupload.seqcheck.fastq import FastqRecords, find_record
from turboupload.seqcheck.parallel.result import RangeResult

__all__ = ["check_range", "check_text"]

_GROUP_BYTES = 256 * 1024
_SPAN_BYTES = 1024 * 1024


def check_range(
    descriptor: int, offset: int, length: int, *, sequences: int | None, names: bool
) -> RangeResult | None:
    """Checks a range.

    Args:
        descriptor: The file, open.
        offset: Offset of the range's first block, in bytes.
        length: Its length in bytes, whole blocks.
        sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
        names: Whether to return the names of a FASTQ's reads.

    Returns:
        None if anything in it is damaged, malformed or not recognised.
    """
    groups = _groups(descriptor, offset, length)
    vectorized = load_vectorized(os.fstat(descriptor).st_size)
    if sequences is None:
        return _fastq(groups, names, vectorized)
    return _bam(groups, BamRecords.after_header(sequences, vectorized))


def check_text(descriptor: int, offset: int, length: int, *, names: bool) -> RangeResult | None:
    """Checks a range of a FASTQ's text, as `check_range` does.

    Args:
        descriptor: The text, open.
        offset: Offset of the range, in bytes.
        length: Its length in bytes.
        names: Whether to return the names of the reads.
    """
    end = offset + length
    groups = (
        os.pread(descriptor, min(_GROUP_BYTES, end - at), at)
        for at in range(offset, end, _GROUP_BYTES)
    )
    return _fastq(groups, names, load_vectorized())


class _Unusual(Exception):
    """The range is damaged, or no record is recognised in it."""


def _groups(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    """The range's content, in pieces that fit the processor's cache.

    Raises:
        _Unusual: A block is damaged.
    """
    data = os.pread(descriptor, length, offset)
    if len(data) < length:
        raise _Unusual
    contents: list[bytes] = []
    at = total = 0
    while at < length:
        size = block_size(data, at)
        if size is None or at + size > length:
            raise _Unusual
        try:
            contents.append(inflate_block(data, at, size))
        except BadBlock:
            raise _Unusual from None
        at += size
        total += len(contents[-1])
        if total >= _GROUP_BYTES:
            yield b"".join(contents)
            contents, total = [], 0
    yield b"".join(contents)


def _aligned(groups: Iterator[bytes]) -> tuple[bytes, bytes]:
    """A FASTQ's text before its first recognised record, and from that record on.

    Raises:
        _Unusual: No record is recognised where most would be.
    """
    text = b""
    for group in groups:
        text += group
        at = find_record(text, _SPAN_BYTES)
        if at is not None:
            return text[:at], text[at:]
        if len(text) > _SPAN_BYTES:
            break
    raise _Unusual


def _fastq(
    groups: Iterator[bytes], names: bool, vectorized: Vectorized | None
) -> RangeResult | None:
    records = FastqRecords(keep_templates=names, keep_first_names=False, vectorized=vectorized)
    try:
        head, first = _aligned(groups)
        records.feed(first)
        for group in groups:
            records.feed(group)
    except _Unusual:
        return None
    counts = records.counts
    if not records.usual or not counts.records:
        return None
    return RangeResult(
        head=head,
        tail=records.rest,
        records=counts.records,
        bases=counts.bases,
        shortest=counts.shortest or 0,
        longest=counts.longest,
        templates=records.templates,
    )


def _bam(groups: Iterator[bytes], records: BamRecords) -> RangeResult | None:
    try:
        first = next(groups)
        at = BamRecords.find_record(first, records.sequences)
        if at is None:
            return None
        head = first[:at]
        records.feed(first[at:])
        for group in groups:
            records.feed(group)
    except _Unusual:
        return None
    counts = records.counts
    if records.lost or not counts.records:
        return None
    return RangeResult(
        head=head,
        tail=records.rest,
        records=counts.records,
        reads=counts.reads,
        bases=counts.bases,
        mapped=counts.mapped,
    )
