"""A report as JSON and back, so that its page can be finished later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, get_args

from turboupload.core.rate.meter import Limiter
from turboupload.core.report.document import Proof, Report, ReportRow
from turboupload.core.report.timeline import Span
from turboupload.core.report.tries import Ending, Try

__all__ = ["report_from_json", "report_to_json"]

_LIMITS: Final[dict[str, Limiter]] = {each: each for each in get_args(Limiter)}
_ENDINGS: Final[dict[str, Ending]] = {each: each for each in get_args(Ending)}


def report_to_json(report: Report) -> str:
    """The whole report as one JSON object."""
    return json.dumps(asdict(report), separators=(",", ":"))


def report_from_json(text: str) -> Report:
    """A report that `report_to_json` wrote.

    Raises:
        ValueError: It is none.
    """
    try:
        return _report(json.loads(text))
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError(f"no report: {error}") from error


def _report(data: Mapping[str, Any]) -> Report:
    return Report(
        title=_text(data["title"]),
        began=_text(data["began"]),
        outcome=_text(data["outcome"]),
        seconds=float(data["seconds"]),
        not_begun=int(data["not_begun"]),
        message=_text(data["message"]),
        rows=tuple(map(_row, data["rows"])),
        spans=tuple(map(_span, data["spans"])),
        tries=tuple(map(_try, data["tries"])),
    )


def _row(data: Mapping[str, Any]) -> ReportRow:
    return ReportRow(
        name=_text(data["name"]),
        outcome=_text(data["outcome"]),
        row=None if data["row"] is None else int(data["row"]),
        sample=None if data["sample"] is None else _text(data["sample"]),
        read_set_id=None if data["read_set_id"] is None else _text(data["read_set_id"]),
        bytes=None if data["bytes"] is None else int(data["bytes"]),
        message=_text(data["message"]),
        proof=Proof(**{key: _text(value) for key, value in data["proof"].items()}),
    )


def _span(data: Mapping[str, Any]) -> Span:
    return Span(
        start_s=float(data["start_s"]),
        seconds=float(data["seconds"]),
        bytes_sent=int(data["bytes_sent"]),
        in_flight=int(data["in_flight"]),
        retries=int(data["retries"]),
        limited_by=_LIMITS.get(data["limited_by"]),
    )


def _try(data: Mapping[str, Any]) -> Try:
    return Try(
        start_s=float(data["start_s"]),
        seconds=float(data["seconds"]),
        ending=_ENDINGS[data["ending"]],
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
