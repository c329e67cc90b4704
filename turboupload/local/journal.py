"""The journal: what we must remember, in SQLite.

It is a cache. The service decides what is there; the journal keeps what the service can't know:
the client token, how the files were cut, which files they were, our hashes, the upload's id. Each
row is one event of one upload, with a checksum of its own, and a tail says which is the last one:
so a flipped bit is noticed in whatever it hits, a page's count of rows too. A journal that can't be
believed is set aside, never repaired. (In the write-ahead log, which is there only after a crash,
SQLite's own checksums find it and drop what follows: an older state, as after an earlier crash.)

One file serves every upload of a user; each upload is held by one process at a time (`UploadLock`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turboupload.core.events import Event
from turboupload.errors import ConfigError, Stopped
from turboupload.local.rows import read_event, row_checksum, write_event
from turboupload.local.statefolder import (
    check_file,
    hold,
    prepare_folder,
    try_alone,
    unusable,
)

__all__ = ["Journal", "KeptReceipt", "KnownUpload"]

SCHEMA_VERSION = 2
_APPLICATION = 0x74750000
"""Our mark in SQLite's header, to which the version is added: a flipped version is noticed."""

_NOT_THE_FILES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""SQLite's errors that are the disk's or another process's doing; any other says: damaged."""

BUSY_S = 30.0
"""How long to wait for another process that has the journal locked, in seconds."""

_SCHEMA = """
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
CREATE TABLE IF NOT EXISTS receipt (
    key TEXT NOT NULL,
    read_set_id TEXT NOT NULL,
    name TEXT NOT NULL,
    strength INTEGER NOT NULL,
    written REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (key, read_set_id)
);
"""

_BEGINNING = f"""
BEGIN IMMEDIATE;
{_SCHEMA}
PRAGMA application_id = {_APPLICATION + SCHEMA_VERSION};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_INSERT_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?)"
_SET_TAIL = "INSERT OR REPLACE INTO tail VALUES (?, ?, ?)"
_KEEP_RECEIPT = (
    "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
    " strength = excluded.strength, written = excluded.written, body = excluded.body"
    " WHERE excluded.strength >= strength"
)
_RECEIPTS_OF = (
    "SELECT read_set_id, name, written, body FROM receipt"
    " WHERE read_set_id = ? OR name = ? ORDER BY written"
)


class JournalDamaged(Exception):
    """The journal can't be believed."""


