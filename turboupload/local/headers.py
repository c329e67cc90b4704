"""The header of a BAM, uBAM or CRAM file, and nothing else of it."""

from __future__ import annotations

import os
from contextlib import closing

from turboupload.errors import InputError
from turboupload.local.bam import BamRecords
from turboupload.local.cram import BadCram, read_header
from turboupload.local.formats import unreadable
from turboupload.local.inflate import stream_blocks
from turboupload.local.samheader import SamHeader

__all__ = ["read_sam_header"]


def read_sam_header(path: str, file_type: str) -> SamHeader:
    """Reads the header of a file whose type is known.

    Args:
        path: The file.
        file_type: `BAM`, `UBAM` or `CRAM`.

    Raises:
        InputError: It can't be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        size = os.fstat(descriptor).st_size
        if file_type == "CRAM":
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
    with closing(stream_blocks(descriptor, size, threads=1, strict=True)) as pieces:
        for piece in pieces:
            if piece.damages:
                raise BadCram(piece.damages[0].sentence)
            records.feed(piece.data)
            if records.header is not None:
                return records.header.text
    raise BadCram(records.problem or "the file ends inside its header")
