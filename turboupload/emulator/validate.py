"""Checks input against the model: required, type, min, max, enum, pattern, at any depth.

A violation is a ValidationException that names the member, such as `sources.2.member.sampleId`.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from turboupload.emulator.errors import ServiceError, violation
from turboupload.emulator.model import operation_model

if TYPE_CHECKING:
    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

__all__ = ["MAX_TAGS", "Params", "parse_body", "validated"]

Params = dict[str, Any]

MAX_TAGS = 50
_TAG_MAPS = ("TagMap", "TagResourceRequestTagsMap")
MAX_NESTING = 32
_UNICODE_CLASS = re.compile(r"\[((?:\\p\{[LMZSNP]\}|\|\||\\[tnr])+)\]\+")
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII
)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_INTEGER_BOUNDS = {"integer": 2**31, "long": 2**63}


def parse_body(body: bytes) -> Mapping[str, Any]:
    """Parses a request body as a JSON object; an empty body is an empty object.

    Raises:
        ServiceError: ValidationException if it is anything else.
    """
    if not body:
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ServiceError("ValidationException", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ServiceError("ValidationException", "the body is not a JSON object")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def validated(
    operation: str,
    labels: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    body: Mapping[str, Any],
) -> Params:
    """The checked input of `operation`; members that the model does not know are dropped.

    Arguments:
        operation: The operation's name.
        labels: Members of the path, percent-decoded.
        query: The decoded query parameters in their order.
        body: The JSON object of the body. A streaming payload is not part of it.

    Raises:
        ServiceError: ValidationException for the first violation.
    """
    shape: StructureShape | None = operation_model(operation).input_shape
    if shape is None:
        return {}
    params: Params = {}
    for name, member in shape.members.items():
        if member.serialization.get("streaming"):
            continue
        value = _located(name, member, labels, query, body)
        if value is None:
            if name in shape.required_members:
                raise violation("null", name, "Member must not be null")
            continue
        params[name] = _checked(member, value, name)
    return params


def _located(
    name: str,
    member: Shape,
    labels: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    body: Mapping[str, Any],
) -> Any:
    location = member.serialization.get("location")
    wire_name = member.serialization.get("name", name)
    if location == "uri":
        return _from_text(member, labels[wire_name], name)
    if location == "querystring":
        values = [value for key, value in query if key == wire_name]
        if not values:
            return None
        if member.type_name == "list":
            return values
        return _from_text(member, values[0], name)
    return body.get(wire_name)


def _from_text(member: Shape, text: str, path: str) -> Any:
    if member.type_name in _INTEGER_BOUNDS:
        if not _INTEGER.fullmatch(text):
            raise violation(text, path, "Member must be an integer")
        return int(text)
    return text


def _checked(shape: Shape, value: Any, path: str) -> Any:
    if path.count(".") > MAX_NESTING:
        raise violation("...", path, "Member must not be nested this deeply")
    return _CHECKS[shape.type_name](shape, value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise violation(value, path, "Member must be an object")
    checked = {}
    for name, member in shape.members.items():
        item = value.get(member.serialization.get("name", name))
        if item is not None:
            checked[name] = _checked(member, item, f"{path}.{name}")
        elif name in shape.required_members:
            raise violation("null", f"{path}.{name}", "Member must not be null")
    return checked


def _list(shape: ListShape, value: Any, path: str) -> Any:
    if not isinstance(value, list):
        raise violation(value, path, "Member must be a list")
    _check_size(shape, value, len(value), path, "length")
    return [
        _checked(shape.member, item, f"{path}.{index}.member")
        for index, item in enumerate(value, start=1)
    ]


def _map(shape: MapShape, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise violation(value, path, "Member must be a map")
    _check_size(shape, value, len(value), path, "length")
    if shape.name in _TAG_MAPS:
        _check_tags(value, path)
    return {
        _checked(shape.key, key, f"{path}.key"): _checked(shape.value, item, f"{path}.{key}.member")
        for key, item in value.items()
    }


def _check_tags(tags: Mapping[str, Any], path: str) -> None:
    # Two rules of every AWS service that no model contains.
    if len(tags) > MAX_TAGS:
        raise violation(
            f"{len(tags)} tags", path, f"Member must have length less than or equal to {MAX_TAGS}"
        )
    for key in tags:
        if key.lower().startswith("aws:"):
            raise violation(key, f"{path}.key", "Member must not begin with 'aws:'")


def _string(shape: StringShape, value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise violation(value, path, "Member must be a string")
    if shape.enum and value not in shape.enum:
        allowed = ", ".join(sorted(shape.enum))
        raise violation(value, path, f"Member must satisfy enum value set: [{allowed}]")
    _check_size(shape, value, len(value), path, "length")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matcher(pattern)(value):
        raise violation(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    return value


def _integer(shape: Shape, value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise violation(value, path, "Member must be an integer")
    bound = _INTEGER_BOUNDS[shape.type_name]
    if not -bound <= value < bound:
        raise violation(value, path, f"Member must fit into {shape.type_name}")
    _check_size(shape, value, value, path, "value")
    return value


def _float(shape: Shape, value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise violation(value, path, "Member must be a number")
    _check_size(shape, value, value, path, "value")
    return float(value)


def _boolean(shape: Shape, value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise violation(value, path, "Member must be a boolean")
    return value


def _timestamp(shape: Shape, value: Any, path: str) -> datetime:
    if isinstance(value, str) and _TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value.replace(",", ".")).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise violation(value, path, "Member must be a timestamp in ISO 8601 format")


def _check_size(shape: Shape, value: Any, size: float, path: str, noun: str) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        raise violation(value, path, f"Member must have {noun} greater than or equal to {least}")
    if most is not None and size > most:
        raise violation(value, path, f"Member must have {noun} less than or equal to {most}")


@cache
def _matcher(pattern: str) -> Callable[[str], bool]:
    """A full match of `pattern`, which may name Unicode categories, unlike in `re`."""
    unicode_class = _UNICODE_CLASS.fullmatch(pattern)
    if unicode_class is None:
        compiled = re.compile(pattern)
        return lambda text: compiled.fullmatch(text) is not None
    content = unicode_class[1]
    categories = set(re.findall(r"\\p\{(\w)\}", content))
    literals = {"\t\n\r"["tnr".index(each)] for each in re.findall(r"\\([tnr])", content)}
    if "||" in content:
        literals.add("|")

    def matches(text: str) -> bool:
        return bool(text) and all(
            unicodedata.category(char)[0] in categories or char in literals for char in text
        )

    return matches


_CHECKS: dict[str, Callable[[Any, Any, str], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
}
