"""Multipart read set uploads: create, parts, listings, complete, abort."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Any

from turboupload.emulator.errors import ServiceError, conflict, not_found, violation
from turboupload.emulator.operations.operation import Operation
from turboupload.emulator.operations.readsets import insert_read_set, sizes_of
from turboupload.emulator.operations.stores import require_store
from turboupload.emulator.operations.tags import service_tags
from turboupload.emulator.operations.tokens import forget_token, made_before, take_token
from turboupload.emulator.reading.file_types import FILE_TYPES
from turboupload.emulator.reading.stamp import comment_of, stored_files
from turboupload.emulator.storage.blobs import Blob, IncomingBlob
from turboupload.emulator.storage.database import as_of, dump, load, new_id
from turboupload.emulator.storage.listing import wanted_of, within
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = [
    "OPERATIONS",
    "abort_upload",
    "complete_upload",
    "create_upload",
    "end_upload",
    "keep_part",
    "list_parts",
    "list_uploads",
    "require_open_upload",
]

Part = dict[str, Any]
_OPAQUE_DIGITS = 24
_LISTED_AFTER_S = 4e-6
"""A part sent once has a lastUpdatedTime microseconds after its creationTime."""


def create_upload(state: State, params: Params) -> Params:
    """CreateMultipartReadSetUpload. Abort deletes the token along with the upload."""
    token = take_token(state, params)
    wanted = dump(params)
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        found = made_before(state, rows, "uploads", token, lambda row: row["params"] == wanted)
        if found is not None and found["completed"] is not None:
            found = _of_completed(state, rows, found)
        if found is None:
            upload_id = new_id(rows)
            rows.execute(
                "INSERT INTO uploads (id, store_id, created, client_token, params)"
                " VALUES (?, ?, ?, ?, ?)",
                (upload_id, params["sequenceStoreId"], state.clock(), token, wanted),
            )
            found = rows.execute("SELECT * FROM uploads WHERE id = ?", (upload_id,)).fetchone()
    return _described(state, found)


def _of_completed(
    state: State, rows: sqlite3.Connection, upload: sqlite3.Row
) -> sqlite3.Row | None:
    """The answer to a token whose upload was completed since."""
    match state.world.tokens_of_completed:
        case "conflict":
            raise conflict("The clientToken was used for an upload that is completed")
        case "new":
            forget_token(rows, "uploads", upload)
            return None
        case _:
            return upload


def _described(state: State, row: sqlite3.Row) -> Params:
    details = load(row["params"])
    if state.world.service_tags == "everywhere":
        details["tags"] = {**details.get("tags", {}), **service_tags(details)}
    return {**details, "uploadId": row["id"], "creationTime": row["created"]}


def _find(state: State, rows: sqlite3.Connection, params: Params) -> sqlite3.Row:
    """The upload of a call, open or completed."""
    require_store(rows, params["sequenceStoreId"])
    found: sqlite3.Row | None = rows.execute(
        "SELECT * FROM uploads WHERE id = ? AND store_id = ?",
        (params["uploadId"], params["sequenceStoreId"]),
    ).fetchone()
    known = found is not None and (
        found["created"] + state.world.new_upload_unknown_s <= state.clock()
        and not _expired(state, found)
    )
    if found is None or not known:
        raise _unknown(params["uploadId"])
    return found


def _unknown(upload_id: str) -> ServiceError:
    return not_found(f"Multipart upload {upload_id} does not exist")


def _find_open(state: State, rows: sqlite3.Connection, params: Params) -> sqlite3.Row:
    found = _find(state, rows, params)
    if found["completed"] is not None:
        raise _completed(state, found)
    return found


def _completed(state: State, upload: sqlite3.Row) -> ServiceError:
    """The answer to a call for a completed upload."""
    match state.world.second_complete:
        case "409":
            return conflict(f"Multipart upload {upload['id']} is completed")
        case "400":
            return ServiceError(
                "ValidationException", f"Multipart upload {upload['id']} is completed"
            )
        case _:
            return _unknown(upload["id"])


def _expired(state: State, upload: sqlite3.Row) -> bool:
    expires = state.world.upload_expires_s
    return (
        upload["completed"] is None
        and expires is not None
        and bool(upload["created"] + expires <= state.clock())
    )


def _is_shown(state: State, upload: sqlite3.Row, moment: float) -> bool:
    """Whether an upload was in progress at a moment, for the listing of uploads."""
    world = state.world
    if upload["completed"] is None:
        return world.expired_uploads == "listed" or not _expired(state, upload)
    at_work = upload["ended"] is None or (
        bool(upload["completed"] + world.completed_uploads_listed_s > moment)
    )
    return world.completed_uploads != "gone" and at_work


def require_open_upload(state: State, params: Params) -> None:
    """Refuse a part for an upload that is not open, before its body is read."""
    with state.database.transaction() as rows:
        _find_open(state, rows, params)


def keep_part(state: State, params: Params, incoming: IncomingBlob) -> Params:
    """UploadReadSetPart, once the body is in `incoming`. Replaces a part sent before."""
    if incoming.size == 0:
        raise ServiceError("ValidationException", "payload: a part must not be empty")
    blob = state.blobs.keep(incoming)
    checksum = _checksum(state, params, incoming.claimed_sha256)
    identity = (params["uploadId"], params["partSource"], params["partNumber"])
    replaced = None
    try:
        with state.database.transaction() as rows:
            _find_open(state, rows, params)
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
                (*identity, blob.size, blob.name, checksum, now, now + _LISTED_AFTER_S),
            )
    except BaseException:
        state.blobs.delete([blob.name])
        raise
    if replaced is not None:
        state.blobs.delete([replaced["blob"]])
    return {"checksum": checksum}


def _checksum(state: State, params: Params, digest: bytes) -> str:
    match state.world.checksum:
        case "foreign":
            # Stable for the same bytes anywhere, and not a hash that a client could guess.
            return base64.b64encode(hashlib.sha256(b"foreign" + digest).digest()).decode()
        case "hex":
            return digest.hex()
        case "opaque":
            place = f"{params['uploadId']}/{params['partSource']}/{params['partNumber']}/"
            mark = hmac.digest(state.part_secret, place.encode() + digest, "sha256").hex()
            return f"part-{mark[:_OPAQUE_DIGITS]}"
        case _:
            return base64.b64encode(digest).decode()


def list_parts(state: State, params: Params) -> Params:
    """ListReadSetUploadParts: of an open upload, and of one whose read set is processed."""
    world = state.world
    lag = state.worlds.lag_of("parts")
    with state.database.transaction() as rows:
        upload = _find(state, rows, params)
        if upload["completed"] is not None and not (
            world.completed_uploads == "with-parts" and _is_shown(state, upload, state.clock())
        ):
            raise _completed(state, upload)
        source = as_of("parts", state.clock() - lag if lag else None)
        found = rows.execute(
            f"SELECT * FROM {source} WHERE upload_id = ? AND source = ?",  # noqa: S608 - our own table names
            (params["uploadId"], params["partSource"]),
        ).fetchall()
    wanted = wanted_of(state.world, params)
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
    parts = [
        {
            "partNumber": row["number"],
            "partSize": row["size"],
            "partSource": row["source"],
            "checksum": None if world.checksum == "absent-in-listing" else row["checksum"],
            "creationTime": row["created"],
            "lastUpdatedTime": row["updated"],
        }
        for row in page
    ]
    return {"parts": parts, "nextToken": token}


def list_uploads(state: State, params: Params) -> Params:
    """ListMultipartReadSetUploads: those in progress, until their read set is ACTIVE or failed."""
    lag = state.worlds.lag_of("uploads")
    moment = state.clock() - lag
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        source = as_of("uploads", moment if lag else None)
        found = rows.execute(
            f"SELECT * FROM {source} WHERE store_id = ?",  # noqa: S608 - our own table names
            (params["sequenceStoreId"],),
        ).fetchall()
    page, token = state.pager.page(
        (row for row in found if _is_shown(state, row, moment)),
        params,
        operation="ListMultipartReadSetUploads",
        key=lambda row: (row["created"], row["id"]),
    )
    return {"uploads": [_described(state, row) for row in page], "nextToken": token}


def abort_upload(state: State, params: Params) -> Params:
    """AbortMultipartReadSetUpload."""
    with state.database.transaction() as rows:
        _find_open(state, rows, params)
        names = _drop_parts(rows, params["uploadId"])
        rows.execute("DELETE FROM uploads WHERE id = ?", (params["uploadId"],))
    state.blobs.delete(names)
    return {}


def _drop_parts(rows: sqlite3.Connection, upload_id: str) -> list[str]:
    """Delete an upload's parts; returns their blobs, to be deleted after the commit."""
    found = rows.execute("SELECT blob FROM parts WHERE upload_id = ?", (upload_id,)).fetchall()
    rows.execute("DELETE FROM parts WHERE upload_id = ?", (upload_id,))
    return [row["blob"] for row in found]


