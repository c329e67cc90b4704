"""Rows: tables that fold on a terminal, tab-separated lines elsewhere, JSON lines or ids."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from turboupload.cli.ui.output import printable

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.omics.pager import Listing

__all__ = [
    "Column",
    "Rows",
    "Table",
    "moment_text",
    "on_terminal",
    "record_lines",
    "utc_text",
]

Row = TypeVar("Row")

GAP = 2
LEAST_FOLDED = 6
"""Narrower columns of folded text can't be read; then each row becomes a block of lines."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        title: What stands above it.
        text: What a row has in it.
        whole: Never folded: an id that people copy, a number, a time.
    """

    title: str
    text: Callable[[Row], str | None]
    whole: bool = True


class Table(Generic[Row]):
    """A table that is printed in pieces, as its rows come.

    On a terminal each piece is as wide as it must be, under titles of its own; where that is wider
    than the terminal, texts are folded, and on a very narrow one each row becomes a block of
    lines. Elsewhere a row is a line of tab-separated texts, and the titles stand above the first.

    Args:
        columns: Its columns.
    """

    def __init__(self, columns: Sequence[Column[Row]]) -> None:
        self._columns = columns
        self._begun = False

    def piece(self, rows: Iterable[Row]) -> str:
        """More rows, as text without a line break at its end; empty without rows."""
        cells = [[printable(column.text(row) or "-") for column in self._columns] for row in rows]
        if not cells:
            return ""
        begins, self._begun = not self._begun, True
        if not on_terminal():
            return _tab_separated(self._titles if begins else None, cells)
        columns = shutil.get_terminal_size().columns
        if self._least_width(cells) > columns:
            return "\n\n".join(record_lines(zip(self._titles, row, strict=True)) for row in cells)
        return ("" if begins else "\n") + self._drawn(cells, columns)

    @property
    def _titles(self) -> list[str]:
        return [column.title for column in self._columns]

    def _least_width(self, cells: Sequence[Sequence[str]]) -> int:
        widths = [
            max(len(column.title), *(len(row[at]) for row in cells))
            for at, column in enumerate(self._columns)
        ]
        kept = (
            width if column.whole else min(width, max(LEAST_FOLDED, len(column.title)))
            for column, width in zip(self._columns, widths, strict=True)
        )
        return sum(kept) + GAP * (len(widths) - 1)

    def _drawn(self, cells: Sequence[Sequence[str]], width: int) -> str:
        from io import StringIO

        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for column in self._columns:
            table.add_column(
                column.title, no_wrap=column.whole, overflow="fold", header_style="bold"
            )
        for row in cells:
            table.add_row(*map(Text, row))
        drawn = StringIO()
        Console(file=drawn, width=width, force_terminal=True, legacy_windows=False).print(table)
        return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines())


def _tab_separated(titles: Sequence[str] | None, cells: Sequence[Sequence[str]]) -> str:
    return "\n".join("\t".join(row) for row in ([titles] if titles else []) + list(cells))


class Rows(Generic[Row]):
    """Writes rows as they come.

    Args:
        reporter: Where to.
        kind: What a row is, in JSON.
        columns: For people.
        fields: For programs.
        id_of: For those who want ids alone.

    Attributes:
        count: How many were written.
    """

    def __init__(
        self,
        reporter: Reporter,
        kind: str,
        columns: Sequence[Column[Row]],
        *,
        fields: Callable[[Row], Mapping[str, Any]],
        id_of: Callable[[Row], str],
    ) -> None:
        self._reporter = reporter
        self._kind = kind
        self._table = Table(columns)
        self._fields = fields
        self._id_of = id_of
        self.count = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Writes some more.

        Raises:
            StdoutLost: Stdout has no reader.
        """
        self.count += len(rows)
        if self._reporter.as_json:
            for row in rows:
                self._reporter.event(self._kind, self._fields(row))
        elif self._reporter.quiet:
            self._reporter.result("\n".join(map(self._id_of, rows)))
        else:
            self._reporter.result(self._table.piece(rows), drawn=True)

    async def write_listing(
        self,
        listing: Callable[..., Listing[Any]],
        wanted: object,
        *,
        limit: int | None = None,
    ) -> bool:
        """Writes what the service lists, page by page as it comes.

        Args:
            listing: Begins the listing.
            wanted: Its filter.
            limit: Stop after so many rows.

        Returns:
            Whether that was all of it.

        Raises:
            StdoutLost: Stdout has no reader.
        """
        async for page in listing(wanted, page_size=min(limit or 100, 100)).pages():
            left = None if limit is None else limit - self.count
            self.write(page.rows[:left])
            if self.count == limit:
                return len(page.rows) == left and page.next_token is None
        return True


def record_lines(pairs: Iterable[tuple[str, str]]) -> str:
    """One thing with many properties: a line each, the names aligned."""
    kept = [(name.lower(), printable(value)) for name, value in pairs]
    width = max((len(name) for name, _ in kept), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in kept)


def on_terminal() -> bool:
    """Whether stdout is a terminal that a table can be drawn on."""
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def moment_text(moment: datetime | None, *, seconds: bool = True) -> str | None:
    """A moment in UTC, to the second or, for tables, to the minute."""
    if moment is None:
        return None
    return f"{moment.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"


def utc_text(moment: datetime | None) -> str | None:
    """A moment to the second, with its time zone."""
    return None if moment is None else f"{moment_text(moment)} UTC"
