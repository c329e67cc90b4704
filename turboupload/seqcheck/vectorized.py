"""Checks many records at once, with numpy.

This is only a fast path: it gives a result only if every record is well-formed and usual. Otherwise
`fastq` and `bam` check record by record, and report the problem. numpy (extra `preflight`) releases
the interpreter lock; a record takes a few dozen nanoseconds instead of hundreds.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turboupload.seqcheck.bam_fields import (
    CONSUMES_READ,
    SECONDARY_OR_SUPPLEMENTARY,
    UNMAPPED,
)
from turboupload.seqcheck.parallel.result import RangeResult

__all__ = ["bam_records", "fastq_records", "lines"]

_Array = NDArray[Any]

_COUNTED_BYTES: Final = 120 * 1024
_SPACE: Final = 32
_LINE_END: Final = ord("\n")
_FIRST: Final = np.zeros(1, dtype=np.int64)
_DELETE: Final = b"\x7f"
# The characters before a mate's number, as in `template` of `fastq`.
_MARKS: Final = np.isin(np.arange(128), list(b"/._FR"))

# Unsigned, so that a damaged size never leads backwards.
_SIZE = struct.Struct("<I")
_NAME_AT = 36
_FIXED = np.dtype(
    [
        ("size", "<i4"),
        ("ref", "<i4"),
        ("pos", "<i4"),
        ("l_name", "u1"),
        ("mapq", "u1"),
        ("bin", "<u2"),
        ("n_cigar", "<u2"),
        ("flag", "<u2"),
        ("l_seq", "<i4"),
        ("next_ref", "<i4"),
    ]
)
# From this many operations on, one CIGAR at a time is faster than an array of all operations.
_LONG_CIGAR = 64
_CONSUMES_READ: Final = np.array(CONSUMES_READ, dtype=np.int64)


def lines(data: bytes | memoryview) -> int:
    """Counts the line ends in `data`."""
    every = np.frombuffer(data, np.uint8)
    # In chunks, so that input and result stay in the processor's cache.
    return sum(
        int(np.count_nonzero(every[at : at + _COUNTED_BYTES] == _LINE_END))
        for at in range(0, len(every), _COUNTED_BYTES)
    )


def fastq_records(text: bytes, *, templates: bool) -> RangeResult | None:
    """Checks the whole records of a text that starts with one, as `FastqRecords` does.

    Args:
        text: The text; an incomplete record at its end becomes the result's tail.
        templates: Whether to return the names.

    Returns:
        None if anything is malformed or unusual, or there is no whole record.
    """
    if _DELETE in text:
        return None
    # As signed numbers, bytes beyond ASCII are negative, and fail the same comparison.
    every = np.frombuffer(text, np.int8)
    low = np.flatnonzero(every <= _SPACE)
    is_end = every[low] == _LINE_END
    ends = low[is_end]
    ends = ends[: len(ends) // 4 * 4]
    if not len(ends):
        return None
    length = int(ends[-1]) + 1
    low = low[: np.searchsorted(low, length)]
    is_end = is_end[: len(low)]
    others = np.flatnonzero(~is_end)
    spaces = low[others]
    starts = np.concatenate((_FIRST, ends[:-1] + 1))
    # The number of line ends before a space is its line number; names are on lines 0, 4, 8 …; a "+"
    # line may have a comment, too.
    lines_before = others - np.arange(len(others))
    if not (
        (every[spaces] == _SPACE).all()
        and not (lines_before & 1).any()
        and (every[starts[0::4]] == ord("@")).all()
        and (every[starts[2::4]] == ord("+")).all()
    ):
        return None
    lengths = (ends - starts)[1::4]
    if not (lengths == (ends - starts)[3::4]).all() or not lengths.all():
        return None
    if not _only_letters(every.view(np.uint8), starts[1::4], ends[1::4]):
        return None
    return RangeResult(
        head=b"",
        tail=text[length:],
        records=len(lengths),
        bases=int(lengths.sum()),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        templates=_templates(every, starts[0::4], ends[0::4], spaces) if templates else b"",
    )


def _only_letters(every: _Array, starts: _Array, ends: _Array) -> bool:
    """Whether there are only letters between each start and its end."""
    others = every | np.uint8(_SPACE)
    others -= np.uint8(ord("a"))
    edges = np.stack((starts, ends), axis=1).ravel()
    return not np.logical_or.reduceat(others >= 26, edges)[0::2].any()


def _templates(every: _Array, starts: _Array, ends: _Array, spaces: _Array) -> bytes:
    """The names up to their first space, without mate suffix, one a line."""
    if len(spaces):
        following = np.minimum(np.searchsorted(spaces, starts), len(spaces) - 1)
        first_space = spaces[following]
        ends = np.where((first_space > starts) & (first_space < ends), first_space, ends)
    last, before = every[ends - 1], every[ends - 2]
    marked = (last >= ord("1")) & (last <= ord("3")) & _MARKS[before]
    # The byte after each name is copied, too, and becomes a line end.
    lengths = ends - 2 * marked - starts + 1
    after = np.cumsum(lengths)
    taken: _Array = every[np.repeat(starts - (after - lengths), lengths) + np.arange(after[-1])]
    taken[after - 1] = _LINE_END
    return bytes(taken[:-1])


def bam_records(data: bytes, sequences: int) -> RangeResult | None:
    """Checks the whole records of BAM content that starts with one, as `BamRecords` does.

    Args:
        data: The content; an incomplete record at its end becomes the result's tail.
        sequences: How many reference sequences the header lists.

    Returns:
        None if anything is malformed, or there is no whole record.
    """
    offsets, length = _walk(data)
    if not offsets:
        return None
    every = np.frombuffer(data, np.uint8)
    starts = np.array(offsets, dtype=np.int64)
    fixed = every[starts[:, None] + np.arange(_FIXED.itemsize)].view(_FIXED)[:, 0]
    bases = fixed["l_seq"].astype(np.int64)
    name_lengths = fixed["l_name"].astype(np.int64)
    operations = fixed["n_cigar"].astype(np.int64)
    least = 32 + name_lengths + 4 * operations + (bases + 1) // 2 + bases
    in_form = (bases >= 0) & (name_lengths > 0) & (fixed["size"] >= least)
    for reference in (fixed["ref"], fixed["next_ref"]):
        in_form &= (reference >= -1) & (reference < sequences)
    if not in_form.all() or every[starts + _NAME_AT - 1 + name_lengths].any():
        return None
    mapped = (fixed["flag"] & UNMAPPED) == 0
    aligned = mapped & (operations > 0) & (bases > 0)
    if aligned.any() and not _cigars_fit(
        every,
        (starts + _NAME_AT + name_lengths)[aligned],
        operations[aligned],
        bases[aligned],
    ):
        return None
    reads = (fixed["flag"] & SECONDARY_OR_SUPPLEMENTARY) == 0
    return RangeResult(
        head=b"",
        tail=data[length:],
        records=len(starts),
        reads=int(np.count_nonzero(reads)),
        bases=int(bases[reads].sum()),
        mapped=int(np.count_nonzero(mapped & (fixed["ref"] >= 0))),
    )


def _walk(data: bytes) -> tuple[list[int], int]:
    """The start of each whole record, and the end of the last one."""
    unpack, last = _SIZE.unpack_from, len(data) - _NAME_AT
    offsets: list[int] = []
    add = offsets.append
    at = 0
    while at <= last:
        add(at)
        at += 4 + unpack(data, at)[0]
    if at > len(data):
        at = offsets.pop()
    return offsets, at


def _cigars_fit(every: _Array, starts: _Array, operations: _Array, bases: _Array) -> bool:
    """Whether each CIGAR consumes as many bases as its record has."""
    if operations.mean() > _LONG_CIGAR:
        each = zip(starts.tolist(), operations.tolist(), bases.tolist(), strict=True)
        return all(
            _covered(np.frombuffer(every.data, "<u4", count, at)).sum() == taken
            for at, count, taken in each
        )
    firsts = np.cumsum(operations) - operations
    numbers = np.arange(int(operations.sum()))
    places = np.repeat(starts - 4 * firsts, operations) + 4 * numbers
    codes = every[places[:, None] + np.arange(4)].view("<u4")[:, 0]
    return bool((np.add.reduceat(_covered(codes), firsts) == bases).all())


def _covered(codes: _Array) -> _Array:
    """How many bases each operation consumes."""
    covered: _Array = (codes >> 4) * _CONSUMES_READ[codes & 15]
    return covered
