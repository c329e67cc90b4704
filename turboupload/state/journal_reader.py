"""Reads the open uploads from the journal, without changing it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from turboupload.core.proof.chain import ChainCheck, check_chain
from turboupload.core.upload.events import Completed, Completing, Event, Opened, StatusSeen
from turboupload.core.upload.matching import has_ended
from turboupload.errors import ConfigError
from turboupload.state.folder import journal_path
from turboupload.state.journal_rows import RATE_OF, believed_rate, read_event, row_checksum
from turboupload.state.receipt_log import (
    Signed,
    body_of,
    chain_head,
    chain_rows,
    counting_receipts,
    signatures,
)
from turboupload.value import Value

__all__ = ["KnownOpen", "kept_chain", "kept_receipts", "known_open_uploads", "known_rate"]


class KnownOpen(Value, frozen=True):
    """An open upload that the journal knows.

    Attributes:
        key: Its key in the journal.
        name: The read set's name.
        paths: The files that it sends.
        completing: Whether Complete was called, and its read set isn't known to have ended: it may
            be processed, and the upload be listed until it is ACTIVE.
        began: When its first row was written, in seconds since the epoch.
    """

    key: str
    name: str | None
    paths: tuple[str, ...]
    completing: bool
    began: float


def known_open_uploads(folder: Path, *, where: str, store_id: str) -> dict[str, KnownOpen]:
    """The uploads that are open by the journal, by the service's id.

    Makes no journal if there is none; skips damaged rows.

    Args:
        folder: The state folder.
        where: The endpoint or Region.
        store_id: The sequence store.

    Raises:
        ConfigError: The journal can't be read.
    """
    with _reading(folder, timeout_s=30.0) as db:
        return {} if db is None else _known(db, where, store_id)


def _known(db: sqlite3.Connection, where: str, store_id: str) -> dict[str, KnownOpen]:
    abouts = {
        key: (_loaded(about), began)
        for key, about, began in db.execute("SELECT key, about, created FROM upload")
    }
    found: dict[str, KnownOpen] = {}
    for key, (upload_id, completing) in _opened(db).items():
        about, began = abouts.get(key, ({}, 0.0))
        if about.get("where") == where and about.get("store_id") == store_id:
            name, paths = about.get("name"), tuple(map(str, about.get("paths") or []))
            found[upload_id] = KnownOpen(key, name, paths, completing, began)
    return found


def _loaded(about: str) -> Mapping[str, Any]:
    try:
        value = json.loads(about)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _opened(db: sqlite3.Connection) -> dict[str, tuple[str, bool]]:
    """The id of each upload that its last milestone leaves open, or its read set unfinished."""
    rows = db.execute(
        "SELECT key, seq, kind, body, checksum FROM event WHERE kind IN "
        "('opening', 'opened', 'completing', 'completed', 'status', 'gone') ORDER BY key, seq"
    )
    found: dict[str, tuple[str, bool]] = {}
    for key, seq, kind, body, checksum in rows:
        if checksum != row_checksum(key, seq, kind, body):
            continue
        match _event(kind, body):
            case Opened(upload_id=upload_id):
                found[key] = (upload_id, False)
            case Completing() if key in found:
                found[key] = (found[key][0], True)
            case Completed(proof="reply" | "journal" | "fresh") if key in found:
                pass
            case StatusSeen(record) if key in found and not has_ended(record):
                pass
            case _:
                found.pop(key, None)
    return found


def _event(kind: str, body: str) -> Event | None:
    try:
        return read_event(kind, body)
    except ValueError:
        return None


def known_rate(folder: Path, where: str) -> float | None:
    """What the link to an endpoint or Region gave within the last day, in bytes a second.

    Args:
        folder: The state folder.
        where: The endpoint or Region.

    Returns:
        None where no journal knows, or none can be read: it is a hint.
    """
    try:
        with _reading(folder, timeout_s=1.0) as db:
            return None if db is None else believed_rate(db.execute(RATE_OF, (where,)))
    except ConfigError:
        return None


def kept_receipts(folder: Path) -> Iterator[tuple[str, str, str]]:
    """The receipts that count, one after the other, the oldest first.

    Args:
        folder: The state folder.

    Yields:
        A read set's id and its name, and a document, which may be damaged.

    Raises:
        ConfigError: The journal can't be read.
    """
    with _reading(folder) as db:
        if db is not None:
            for ref in counting_receipts(db):
                yield ref.read_set_id, ref.name, body_of(db, ref)


def kept_chain(folder: Path) -> tuple[ChainCheck, list[Signed], int]:
    """Checks the chain of a journal's receipts.

    Returns:
        The result, the signatures of its head, and how many receipts older versions left
        beside it, which no chain covers.

    Raises:
        ConfigError: The journal can't be read.
    """
    with _reading(folder) as db:
        if db is None:
            return ChainCheck(None), [], 0
        # One snapshot, whatever others write meanwhile.
        db.execute("BEGIN")
        check = check_chain(chain_rows(db), chain_head(db))
        (unchained,) = db.execute("SELECT count(*) FROM receipt").fetchone()
        return check, signatures(db), unchained


@contextmanager
def _reading(folder: Path, *, timeout_s: float = 5.0) -> Iterator[sqlite3.Connection | None]:
    """The journal, which stays as it is; None where there is none.

    Args:
        folder: The state folder.
        timeout_s: How long to wait for a process that writes, in seconds.

    Raises:
        ConfigError: It can't be read.
    """
    path = journal_path(folder)
    try:
        if not path.exists():
            yield None
            return
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None)) as db:
            yield db
    except (sqlite3.DatabaseError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the journal can't be read: {error}", path=str(path)) from error
