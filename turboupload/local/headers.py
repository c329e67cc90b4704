"""The SAM header of a BAM or CRAM, read quickly: no more of the file than the header."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Final

from turboupload.local.bam import BamRecords
from turboupload.local.cram import BadCram, read_header
from turboupload.local.inflate import stream_blocks
from turboupload.local.samheader import SamHeader

__all__ = ["sam_header"]

_MAX_HEADER_BYTES: Final = 16 * 1024 * 1024
"""Uncompressed; a header with all human decoys and HLA contigs has about 0.6 MiB."""


def sam_header(path: str) -> SamHeader | None:
    """The header of a BAM, uBAM or CRAM; None where it can't be read.

    Args:
        path: A regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        size = os.fstat(descriptor).st_size
        if os.pread(descriptor, 4, 0) == b"CRAM":
            return read_header(descriptor, size).text
        return _bam_header(descriptor, size)
    except (OSError, BadCram):
        return None
    finally:
        os.close(descriptor)


def _bam_header(descriptor: int, size: int) -> SamHeader | None:
    records, content = BamRecords(), 0
    with closing(stream_blocks(descriptor, size, threads=1, strict=True)) as pieces:
        for piece in pieces:
            if piece.damages:
                break
            records.feed(piece.data)
            content += len(piece.data)
            if records.header or records.problem or content > _MAX_HEADER_BYTES:
                break
        else:
            records.finish()
    return records.header.text if records.header else None
