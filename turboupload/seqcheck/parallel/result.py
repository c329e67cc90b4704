"""A worker's result for a range of a file."""

from __future__ import annotations

from turboupload.value import Value

__all__ = ["RangeResult"]


class RangeResult(Value, frozen=True, kw_only=True):
    """The content of a range without any problem.

    Attributes:
        head: The content before the first record.
        tail: The content after the last whole record.
        records: Whole records between them.
        reads: Of a BAM, those that are neither secondary nor supplementary.
        bases: Bases in the records; of a BAM, in the reads.
        mapped: Of a BAM, mapped records.
        shortest: The shortest read of a FASTQ, in bases.
        longest: The longest read of a FASTQ, in bases.
        templates: The names of a FASTQ's records without comment and mate, a line each.
    """

    head: bytes
    tail: bytes
    records: int
    reads: int = 0
    bases: int = 0
    mapped: int = 0
    shortest: int = 0
    longest: int = 0
    templates: bytes = b""
