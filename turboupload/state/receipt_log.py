"""The receipts in the journal: a chain that only grows, and those of older versions beside it.

A receipt and the chain's head are written in one transaction, so neither another process nor a kill
comes between them. A receipt is added where it says something new of its read set. Of several, the
strongest counts, and of equals the last.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from turboupload.core.proof.chain import Head, KeptRow, parse_document
from turboupload.core.proof.receipt import ChainLink, Receipt
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.errors import InputError, IntegrityError
from turboupload.state.receipt_file import receipt_text
from turboupload.value import Value

__all__ = [
    "SCHEMA",
    "TABLES",
    "KeptReceipt",
    "ReceiptRef",
    "Signed",
    "add_signature",
    "append_receipt",
    "body_of",
    "chain_head",
    "chain_rows",
    "counting_receipts",
    "last_with_manifest",
    "signatures",
    "strongest",
]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS receipt (
    key TEXT NOT NULL,
    read_set_id TEXT NOT NULL,
    name TEXT NOT NULL,
    strength INTEGER NOT NULL,
    written REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (key, read_set_id)
);
CREATE TABLE IF NOT EXISTS chain (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    read_set_id TEXT NOT NULL,
    name TEXT NOT NULL,
    strength INTEGER NOT NULL,
    written REAL NOT NULL,
    facts TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS chain_by_key ON chain (key, read_set_id);
CREATE TABLE IF NOT EXISTS head (
    chain TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    receipt_sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signature (
    written REAL NOT NULL,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL
);
"""
"""`receipt` has those of older versions; nothing is added to it."""

TABLES: Final = ("receipt", "chain", "head", "signature")

_ALL = (
    "SELECT 'receipt' AS source, rowid AS number, key, read_set_id, name, strength, written"
    " FROM receipt"
)
_CHAINED = " UNION ALL SELECT 'chain', number, key, read_set_id, name, strength, written FROM chain"
# Of equals the chained one counts, and of those the last.
_COUNTING = (
    "SELECT source, number, read_set_id, name, written FROM (SELECT *, row_number() OVER"
    " (PARTITION BY key, read_set_id ORDER BY strength DESC, source = 'chain' DESC, number DESC)"
    " AS rank FROM ({all})) WHERE rank = 1"
)


class KeptReceipt(Value, frozen=True):
    """A receipt that the journal keeps.

    Attributes:
        read_set_id: The read set's id.
        name: The read set's name.
        written: Seconds since the epoch.
        body: The document, as text; it has a digest of its own.
    """

    read_set_id: str
    name: str
    written: float
    body: str


class ReceiptRef(Value, frozen=True):
    """Where the journal has a receipt, without the document, which may have megabytes."""

    table: str
    number: int
    read_set_id: str
    name: str
    written: float


class Signed(Value, frozen=True):
    """A signature of the chain's head.

    Attributes:
        statement: What was signed, as text.
        signature: As `ssh-keygen -Y sign` wrote it.
    """

    statement: str
    signature: str


def append_receipt(db: sqlite3.Connection, key: str, receipt: Receipt, facts: str) -> Receipt:
    """Adds a receipt to the chain, unless it says nothing new; inside a transaction.

    Args:
        db: The journal.
        key: The upload's key.
        receipt: Without a place in the chain.
        facts: `receipt.facts()`, which takes a while for the largest.

    Returns:
        The receipt with its place. Where one that says the same is there, its place is taken, and
        nothing is written.
    """
    read_set_id, strength = str(receipt.read_set["id"]), receipt.strength
    rows = db.execute(
        "SELECT number, strength, facts FROM chain WHERE key = ? AND read_set_id = ?"
        " ORDER BY strength DESC, number DESC",
        (key, read_set_id),
    ).fetchall()
    for place, (number, weight, known) in enumerate(rows):
        # One that says the same, but gave way to another of its strength, would count again now.
        if known == facts and (place == 0 or weight < rows[0][1]):
            kept = _readable(db, number)
            if kept is not None:
                return kept
    head = chain_head(db) or Head(secrets.token_hex(16), _last_number(db), None)
    link = ChainLink(head.chain, head.number + 1, head.receipt_sha256)
    linked = replace(receipt, link=link)
    document = linked.document()
    name, body = str(receipt.read_set["name"]), receipt_text(document)
    db.execute(
        "INSERT INTO chain VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (link.number, key, read_set_id, name, strength, time.time(), facts, body),
    )
    db.execute("DELETE FROM head")
    row = (link.chain, link.number, document["receipt_sha256"])
    db.execute("INSERT INTO head VALUES (?, ?, ?)", row)
    return linked


