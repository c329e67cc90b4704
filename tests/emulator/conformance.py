"""Replies held against the model, independently of the code that writes them."""

from __future__ import annotations

import json
import re
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

__all__ = ["check_reply"]

# The model calls these required, and the service leaves them out where an upload has none.
LEFT_OUT = {"referenceArn", "generatedFrom"}
# The model says that it is an S3 URI, and the service says that there is none.
EMPTY = {"source2"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z")
TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "long": int,
    "timestamp": str,
}


def check_reply(model: OperationModel, status: int, headers: Any, body: Any) -> None:
    """Fail unless a reply of 200 or more is what the model says it is."""
    assert headers["x-amzn-RequestId"]
    if status >= 300:
        _check_error(model, status, headers, json.loads(body))
        return
    assert status == model.http.get("responseCode", 200)
    if model.has_streaming_output or status == 204:
        return
    assert headers["Content-Type"] == "application/json"
    if model.output_shape is None:
        assert json.loads(body) == {}
    else:
        _check(model.output_shape, json.loads(body), model.name)


def _check_error(model: OperationModel, status: int, headers: Any, body: Any) -> None:
    code = headers["x-amzn-ErrorType"]
    declared = {shape.name: shape.metadata["error"] for shape in model.error_shapes}
    assert code in declared, f"{model.name} does not declare {code}"
    assert status == declared[code]["httpStatusCode"]
    assert set(body) == {"message"}
    assert body["message"]


def _check(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape):
        assert set(value) <= set(shape.members), path
        missing = set(shape.required_members) - set(value)
        assert missing <= LEFT_OUT, f"{path} lacks {missing}"
        for name, item in value.items():
            if name in EMPTY and item == "":
                continue
            _check(shape.members[name], item, f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            _check(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            _check(shape.key, key, f"{path}.key")
            _check(shape.value, item, f"{path}.value")
    else:
        _check_scalar(shape, value, path)


def _check_scalar(shape: Shape, value: Any, path: str) -> None:
    assert type(value) is TYPES[shape.type_name], f"{path}: {value!r}"
    text = str(value)
    if shape.type_name == "timestamp":
        assert TIMESTAMP.fullmatch(text), f"{path}: {value!r}"
        return
    size = len(text) if isinstance(shape, StringShape) else int(text)
    assert shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size), path
    if isinstance(shape, StringShape):
        assert not shape.enum or value in shape.enum, f"{path}: {value!r}"
        pattern = shape.metadata.get("pattern", "")
        if "\\p{" not in pattern and pattern:
            assert re.fullmatch(pattern, text), f"{path}: {value!r}"
