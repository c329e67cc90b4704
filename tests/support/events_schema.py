"""The schema of the command's JSON lines, made from the events' dataclasses.

`python -m tests.support.events_schema` writes `docs/events.schema.json`; a test compares it.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from turboupload import events
from turboupload.cli.ui.events import OLD_NAMES
from turboupload.core.batch import BatchResult
from turboupload.core.model import Digest
from turboupload.core.notices import Rehearsal, UploadResult
from turboupload.core.records import ReadSetDetails
from turboupload.core.rows import RowResult
from turboupload.core.sheet.model import SheetFinding
from turboupload.core.watch.notices import WatchedRun

__all__ = ["PATH", "classes_of", "sample", "schema"]

PATH = Path(__file__).parents[2] / "docs" / "events.schema.json"

TEXT, WHOLE, NUMBER, FLAG = ({"type": t} for t in ("string", "integer", "number", "boolean"))
TEXT_OR_NULL = {"type": ["string", "null"]}
TEXTS = {"type": "array", "items": TEXT}
TEXTS_OR_NULL = {"type": ["array", "null"], "items": TEXT}
ERROR = {"oneOf": [{"type": "null"}, {"$ref": "#/$defs/error"}]}

FROM: Mapping[type, type] = {
    events.RowChanged: RowResult,
    events.ImportRowChanged: RowResult,
    events.StatusSeen: ReadSetDetails,
    events.Finished: UploadResult,
    events.RunChanged: WatchedRun,
    events.RunSent: BatchResult,
}
"""Events whose fields are those of what they carry."""

OWN: Mapping[type, Mapping[str, Any]] = {
    events.PartSeen: {"source": TEXT, "number": WHOLE, "size": WHOLE, "xxh3": TEXT},
    events.Surveyed: {"open_uploads": TEXTS, "read_sets": TEXTS},
    events.PartsListed: {"parts": WHOLE},
    events.ETagComputed: {
        "algorithm": TEXT_OR_NULL,
        "etag": TEXTS_OR_NULL,
        **dict.fromkeys(("reason", "reader", "reservation"), TEXT_OR_NULL),
    },
    events.BatchProgress: {"under_way": {"type": "array", "items": WHOLE}},
    events.ImportJobStarted: {"status": TEXT_OR_NULL},
    events.ImportRowChanged: {"job_id": TEXT_OR_NULL},
    events.RunSent: {"run": TEXT, "rows": WHOLE, "stopped_by": TEXT_OR_NULL},
}
"""Fields that aren't the attributes of their name."""

_COUNTS = {"type": "object", "additionalProperties": WHOLE}
_FINISHED = {"outcome": TEXT, "seconds": NUMBER, "error": ERROR}
LINES: Mapping[str, Mapping[str, Any]] = {
    "upload.finished": {
        **_FINISHED,
        "read_set_id": TEXT_OR_NULL,
        "upload_id": TEXT_OR_NULL,
        "total_bytes": WHOLE,
        "parts": WHOLE,
    },
    "batch.finished": {**_FINISHED, "rows": WHOLE, "counts": _COUNTS},
    "import.start.finished": {**_FINISHED},
    "check.finished": {**_FINISHED},
    "check.started": {"files": TEXTS, "deep": FLAG},
    "check.file": {"path": TEXT, "size_bytes": WHOLE, "file_type": TEXT_OR_NULL},
    "check.pair": {"first": TEXT, "second": TEXT, "agreed_at": TEXTS},
    "check.finding": {
        "severity": TEXT, "code": TEXT, "path": TEXT, "sentence": TEXT, "advice": TEXT_OR_NULL,
    },
    "sheet.run": {
        "platform": TEXT, "run": TEXT_OR_NULL, "flowcell": TEXT_OR_NULL, "short": TEXT,
    },
    "sheet.row": {
        "row": WHOLE, "sources": TEXTS, "sample_id": TEXT_OR_NULL, "subject_id": TEXT_OR_NULL,
        "name": TEXT_OR_NULL, "file_type": TEXT_OR_NULL, "generated_from": TEXT_OR_NULL,
    },
    "sheet.left_out": {
        "code": TEXT, "reason": TEXT, "hint": TEXT_OR_NULL, "harmless": FLAG, "paths": TEXTS,
    },
    "sheet.finished": {**_FINISHED},
    "import.remark": {"code": TEXT, "text": TEXT},
    "watch.remark": {"code": TEXT, "text": TEXT},
    "watch.finished": {**_FINISHED, "runs": WHOLE, "counts": _COUNTS},
}  # fmt: skip
"""What only the command says; of the rest, `*.finished` has `outcome`, `seconds` and `error`."""


def classes_of(union: Any) -> tuple[type, ...]:
    """The classes of a union of events."""
    return tuple(get_args(union))


