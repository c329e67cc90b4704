"""What programs read: one JSON object a line, each with `event`, `time` and `version`.

Fields are called as the attributes of the Python objects that they come from.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from turboupload.errors import InputError, TurbouploadError
from turboupload.units import format_moment

__all__ = ["error_fields", "event_line", "fields_of", "message_fields"]

OLD_NAMES = {
    "total_bytes": "bytes",
    "done_bytes": "bytes_done",
    "done_parts": "parts_done",
    "parts_there": "parts_reused",
    "total_reads": "reads",
    "total_bases": "bases",
}
"""Fields that had another name before 0.1.0: both are written, so that no reader breaks."""


def event_line(event: str, fields: Mapping[str, Any]) -> str:
    """One event as a line of JSON, without a line break.

    Args:
        event: Its name, such as `upload.finished`.
        fields: What it says; datetimes and mappings may be in it.
    """
    from turboupload.events import VERSION

    now = format_moment(datetime.now(UTC))
    old = {was: fields[name] for name, was in OLD_NAMES.items() if name in fields}
    about = {"event": event, "time": now, "version": VERSION}
    return json.dumps({**about, **old, **fields}, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


def fields_of(record: Any) -> dict[str, Any]:
    """A record's fields, ready for JSON, those of records in it too."""
    return dataclasses.asdict(record)


def error_fields(error: TurbouploadError) -> dict[str, Any]:
    """An error's fields, ready for JSON, with the errors that were found beside it."""
    others = error.others if isinstance(error, InputError) else ()
    return {
        "message": error.message,
        "hint": error.hint,
        "code": error.code or None,
        "operation": error.operation,
        "path": error.path,
        "others": [error_fields(each) for each in others],
    }


def message_fields(message: str) -> dict[str, Any]:
    """The fields of an error of which only a sentence is known."""
    return error_fields(TurbouploadError(message))
