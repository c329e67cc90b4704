"""How reading a file to its end can end early."""

from __future__ import annotations

__all__ = ["IngestFailure", "Stopped"]


class IngestFailure(Exception):
    """The file is not what it was said to be; the text becomes the read set's statusMessage."""


class Stopped(Exception):
    """The emulator is stopping; what was begun is begun anew next time."""
