"""A batch for people: a bar and the rows in flight on a terminal, a plain line without one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from turboupload.cli.ui.batch_words import limit_words, progress_words, row_words, rows_words
from turboupload.cli.ui.output import can_be_drawn_on, canvas, printable, printable_lines, say
from turboupload.cli.ui.screen import LINE_EVERY_S, REDRAWS_PER_S, Sentences
from turboupload.cli.ui.tables import counted
from turboupload.cli.ui.words import on_the_way
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchStarted,
    RowChanged,
    RowNotice,
    RowUnderWay,
)
from turboupload.core.notices import Remark
from turboupload.units import format_duration, format_rate, format_size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

__all__ = ["BatchScreen", "open_batch_screen"]

MOST_ROWS = 8
"""Rows in flight that are shown; of the others, how many they are."""

MOST_WORDS = 100
"""So often something is said of a single row while a batch runs; the summary counts them all."""

NAME_WIDTH = 24
BAR_WIDTH = 20


def open_batch_screen(*, quiet: bool, logging: bool) -> BatchScreen:
    """The screen that fits where stderr goes.

    Args:
        quiet: Show nothing.
        logging: What happens is logged to stderr: leave that to the log.
    """
    if can_be_drawn_on() and not quiet:
        return _Bars(logging=logging)
    return BatchScreen(quiet=quiet, logging=logging)


class BatchScreen:
    """For logs and pipes: a line for what needs somebody, and one every ten seconds.

    Args:
        quiet: Show nothing.
        logging: Leave notices to the log.
    """

    def __init__(self, *, quiet: bool = False, logging: bool = False) -> None:
        self._quiet = quiet
        self._last = time.monotonic()
        self._about_rows = 0
        self._sentences = Sentences(self.line, silent=logging or quiet)

    def hear(self, notice: BatchNotice) -> None:
        """Shows what a notice says, if a person wants to know."""
        if self._quiet:
            return
        match notice:
            case BatchStarted():
                size = format_size(notice.total_bytes)
                self.line(f"{counted(notice.rows, 'row')} checked, {size}")
            case RowChanged(result) if result.status in ("failed", "rejected"):
                if self._has_room():
                    self.line(row_words(result))
            case RowNotice(int(row), Remark() as remark):
                if self._has_room():
                    self._sentences.hear(Remark(remark.code, f"row {row}: {remark.text}"))
            case RowNotice(_, inner):
                self._sentences.hear(inner)
            case BatchProgress():
                self.progress(notice)
            case RowChanged():
                pass

    def _has_room(self) -> bool:
        """Whether one more word about a single row would still be read."""
        self._about_rows += 1
        if self._about_rows == MOST_WORDS + 1:
            self.line(
                "no more is said here of single rows: --json tells all of it, "
                "--results what came of each"
            )
        return self._about_rows <= MOST_WORDS

    def progress(self, notice: BatchProgress) -> None:
        """Shows where the batch stands, now and then."""
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            self.line(progress_words(notice))

    def line(self, text: str) -> None:
        """Shows a line, whatever else is shown."""
        say(text)

    def close(self) -> None:
        """Leaves the terminal as it was."""


class _Bars(BatchScreen):
    """For a terminal: the whole, and the rows in flight, at the bottom; sentences scroll above."""

    def __init__(self, *, logging: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(logging=logging)
        self._live: Live = Live(
            console=Console(file=canvas()),
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def progress(self, notice: BatchProgress) -> None:
        self._live.update(_drawn(notice))

    def line(self, text: str) -> None:
        self._live.console.print(
            printable_lines(text), highlight=False, markup=False, soft_wrap=True
        )

    def close(self) -> None:
        self._live.stop()


def _drawn(notice: BatchProgress) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(min_width=NAME_WIDTH, max_width=NAME_WIDTH, no_wrap=True, overflow="ellipsis")
    grid.add_column(min_width=BAR_WIDTH, max_width=BAR_WIDTH)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    eta = "" if notice.eta_s is None else f" · {format_duration(notice.eta_s)} left"
    limit = limit_words(notice)
    grid.add_row(
        f"{notice.done_rows:,} of {notice.rows:,} rows",
        _bar(notice.done_bytes, notice.total_bytes),
        Text(f"{format_rate(notice.bytes_per_s)}{eta}{f' · {limit}' if limit else ''}"),
    )
    for row in _largest(notice.under_way):
        grid.add_row(
            Text(printable(f"  {row.row} {row.name}")),
            _bar(row.done_bytes, row.total_bytes),
            f"{format_size(row.done_bytes)} of {format_size(row.total_bytes)}"
            f"{on_the_way(row.in_flight_bytes)}",
        )
    more = len(notice.under_way) - MOST_ROWS
    also = f" · {more:,} more in flight" if more > 0 else ""
    counts = Text(f"{rows_words(notice.counts)}{also}", no_wrap=True, overflow="ellipsis")
    return Group(grid, counts)


def _largest(rows: tuple[RowUnderWay, ...]) -> list[RowUnderWay]:
    """Those worth watching, in the order of the sheet: a small one is gone before it is read."""
    chosen = sorted(rows, key=lambda each: -each.total_bytes)[:MOST_ROWS]
    return sorted(chosen, key=lambda each: each.row)


def _bar(done: int, total: int) -> RenderableType:
    from rich.progress_bar import ProgressBar

    return ProgressBar(total=max(1, total), completed=done, width=BAR_WIDTH)