# sqlite3 puts names from the file into its sentences, and can't if they are no text any more.
_ERRORS = (sqlite3.DatabaseError, JournalDamaged, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class KnownUpload:
    """An upload that the journal knows.

    Attributes:
        key: Its key here.
        about: What was to be uploaded, for people: name, store, files.
        created: Seconds since the epoch.
    """

    key: str
    about: dict[str, Any]
    created: float


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt that the journal keeps.

    Attributes:
        read_set_id: Of which read set.
        name: The read set's name.
        written: Seconds since the epoch.
        body: The document, as text; it has a digest of its own.
    """

    read_set_id: str
    name: str
    written: float
    body: str


class Journal:
    """The journal of one user on one machine. Every method blocks; any thread may call it.

    Args:
        folder: Made with mode 0700 where it is missing.

    Raises:
        ConfigError: The folder or the file can't be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal.sqlite3"
        self.set_aside: Path | None = None
        prepare_folder(folder)
        self._lock = threading.Lock()
        self._in_use = hold(folder / "journal.lock", shared=True)
        self._seq: dict[str, int] = {}
        try:
            self._db = self._connect()
        except _ERRORS as error:
            if not _is_damage(error):
                raise unusable(folder, str(error)) from error
            self._put_aside()
            self._db = self._connect()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()
            os.close(self._in_use)

    def load(self, key: str) -> list[Event]:
        """The events of one upload, in their order.

        A row that can't be believed sets the whole journal aside, and then nothing is known.
        """
        with self._lock:
            try:
                return self._load(key)
            except _ERRORS as error:
                self._forgive(error)
                return []

    def about(self, key: str, about: dict[str, Any]) -> None:
        """Remembers what an upload is about, for people who look at the journal."""
        with self._lock:
            row = (key, json.dumps(about, sort_keys=True), time.time())
            self._write(("INSERT OR IGNORE INTO upload VALUES (?, ?, ?)", [row]))

    def uploads(self) -> list[KnownUpload]:
        """Every upload that the journal knows, the oldest first."""
        with self._lock:
            rows = self._read("SELECT key, about, created FROM upload ORDER BY created")
            return [KnownUpload(key, _read_about(about), created) for key, about, created in rows]

    def keep_receipt(
        self, key: str, *, read_set_id: str, name: str, strength: int, body: str
    ) -> None:
        """Keeps a receipt, unless the one that is there says more.

        Raises:
            Stopped: The disk is full, or failed.
        """
        with self._lock:
            self._write((_KEEP_RECEIPT, [(key, read_set_id, name, strength, time.time(), body)]))

    def receipts(self, word: str) -> list[KeptReceipt]:
        """The receipts of a read set, by its id or its name, the oldest first."""
        with self._lock:
            return [KeptReceipt(*row) for row in self._read(_RECEIPTS_OF, (word, word))]

    def append(self, events: Iterable[tuple[str, Event]]) -> None:
        """Appends events of any uploads in one transaction; durable when it returns.

        Raises:
            Stopped: The disk is full, or failed.
        """
        with self._lock:
            try:
                rows, tails = self._rows_of(events)
            except _ERRORS as error:
                raise self._unwritable(error) from error
            self._write((_INSERT_EVENT, rows), (_SET_TAIL, tails))

    def _rows_of(
        self, events: Iterable[tuple[str, Event]]
    ) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The events' rows, and the tails that they make."""
        rows: list[tuple[Any, ...]] = []
        tails: dict[str, tuple[Any, ...]] = {}
        for key, event in events:
            kind, body = write_event(event)
            seq = self._next_seq(key)
            checksum = row_checksum(key, seq, kind, body)
            rows.append((key, seq, kind, body, checksum))
            tails[key] = (key, seq, _tail_checksum(key, seq, checksum))
        return rows, list(tails.values())

    def forget(self, key: str) -> None:
        """Forgets an upload."""
        with self._lock:
            self._write(
                ("DELETE FROM event WHERE key = ?", [(key,)]),
                ("DELETE FROM tail WHERE key = ?", [(key,)]),
                ("DELETE FROM upload WHERE key = ?", [(key,)]),
            )
            self._seq.pop(key, None)

    def _write(self, *statements: tuple[str, list[tuple[Any, ...]]]) -> None:
        """Carries the statements out in one transaction."""
        try:
            with self._db:
                for statement, rows in statements:
                    self._db.executemany(statement, rows)
        except _ERRORS as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> Stopped:
        self._seq.clear()
        if _is_damage(error):
            self._begin_anew()
            return Stopped(
                f"the journal was damaged and set aside as {self.set_aside}: {error}",
                path=str(self.path),
                operation="journal",
                hint="run the same command again: what the service has is compared with the "
                "files instead",
            )
        return Stopped(
            f"the journal can't be written: {error}",
            path=str(self.path),
            operation="journal",
            hint="what was sent is kept at the service; make room or repair the disk, "
            "then run the same command again",
        )

    def _load(self, key: str) -> list[Event]:
        events: list[Event] = []
        rows = self._db.execute(
            "SELECT seq, kind, body, checksum FROM event WHERE key = ? ORDER BY seq", (key,)
        )
        last, last_checksum = 0, ""
        for seq, kind, body, checksum in rows:
            if seq != last + 1 or checksum != row_checksum(key, seq, kind, body):
                raise JournalDamaged(f"row {seq} of {key}")
            last, last_checksum = seq, checksum
            try:
                events.append(read_event(kind, body))
            except ValueError as error:
                raise JournalDamaged(f"row {seq} of {key}: {error}") from error
        self._check_tail(key, last, last_checksum)
        self._seq[key] = last
        return events

    def _check_tail(self, key: str, last: int, checksum: str) -> None:
        """Notices rows that are missing at the end."""
        found = self._db.execute("SELECT seq, checksum FROM tail WHERE key = ?", (key,)).fetchone()
        wanted = (last, _tail_checksum(key, last, checksum)) if last else None
        if found != wanted:
            raise JournalDamaged(f"the rows of {key} do not end with the last one")

    def _read(self, question: str, values: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows for people; none of a damaged journal."""
        try:
            return self._db.execute(question, values).fetchall()
        except _ERRORS as error:
            self._forgive(error)
            return []

    def _forgive(self, error: Exception) -> None:
        """Begins anew where the file's content is to blame.

        Raises:
            ConfigError: The disk is, or another process.
        """
        if not _is_damage(error):
            raise unusable(self.folder, str(error)) from error
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Puts a damaged journal aside, and opens an empty one in its place."""
        self._db.close()
        self._put_aside()
        self._db = self._connect()
        self._seq.clear()

    def _next_seq(self, key: str) -> int:
        if key not in self._seq:
            (last,) = self._db.execute(
                "SELECT coalesce(max(seq), 0) FROM event WHERE key = ?", (key,)
            ).fetchone()
            self._seq[key] = last
        self._seq[key] += 1
        return self._seq[key]

    def _connect(self) -> sqlite3.Connection:
        check_file(self.path)
        # Made here with its mode, so that no moment passes in which others may read it. One that
        # is there isn't opened: closing it again would take SQLite's locks from another `Journal`
        # of this process (https://sqlite.org/howtocorrupt.html, section 2.2).
        with contextlib.suppress(FileExistsError):
            how = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(self.path, how, 0o600))
        db = sqlite3.connect(self.path, timeout=BUSY_S, check_same_thread=False)
        try:
            _write_ahead(db)
            # FULL: a committed row outlives a power cut. Commits are shared by all parts that
            # finished meanwhile, so the sync costs little.
            db.execute("PRAGMA synchronous = FULL")
            # All of it in one transaction, and read in one: several processes may be the first.
            db.execute("BEGIN")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (application,) = db.execute("PRAGMA application_id").fetchone()
            db.commit()
            if (version, application) == (0, 0):
                db.executescript(_BEGINNING)
            elif application != _APPLICATION + version:
                raise JournalDamaged("the header contradicts itself")
            elif version != SCHEMA_VERSION:
                raise ConfigError(
                    f"the journal was written by another version of turboupload ({version})",
                    path=str(self.path),
                    hint="use that version, or set TURBOUPLOAD_STATE_DIR to another folder",
                )
        except BaseException:
            db.close()
            raise
        return db

    def _put_aside(self) -> None:
        """Renames the file out of the way, unless another process has it open."""
        alone = try_alone(self._in_use)
        if not alone:
            raise Stopped(
                "the journal is damaged, and another process has it open",
                path=str(self.path),
                operation="journal",
                hint="let the other upload end, then run the same command again",
            )
        aside = self.path.with_name(f"journal.damaged-{time.time_ns()}.sqlite3")
        for suffix in ("", "-wal", "-shm"):
            old = self.path.with_name(self.path.name + suffix)
            if old.exists():
                old.rename(aside.with_name(aside.name + suffix))
        self.set_aside = aside
        fcntl.flock(self._in_use, fcntl.LOCK_SH)


def _write_ahead(db: sqlite3.Connection) -> None:
    """Sets WAL mode; where another process sets it just now, SQLite fails instead of waiting."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", -1) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def _tail_checksum(key: str, seq: int, checksum: str) -> str:
    return row_checksum(key, seq, "tail", checksum)


def _read_about(text: str) -> dict[str, Any]:
    """What an upload is about; nothing where that can't be read: it is for people only."""
    try:
        about = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _is_damage(error: Exception) -> bool:
    """Whether the file's content is to blame, not the disk or another process."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    # The low byte is the kind of an extended code; text that can't be decoded comes without one.
    return getattr(error, "sqlite_errorcode", -1) & 0xFF not in _NOT_THE_FILES
