"""A second witness: htslib (pysam, extra `preflight`) reads a file from start to end.

It decodes the records of a CRAM, which nothing here does, and it has the last word about what only
looks odd: what htslib reads without a complaint is not damaged. It runs in a process of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from typing import Self

from turboupload.seqcheck.cram import CramHeader, self_contained
from turboupload.seqcheck.inflate import Piece, stream_blocks, stream_raw
from turboupload.seqcheck.sam_text import View, reference_arguments

__all__ = ["Witness"]

# The bits of htslib's `required_fields` (sam.h): all of SAM_QNAME to SAM_RGAUX but SAM_TLEN (0x100)
# and SAM_SEQ (0x200), for which it wants the reference of a slice.
_WITHOUT_REFERENCE = ["--input-fmt-option", "required_fields=0x1cff"]
_LOOK_S = 0.02


class Witness:
    """The reading of one file by htslib, side by side with who reads it for something else.

    Args:
        pieces: What it reads.
        arguments: What samtools is given to read it.
        threads: How many threads decode, beside the one that reads.

    Raises:
        OSError: The process can't be started, or there is nowhere to keep what it says.
    """

    def __init__(
        self, pieces: Generator[Piece, None, None], arguments: list[str], threads: int
    ) -> None:
        # As SAM text, since that is when htslib looks at what the tags hold.
        self._view = View(["-o", os.devnull, *arguments], pieces, threads)

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
            header: Its header; None where it could not be read here.
            threads: How many threads decode.
            bases: Whether to decode the bases, too, for which a reference may be needed.
            reference: The reference FASTA.
        """
        if header is None or header.raw is None:
            # Without bases it asks for no reference, whatever the header names.
            return cls(stream_raw(descriptor, size), _WITHOUT_REFERENCE, threads)
        arguments = reference_arguments(reference) if bases else _WITHOUT_REFERENCE
        return cls(self_contained(descriptor, size, header), arguments, threads)

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._view.__exit__()

    def keep_up(self, position: int, look: Callable[[], None]) -> None:
        """Waits until so many bytes of the file have been read, or no more will be.

        So the file comes from the disk once, and progress is that of the slower of the two.

        Args:
            position: In bytes.
            look: Called while waiting; what it raises ends it.
        """
        while self._view.running and self._view.position < position:
            look()
            time.sleep(_LOOK_S)

    def complaint(self, look: Callable[[], None]) -> str | None:
        """Waits for the end of the reading.

        Args:
            look: Called while waiting; what it raises ends it.

        Returns:
            All that htslib says, where it could not read the file; None where it could.
        """
        while self._view.running:
            look()
            time.sleep(_LOOK_S)
        damage, complaints = self._view.result()
        return complaints or damage
