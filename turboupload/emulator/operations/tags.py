"""Tags of sequence stores and read sets, by ARN."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

from turboupload.emulator.errors import ServiceError, not_found
from turboupload.emulator.operations.operation import Operation
from turboupload.emulator.storage.database import dump, load
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import MAX_TAGS, Params

__all__ = ["OPERATIONS", "service_tags", "tag"]

_RESOURCE = re.compile(r"sequenceStore/(?P<store>[0-9]{10})(?:/readSet/(?P<read_set>[0-9]{10}))?")


def service_tags(details: Params) -> dict[str, str]:
    """The service's own tags of a resource with a sample and a subject."""
    return {f"aws:omics:{name}": details[name] for name in ("sampleId", "subjectId")}


def _find(state: State, rows: sqlite3.Connection, arn: str) -> tuple[str, sqlite3.Row]:
    prefix = state.arn("")
    match = _RESOURCE.fullmatch(arn.removeprefix(prefix)) if arn.startswith(prefix) else None
    if match is None:
        raise not_found(f"{arn} is no sequence store or read set of this account and Region")
    if match["read_set"]:
        table, where = "read_sets", (match["read_set"], match["store"])
        found = rows.execute(
            "SELECT id, tags, params FROM read_sets WHERE id = ? AND store_id = ?", where
        ).fetchone()
    else:
        table = "stores"
        found = rows.execute(
            "SELECT id, tags FROM stores WHERE id = ?", (match["store"],)
        ).fetchone()
    if found is None:
        raise not_found(f"{arn} does not exist")
    return table, found


def _replace(rows: sqlite3.Connection, table: str, row_id: str, tags: dict[str, str]) -> None:
    rows.execute(f"UPDATE {table} SET tags = ? WHERE id = ?", (dump(tags), row_id))  # noqa: S608 - our own table names


def tag(state: State, params: Params) -> Params:
    """TagResource."""
    with state.database.transaction() as rows:
        table, row = _find(state, rows, params["resourceArn"])
        tags = load(row["tags"]) | params["tags"]
        if len(tags) > MAX_TAGS:
            raise ServiceError(
                "ServiceQuotaExceededException", f"A resource has at most {MAX_TAGS} tags"
            )
        _replace(rows, table, row["id"], tags)
    return {}


def untag(state: State, params: Params) -> Params:
    """UntagResource."""
    with state.database.transaction() as rows:
        table, row = _find(state, rows, params["resourceArn"])
        unwanted = set(params["tagKeys"])
        tags = {key: value for key, value in load(row["tags"]).items() if key not in unwanted}
        _replace(rows, table, row["id"], tags)
    return {}


def list_tags(state: State, params: Params) -> Params:
    """ListTagsForResource."""
    with state.database.transaction() as rows:
        table, row = _find(state, rows, params["resourceArn"])
    tags = load(row["tags"])
    if table == "read_sets" and state.world.service_tags == "everywhere":
        tags |= service_tags(load(row["params"]))
    return {"tags": tags}


OPERATIONS: Mapping[str, Operation] = {
    "ListTagsForResource": Operation(5, list_tags),
    "TagResource": Operation(5, tag),
    "UntagResource": Operation(5, untag),
}
