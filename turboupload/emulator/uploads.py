"""Multipart read set uploads: create, parts, listings, complete, abort."""

from __future__ import annotations

import base64
import hmac
import sqlite3
from collections import Counter
from typing import Any

from turboupload.emulator.blobs import IncomingBlob
from turboupload.emulator.database import dump, load, new_id
from turboupload.emulator.errors import ServiceError, not_found, violation
from turboupload.emulator.state import State
from turboupload.emulator.stores import require_store, within
from turboupload.emulator.validate import Params

__all__ = [
    "abort_upload",
    "complete_upload",
    "create_upload",
    "keep_part",
    "list_parts",
    "list_uploads",
    "require_open_upload",
]

Part = dict[str, Any]
_OPAQUE_DIGITS = 24


def create_upload(state: State, params: Params) -> Params:
    """CreateMultipartReadSetUpload.

    A client token used before with the same parameters returns the upload that it made, be it
    still open or completed. Abort forgets the token along with the upload.
    """
    token = params.pop("clientToken", None)
    wanted = dump(params)
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = rows.execute("SELECT * FROM uploads WHERE client_token = ?", (token,)).fetchone()
        if found is None:
            upload_id = new_id(rows)
            rows.execute(
                "INSERT INTO uploads (id, store_id, created, client_token, params)"
                " VALUES (?, ?, ?, ?, ?)",
                (upload_id, params["sequenceStoreId"], state.clock(), token, wanted),
            )
            found = rows.execute("SELECT * FROM uploads WHERE id = ?", (upload_id,)).fetchone()
        elif found["params"] != wanted:
            raise ServiceError(
                "ValidationException",
                "The clientToken was used before with other parameters",
            )
    return _described(found)


def _described(row: sqlite3.Row) -> Params:
    return {**load(row["params"]), "uploadId": row["id"], "creationTime": row["created"]}


def _find_open(rows: sqlite3.Connection, params: Params) -> sqlite3.Row:
    require_store(rows, params["sequenceStoreId"])
    found: sqlite3.Row | None = rows.execute(
        "SELECT * FROM uploads WHERE id = ? AND store_id = ? AND completed IS NULL",
        (params["uploadId"], params["sequenceStoreId"]),
    ).fetchone()
    if found is None:
        raise not_found(f"Multipart upload {params['uploadId']} does not exist")
    return found


def require_open_upload(state: State, params: Params) -> None:
    """Refuse a part for an upload that is not open, before its body is read."""
    with state.database.transaction() as rows:
        _find_open(rows, params)


def keep_part(state: State, params: Params, incoming: IncomingBlob) -> Params:
    """UploadReadSetPart, once the body is in `incoming`. Replaces a part sent before."""
    if incoming.size == 0:
        raise ServiceError("ValidationException", "payload: a part must not be empty")
    blob = state.blobs.keep(incoming)
    checksum = _checksum(state, params, incoming.stored_sha256)
    identity = (params["uploadId"], params["partSource"], params["partNumber"])
    replaced = None
    try:
        with state.database.transaction() as rows:
            _find_open(rows, params)
            replaced = rows.execute(
                "SELECT blob FROM parts WHERE upload_id = ? AND source = ? AND number = ?", identity
            ).fetchone()
            now = state.clock()
            rows.execute(
                "INSERT INTO parts"
                " (upload_id, source, number, size, blob, checksum, created, updated)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET size = excluded.size, blob = excluded.blob,"
                " checksum = excluded.checksum, updated = excluded.updated",
                (*identity, blob.size, blob.name, checksum, now, now),
            )
    except BaseException:
        state.blobs.delete([blob.name])
        raise
    if replaced is not None:
        state.blobs.delete([replaced["blob"]])
    return {"checksum": checksum}


def _checksum(state: State, params: Params, digest: bytes) -> str:
    match state.config.checksum:
        case "hex":
            return digest.hex()
        case "opaque":
            place = f"{params['uploadId']}/{params['partSource']}/{params['partNumber']}/"
            mark = hmac.digest(state.part_secret, place.encode() + digest, "sha256").hex()
            return f"part-{mark[:_OPAQUE_DIGITS]}"
        case _:
            return base64.b64encode(digest).decode()


def list_parts(state: State, params: Params) -> Params:
    """ListReadSetUploadParts."""
    with state.database.transaction() as rows:
        _find_open(rows, params)
        found = rows.execute(
            "SELECT * FROM parts WHERE upload_id = ? AND source = ?",
            (params["uploadId"], params["partSource"]),
        ).fetchall()
    wanted = params.get("filter", {})
    page, token = state.pager.page(
        (
            row
            for row in found
            if within(row["created"], wanted.get("createdAfter"), wanted.get("createdBefore"))
        ),
        params,
        operation="ListReadSetUploadParts",
        key=lambda row: (row["number"],),
    )
    with_checksum = state.config.checksum != "absent-in-listing"
    parts = [
        {
            "partNumber": row["number"],
            "partSize": row["size"],
            "partSource": row["source"],
            "checksum": row["checksum"] if with_checksum else None,
            "creationTime": row["created"],
            "lastUpdatedTime": row["updated"],
        }
        for row in page
    ]
    return {"parts": parts, "nextToken": token}


