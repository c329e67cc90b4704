"""Makes replies by the model: only its members, and timestamps in its format.

`World.odd_replies` makes exceptions: real replies have null members, lack required members, and may
get members and values that no model knows yet.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from botocore.model import ListShape, MapShape, Shape, StructureShape

from turboupload.emulator.errors import ServiceError
from turboupload.emulator.model import operation_model
from turboupload.emulator.world import World

__all__ = ["error_reply", "iso8601", "reply_body", "request_id", "success_reply"]

_FRACTION_DIGITS = {
    "ReadSetUploadPartListItem": 6,
    "GetReadSetImportJobResponse": 0,
    "ImportReadSetJobItem": 0,
    "StartReadSetImportJobResponse": 0,
}
"""The fraction digits of timestamps by structure of the model, if not 3."""

_FUTURE = {"futureMember": {"since": None, "values": [1, "x", {}]}, "futureFlag": True}
_FUTURE_VALUES = {
    ("status", "PROCESSING_UPLOAD"): "VALIDATING_UPLOAD",
    ("algorithm", None): "FUTURE_SHA3up",
    ("alignment", None): "PARTLY_ALIGNED",
}
"""The replacement value of a member; None stands for any member."""

_SPARSE = frozenset(
    {"uploadId", "sourceFileType", "readSetId", "id", "status", "partNumber", "partSize"}
    | {"checksum", "parts", "uploads", "readSets", "nextToken", "files", "source1", "source2"}
    | {"index", "contentLength", "totalParts", "importJobs", "sequenceStores"}
)
"""The members that every client needs."""


def success_reply(operation: str, output: Mapping[str, Any], world: World) -> web.Response:
    """A successful reply."""
    payload = reply_body(operation, output, world)
    if not payload:
        return web.Response(status=204, headers=request_id())
    return _json_reply(200, payload, {}, world)


def _json_reply(
    status: int, payload: bytes, headers: Mapping[str, str], world: World
) -> web.Response:
    encoding = {}
    if world.gzip_replies:
        payload = gzip.compress(payload)
        encoding = {"Content-Encoding": "gzip"}
    return web.Response(
        status=status,
        body=payload,
        content_type="application/json",
        headers={**request_id(), **headers, **encoding},
    )


def reply_body(operation: str, output: Mapping[str, Any], world: World) -> bytes:
    """The JSON body of a successful reply; empty if the model has no output members.

    Arguments:
        operation: The operation's name.
        output: Its output.
        world: How the body shall be odd.
    """
    model = operation_model(operation)
    if model.http.get("responseCode") == 204:
        return b""
    shape = model.output_shape
    fields = _serialise(shape, output, world) if shape is not None else {}
    return json.dumps(fields, separators=(",", ":")).encode()


def request_id() -> dict[str, str]:
    """The header that every reply has."""
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def error_reply(error: ServiceError, world: World) -> web.Response:
    """An error as the service sends it."""
    payload = json.dumps({"message": error.message}).encode()
    return _json_reply(error.status, payload, {"x-amzn-ErrorType": error.code}, world)


def _serialise(shape: Shape, value: Any, world: World) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, value, world)
    if isinstance(shape, ListShape):
        return [_serialise(shape.member, item, world) for item in value]
    if isinstance(shape, MapShape):
        return {key: _serialise(shape.value, item, world) for key, item in value.items()}
    return value


def _structure(shape: StructureShape, value: Any, world: World) -> dict[str, Any]:
    odd = world.odd_replies
    fields: dict[str, Any] = {}
    for name, member in shape.members.items():
        item = value.get(name)
        if "sparse" in odd and _may_be_left_out(name, item, shape):
            item = None
        if item is not None:
            if "new-values" in odd and isinstance(item, str):
                item = _FUTURE_VALUES.get((name, item), _FUTURE_VALUES.get((name, None), item))
            if member.type_name == "timestamp":
                item = iso8601(item, _digits(shape, world))
            fields[member.serialization.get("name", name)] = _serialise(member, item, world)
        elif "null-members" in odd:
            fields[member.serialization.get("name", name)] = None
    return {**fields, **_FUTURE} if "extra-members" in odd else fields


def _may_be_left_out(name: str, item: Any, shape: Any) -> bool:
    return name not in _SPARSE or (item == [] and name not in shape.required_members)


def _digits(shape: Shape, world: World) -> int:
    if world.timestamps != "mixed":
        return int(world.timestamps)
    return _FRACTION_DIGITS.get(shape.name, 3)


def iso8601(seconds: float, digits: int) -> str:
    """Seconds since the epoch as `2026-11-24T08:14:15.123Z`, cut to `digits` fraction digits."""
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"