def end_upload(state: State, rows: sqlite3.Connection, read_set_id: str) -> list[str]:
    """Ends the upload of a read set that is ACTIVE or failed: it has no parts, and isn't listed.

    Returns:
        Blobs to be deleted after the commit.
    """
    upload = rows.execute("SELECT id FROM uploads WHERE read_set_id = ?", (read_set_id,)).fetchone()
    if upload is None:
        return []  # The upload was completed again for a later read set, or this one was imported.
    rows.execute("UPDATE uploads SET ended = ? WHERE id = ?", (state.clock(), upload["id"]))
    return _drop_parts(rows, upload["id"])


def complete_upload(state: State, params: Params) -> Params:
    """CompleteMultipartReadSetUpload. Parts that are not in the list are dropped."""
    made: list[Blob] = []
    try:
        with state.database.transaction() as rows:
            upload = _find(state, rows, params)
            if upload["completed"] is not None:
                if state.world.second_complete == "same":
                    return {"readSetId": upload["read_set_id"]}
                if state.world.second_complete != "new" or upload["ended"] is not None:
                    raise _completed(state, upload)
            sent: dict[str, list[Blob]] = {}
            for part in _matched_parts(rows, upload, params["parts"]):
                sent.setdefault(part["source"], []).append(Blob(part["blob"], part["size"]))
            details = load(upload["params"])
            tags = details.pop("tags", {})
            now = state.clock()
            comment = comment_of(upload["store_id"], now)
            read_set_id = insert_read_set(
                rows,
                {
                    "store_id": upload["store_id"],
                    "created": now,
                    "status": "PROCESSING_UPLOAD",
                    "creation_type": "UPLOAD",
                    "params": dump(details),
                    "tags": dump(tags),
                    "sent": dump(sizes_of(sent)),
                },
                stored_files(state.blobs, details["sourceFileType"], sent, comment, made),
            )
            rows.execute(
                "UPDATE uploads SET completed = ?, read_set_id = ? WHERE id = ?",
                (now, read_set_id, upload["id"]),
            )
    except BaseException:
        state.blobs.delete(blob.name for blob in made)
        raise
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
    # The order of the list has no meaning.
    places = sorted((part["partSource"], part["partNumber"]) for part in listed)
    return [stored[place] for place in places]


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
    if "SOURCE2" in sources and not FILE_TYPES[file_type].paired:
        raise _wrong_parts(f"SOURCE2 is for FASTQ only, not {file_type}")
    if "SOURCE1" not in sources:
        raise _wrong_parts("there is no part of SOURCE1")


def _check_gaps(listed: list[Part]) -> None:
    for source in ("SOURCE1", "SOURCE2"):
        numbers = sorted(part["partNumber"] for part in listed if part["partSource"] == source)
        for expected, number in enumerate(numbers, start=1):
            if number != expected:
                raise _wrong_parts(f"part {expected} of {source} is missing")


OPERATIONS: Mapping[str, Operation] = {
    "AbortMultipartReadSetUpload": Operation(1, abort_upload),
    "CompleteMultipartReadSetUpload": Operation(1, complete_upload),
    "CreateMultipartReadSetUpload": Operation(1, create_upload),
    "ListMultipartReadSetUploads": Operation(5, list_uploads),
    "ListReadSetUploadParts": Operation(5, list_parts),
    "UploadReadSetPart": Operation(10),  # moves bytes: `wire.server`
}
