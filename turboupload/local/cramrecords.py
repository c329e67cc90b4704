"""A CRAM's records, decoded to see whether they can be.

htslib does it (pysam, extra `preflight`), in a process of its own. All that a record consists of is
decoded but its bases, which are differences from a reference that need not be at hand.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Self

from turboupload.local.samtext import View, first_complaint

__all__ = ["CramRecords"]

# The bits of htslib's `required_fields` (sam.h): all of SAM_QNAME to SAM_RGAUX but SAM_SEQ (0x200).
_ALL_BUT_BASES = 0x1DFF
_LOOK_S = 0.02


class CramRecords:
    """The decoding of one file, side by side with who reads it for something else.

    Args:
        descriptor: The file, open. Its offset is the decoder's: use none but positioned reads.
        threads: How many threads decode.

    Raises:
        OSError: The process can't be started, or there is nowhere to keep what it says.
    """

    def __init__(self, descriptor: int, threads: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        self._descriptor = descriptor
        fields = f"required_fields={_ALL_BUT_BASES:#x}"
        arguments = ["--no-PG", "-u", "-o", os.devnull, "--input-fmt-option", fields]
        self._view = View([*arguments, "-@", str(threads)], descriptor)

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
        while self._view.running and os.lseek(self._descriptor, 0, os.SEEK_CUR) < position:
            look()
            time.sleep(_LOOK_S)

    def complaint(self, look: Callable[[], None]) -> str | None:
        """Waits for the end of the decoding.

        Args:
            look: Called while waiting; what it raises ends it.

        Returns:
            What htslib says is wrong; None where nothing is.
        """
        while self._view.running:
            look()
            time.sleep(_LOOK_S)
        complaints = self._view.complaints()
        return None if complaints is None else first_complaint(complaints)
