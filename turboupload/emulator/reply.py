"""Output by the model: only its members, timestamps in the format that it names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from turboupload.emulator.model import operation_model

__all__ = ["error_body", "iso8601", "reply_body"]


def reply_body(operation: str, output: Mapping[str, Any]) -> bytes:
    """The JSON body of a successful reply; empty where the model has no output members."""
    model = operation_model(operation)
    if model.http.get("responseCode") == 204:
        return b""
    shape = model.output_shape
    fields = _serialise(shape, output) if shape is not None else {}
    return json.dumps(fields, separators=(",", ":")).encode()


def error_body(message: str) -> bytes:
    """The JSON body of an error."""
    return json.dumps({"message": message}).encode()


def _serialise(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return {
            member.serialization.get("name", name): _serialise(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        return [_serialise(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _serialise(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp":
        return iso8601(value)
    return value


def iso8601(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-24T08:14:15.123Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
