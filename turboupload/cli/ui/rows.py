"""Rows of a listing, as whoever asked wants them: a table, JSON lines, or ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from turboupload.cli.ui.reporter import Report
from turboupload.cli.ui.tables import Column, Table

__all__ = ["Rows"]

Row = TypeVar("Row")


class Rows(Generic[Row]):
    """Writes rows as they come.

    Args:
        report: Where to.
        kind: What a row is, in JSON.
        columns: For people.
        fields: For programs.
        id_of: For those who want ids alone.

    Attributes:
        count: How many were written.
    """

    def __init__(
        self,
        report: Report,
        kind: str,
        columns: Sequence[Column[Row]],
        *,
        fields: Callable[[Row], Mapping[str, Any]],
        id_of: Callable[[Row], str],
    ) -> None:
        self._report = report
        self._kind = kind
        self._table = Table(columns)
        self._fields = fields
        self._id_of = id_of
        self.count = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Writes some more.

        Raises:
            StdoutLost: Nobody will read them.
        """
        self.count += len(rows)
        if self._report.as_json:
            for row in rows:
                self._report.event(self._kind, self._fields(row))
        elif self._report.quiet:
            self._report.result("\n".join(map(self._id_of, rows)))
        else:
            self._report.result(self._table.piece(rows))
