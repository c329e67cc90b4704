"""`seqcheck.vectorized`, where numpy (extra `preflight`) is installed; nothing where it isn't.

Loading numpy takes about as long as it saves in a file of 32 MiB, so smaller ones do without.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol, cast

from turboupload.seqcheck.parallel.result import RangeResult

__all__ = ["Vectorized", "load_vectorized"]

_PAYS_FROM_BYTES = 32 * 1024 * 1024


class Vectorized(Protocol):
    """What `seqcheck.vectorized` offers."""

    def lines(self, data: bytes | memoryview) -> int:
        """How many line ends are in `data`."""

    def fastq_records(self, text: bytes, *, templates: bool) -> RangeResult | None:
        """The whole records of a FASTQ's text, if all of them are in form and usual."""

    def bam_records(self, data: bytes, sequences: int) -> RangeResult | None:
        """The whole records of a BAM's content, if all of them are in form."""


def load_vectorized(size: int | None = None) -> Vectorized | None:
    """Loads it.

    Args:
        size: How large the file is, in bytes; None to load it in any case.

    Returns:
        None without numpy, or where the file is too small for it to pay.
    """
    return None if size is not None and size < _PAYS_FROM_BYTES else _load()


@cache
def _load() -> Vectorized | None:
    try:
        from turboupload.seqcheck import vectorized
    except Exception:  # numpy raises a RuntimeError on a processor it wasn't built for
        return None
    return cast(Vectorized, vectorized)
