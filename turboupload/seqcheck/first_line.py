"""The first line of a gzipped text, such as a FASTQ's first read name."""

from __future__ import annotations

import os
import zlib
from typing import Final

__all__ = ["first_line"]

_READ_BYTES: Final = 4096
_LONGEST: Final = 4096
_GZIP: Final = 16 + zlib.MAX_WBITS


def first_line(path: str) -> str:
    """The first line without its end; empty where it can't be read, or is longer than 4 KiB."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            head = os.pread(descriptor, _READ_BYTES, 0)
        finally:
            os.close(descriptor)
        text = zlib.decompressobj(_GZIP).decompress(head, _LONGEST)
    except (OSError, ValueError, zlib.error):
        return ""
    line, end, _ = text.partition(b"\n")
    return line.decode("utf-8", errors="replace").rstrip("\r") if end else ""
