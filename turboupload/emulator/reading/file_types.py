"""The table of file types: what the emulator does with each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from turboupload.emulator.reading.bam import bam_head
from turboupload.emulator.reading.cram import cram_head
from turboupload.emulator.reading.fastq import FastqFindings, examine_fastq

__all__ = ["FILE_TYPES", "Examine", "FileType", "Head"]

Head = tuple[int, bytes]
"""How many bytes at a file's start are replaced, and the new bytes."""

Examine = Callable[[Iterable[bytes], str, Callable[[], None]], FastqFindings]


@dataclass(frozen=True, slots=True)
class FileType:
    """How the emulator treats a file type.

    Attributes:
        suffix: The ending of its files' keys in S3.
        etag: Its ETag algorithm, without the family.
        paired: Whether SOURCE2 is allowed.
        needs_reference: Whether ingest fails without a reference ARN.
        head: Makes a new beginning of a file, with a line added to its header; None if the type has
            no header.
        examine: Reads a file's bytes, with the hash's name and a check that may stop it; None if
            htslib reads it.
    """

    suffix: str
    etag: str
    paired: bool = False
    needs_reference: bool = False
    head: Callable[[BinaryIO, bytes], Head] | None = None
    examine: Examine | None = None


FILE_TYPES: Mapping[str, FileType] = {
    "FASTQ": FileType("fastq.gz", "FASTQ", paired=True, examine=examine_fastq),
    "BAM": FileType("bam", "BAM", needs_reference=True, head=bam_head),
    "UBAM": FileType("bam", "BAM", head=bam_head),
    "CRAM": FileType("cram", "CRAM", needs_reference=True, head=cram_head),
}
"""Source of ETags: https://docs.aws.amazon.com/omics/latest/dev/etags-and-provenance.html (read
2026-11); an unaligned BAM has a BAM ETag."""
