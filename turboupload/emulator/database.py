"""The emulator's SQLite file: its schema, and transactions that many threads may use."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

__all__ = ["Database", "dump", "load", "new_id"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS stores (
    id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    client_token TEXT UNIQUE,
    params TEXT NOT NULL,
    tags TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (id),
    created REAL NOT NULL,
    completed REAL,
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

CREATE TABLE IF NOT EXISTS read_sets (
    id TEXT PRIMARY KEY,
    store_id TEXT NOT NULL REFERENCES stores (id),
    created REAL NOT NULL,
    status TEXT NOT NULL,
    status_message TEXT,
    creation_type TEXT NOT NULL,
    job_id TEXT,
    ingest_due REAL,
    params TEXT NOT NULL,
    tags TEXT NOT NULL,
    facts TEXT
);
CREATE INDEX IF NOT EXISTS read_sets_by_store ON read_sets (store_id, status);

-- The bytes of a read set's files: blobs in the order of `position`, one after the other.
CREATE TABLE IF NOT EXISTS read_set_blobs (
    read_set_id TEXT NOT NULL REFERENCES read_sets (id) ON DELETE CASCADE,
    file TEXT NOT NULL,
    position INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob TEXT NOT NULL,
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

_BUSY_TIMEOUT_S = 10.0
_TABLES_WITH_IDS = ("stores", "uploads", "read_sets", "import_jobs")


class Database:
    """One connection, used by one thread at a time.

    Arguments:
        path: The SQLite file.
        synchronous: SQLite's own switch. In WAL mode `NORMAL` keeps every commit when the process
            dies, `FULL` also when power does.
    """

    def __init__(self, path: Path, *, synchronous: Literal["NORMAL", "FULL"]) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; committed on leaving, rolled back on an exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where it could not commit for want of space.
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
        """Close the file; its last commit is in it."""
        with self._lock:
            self._connection.close()


def new_id(rows: sqlite3.Connection) -> str:
    """Ten digits that nothing else here is called, within the transaction of `rows`.

    They are random, as the service's are, so that no client comes to rely on their order.
    """
    while True:
        candidate = str(secrets.randbelow(9 * 10**9) + 10**9)
        if not any(
            rows.execute(f"SELECT 1 FROM {table} WHERE id = ?", (candidate,)).fetchone()  # noqa: S608 - our own table names
            for table in _TABLES_WITH_IDS
        ):
            return candidate


def dump(value: object) -> str:
    """A value as it is kept in a column."""
    return json.dumps(value, sort_keys=True)


def load(text: str) -> Any:
    """The value that `dump` wrote."""
    return json.loads(text)
