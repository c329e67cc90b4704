"""The journal: each upload's events, in SQLite.

It is a cache. The service decides which uploads and parts exist; the journal keeps what the service
can't know: the client token, the part size, the files' identity, our hashes, the upload's id. Each
row is one event of one upload, with a checksum, and a tail row names the last event. So a flipped
bit is noticed anywhere, even in a page's count of rows. A damaged journal is set aside, never
repaired (`journal_file`). (In the write-ahead log, which exists only after a crash, SQLite's own
checksums find the damage and drop the rest, which leaves an older state.)

One file serves every upload of a user; each upload is held by one process at a time (`UploadLock`).
A row gets its number in the transaction that writes it, because another process may have held the
upload since our last one.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from turboupload.core.proof.chain import Head
from turboupload.core.proof.receipt import Receipt
from turboupload.core.upload.events import Event
from turboupload.core.upload.origins import uploads_of
from turboupload.state.journal_errors import JournalDamaged
from turboupload.state.journal_file import JournalFile
from turboupload.state.journal_rows import (
    RATE_OF,
    believed_rate,
    read_event,
    row_checksum,
    write_event,
)
from turboupload.state.journal_schema import of_another_version
from turboupload.state.receipt_log import (
    KeptReceipt,
    Signed,
    add_signature,
    append_receipt,
    body_of,
    chain_head,
    counting_receipts,
    last_with_manifest,
    strongest,
)

__all__ = ["Journal", "KeptReceipt"]

_INSERT_EVENT = "INSERT INTO event VALUES (?, ?, ?, ?, ?)"
_SET_TAIL = "INSERT OR REPLACE INTO tail VALUES (?, ?, ?)"
_KEEP_RATE = "INSERT OR REPLACE INTO link VALUES (?, ?, ?)"


class Journal(JournalFile):
    """The journal of one user on one machine. Every method blocks; any thread may call it.

    Every method raises `Stopped` if the file can't be read or written now, was moved, or is closed.
    A damaged journal is set aside: reads then return nothing, and writes raise.
    """

    def load(self, key: str) -> list[Event]:
        """The events of one upload, in order; none if the journal is damaged.

        Raises:
            ConfigError: Another version of turboupload wrote them.
            Stopped: The file can't be read now, was moved, or is closed.
        """
        return self._read(lambda db: list(_events(db, key, self.path)), [])

    def made_otherwise(self, read_sets: Iterable[str], upload_id: str | None) -> frozenset[str]:
        """Those of these read sets that the reply to another upload's Complete named.

        It reads all rows of that kind, so it is for the few read sets that a listing shows late.

        Raises:
            ConfigError: Another version of turboupload wrote rows about one.
            Stopped: The file can't be read now, was moved, or is closed.
        """
        wanted, nothing = tuple(read_sets), frozenset[str]()

        def read(db: sqlite3.Connection) -> frozenset[str]:
            return frozenset(
                each for each in wanted if _uploads_of(db, each, self.path) - {upload_id}
            )

        return self._read(read, nothing)

    def tail(self, key: str) -> str | None:
        """Identifies an upload's last row; None if it has no row."""
        rows: list[tuple[str]] = self._query("SELECT checksum FROM tail WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def about(self, key: str, about: dict[str, Any]) -> None:
        """Records an upload's name and files, for people who read the journal."""
        row = (key, json.dumps(about, sort_keys=True), time.time())
        self._write(lambda db: db.execute("INSERT OR IGNORE INTO upload VALUES (?, ?, ?)", row))

    def keep_receipt(self, key: str, receipt: Receipt) -> tuple[Receipt, bool]:
        """Adds a receipt to the chain, unless it says nothing new.

        Returns:
            The receipt with its place in the chain, or the one that says the same; and whether no
            other one proves more of the read set.
        """
        facts = receipt.facts()
        kept: list[tuple[Receipt, bool]] = []

        def write(db: sqlite3.Connection) -> None:
            added = append_receipt(db, key, receipt, facts)
            most = strongest(db, key, str(added.read_set["id"]))
            kept.append((added, added.strength >= most))

        self._write(write)
        return kept[-1]

    def receipts(self, word: str) -> list[KeptReceipt]:
        """The receipts that count of a read set, by its id or its name, the oldest first."""

        def read(db: sqlite3.Connection) -> list[KeptReceipt]:
            return [
                KeptReceipt(each.read_set_id, each.name, each.written, body_of(db, each))
                for each in counting_receipts(db, word)
            ]

        nothing: list[KeptReceipt] = []
        return self._read(read, nothing)

    def receipt_with_manifest(self, key: str) -> Receipt | None:
        """The last receipt of an upload whose files were compared with manifests."""
        return self._read(lambda db: last_with_manifest(db, key), None)

    def head(self) -> Head | None:
        """The head of the receipts' chain; None if it has none."""
        return self._read(chain_head, None)

    def keep_signature(self, signed: Signed) -> None:
        """Keeps a signature of the chain's head."""
        self._write(lambda db: add_signature(db, signed))

    def keep_rate(self, host: str, bytes_per_s: float) -> None:
        """Keeps what the link to an endpoint or Region gave, in bytes a second."""
        row = (host, bytes_per_s, time.time())
        self._write(lambda db: db.execute(_KEEP_RATE, row))

    def rate(self, host: str) -> float | None:
        """What the link to an endpoint or Region gave lately, in bytes a second, if known.

        It is a hint, so a flipped bit in it does no harm.
        """
        return believed_rate(self._query(RATE_OF, (host,)))

    def append(self, events: Iterable[tuple[str, Event]]) -> None:
        """Appends events of any uploads in one transaction; durable when it returns."""
        new = [(key, *write_event(event)) for key, event in events]
        self._write(lambda db: _append(db, new))

    def forget(self, key: str) -> None:
        """Forgets an upload."""

        def forget(db: sqlite3.Connection) -> None:
            for table in ("event", "tail", "upload"):
                db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 # names from above

        self._write(forget)

    def _query(self, question: str, values: tuple[str, ...] = ()) -> list[Any]:
        nothing: list[Any] = []
        return self._read(lambda db: db.execute(question, values).fetchall(), nothing)


def _append(db: sqlite3.Connection, new: Iterable[tuple[str, str, str]]) -> None:
    last: dict[str, int] = {}
    tails: dict[str, tuple[str, int, str]] = {}
    rows: list[tuple[str, int, str, str, str]] = []
    for key, kind, body in new:
        if key not in last:
            last[key] = _last_seq(db, key)
        seq = last[key] = last[key] + 1
        checksum = row_checksum(key, seq, kind, body)
        rows.append((key, seq, kind, body, checksum))
        tails[key] = (key, seq, _tail_checksum(key, seq, checksum))
    db.executemany(_INSERT_EVENT, rows)
    db.executemany(_SET_TAIL, tails.values())


def _last_seq(db: sqlite3.Connection, key: str) -> int:
    question = "SELECT coalesce(max(seq), 0) FROM event WHERE key = ?"
    (last,) = db.execute(question, (key,)).fetchone()
    if not isinstance(last, int):
        raise JournalDamaged(f"the rows of {key} have an invalid number")
    return last


def _events(db: sqlite3.Connection, key: str, path: Path) -> Iterator[Event]:
    """The rows of one upload.

    Raises:
        ConfigError: A row is as it was written, and no event of this version.
        JournalDamaged: The rows contradict their checksums.
    """
    rows = db.execute(
        "SELECT seq, kind, body, checksum FROM event WHERE key = ? ORDER BY seq", (key,)
    )
    last, last_checksum = 0, ""
    for seq, kind, body, checksum in rows:
        if seq != last + 1 or checksum != row_checksum(key, seq, kind, body):
            raise JournalDamaged(f"row {seq} of {key}")
        last, last_checksum = seq, checksum
        try:
            yield read_event(kind, body)
        except ValueError as error:
            raise of_another_version(f"row {seq} of {key}", str(error), path) from error
    # Rows may be missing at the end.
    found = db.execute("SELECT seq, checksum FROM tail WHERE key = ?", (key,)).fetchone()
    if found != ((last, _tail_checksum(key, last, last_checksum)) if last else None):
        raise JournalDamaged(f"the rows of {key} do not end with the last one")


def _uploads_of(db: sqlite3.Connection, read_set_id: str, path: Path) -> set[str]:
    keys = db.execute(
        "SELECT DISTINCT key FROM event WHERE kind = 'completed' AND instr(body, ?)",
        (read_set_id,),
    ).fetchall()
    return set().union(*(uploads_of(read_set_id, _events(db, key, path)) for (key,) in keys))


def _tail_checksum(key: str, seq: int, checksum: str) -> str:
    return row_checksum(key, seq, "tail", checksum)
