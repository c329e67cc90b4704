"""How reading a file to its end can end early."""

from __future__ import annotations

__all__ = ["IngestFailure", "Stopped", "status_message"]


class IngestFailure(Exception):
    """The file is not what it was said to be; the text becomes the read set's statusMessage."""


class Stopped(Exception):
    """The emulator is stopping; what was begun is begun anew next time."""


def status_message(failure: IngestFailure, limit: int) -> str:
    """The text of a failure as a statusMessage may have it: printable, of `limit` characters."""
    text = "".join(char if char.isprintable() else " " for char in str(failure))
    return text[:limit]
