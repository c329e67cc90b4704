"""Looks for mapped records in a BAM whose first records are unmapped."""

from __future__ import annotations

import os
from contextlib import closing

from turboupload.seqcheck.bam import BamRecords, count_mapped
from turboupload.seqcheck.bgzf import MAX_BLOCK_BYTES, find_block
from turboupload.seqcheck.inflate import stream_blocks, stream_chain
from turboupload.value import Value

__all__ = ["Seen", "look_for_mapped"]

_WHOLE_BELOW_BYTES = 4 * 1024 * 1024
_PLACES = 12
_PLACE_BYTES = 256 * 1024
_ANY_SEQUENCES = 2**31 - 1


class Seen(Value, frozen=True):
    """The number of records read, of mapped ones among them, and whether all were read."""

    records: int = 0
    mapped: int = 0
    whole: bool = False


def look_for_mapped(descriptor: int, size: int, sequences: int | None) -> Seen:
    """Samples the file until a mapped record is found; reads a small file to its end.

    Args:
        descriptor: The file, open.
        size: Its size in bytes.
        sequences: How many reference sequences its header lists; None if unknown.
    """
    if size <= _WHOLE_BELOW_BYTES:
        return _read(descriptor, size)
    records = mapped = 0
    # From the end backwards, since a long header may fill the start.
    for place in reversed(range(_PLACES)):
        offset = max(size - _PLACE_BYTES, 0) * place // (_PLACES - 1)
        more, mapped = _look_at(descriptor, size, offset, sequences)
        records += more
        if mapped:
            break
    return Seen(records, mapped)


def _read(descriptor: int, size: int) -> Seen:
    records = BamRecords()
    good = True
    with closing(stream_blocks(descriptor, size, threads=1, strict=True)) as pieces:
        for piece in pieces:
            records.feed(piece.data)
            good = good and not piece.damages
            if records.lost or not good or records.counts.mapped:
                break
    records.finish()
    return Seen(records.counts.records, records.counts.mapped, good and not records.lost)


def _look_at(descriptor: int, size: int, offset: int, sequences: int | None) -> tuple[int, int]:
    block = find_block(os.pread(descriptor, 2 * MAX_BLOCK_BYTES, offset))
    if block is None:
        return 0, 0
    end = min(size, offset + block + _PLACE_BYTES)
    with closing(stream_chain(descriptor, end, threads=1, start=offset + block)) as pieces:
        text = b"".join(piece.data for piece in pieces)
    record = BamRecords.find_record(text, _ANY_SEQUENCES if sequences is None else sequences)
    return (0, 0) if record is None else count_mapped(text, record)
