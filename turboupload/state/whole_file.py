"""Writes a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

__all__ = ["try_place", "write_whole"]


def try_place(path: Path) -> None:
    """Finds out whether a file can be written at a place; leaves nothing there.

    Raises:
        OSError: It can't.
    """
    descriptor, name = _temporary(path)
    os.close(descriptor)
    Path(name).unlink()


def write_whole(path: Path, text: str) -> None:
    """Writes text in UTF-8, in place of what is there; durable when it returns.

    Raises:
        OSError: It can't be written; what was there stays.
    """
    descriptor, name = _temporary(path)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).rename(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(path.parent)


def _temporary(path: Path) -> tuple[int, str]:
    """Makes a temporary file beside it, with the user's normal mode."""
    # In bytes, which file systems count; a character has up to four.
    stem = os.fsdecode(os.fsencode(path.name)[:200])
    name = str(path.with_name(f".{stem}.{secrets.token_hex(6)}"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.open(name, flags, 0o666), name


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
