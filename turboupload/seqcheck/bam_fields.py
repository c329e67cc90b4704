"""Constants of BAM records that both checks use: record by record, and many at once.

Source: SAM specification, sections 1.4 and 4.2 (samtools.github.io/hts-specs/SAMv1.pdf).
"""

from __future__ import annotations

from typing import Final

__all__ = ["CONSUMES_READ", "SECONDARY_OR_SUPPLEMENTARY", "UNMAPPED"]

UNMAPPED: Final = 0x4
SECONDARY_OR_SUPPLEMENTARY: Final = 0x900
"""Flags of a record."""

CONSUMES_READ: Final = tuple(operation in "MIS=X" for operation in "MIDNSHP=X???????")
"""For each code of a CIGAR operation, 0 to 15: whether it consumes bases of the read.

The last seven codes are undefined.
"""
