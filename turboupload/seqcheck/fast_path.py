"""Loads `seqcheck.vectorized` if numpy (extra `preflight`) is installed.

Loading numpy takes about as long as it saves in a file of 32 MiB, so smaller ones do without.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

from turboupload.seqcheck.parallel.result import RangeResult

__all__ = ["Vectorized", "load_vectorized"]

_PAYS_FROM_BYTES = 32 * 1024 * 1024


class Vectorized(Protocol):
    """The functions of `seqcheck.vectorized`."""

    def lines(self, data: bytes | memoryview) -> int:
        """Counts the line ends in `data`."""

    def fastq_records(self, text: bytes, *, templates: bool) -> RangeResult | None:
        """Checks the whole records of a FASTQ's text; None if one is malformed or unusual."""

    def bam_records(self, data: bytes, sequences: int) -> RangeResult | None:
        """Checks the whole records of a BAM's content; None if one is malformed."""


def load_vectorized(size: int | None = None) -> Vectorized | None:
    """Loads the module.

    Args:
        size: How large the file is, in bytes; None to load it in any case.

    Returns:
        None without numpy, or if the file is too small to save time.
    """
    return None if size is not None and size < _PAYS_FROM_BYTES else _load()


@cache
def _load() -> Vectorized | None:
    try:
        from turboupload.seqcheck import vectorized
    except Exception:  # numpy raises a RuntimeError on a processor it wasn't built for
        return None
    return cast(Vectorized, vectorized)