def list_uploads(state: State, params: Params) -> Params:
    """ListMultipartReadSetUploads: the open ones, and for a while, if so told, completed ones."""
    recently = state.clock() - state.config.completed_uploads_listed_s
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = rows.execute(
            "SELECT * FROM uploads WHERE store_id = ? AND (completed IS NULL OR completed > ?)",
            (params["sequenceStoreId"], recently),
        ).fetchall()
    page, token = state.pager.page(
        found,
        params,
        operation="ListMultipartReadSetUploads",
        key=lambda row: (row["created"], row["id"]),
    )
    return {"uploads": [_described(row) for row in page], "nextToken": token}


def abort_upload(state: State, params: Params) -> Params:
    """AbortMultipartReadSetUpload."""
    with state.database.transaction() as rows:
        _find_open(rows, params)
        names = _blob_names(rows, params["uploadId"])
        rows.execute("DELETE FROM uploads WHERE id = ?", (params["uploadId"],))
    state.blobs.delete(names)
    return {}


def _blob_names(rows: sqlite3.Connection, upload_id: str) -> list[str]:
    found = rows.execute("SELECT blob FROM parts WHERE upload_id = ?", (upload_id,))
    return [row["blob"] for row in found]


def complete_upload(state: State, params: Params) -> Params:
    """CompleteMultipartReadSetUpload. Parts that are not in the list are dropped."""
    with state.database.transaction() as rows:
        upload = _find_open(rows, params)
        kept = _matched_parts(rows, upload, params["parts"])
        now = state.clock()
        details = load(upload["params"])
        tags = details.pop("tags", {})
        read_set_id = new_id(rows)
        rows.execute(
            "INSERT INTO read_sets (id, store_id, created, status, creation_type, ingest_due,"
            " params, tags) VALUES (?, ?, ?, 'PROCESSING_UPLOAD', 'UPLOAD', ?, ?, ?)",
            (
                read_set_id,
                upload["store_id"],
                now,
                now + state.config.ingest_delay_s,
                dump(details),
                dump(tags),
            ),
        )
        rows.executemany(
            "INSERT INTO read_set_blobs (read_set_id, file, position, size, blob)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (read_set_id, part["source"], part["number"], part["size"], part["blob"])
                for part in kept
            ],
        )
        dropped = set(_blob_names(rows, upload["id"])) - {part["blob"] for part in kept}
        rows.execute("DELETE FROM parts WHERE upload_id = ?", (upload["id"],))
        rows.execute("UPDATE uploads SET completed = ? WHERE id = ?", (now, upload["id"]))
    state.blobs.delete(dropped)
    state.wake_ingest()
    return {"readSetId": read_set_id}


def _matched_parts(
    rows: sqlite3.Connection, upload: sqlite3.Row, listed: list[Part]
) -> list[sqlite3.Row]:
    _check_list(load(upload["params"])["sourceFileType"], listed)
    found = rows.execute("SELECT * FROM parts WHERE upload_id = ?", (upload["id"],))
    stored = {(row["source"], row["number"]): row for row in found}
    for part in listed:
        row = stored.get((part["partSource"], part["partNumber"]))
        if row is None:
            raise _wrong_parts(f"{_named(part)} was not uploaded")
        if not hmac.compare_digest(row["checksum"].encode(), part["checksum"].encode()):
            raise _wrong_parts(f"the checksum of {_named(part)} is not the one it was given")
    _check_gaps(listed)
    return [stored[part["partSource"], part["partNumber"]] for part in listed]


def _named(part: Part) -> str:
    return f"part {part['partNumber']} of {part['partSource']}"


def _wrong_parts(message: str) -> ServiceError:
    return ServiceError("ValidationException", f"Invalid value for member 'parts': {message}")


def _check_list(file_type: str, listed: list[Part]) -> None:
    if not listed:
        raise violation("[]", "parts", "Member must have length greater than or equal to 1")
    repeated = [
        place
        for place, times in Counter(
            (part["partSource"], part["partNumber"]) for part in listed
        ).items()
        if times > 1
    ]
    if repeated:
        source, number = repeated[0]
        raise _wrong_parts(f"part {number} of {source} is listed more than once")
    sources = {part["partSource"] for part in listed}
    if "SOURCE2" in sources and file_type != "FASTQ":
        raise _wrong_parts(f"SOURCE2 is for FASTQ only, not {file_type}")
    if "SOURCE1" not in sources:
        raise _wrong_parts("there is no part of SOURCE1")


def _check_gaps(listed: list[Part]) -> None:
    for source in ("SOURCE1", "SOURCE2"):
        numbers = sorted(part["partNumber"] for part in listed if part["partSource"] == source)
        for expected, number in enumerate(numbers, start=1):
            if number != expected:
                raise _wrong_parts(f"part {expected} of {source} is missing")
