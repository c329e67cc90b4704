"""The journal's tables: how they are made, their versions, and whether a file contradicts them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from turboupload.errors import ConfigError
from turboupload.state.journal_errors import JournalDamaged
from turboupload.state.receipt_log import SCHEMA as RECEIPTS
from turboupload.state.receipt_log import TABLES as RECEIPT_TABLES

__all__ = [
    "CREATE_SQL",
    "contradicts_itself",
    "lacks_tables",
    "of_another_version",
    "require_version",
]

_VERSION: Final = 4
_EARLIER: Final = (2, 3)
_APPLICATION: Final = 0x74750000
"""Our application id in SQLite's header; the version is added, so that a flipped bit is noticed."""

_SCHEMA: Final = (
    """
CREATE TABLE IF NOT EXISTS upload (
    key TEXT PRIMARY KEY,
    about TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (key, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tail (
    key TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    checksum TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
    host TEXT PRIMARY KEY,
    bytes_per_s REAL NOT NULL,
    seen REAL NOT NULL
) WITHOUT ROWID;
"""
    + RECEIPTS
)

CREATE_SQL: Final = f"""
BEGIN IMMEDIATE;
{_SCHEMA}
PRAGMA application_id = {_APPLICATION + _VERSION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
"""Makes what is missing, in one transaction."""


def lacks_tables(db: sqlite3.Connection) -> bool:
    """Whether the file is new, or of an earlier version, which lacks tables alone."""
    return _versions(db) in {(0, 0), *((each, _APPLICATION + each) for each in _EARLIER)}


def require_version(db: sqlite3.Connection, path: Path) -> None:
    """Makes sure that the file is a journal of this version.

    Raises:
        ConfigError: Another version wrote it.
        JournalDamaged: Its header contradicts itself.
    """
    version, application = _versions(db)
    if application != _APPLICATION + version:
        raise JournalDamaged("the header contradicts itself")
    if version != _VERSION:
        raise of_another_version("the journal", str(version), path)


def of_another_version(what: str, why: str, path: Path) -> ConfigError:
    """The error for what another version wrote: it isn't damaged, and is left as it is."""
    return ConfigError(
        f"{what} was written by another version of turboupload ({why})",
        path=str(path),
        hint="use that version, or set TURBOUPLOAD_STATE_DIR to another folder",
    )


def _versions(db: sqlite3.Connection) -> tuple[int, int]:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    return version, application


def contradicts_itself(db: sqlite3.Connection) -> bool:
    """Reads the whole file; returns whether SQLite's own check or the schema finds a fault."""
    if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        return True
    blank = sqlite3.connect(":memory:")
    try:
        blank.executescript(_SCHEMA)
        if _schema_of(db) != _schema_of(blank):
            return True
    finally:
        blank.close()
    for table in ("upload", "event", "tail", "link", *RECEIPT_TABLES):
        for _ in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 # names from above
            pass
    return False


def _schema_of(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
