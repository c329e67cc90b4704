"""Sequence stores: create, get, list, delete."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from turboupload.emulator.database import dump, load, new_id
from turboupload.emulator.errors import ServiceError, conflict, not_found
from turboupload.emulator.state import State
from turboupload.emulator.validate import Params

__all__ = [
    "create_store",
    "default_store",
    "delete_store",
    "get_store",
    "list_stores",
    "require_store",
    "within",
]

DEFAULT_STORE_NAME = "local"
DEFAULT_ETAG_FAMILY = "MD5up"


def require_store(rows: sqlite3.Connection, store_id: str) -> dict[str, Any]:
    """The creation parameters of a store.

    Raises:
        ServiceError: ResourceNotFoundException where there is none.
    """
    row = rows.execute("SELECT params FROM stores WHERE id = ?", (store_id,)).fetchone()
    if row is None:
        raise not_found(f"Sequence store {store_id} does not exist")
    params: dict[str, Any] = load(row["params"])
    return params


def create_store(state: State, params: Params) -> Params:
    """CreateSequenceStore. A client token used before returns the store it made."""
    token = params.pop("clientToken", None)
    tags = params.pop("tags", {})
    wanted = dump(params)
    with state.database.transaction() as rows:
        found = rows.execute("SELECT * FROM stores WHERE client_token = ?", (token,)).fetchone()
        if found is None:
            store_id = new_id(rows)
            rows.execute(
                "INSERT INTO stores (id, created, client_token, params, tags)"
                " VALUES (?, ?, ?, ?, ?)",
                (store_id, state.clock(), token, wanted, dump(tags)),
            )
            found = rows.execute("SELECT * FROM stores WHERE id = ?", (store_id,)).fetchone()
        elif (found["params"], load(found["tags"])) != (wanted, tags):
            raise ServiceError(
                "ValidationException",
                "The clientToken was used before with other parameters",
            )
    return _described(state, found)


def default_store(state: State) -> str:
    """The id of the oldest store; made where there is none yet."""
    with state.database.transaction() as rows:
        row = rows.execute("SELECT id FROM stores ORDER BY created, id LIMIT 1").fetchone()
    store_id: str = row["id"] if row else create_store(state, {"name": DEFAULT_STORE_NAME})["id"]
    return store_id


def get_store(state: State, params: Params) -> Params:
    """GetSequenceStore."""
    with state.database.transaction() as rows:
        require_store(rows, params["id"])
        found = rows.execute("SELECT * FROM stores WHERE id = ?", (params["id"],)).fetchone()
    return _described(state, found)


def list_stores(state: State, params: Params) -> Params:
    """ListSequenceStores."""
    with state.database.transaction() as rows:
        found = rows.execute("SELECT * FROM stores").fetchall()
    wanted = params.get("filter", {})
    matching = [
        store
        for store in (_described(state, row) for row in found)
        if all(store.get(name) == wanted[name] for name in ("name", "status") if name in wanted)
        and within(store["creationTime"], wanted.get("createdAfter"), wanted.get("createdBefore"))
        and within(store["updateTime"], wanted.get("updatedAfter"), wanted.get("updatedBefore"))
    ]
    page, token = state.pager.page(
        matching,
        params,
        operation="ListSequenceStores",
        key=lambda store: (store["creationTime"], store["id"]),
    )
    return {"sequenceStores": page, "nextToken": token}


def delete_store(state: State, params: Params) -> Params:
    """DeleteSequenceStore: only an empty one."""
    store_id = params["id"]
    with state.database.transaction() as rows:
        require_store(rows, store_id)
        in_use = rows.execute(
            "SELECT 1 FROM read_sets WHERE store_id = :id"
            " UNION SELECT 1 FROM uploads WHERE store_id = :id AND completed IS NULL"
            " UNION SELECT 1 FROM import_jobs WHERE store_id = :id AND completed IS NULL",
            {"id": store_id},
        ).fetchone()
        if in_use:
            raise conflict(f"Sequence store {store_id} is not empty")
        for table in ("uploads", "import_jobs"):
            rows.execute(f"DELETE FROM {table} WHERE store_id = ?", (store_id,))  # noqa: S608 - our own table names
        rows.execute("DELETE FROM stores WHERE id = ?", (store_id,))
    return {}


def within(moment: float, after: datetime | None, before: datetime | None) -> bool:
    """Whether a time in seconds since the epoch is later than `after` and earlier than `before`."""
    return (after is None or moment > after.timestamp()) and (
        before is None or moment < before.timestamp()
    )


def _described(state: State, row: sqlite3.Row) -> Params:
    return {
        "eTagAlgorithmFamily": DEFAULT_ETAG_FAMILY,
        **load(row["params"]),
        "id": row["id"],
        "arn": state.arn(f"sequenceStore/{row['id']}"),
        "creationTime": row["created"],
        "updateTime": row["created"],
        "status": "ACTIVE",
    }
