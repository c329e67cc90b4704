"""Read sets: metadata, listing, bytes, deletion."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turboupload.emulator.config import MAX_PART_BYTES
from turboupload.emulator.errors import ServiceError, conflict, not_found, range_not_satisfiable
from turboupload.emulator.operations.operation import Operation
from turboupload.emulator.operations.stores import require_store, s3_access
from turboupload.emulator.reading.file_types import FILE_TYPES
from turboupload.emulator.storage.blobs import Blob
from turboupload.emulator.storage.database import as_of, load, new_id
from turboupload.emulator.storage.listing import matches_text, wanted_of, within
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = [
    "OPERATIONS",
    "Download",
    "batch_delete",
    "blobs_of",
    "get_metadata",
    "insert_read_set",
    "list_read_sets",
    "open_download",
    "sizes_of",
]

_WORD_FILTERS = ("status", "creationType")
_TEXT_FILTERS = ("name", "sampleId", "subjectId", "generatedFrom")


@dataclass(frozen=True, slots=True)
class Download:
    """The bytes of one part of a file: `length` of them, at `offset` of the joined `blobs`."""

    blobs: Sequence[Blob]
    offset: int
    length: int


def blobs_of(rows: sqlite3.Connection, read_set_id: str) -> dict[str, list[Blob]]:
    """The blobs of each file (SOURCE1, SOURCE2, INDEX), in order."""
    files: dict[str, list[Blob]] = {}
    for row in rows.execute(
        "SELECT * FROM read_set_blobs WHERE read_set_id = ? ORDER BY file, position",
        (read_set_id,),
    ):
        blob = Blob(row["blob"], row["size"], row["offset"])
        files.setdefault(row["file"], []).append(blob)
    return files


def sizes_of(files: Mapping[str, Sequence[Blob]]) -> dict[str, int]:
    """The size of each file, in bytes."""
    return {name: sum(blob.size for blob in blobs) for name, blobs in files.items()}


def insert_read_set(
    rows: sqlite3.Connection, values: Mapping[str, Any], files: Mapping[str, Sequence[Blob]]
) -> str:
    """Make a read set; returns its id.

    Arguments:
        rows: The transaction.
        values: Its columns without the id.
        files: The blobs of each file; no other row uses them.
    """
    read_set_id = new_id(rows)
    row = {"id": read_set_id, **values}
    rows.execute(
        f"INSERT INTO read_sets ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608 - our own column names
        tuple(row.values()),
    )
    rows.executemany(
        "INSERT INTO read_set_blobs (read_set_id, file, position, blob, size, offset)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (read_set_id, name, position, blob.name, blob.size, blob.offset)
            for name, blobs in files.items()
            for position, blob in enumerate(blobs)
        ],
    )
    return read_set_id


def _find(rows: sqlite3.Connection, params: Params, moment: float | None = None) -> sqlite3.Row:
    require_store(rows, params["sequenceStoreId"])
    found: sqlite3.Row | None = rows.execute(
        f"SELECT * FROM {as_of('read_sets', moment)} WHERE id = ? AND store_id = ?",  # noqa: S608 - our own table names
        (params["id"], params["sequenceStoreId"]),
    ).fetchone()
    if found is None:
        raise not_found(f"Read set {params['id']} does not exist")
    return found


def _status(state: State, row: sqlite3.Row) -> str:
    """Archive ACTIVE read sets that were not used for a while."""
    rests = state.world.archive_after_s
    if row["status"] == "ACTIVE" and rests is not None and row["used"] + rests <= state.clock():
        return "ARCHIVED"
    return str(row["status"])


def _described(state: State, row: sqlite3.Row) -> Params:
    details = load(row["params"])
    described: Params = {
        **details,
        "id": row["id"],
        "arn": state.arn(f"sequenceStore/{row['store_id']}/readSet/{row['id']}"),
        "sequenceStoreId": row["store_id"],
        "status": _status(state, row),
        "statusMessage": row["status_message"],
        "fileType": details["sourceFileType"],
        "creationTime": row["created"],
        "creationType": row["creation_type"],
        "creationJobId": row["job_id"],
    }
    if row["facts"]:
        described |= load(row["facts"])
        if state.world.pair_etag == "source1":
            described["etag"].pop("source2", None)
    return described


def get_metadata(state: State, params: Params) -> Params:
    """GetReadSetMetadata."""
    lag = state.worlds.lag_of("metadata")
    with state.database.transaction() as rows:
        row = _find(rows, params, state.clock() - lag if lag else None)
        sizes = sizes_of(blobs_of(rows, row["id"]))
    described = _described(state, row)
    active = described["status"] == "ACTIVE"
    if not active:
        sizes.pop("INDEX", None)  # As of the same time as the row that is shown.
        if state.world.processing_size == "sent":
            sizes = {name: size for name, size in load(row["sent"]).items() if name in sizes}
    if sizes and described["status"] != "ARCHIVED":
        described["files"] = {
            name.lower(): _file(state, described, name.lower(), size, active=active)
            for name, size in sizes.items()
        }
    return described


def _file(state: State, described: Params, name: str, size: int, *, active: bool) -> dict[str, Any]:
    file: dict[str, Any] = {
        "totalParts": -(-size // MAX_PART_BYTES),
        "partSize": MAX_PART_BYTES,
        "contentLength": size,
    }
    if active:
        suffix = FILE_TYPES[described["fileType"]].suffix
        key = f"source1.{suffix}.index" if name == "index" else f"{name}.{suffix}"
        uri = s3_access(state, described["sequenceStoreId"])["s3Uri"]
        file["s3Access"] = {"s3Uri": f"{uri}readSet/{described['id']}/{key}"}
    return file


def list_read_sets(state: State, params: Params) -> Params:
    """ListReadSets."""
    lag = state.worlds.lag_of("read_sets")
    with state.database.transaction() as rows:
        require_store(rows, params["sequenceStoreId"])
        source = as_of("read_sets", state.clock() - lag if lag else None)
        found = rows.execute(
            f"SELECT * FROM {source} WHERE store_id = ?",  # noqa: S608 - our own table names
            (params["sequenceStoreId"],),
        ).fetchall()
    wanted = wanted_of(state.world, params)
    if "status" in wanted:
        found = [row for row in found if _status(state, row) == wanted["status"]]
    if wanted.keys() - {"status"}:
        found = [row for row in found if _matches(state, _described(state, row), wanted)]
    # Describe only the page's rows: a store may have ten thousand.
    page, token = state.pager.page(
        found, params, operation="ListReadSets", key=lambda row: (row["created"], row["id"])
    )
    return {"readSets": [_described(state, row) for row in page], "nextToken": token}


def _matches(state: State, described: Params, wanted: Params) -> bool:
    if any(described[name] != wanted[name] for name in _WORD_FILTERS if name in wanted):
        return False
    texts = [name for name in _TEXT_FILTERS if name in wanted]
    if not all(matches_text(state.world, described.get(name), wanted[name]) for name in texts):
        return False
    # The model allows an empty one: it means a read set without a reference.
    if "referenceArn" in wanted and described.get("referenceArn", "") != wanted["referenceArn"]:
        return False
    return within(
        described["creationTime"], wanted.get("createdAfter"), wanted.get("createdBefore")
    )


def open_download(state: State, params: Params) -> Download:
    """GetReadSet: the blobs and range of the requested part."""
    with state.database.transaction() as rows:
        row = _find(rows, params)
        status = _status(state, row)
        if status != "ACTIVE":
            raise conflict(f"Read set {row['id']} is {status}, not ACTIVE")
        rows.execute("UPDATE read_sets SET used = ? WHERE id = ?", (state.clock(), row["id"]))
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
    """BatchDeleteReadSet: read sets that can't be deleted are listed as errors with empty codes."""
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
                errors.append({"id": read_set_id, "code": "", "message": error.message})
                continue
            for blobs in blobs_of(rows, read_set_id).values():
                names += [blob.name for blob in blobs]
            rows.execute("DELETE FROM read_sets WHERE id = ?", (read_set_id,))
    state.blobs.delete(names)
    return {"errors": errors}


OPERATIONS: Mapping[str, Operation] = {
    "BatchDeleteReadSet": Operation(1, batch_delete),
    "GetReadSetMetadata": Operation(5, get_metadata),
    "ListReadSets": Operation(5, list_read_sets),
    "GetReadSet": Operation(30),  # moves bytes: `wire.server`
}
