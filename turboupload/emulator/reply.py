"""Output by the model: only its members, timestamps in the format that it names.

Unless told to be odd (`EmulatorConfig.odd_replies`): real replies have null members, lack members
that the model calls required, and may any day have members and values that no model knows yet.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from botocore.model import ListShape, MapShape, Shape, StructureShape

from turboupload.emulator.config import OddReply
from turboupload.emulator.errors import ServiceError
from turboupload.emulator.model import operation_model

__all__ = ["error_reply", "iso8601", "reply_body", "request_id"]

_FUTURE = {"futureMember": {"since": None, "values": [1, "x", {}]}, "futureFlag": True}
_FUTURE_VALUES = {
    ("status", "PROCESSING_UPLOAD"): "VALIDATING_UPLOAD",
    ("algorithm", None): "FUTURE_SHA3up",
    ("alignment", None): "PARTLY_ALIGNED",
}
"""What a member's value becomes; None stands for any."""

_SPARSE = frozenset(
    {"uploadId", "sourceFileType", "readSetId", "id", "status", "partNumber", "partSize"}
    | {"checksum", "parts", "uploads", "readSets", "nextToken", "files", "source1", "source2"}
    | {"index", "contentLength", "totalParts"}
)
"""The members that no client can do without."""


def reply_body(
    operation: str, output: Mapping[str, Any], odd: frozenset[OddReply] = frozenset()
) -> bytes:
    """The JSON body of a successful reply; empty where the model has no output members.

    Arguments:
        operation: The operation's name.
        output: Its output.
        odd: In which ways the body is to be odd.
    """
    model = operation_model(operation)
    if model.http.get("responseCode") == 204:
        return b""
    shape = model.output_shape
    fields = _serialise(shape, output, odd) if shape is not None else {}
    return json.dumps(fields, separators=(",", ":")).encode()


def request_id() -> dict[str, str]:
    """The header that every reply has."""
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def error_reply(error: ServiceError) -> web.Response:
    """An error as the service sends it."""
    return web.Response(
        status=error.status,
        body=json.dumps({"message": error.message}).encode(),
        content_type="application/json",
        headers={**request_id(), "x-amzn-ErrorType": error.code},
    )


def _serialise(shape: Shape, value: Any, odd: frozenset[OddReply]) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, value, odd)
    if isinstance(shape, ListShape):
        return [_serialise(shape.member, item, odd) for item in value]
    if isinstance(shape, MapShape):
        return {key: _serialise(shape.value, item, odd) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return iso8601(value)
    return value


def _structure(shape: StructureShape, value: Any, odd: frozenset[OddReply]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, member in shape.members.items():
        item = value.get(name)
        if "sparse" in odd and name not in _SPARSE:
            item = None
        if item is not None:
            if "new-values" in odd and isinstance(item, str):
                item = _FUTURE_VALUES.get((name, item), _FUTURE_VALUES.get((name, None), item))
            fields[member.serialization.get("name", name)] = _serialise(member, item, odd)
        elif "null-members" in odd:
            fields[member.serialization.get("name", name)] = None
    return {**fields, **_FUTURE} if "extra-members" in odd else fields


def iso8601(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-24T08:14:15.123Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
