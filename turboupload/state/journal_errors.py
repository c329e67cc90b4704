"""What an error proves of the journal: its damage, trouble of this machine, or nothing yet."""

from __future__ import annotations

import sqlite3
from typing import Final

__all__ = [
    "ERRORS",
    "FORBIDDEN",
    "LOCKED",
    "MACHINE_ERRORS",
    "JournalDamaged",
    "code_of",
    "is_proof",
    "is_unreadable",
]


class JournalDamaged(Exception):
    """The journal is damaged."""


# sqlite3 puts names from the file into its messages, and fails if they aren't text any more.
ERRORS: Final = (sqlite3.Error, JournalDamaged, UnicodeDecodeError)

_PROOF: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""SQLite's error codes that prove damage."""

LOCKED: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
FORBIDDEN: Final = frozenset(
    {sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
)
MACHINE_ERRORS: Final = frozenset(
    {
        *LOCKED,
        *FORBIDDEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOLFS,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""SQLite's error codes of the disk or of locks. Any other code proves nothing yet."""


def code_of(error: BaseException) -> int:
    """The primary code of an SQLite error: the low byte of its extended code; -1 without one."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else -1


def is_proof(error: BaseException) -> bool:
    """Whether an error proves that the file is damaged."""
    return isinstance(error, JournalDamaged) or code_of(error) in _PROOF


def is_unreadable(error: BaseException) -> bool:
    """Whether a text couldn't be decoded, which sqlite3 reports without an SQLite code."""
    if isinstance(error, UnicodeDecodeError):
        return True
    return isinstance(error, sqlite3.OperationalError) and code_of(error) == -1
