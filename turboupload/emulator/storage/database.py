"""The emulator's SQLite file: schema, history, and transactions for several threads."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from turboupload.emulator.world import MAX_LAG_S

__all__ = ["Database", "RootOutdated", "as_of", "dump", "load", "new_id"]

_VERSION = 2
"""The schema's version; there is no migration of a root."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS stores (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    client_token TEXT UNIQUE,
    params TEXT NOT NULL,
    tags TEXT NOT NULL,
    updated REAL NOT NULL
);

-- `completed` is when Complete was accepted, `ended` when its read set was ACTIVE or failed.
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (id),
    created REAL NOT NULL,
    completed REAL,
    ended REAL,
    read_set_id TEXT,
    client_token TEXT UNIQUE,
    params TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS uploads_by_store ON uploads (store_id, completed);

CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob TEXT NOT NULL,
    checksum TEXT NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    PRIMARY KEY (upload_id, source, number)
);

-- `sent` has the bytes that were sent of each file, which may be others than are stored; `used` is
-- when an ACTIVE one was last used.
CREATE TABLE IF NOT EXISTS read_sets (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (id),
    created REAL NOT NULL,
    status TEXT NOT NULL,
    status_message TEXT,
    creation_type TEXT NOT NULL,
    job_id TEXT,
    params TEXT NOT NULL,
    tags TEXT NOT NULL,
    sent TEXT NOT NULL,
    used REAL,
    facts TEXT
);
CREATE INDEX IF NOT EXISTS read_sets_by_store ON read_sets (store_id, status);

-- The bytes of a read set's files: blobs in the order of `position`, one after the other.
CREATE TABLE IF NOT EXISTS read_set_blobs (
    read_set_id TEXT NOT NULL REFERENCES read_sets (id) ON DELETE CASCADE,
    file TEXT NOT NULL,
    position INTEGER NOT NULL,
    blob TEXT NOT NULL,
    size INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (read_set_id, file, position)
);

CREATE TABLE IF NOT EXISTS import_jobs (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (id),
    created REAL NOT NULL,
    completed REAL,
    status TEXT NOT NULL,
    client_token TEXT UNIQUE,
    params TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS import_sources (
    job_id TEXT NOT NULL REFERENCES import_jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    status TEXT NOT NULL,
    status_message TEXT,
    read_set_id TEXT,
    PRIMARY KEY (job_id, position)
);
"""

_TABLES_WITH_HISTORY = ("uploads", "parts", "read_sets")

_PAST = """
CREATE TABLE IF NOT EXISTS {table}_past AS
    SELECT {table}.*, 0 AS was, 0.0 AS since, 0.0 AS until FROM {table} WHERE 0;
CREATE INDEX IF NOT EXISTS {table}_present ON {table}_past (was) WHERE until IS NULL;
CREATE INDEX IF NOT EXISTS {table}_until ON {table}_past (until) WHERE until IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS {table}_made AFTER INSERT ON {table} BEGIN
    INSERT INTO {table}_past SELECT {table}.*, rowid, now(), NULL FROM {table}
        WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER IF NOT EXISTS {table}_changed AFTER UPDATE ON {table} BEGIN
    UPDATE {table}_past SET until = now() WHERE was = OLD.rowid AND until IS NULL;
    INSERT INTO {table}_past SELECT {table}.*, rowid, now(), NULL FROM {table}
        WHERE rowid = NEW.rowid;
END;
CREATE TRIGGER IF NOT EXISTS {table}_gone AFTER DELETE ON {table} BEGIN
    UPDATE {table}_past SET until = now() WHERE was = OLD.rowid AND until IS NULL;
END;
"""
"""A table's old rows, each with its time span, so that answers can lag."""

_BUSY_TIMEOUT_S = 10.0
_TABLES_WITH_IDS = ("stores", "uploads", "read_sets", "import_jobs")


class RootOutdated(Exception):
    """The root was made by another version of the emulator."""


def as_of(table: str, moment: float | None) -> str:
    """The SQL source of a table's rows at a moment; None means now."""
    if moment is None:
        return table
    return (
        f"(SELECT * FROM {table}_past WHERE since <= {moment!r}"  # noqa: S608 - our own table names
        f" AND (until IS NULL OR until > {moment!r}))"
    )


class Database:
    """One connection, used by one thread at a time.

    Arguments:
        path: The SQLite file.
        synchronous: SQLite's setting. In WAL mode, `NORMAL` keeps every commit if the process dies,
            `FULL` also if the power fails.
        clock: Seconds since the epoch.

    Raises:
        RootOutdated: The file is of another version.
    """

    def __init__(
        self,
        path: Path,
        *,
        synchronous: Literal["NORMAL", "FULL"],
        clock: Callable[[], float],
    ) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._now = clock()
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.create_function("now", 0, lambda: self._now)
        self._make_tables(path)
        self.forget_past()

    def _make_tables(self, path: Path) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and version != _VERSION:
            self._connection.close()
            raise RootOutdated(f"{path.parent} was made by another version of the emulator")
        past = "".join(_PAST.format(table=table) for table in _TABLES_WITH_HISTORY)
        self._connection.executescript(_SCHEMA + past + f"PRAGMA user_version = {_VERSION};")

    def forget_past(self) -> None:
        """Drop old rows that no lagging answer can show any more."""
        with self.transaction() as rows:
            for table in _TABLES_WITH_HISTORY:
                rows.execute(
                    f"DELETE FROM {table}_past WHERE until < ?",  # noqa: S608 - our own table names
                    (self._now - MAX_LAG_S,),
                )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on an exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            # One time for the whole transaction, so that old and new rows have no gap between them.
            self._now = max(self._clock(), self._now)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself if there was no space for the commit.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def secret(self, name: str) -> bytes:
        """A random key that stays the same for this root."""
        with self.transaction() as rows:
            rows.execute(
                "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)",
                (f"secret/{name}", secrets.token_hex(32)),
            )
            found = rows.execute("SELECT value FROM meta WHERE key = ?", (f"secret/{name}",))
            return bytes.fromhex(found.fetchone()[0])

    def close(self) -> None:
        """Close the file after its last commit."""
        with self._lock:
            self._connection.close()


def new_id(rows: sqlite3.Connection) -> str:
    """A new id of ten digits, unique within the transaction of `rows`.

    Ids are random, as the service's are, so that no client relies on their order.
    """
    while True:
        candidate = str(secrets.randbelow(9 * 10**9) + 10**9)
        if not any(
            rows.execute(f"SELECT 1 FROM {table} WHERE id = ?", (candidate,)).fetchone()  # noqa: S608 - our own table names
            for table in _TABLES_WITH_IDS
        ):
            return candidate


def dump(value: object) -> str:
    """A value as stored in a column."""
    return json.dumps(value, sort_keys=True)


def load(text: str) -> Any:
    """The value that `dump` stored."""
    return json.loads(text)
