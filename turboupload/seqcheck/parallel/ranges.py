"""A range of whole BGZF blocks, checked apart from the rest of its file.

Whoever reads a file in order need not look at a range's content again once the range says that
every record in it is in form. The range starts somewhere within a record, so it guesses where its
first record begins; what lies before (`head`) and after its last record (`tail`) is handed back,
and the reader finds out whether the guess was right: the head must end the record before it.
Anything unusual makes no result at all, and the reader reads the range itself.
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
        offset: Where the range's first block starts, in bytes.
        length: Its length in bytes, whole blocks.
        sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
        names: Whether the names of a FASTQ's reads are wanted.

    Returns:
        None where anything in it is damaged, not in form, or not to be made out.
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
        offset: Where the range starts, in bytes.
        length: Its length in bytes.
        names: Whether the names of the reads are wanted.
    """
    end = offset + length
    groups = (
        os.pread(descriptor, min(_GROUP_BYTES, end - at), at)
        for at in range(offset, end, _GROUP_BYTES)
    )
    return _fastq(groups, names, load_vectorized())


class _Unusual(Exception):
    """The range is damaged, or none of its records is to be made out."""


def _groups(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    """The range's content, in pieces that stay in a processor's cache while they are checked.

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
    """A FASTQ's text before the first record that is seen, and from it on.

    Raises:
        _Unusual: None is seen where most records would show.
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
