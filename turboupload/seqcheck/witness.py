"""A second opinion: htslib (pysam, extra `preflight`) reads a file from start to end.

It decodes CRAM records, which this package doesn't, and it decides about odd files: a file that
htslib reads without an error is not damaged. It runs in a process of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from typing import Self

from turboupload.seqcheck.cram import CramHeader, self_contained
from turboupload.seqcheck.inflate import Piece, stream_blocks, stream_raw
from turboupload.seqcheck.sam_text import View, reference_arguments

__all__ = ["NoVerdict", "Witness"]

# The bits of htslib's `required_fields` (sam.h): all of SAM_QNAME to SAM_RGAUX but SAM_TLEN (0x100)
# and SAM_SEQ (0x200), for which it wants the reference of a slice.
_WITHOUT_REFERENCE = ["--input-fmt-option", "required_fields=0x1cff"]
_POLL_S = 0.02


class NoVerdict(Exception):
    """htslib couldn't be asked about a file, whatever that holds; the message says why."""


class Witness:
    """htslib's reading of one file, beside our own reading of it.

    Args:
        pieces: The file's content.
        arguments: The samtools arguments.
        threads: How many threads decode, beside the reading one.

    Raises:
        NoVerdict: The process can't be started, or its output can't be stored.
    """

    def __init__(
        self, pieces: Generator[Piece, None, None], arguments: list[str], threads: int
    ) -> None:
        # As SAM text, because only then htslib checks the tags' content.
        try:
            self._view = View(["-o", os.devnull, *arguments], pieces, threads)
        except OSError as error:
            why = f"samtools can't be started: {error.strerror or error}"
            raise NoVerdict(why) from None

    @classmethod
    def of_bam(cls, descriptor: int, size: int, threads: int) -> Witness:
        """Reads a BAM or uBAM."""
        return cls(stream_blocks(descriptor, size, threads=threads, strict=True), [], threads)

    @classmethod
    def of_cram(
        cls,
        descriptor: int,
        size: int,
        header: CramHeader | None,
        threads: int,
        *,
        bases: bool = False,
        reference: str | os.PathLike[str] | None = None,
    ) -> Witness:
        """Decodes a CRAM.

        Args:
            descriptor: The file, open. Its own offset is neither used nor moved.
            size: Its size in bytes.
            header: Its header; None if it couldn't be read here.
            threads: How many threads decode.
            bases: Whether to decode the bases, too, for which a reference may be needed.
            reference: The reference FASTA.
        """
        if header is None or header.raw is None:
            # Without bases, htslib needs no reference.
            return cls(stream_raw(descriptor, size), _WITHOUT_REFERENCE, threads)
        arguments = reference_arguments(reference) if bases else _WITHOUT_REFERENCE
        return cls(self_contained(descriptor, size, header), arguments, threads)

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._view.__exit__()

    def wait_until(self, position: int, look: Callable[[], None]) -> None:
        """Waits until htslib has read `position` bytes of the file, or has ended.

        So both readings share the page cache, and progress is that of the slower one.

        Args:
            position: In bytes.
            look: Called while waiting; an exception that it raises ends the wait.
        """
        while self._view.running and self._view.position < position:
            look()
            time.sleep(_POLL_S)

    def complaint(self, look: Callable[[], None]) -> str | None:
        """Waits for the end of the reading.

        Args:
            look: Called while waiting; an exception that it raises ends the wait.

        Returns:
            htslib's error output if it couldn't read the file; None if it could.

        Raises:
            NoVerdict: It ended before it could tell.
        """
        while self._view.running:
            look()
            time.sleep(_POLL_S)
        if (why := self._view.failure()) is not None:
            raise NoVerdict(why)
        damage, complaints = self._view.result()
        return complaints or damage
