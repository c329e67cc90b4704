"""What reading a file to its end can bring to light."""

from __future__ import annotations

__all__ = ["IngestFailure"]


class IngestFailure(Exception):
    """The file is not what it was said to be; the text becomes the read set's statusMessage."""
