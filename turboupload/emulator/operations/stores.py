"""Sequence stores: create, get, list, update, delete."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from turboupload.emulator.errors import conflict, not_found
from turboupload.emulator.operations.operation import Operation
from turboupload.emulator.operations.tokens import made_before, take_token
from turboupload.emulator.storage.database import dump, load, new_id
from turboupload.emulator.storage.listing import matches_text, wanted_of, within
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params

__all__ = ["OPERATIONS", "default_store", "require_store", "s3_access"]

DEFAULT_STORE_NAME = "local"
DEFAULT_ETAG_FAMILY = "MD5up"


def require_store(rows: sqlite3.Connection, store_id: str) -> dict[str, Any]:
    """The creation parameters of a store.

    Raises:
        ServiceError: ResourceNotFoundException if there is none.
    """
    row = rows.execute("SELECT params FROM stores WHERE id = ?", (store_id,)).fetchone()
    if row is None:
        raise not_found("The specified sequence store does not exist")
    params: dict[str, Any] = load(row["params"])
    return params


def create_store(state: State, params: Params) -> Params:
    """CreateSequenceStore."""
    token = take_token(state, params)
    tags = params.pop("tags", {})
    wanted = dump(params)
    with state.database.transaction() as rows:
        found = made_before(
            state,
            rows,
            "stores",
            token,
            lambda row: (row["params"], load(row["tags"])) == (wanted, tags),
        )
        if found is None:
            store_id = new_id(rows)
            now = state.clock()
            rows.execute(
                "INSERT INTO stores (id, created, client_token, params, tags, updated)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (store_id, now, token, wanted, dump(tags), now),
            )
            found = rows.execute("SELECT * FROM stores WHERE id = ?", (store_id,)).fetchone()
    return _described(state, found)


def update_store(state: State, params: Params) -> Params:
    """UpdateSequenceStore: members that are not named stay."""
    params.pop("clientToken", None)  # A second call changes nothing.
    store_id = params.pop("id")
    with state.database.transaction() as rows:
        changed = require_store(rows, store_id) | params
        rows.execute(
            "UPDATE stores SET params = ?, updated = ? WHERE id = ?",
            (dump(changed), state.clock(), store_id),
        )
        found = rows.execute("SELECT * FROM stores WHERE id = ?", (store_id,)).fetchone()
    return _described(state, found)


def default_store(state: State) -> str:
    """The id of the oldest store; makes one if there is none."""
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
    wanted = wanted_of(state.world, params)
    matching = [
        store
        for store in (_described(state, row) for row in found)
        if ("status" not in wanted or store["status"] == wanted["status"])
        and ("name" not in wanted or matches_text(state.world, store.get("name"), wanted["name"]))
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
    """DeleteSequenceStore: deletes only an empty store."""
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


def s3_access(state: State, store_id: str) -> dict[str, str]:
    """The stated S3 location of a store's read sets; nothing answers there."""
    account, region = state.config.account, state.config.region
    return {
        "s3Uri": f"s3://{account}-{store_id}-emulated-s3alias/{account}/sequenceStore/{store_id}/",
        "s3AccessPointArn": f"arn:aws:s3:{region}:{account}:accesspoint/{account}-{store_id}",
    }


def _described(state: State, row: sqlite3.Row) -> Params:
    params = load(row["params"])
    return {
        "eTagAlgorithmFamily": DEFAULT_ETAG_FAMILY,
        **params,
        "s3Access": {**s3_access(state, row["id"]), **params.get("s3AccessConfig", {})},
        "id": row["id"],
        "arn": state.arn(f"sequenceStore/{row['id']}"),
        "creationTime": row["created"],
        "updateTime": row["updated"],
        "status": "ACTIVE",
    }


OPERATIONS: Mapping[str, Operation] = {
    "CreateSequenceStore": Operation(1, create_store),
    "DeleteSequenceStore": Operation(1, delete_store),
    "GetSequenceStore": Operation(5, get_store),
    "ListSequenceStores": Operation(5, list_stores),
    "UpdateSequenceStore": Operation(1, update_store),
}
