"""What is drawn at the bottom of a terminal, as wide as that is now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from turboupload.cli.ui.layout import flowed
from turboupload.cli.ui.output import canvas, folded, printable_lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["Drawing", "bar_line"]

REDRAWS_PER_S = 4

Drawn = Callable[[int], Iterator["RenderableType"]]
"""Draws in so many columns."""


class Drawing:
    """A picture that stays at the bottom while lines scroll by above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._live = Live(
            console=Console(file=canvas()),
            refresh_per_second=REDRAWS_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def show(self, drawn: Drawn) -> None:
        """Draws this from now on, again whenever the terminal's width changes."""
        self._live.update(_Fitting(drawn))

    def line(self, text: str) -> None:
        """Shows a line above it."""
        self._live.console.print(
            folded(printable_lines(text), sys.stderr),
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def close(self) -> None:
        """Takes it away."""
        self._live.stop()


class _Fitting:
    def __init__(self, drawn: Drawn) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._drawn(options.max_width)


def bar_line(
    before: str, bar: tuple[int, int], pieces: Sequence[str], width: int
) -> Iterator[RenderableType]:
    """A line of a text, a bar, its percentage and what there is to say; more lines if need be.

    Args:
        before: Stands before the bar; may be empty.
        bar: How much is done, of how much.
        pieces: What there is to say, first things first.
        width: Columns.
    """
    from rich.text import Text

    done, total = bar
    share = int(100 * done / max(1, total))
    bar_width = 24 if width >= 100 else 12
    used = (len(before) + 1 if before else 0) + bar_width + len(" 100 % ") + 1
    lines = flowed(pieces, width, first=max(1, width - used))
    yield _grid(before, bar, bar_width, f"{share:>3} %", lines[0])
    for line in lines[1:]:
        yield Text(line, no_wrap=True, overflow="crop")


def _grid(
    before: str, bar: tuple[int, int], bar_width: int, share: str, after: str
) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    cells: list[RenderableType] = []
    if before:
        grid.add_column(no_wrap=True)
        cells.append(Text(before))
    for _ in range(3):
        grid.add_column(no_wrap=True, overflow="crop")
    done, total = bar
    cells += [ProgressBar(total=max(1, total), completed=done, width=bar_width), Text(share)]
    grid.add_row(*cells, Text(after))
    return grid
