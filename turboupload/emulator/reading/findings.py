"""The reasons why reading a file ends early."""

from __future__ import annotations

__all__ = ["IngestFailure", "Stopped", "status_message"]


class IngestFailure(Exception):
    """The file isn't of the declared type, or damaged; the text becomes the statusMessage."""


class Stopped(Exception):
    """The emulator is stopping; the work starts again at the next start."""


def status_message(failure: IngestFailure, limit: int) -> str:
    """The text of a failure as a statusMessage: printable, at most `limit` characters."""
    text = "".join(char if char.isprintable() else " " for char in str(failure))
    return text[:limit]