def sample(hint: Any) -> Any:
    """A value of a type, such as an event."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return sample(next(each for each in arguments if each is not type(None)))
    if origin is Literal:
        return arguments[0]
    if hint is Digest:
        return Digest(xxh3=b"x")
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        made = {f.name: sample(hints[f.name]) for f in dataclasses.fields(hint) if f.init}
        return hint(**made)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if isinstance(hint, type) and issubclass(hint, Exception):
        return None  # an error is not equal to its copy; where there may be one, there may be none
    values = {str: "x", int: 1, float: 1.0, bool: True, bytes: b"x", tuple: (), Mapping: {}}
    return values.get(origin or hint, ())


def _plain(hint: Any) -> dict[str, Any]:
    """A type as JSON has it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        found = [_plain(each) for each in arguments]
        if all(set(each) == {"type"} for each in found):
            return {"type": [each["type"] for each in found]}
        return {"anyOf": found}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple or origin is Sequence:
        return {"type": "array", "items": _plain(arguments[0])}
    if isinstance(hint, type) and issubclass(hint, Enum | datetime):
        return TEXT
    if origin is not None or dataclasses.is_dataclass(hint):
        return {"type": "object"}
    names = {str: "string", int: "integer", float: "number", bool: "boolean"}
    return {"type": names.get(hint, "null")}


def _fields(kind: type) -> dict[str, Any]:
    hints, own = get_type_hints(FROM.get(kind, kind)), OWN.get(kind, {})
    _, said = events.describe(sample(kind))
    return {name: own[name] if name in own else _plain(hints[name]) for name in said}


def _object(fields: Mapping[str, Any], *, about: str = "") -> dict[str, Any]:
    old = {OLD_NAMES[name]: fields[name] for name in fields if name in OLD_NAMES}
    return {
        **({"description": about} if about else {}),
        "required": list(fields),
        "properties": {**{name: {"deprecated": True, **old[name]} for name in old}, **fields},
    }


def _definitions() -> dict[str, Any]:
    found: dict[str, Any] = {}
    unions = (events.UploadEvent, events.BatchEvent, events.ImportEvent, events.WatchEvent)
    kinds = dict.fromkeys(kind for union in unions for kind in classes_of(union))
    for kind in kinds:
        if kind in (events.RowNotice, events.RunNotice):
            continue  # the event in it, with its `row` or `run`
        name, _ = events.describe(sample(kind))
        names = [f"part.{o}" for o in ("sent", "journal", "checked")] if "part." in name else [name]
        about = _object(_fields(kind), about=(kind.__doc__ or "").split("\n")[0])
        for each in names:
            found[each] = _either(found[each], about) if each in found else about
    found |= {name: _object(fields) for name, fields in LINES.items()}
    for name in ("batch.finding", "import.finding", "sheet.finding"):
        record = SheetFinding
        hints = get_type_hints(record)
        found[name] = _object({f.name: _plain(hints[f.name]) for f in dataclasses.fields(record)})
    hints = get_type_hints(Rehearsal)
    hints["verdict"] = str
    found["batch.rehearsed"] = {
        "required": ["row", "name", "verdict"],
        "properties": {"row": WHOLE, "name": TEXT, "error": ERROR}
        | {f.name: _plain(hints[f.name]) for f in dataclasses.fields(Rehearsal)},
    }
    return found


def _either(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Of two events of one name: the fields of both, and required what both have."""
    both = [name for name in one["required"] if name in other["required"]]
    properties = {**other["properties"], **one["properties"]}
    return {**one, "required": both, "properties": properties}


def schema() -> dict[str, Any]:
    """The whole of it."""
    definitions = _definitions()
    properties = dict.fromkeys(("message",), TEXT)
    nullable = dict.fromkeys(("hint", "code", "operation", "path"), TEXT_OR_NULL)
    error = _object({**properties, **nullable, "others": {"type": "array"}})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of turboupload --json",
        "description": "Fields and events may come with any version; readers ignore what they "
        "don't know. `version` is raised where one changes its meaning or goes. A batch says of "
        "which row an event is in `row`, a watcher of which run in `run`.",
        "type": "object",
        "required": ["event", "time", "version"],
        "properties": {
            "event": TEXT,
            "time": {"type": "string", "format": "date-time"},
            "version": {"const": events.VERSION},
            "row": {"type": ["integer", "null"]},
            "run": TEXT_OR_NULL,
        },
        "allOf": [
            {
                "if": {"properties": {"event": {"const": name}}},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in definitions
        ]
        + [
            {
                "if": {"properties": {"event": {"pattern": r"\.finished$"}}},
                "then": {"required": ["outcome", "seconds", "error"]},
            }
        ],
        "$defs": {"error": {"type": "object", **error}, **definitions},
    }


def text() -> str:
    """As the file has it."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text())
