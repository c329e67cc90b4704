"""Read sets: metadata, listing, bytes, deletion."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from turboupload.emulator.blobs import Blob
from turboupload.emulator.config import MAX_PART_BYTES
from turboupload.emulator.database import load
from turboupload.emulator.errors import ServiceError, conflict, not_found, range_not_satisfiable
from turboupload.emulator.state import State
from turboupload.emulator.stores import require_store, within
from turboupload.emulator.validate import Params

__all__ = [
    "Download",
    "batch_delete",
    "blobs_of",
    "get_metadata",
    "list_read_sets",
    "open_download",
]

_EQUAL_FILTERS = ("name", "status", "sampleId", "subjectId", "generatedFrom", "creationType")


@dataclass(frozen=True, slots=True)
class Download:
    """The bytes of one part of a file: `length` of them from `offset` in `blobs` end to end."""

    blobs: Sequence[Blob]
    offset: int
    length: int


def blobs_of(rows: sqlite3.Connection, read_set_id: str) -> dict[str, list[Blob]]:
    """The blobs of each file (SOURCE1, SOURCE2, INDEX) in their order."""
    files: dict[str, list[Blob]] = {}
    for row in rows.execute(
        "SELECT * FROM read_set_blobs WHERE read_set_id = ? ORDER BY file, position",
        (read_set_id,),
    ):
        files.setdefault(row["file"], []).append(Blob(row["blob"], row["size"]))
    return files


def _find(rows: sqlite3.Connection, params: Params) -> sqlite3.Row:
    require_store(rows, params["sequenceStoreId"])
    found: sqlite3.Row | None = rows.execute(
        "SELECT * FROM read_sets WHERE id = ? AND store_id = ?",
        (params["id"], params["sequenceStoreId"]),
    ).fetchone()
    if found is None:
        raise not_found(f"Read set {params['id']} does not exist")
    return found


def _described(state: State, row: sqlite3.Row) -> Params:
    details = load(row["params"])
    described: Params = {
        **details,
        "id": row["id"],
        "arn": state.arn(f"sequenceStore/{row['store_id']}/readSet/{row['id']}"),
        "sequenceStoreId": row["store_id"],
        "status": row["status"],
        "statusMessage": row["status_message"],
        "fileType": details["sourceFileType"],
        "creationTime": row["created"],
        "creationType": row["creation_type"],
        "creationJobId": row["job_id"],
    }
    if row["facts"]:
        described |= load(row["facts"])
    return described


def get_metadata(state: State, params: Params) -> Params:
    """GetReadSetMetadata."""
    with state.database.transaction() as rows:
        row = _find(rows, params)
        files = blobs_of(rows, row["id"])
    described = _described(state, row)
    if files:
        described["files"] = {name.lower(): _file(blobs) for name, blobs in files.items()}
    return described


def _file(blobs: Sequence[Blob]) -> dict[str, Any]:
    size = sum(blob.size for blob in blobs)
    return {
        "totalParts": -(-size // MAX_PART_BYTES),
        "partSize": MAX_PART_BYTES,
        "contentLength": size,
    }


def list_read_sets(state: State, params: Params) -> Params:
    """ListReadSets."""
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        wanted = params.get("filter", {})
        found = rows.execute(
            "SELECT * FROM read_sets WHERE store_id = ? AND status = coalesce(?, status)",
            (params["sequenceStoreId"], wanted.get("status")),
        ).fetchall()
    if wanted.keys() - {"status"}:
        found = [row for row in found if _matches(_described(state, row), wanted)]
    # Only the rows of the page are described: a store may have ten thousand.
    page, token = state.pager.page(
        found, params, operation="ListReadSets", key=lambda row: (row["created"], row["id"])
    )
    return {"readSets": [_described(state, row) for row in page], "nextToken": token}


def _matches(described: Params, wanted: Params) -> bool:
    if any(described.get(name) != wanted[name] for name in _EQUAL_FILTERS if name in wanted):
        return False
    # The model lets this one be empty: a read set without a reference.
    if "referenceArn" in wanted and described.get("referenceArn", "") != wanted["referenceArn"]:
        return False
    return within(
        described["creationTime"], wanted.get("createdAfter"), wanted.get("createdBefore")
    )


def open_download(state: State, params: Params) -> Download:
    """GetReadSet: where the bytes of the wanted part are."""
    with state.database.transaction() as rows:
        row = _find(rows, params)
        if row["status"] != "ACTIVE":
            raise conflict(f"Read set {row['id']} is {row['status']}, not ACTIVE")
        files = blobs_of(rows, row["id"])
    name = params.get("file", "SOURCE1")
    if name not in files:
        raise not_found(f"Read set {row['id']} has no file {name}")
    size = sum(blob.size for blob in files[name])
    offset = (params["partNumber"] - 1) * MAX_PART_BYTES
    if offset >= size:
        raise range_not_satisfiable(
            f"Part {params['partNumber']} is past the end of {name} of read set {row['id']}"
        )
    return Download(files[name], offset, min(MAX_PART_BYTES, size - offset))


def batch_delete(state: State, params: Params) -> Params:
    """BatchDeleteReadSet: what can't be deleted is in the list of errors."""
    errors = []
    names: list[str] = []
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        for read_set_id in dict.fromkeys(params["ids"]):
            try:
                row = _find(rows, {**params, "id": read_set_id})
                if row["status"] == "PROCESSING_UPLOAD":
                    raise conflict(f"Read set {read_set_id} is still being processed")
            except ServiceError as error:
                errors.append({"id": read_set_id, "code": error.code, "message": error.message})
                continue
            for blobs in blobs_of(rows, read_set_id).values():
                names += [blob.name for blob in blobs]
            rows.execute("DELETE FROM read_sets WHERE id = ?", (read_set_id,))
    state.blobs.delete(names)
    return {"errors": errors}
