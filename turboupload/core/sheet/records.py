"""Text to records: which values stand in which columns of which line, and no meaning yet.

Comma, semicolon (Excel where the comma is the decimal mark) and tab are told apart by the header;
Excel's own first line `sep=;` is heeded. Text that begins with a brace is JSON lines, with a
bracket a JSON array of objects.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from turboupload.core.sheet.columns import TAG
from turboupload.core.sheet.illumina import has_illumina_sections, not_ours
from turboupload.core.sheet.model import SheetFinding

__all__ = ["Record", "Records", "read_records"]

_SEPARATOR_LINE = re.compile(r"sep=([,;\t])\s*", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a sheet, or what quotes hold together.

    Attributes:
        number: The line it begins in.
        values: Column and value; empty cells are left out. A list is what JSON has as one.
    """

    number: int
    values: tuple[tuple[str, str | tuple[str, ...]], ...]


@dataclass(slots=True)
class Records:
    """What the text held.

    Attributes:
        columns: Every column's name, in the order in which they first appear.
        header: The line of the header; 0 where there is none, as in JSON lines.
        rows: The lines.
        findings: What is wrong with the text itself.
    """

    columns: list[str] = field(default_factory=list)
    header: int = 0
    rows: list[Record] = field(default_factory=list)
    findings: list[SheetFinding] = field(default_factory=list)


def read_records(text: str) -> Records:
    """Takes a sheet's text apart; never raises, whatever the text."""
    text = text.removeprefix("\ufeff")
    if has_illumina_sections(text):
        return Records(findings=[not_ours(0)])
    match text.lstrip()[:1]:
        case "{":
            return _json_lines(text)
        case "[":
            return _json_array(text)
        case _:
            return _Delimited(text).read()


