"""A batch for people: a bar and the rows in flight on a terminal, a plain line without one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from turboupload.cli.ui.batch_words import (
    limit_words,
    progress_words,
    row_words,
    rows_pieces,
    workers_pieces,
)
from turboupload.cli.ui.drawing import Drawing, bar_line
from turboupload.cli.ui.layout import flowed, folded, width_of
from turboupload.cli.ui.output import can_be_drawn_on, printable, say
from turboupload.cli.ui.screen import LINE_EVERY_S, Sentences
from turboupload.cli.ui.words import on_the_way, pace_words
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchStarted,
    RowChanged,
    RowNotice,
    RowUnderWay,
)
from turboupload.core.notices import Remark
from turboupload.core.rows import RowStatus
from turboupload.units import counted, format_size

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["BatchScreen", "drawn", "open_batch_screen"]

MOST_ROWS = 8
"""Rows in flight that are shown; of the others, how many they are."""

MOST_WORDS = 100
"""The most lines about single rows while a batch runs; the summary counts them all."""

NAME_WIDTH = 24
"""Names have at least this many columns; sizes get what is left."""

BAR_WIDTH = 20
WIDE = 100
"""On terminals that are narrower, bars have half of that."""


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
        """Whether another line about a single row may be shown."""
        self._about_rows += 1
        if self._about_rows == MOST_WORDS + 1:
            self.line(
                "further lines about single rows are left out here: --json has all of them, "
                "--results has the result of each row"
            )
        return self._about_rows <= MOST_WORDS

    def progress(self, notice: BatchProgress) -> None:
        """Shows where the batch stands, now and then."""
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            self.line(progress_words(notice))

    def line(self, text: str) -> None:
        """Shows a line above the progress bar, if there is one."""
        say(text)

    def close(self) -> None:
        """Leaves the terminal as it was."""


class _Bars(BatchScreen):
    """For a terminal: the whole, and the rows in flight, at the bottom; sentences scroll above."""

    def __init__(self, *, logging: bool) -> None:
        super().__init__(logging=logging)
        self._drawing = Drawing()

    def progress(self, notice: BatchProgress) -> None:
        self._drawing.show(lambda width: drawn(notice, width))

    def line(self, text: str) -> None:
        self._drawing.line(text)

    def close(self) -> None:
        self._drawing.close()


def drawn(notice: BatchProgress, width: int) -> Iterator[RenderableType]:
    """A batch in so many columns: all of it, the rows in flight, and the others by their status."""
    from rich.text import Text

    total = format_size(notice.total_bytes)
    is_safe = notice.done_bytes >= notice.total_bytes
    sizes = f"all {total} safe" if is_safe else f"{format_size(notice.done_bytes)} of {total} safe"
    yield from bar_line(
        f"{notice.done_rows:,} of {notice.rows:,} rows",
        (notice.done_bytes, notice.total_bytes),
        [
            *pace_words(notice, limit_words(notice)),
            f"{sizes}{on_the_way(notice.in_flight_bytes)}",
        ],
        width,
    )
    yield from _rows(_largest(notice.under_way), width)
    # Those that are done stand in the first line.
    others: dict[RowStatus, int] = {**notice.counts, "active": 0}
    more = len(notice.under_way) - MOST_ROWS
    also = [f"{more:,} more in flight"] if more > 0 else []
    also += [printable(each) for each in workers_pieces(notice.workers)]
    for line in flowed([*rows_pieces(others), *also], width):
        yield Text(line, no_wrap=True, overflow="crop")


def _rows(rows: Sequence[RowUnderWay], width: int) -> Iterator[RenderableType]:
    """The rows in flight: their names have what room their sizes leave."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    bar_width = BAR_WIDTH if width >= WIDE else BAR_WIDTH // 2
    names = [printable(f"  {row.row} {row.name}") for row in rows]
    longest = max(map(width_of, names))
    for said in (_in_full, _without_way, _share):
        sizes = [said(row) for row in rows]
        room = width - bar_width - max(map(len, sizes)) - 3
        if room >= min(longest, NAME_WIDTH):
            break
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="crop")
    for row, name, size in zip(rows, names, sizes, strict=True):
        bar = _bar(row.done_bytes, row.total_bytes, bar_width)
        grid.add_row(Text(folded(name, max(NAME_WIDTH // 2, room))), bar, Text(size))
    yield grid


def _in_full(row: RowUnderWay) -> str:
    return f"{_without_way(row)}{on_the_way(row.in_flight_bytes)}"


def _without_way(row: RowUnderWay) -> str:
    return f"{format_size(row.done_bytes)} of {format_size(row.total_bytes)}"


def _share(row: RowUnderWay) -> str:
    share = int(100 * row.done_bytes / max(1, row.total_bytes))
    return f"{share:>3} % of {format_size(row.total_bytes)}"


def _largest(rows: tuple[RowUnderWay, ...]) -> list[RowUnderWay]:
    """Those worth watching, in the order of the sheet: a small one is gone before it is read."""
    chosen = sorted(rows, key=lambda each: -each.total_bytes)[:MOST_ROWS]
    return sorted(chosen, key=lambda each: each.row)


def _bar(done: int, total: int, width: int) -> RenderableType:
    from rich.progress_bar import ProgressBar

    return ProgressBar(total=max(1, total), completed=done, width=width)