def _readable(db: sqlite3.Connection, number: int) -> Receipt | None:
    """A receipt of the chain; None where it was edited."""
    try:
        (body,) = db.execute("SELECT body FROM chain WHERE number = ?", (number,)).fetchone()
        return read_receipt(parse_document(body))
    except (InputError, IntegrityError):
        return None


def last_with_manifest(db: sqlite3.Connection, key: str) -> Receipt | None:
    """The last receipt of an upload that has manifests; None where it can't be read."""
    # Told by the text first: to read a document of megabytes takes a while.
    question = (
        "SELECT max(number) FROM chain WHERE key = ? AND instr(body, '\n  \"manifest\": [') > 0"
    )
    (number,) = db.execute(question, (key,)).fetchone()
    return None if number is None else _readable(db, number)


def _last_number(db: sqlite3.Connection) -> int:
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM chain").fetchone()
    return int(last)


def strongest(db: sqlite3.Connection, key: str, read_set_id: str) -> int:
    """The strength of the receipt that proves most of an upload's read set; the journal has one."""
    question = (
        "SELECT max(strength) FROM (SELECT key, read_set_id, strength FROM receipt"
        " UNION ALL SELECT key, read_set_id, strength FROM chain) WHERE key = ? AND read_set_id = ?"
    )
    return int(db.execute(question, (key, read_set_id)).fetchone()[0])


def counting_receipts(db: sqlite3.Connection, word: str | None = None) -> list[ReceiptRef]:
    """The receipt that counts of each upload and read set, the oldest first.

    Args:
        db: The journal; one of an older version has no chain.
        word: A read set's id or name; None for all.
    """
    question = _COUNTING.format(all=_ALL + (_CHAINED if _has_chain(db) else ""))
    values: tuple[str, ...] = ()
    if word is not None:
        question, values = f"{question} AND (read_set_id = ? OR name = ?)", (word, word)
    return [ReceiptRef(*row) for row in db.execute(f"{question} ORDER BY written", values)]


def body_of(db: sqlite3.Connection, ref: ReceiptRef) -> str:
    """The document of a receipt, as text."""
    column = {"chain": "number", "receipt": "rowid"}[ref.table]
    question = f"SELECT body FROM {ref.table} WHERE {column} = ?"  # noqa: S608 # names from above
    (body,) = db.execute(question, (ref.number,)).fetchone()
    return str(body)


def chain_rows(db: sqlite3.Connection) -> Iterator[KeptRow]:
    """The chain's receipts, one after the other."""
    if _has_chain(db):
        rows = "SELECT number, read_set_id, name, strength, body FROM chain ORDER BY number"
        yield from (KeptRow(*row) for row in db.execute(rows))


def chain_head(db: sqlite3.Connection) -> Head | None:
    """The chain's head; None if no receipt was ever added."""
    if not _has_chain(db):
        return None
    found = db.execute("SELECT chain, number, receipt_sha256 FROM head").fetchone()
    return Head(*found) if found is not None else None


def add_signature(db: sqlite3.Connection, signed: Signed) -> None:
    """Keeps a signature."""
    row = (time.time(), signed.statement, signed.signature)
    db.execute("INSERT INTO signature VALUES (?, ?, ?)", row)


def signatures(db: sqlite3.Connection) -> list[Signed]:
    """All signatures, the oldest first."""
    if not _has_chain(db):
        return []
    rows = db.execute("SELECT statement, signature FROM signature ORDER BY written")
    return [Signed(*row) for row in rows]


def _has_chain(db: sqlite3.Connection) -> bool:
    question = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'chain'"
    return db.execute(question).fetchone() is not None
