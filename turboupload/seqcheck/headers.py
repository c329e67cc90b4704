"""Reads only the SAM header of a BAM, uBAM or CRAM file."""

from __future__ import annotations

import os
from contextlib import closing

from turboupload.errors import InputError
from turboupload.paths import unreadable
from turboupload.seqcheck.bam import BamRecords
from turboupload.seqcheck.cram import BadCram, read_header
from turboupload.seqcheck.inflate import stream_blocks
from turboupload.seqcheck.sam_header import SamHeader

__all__ = ["read_sam_header", "sam_header"]


def sam_header(path: str) -> SamHeader | None:
    """A file's header; None if it has none, or none that can be read."""
    try:
        return read_sam_header(path)
    except (InputError, ValueError):
        return None


def read_sam_header(path: str) -> SamHeader:
    """Reads the header of a BAM, uBAM or CRAM.

    Args:
        path: The file.

    Raises:
        InputError: The header can't be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        size = os.fstat(descriptor).st_size
        if os.pread(descriptor, 4, 0) == b"CRAM":
            return read_header(descriptor, size).text
        return _read_bam(descriptor, size)
    except OSError as error:
        raise unreadable(path, error) from error
    except BadCram as error:
        raise InputError(str(error), path=path, hint="copy or write the file again") from error
    finally:
        os.close(descriptor)


def _read_bam(descriptor: int, size: int) -> SamHeader:
    records = BamRecords()
    damage: str | None = None
    with closing(stream_blocks(descriptor, size, threads=1, strict=True)) as pieces:
        for piece in pieces:
            damage = piece.damages[0].sentence if piece.damages else None
            if damage is None:
                records.feed(piece.data)
            if damage is not None or records.header is not None or records.problem:
                break
    problem = records.problem or damage
    # The header may be complete although the reader waits for more bytes.
    records.finish()
    if records.header is None:
        raise BadCram(problem or "the file has no header, or ends inside it")
    return records.header.text