class _Delimited:
    """CSV in all its dialects."""

    def __init__(self, text: str) -> None:
        self._lines = enumerate(io.StringIO(text, newline=""), start=1)
        self._number = self._start = 0
        self._between = True
        self._delimiter = ","
        self._out = Records()

    def read(self) -> Records:
        first = self._next_line()
        if first is not None and (separator := _SEPARATOR_LINE.fullmatch(first)):
            self._delimiter = separator[1]
            first = self._next_line()
        elif first is not None:
            self._delimiter = _delimiter_of(first)
        if first is None:
            self._out.findings.append(SheetFinding(0, None, "the sheet is empty"))
            return self._out
        reader = csv.reader(self._fed(first), delimiter=self._delimiter, strict=True)
        for number, cells in self._records(reader):
            if not self._out.header:
                self._take_header(number, cells)
            else:
                self._take_row(number, cells)
        if not self._out.rows and not self._out.findings:
            self._out.findings.append(SheetFinding(0, None, "the sheet has a header and no rows"))
        return self._out

    def _next_line(self) -> str | None:
        """The next line that begins a record: neither empty nor a comment."""
        for number, line in self._lines:
            self._number = number
            if line.strip() and not line.lstrip().startswith("#"):
                return line
        return None

    def _fed(self, first: str) -> Iterator[str]:
        """The lines for the csv reader; only between records is an empty line or a # skipped."""
        line: str | None = first
        while line is not None:
            self._start = self._number if self._between else self._start
            self._between = False
            yield line
            if self._between:
                line = self._next_line()
            else:
                self._number, line = next(self._lines, (self._number, None))

    def _records(self, reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
        while True:
            self._between = True
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._out.findings.append(_csv_finding(self._start, error))
                if not self._out.header:
                    return
                continue
            yield self._start, [cell.strip() for cell in cells]

    def _take_header(self, number: int, cells: list[str]) -> None:
        self._out.header = number
        self._out.columns = cells
        for cell in dict.fromkeys(each for each in cells if each and cells.count(each) > 1):
            self._out.findings.append(
                SheetFinding(
                    number,
                    cell,
                    "two columns have this name",
                    "rename one of them, or take it out",
                )
            )

    def _take_row(self, number: int, cells: list[str]) -> None:
        if not any(cells):
            return
        columns = self._out.columns
        if any(cells[len(columns) :]):
            self._out.findings.append(
                SheetFinding(
                    number,
                    None,
                    f"has {len(cells)} fields, and the header {len(columns)}",
                    f"a field with {_spoken(self._delimiter)} in it needs quotes",
                )
            )
        elif len(cells) < len(columns):
            self._out.findings.append(
                SheetFinding(
                    number,
                    None,
                    f"has only {len(cells)} fields, and the header {len(columns)}; "
                    "the missing ones are taken as empty",
                    severity="warning",
                )
            )
        values = tuple((name, cell) for name, cell in zip(columns, cells, strict=False) if cell)
        self._out.rows.append(Record(number, values))


def _delimiter_of(header: str) -> str:
    bare = _QUOTED.sub("", header)
    if "\t" in bare:
        return "\t"
    return ";" if bare.count(";") > bare.count(",") else ","


def _spoken(delimiter: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}[delimiter]


def _csv_finding(number: int, error: csv.Error) -> SheetFinding:
    sentence = str(error)
    if "unexpected end" in sentence:
        return SheetFinding(
            number,
            None,
            "a quote opens here and is never closed; all that follows was not read",
            'write a quote inside quotes twice ("")',
        )
    if "expected after" in sentence:
        return SheetFinding(
            number,
            None,
            "text follows a closing quote",
            'write a quote inside quotes twice ("")',
        )
    return SheetFinding(number, None, f"can't be read as CSV: {sentence}")


def _json_lines(text: str) -> Records:
    out = Records()
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            value = _DECODER.decode(line.strip())
        except (ValueError, RecursionError) as error:
            out.findings.append(
                SheetFinding(
                    number,
                    None,
                    f"is not a JSON object: {_json_fault(error)}",
                    "write one object a line, or one array of objects",
                )
            )
            continue
        _take_object(out, number, value)
    return out


def _json_array(text: str) -> Records:
    out = Records()
    position = text.index("[") + 1
    number, counted = 1, 0
    while True:
        position = _blank_end(text, position)
        if text[position : position + 1] == "]":
            break
        number, counted = number + text.count("\n", counted, position), position
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            fault = _json_fault(error)
            out.findings.append(SheetFinding(number, None, f"is not a JSON object: {fault}"))
            return out
        _take_object(out, number, value)
        position = _blank_end(text, position)
        if text[position : position + 1] == ",":
            position += 1
        elif text[position : position + 1] != "]":
            out.findings.append(SheetFinding(number, None, "the array is not closed"))
            return out
    if text[position + 1 :].strip():
        out.findings.append(SheetFinding(0, None, "something follows the JSON array"))
    if not out.rows and not out.findings:
        out.findings.append(SheetFinding(0, None, "the sheet is empty"))
    return out


_BLANK = re.compile(r"\s*")


def _blank_end(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _json_fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} (column {error.colno})"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} is in it twice")  # JSON itself would keep the last one
        found[key] = value
    return found


# Numbers stay as they are written: a sample may be called 1.10.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str)


def _take_object(out: Records, number: int, value: object) -> None:
    if not isinstance(value, dict):
        out.findings.append(SheetFinding(number, None, "is not a JSON object"))
        return
    values: list[tuple[str, str | tuple[str, ...]]] = []
    for key, inner in _flat(value):
        if inner is None:
            continue
        if isinstance(inner, str):
            if inner or key.startswith(TAG):
                values.append((key, inner))
        elif isinstance(inner, list) and inner and all(isinstance(each, str) for each in inner):
            values.append((key, tuple(inner)))
        else:
            out.findings.append(SheetFinding(number, key, "is not a text"))
    known = set(out.columns)
    out.columns += [key for key, _ in values if key not in known]
    out.rows.append(Record(number, tuple(values)))


def _flat(value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values, those of `sourceFiles` and `tags` in our columns' names."""
    for key, inner in value.items():
        match key, inner:
            case "sourceFiles", dict():
                yield from ((f"{key}.{name}", each) for name, each in inner.items())
            case "tags", dict():
                yield from ((f"{TAG}{name}", each) for name, each in inner.items())
            case _:
                yield key, inner
