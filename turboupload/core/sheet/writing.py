"""Rows to a sheet's text, for a person to review; `core.sheet.reading` reads it back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

from turboupload.core.sheet.columns import SEPARATOR, TAG, WRITTEN
from turboupload.core.sheet.model import SheetRow

__all__ = ["SheetFormat", "unwritable", "write_sheet"]

SheetFormat = Literal["csv", "tsv", "jsonl"]

_DELIMITERS: Final[Mapping[SheetFormat, str]] = MappingProxyType({"csv": ",", "tsv": "\t"})


def write_sheet(rows: Sequence[SheetRow], form: SheetFormat) -> str:
    """A sheet with our own columns.

    All of them up to `source2` are there, also where they are empty, for a person to fill in; of
    the others those that a row has a value for. JSON lines leave out what is empty.

    Args:
        rows: The rows. A tag without a value survives in JSON lines only.
        form: The format.
    """
    if form == "jsonl":
        objects = [_values(row, _json_cell) for row in rows]
        return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in objects)
    values = [_values(row, _cell) for row in rows]
    tags = [key for each in values for key in each if key.startswith(TAG)]
    columns = [*WRITTEN.values(), *dict.fromkeys(tags)]
    always = columns[: columns.index("source2") + 1]
    used = [c for c in columns if c in always or any(each.get(c) for each in values)]
    delimiter = _DELIMITERS[form]
    lines = [used, *([each.get(column, "") for column in used] for each in values)]
    return "".join(
        f"{delimiter.join(_quoted(cell, delimiter) for cell in line)}\n" for line in lines
    )


def unwritable(path: str, form: SheetFormat) -> str | None:
    """Why a sheet can't hold a file's path, in words that follow it; None where it can."""
    if not path.isprintable() and any("\ud800" <= each <= "\udfff" for each in path):
        return "has a name that is not UTF-8"
    if form != "jsonl" and path != path.strip():
        return "begins or ends with a space, which only JSON lines keep"
    if form != "jsonl" and SEPARATOR in path:
        return f"has a {SEPARATOR!r} in its name, which divides files in all but JSON lines"
    return None


def _cell(source: str | tuple[str, ...]) -> str:
    return source if isinstance(source, str) else SEPARATOR.join(source)


def _json_cell(source: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """A list where there are several files, or where a name would be taken for several."""
    return (source,) if isinstance(source, str) and SEPARATOR in source else source


def _values(
    row: SheetRow, cell: Callable[[str | tuple[str, ...]], str | tuple[str, ...]]
) -> dict[str, Any]:
    sources = dict(zip(("source1", "source2"), map(cell, row.sources), strict=False))
    found = {
        column: value
        for field, column in WRITTEN.items()
        if (value := sources.get(field) or getattr(row, field, None))
    }
    return found | {f"{TAG}{key}": value for key, value in row.tags.items()}


def _quoted(cell: str, delimiter: str) -> str:
    """The cell as CSV has it; one that begins like a comment is quoted, too."""
    if cell.startswith("#") or any(each in cell for each in (delimiter, '"', "\n", "\r")):
        return '"' + cell.replace('"', '""') + '"'
    return cell
