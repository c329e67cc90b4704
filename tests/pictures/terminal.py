"""A command on a terminal of its own, and a picture of it."""

from __future__ import annotations

import fcntl
import io
import os
import shlex
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

__all__ = ["Terminal", "picture"]

PATIENCE_S: Final = 60.0

_FORMAT: Final = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px }}
.{unique_id}-title {{ font: bold 18px sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" \
clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own, without the fonts that a browser would fetch from elsewhere."""


class Terminal:
    """Runs a command of the installed package while the context lasts, and watches its terminal.

    Args:
        words: The command's words after `turboupload`.
        folder: Where it runs.
        env: Its environment.
        columns: The terminal's width.
        lines: Its height.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        *,
        columns: int = 100,
        lines: int = 48,
    ) -> None:
        self.words = words
        self._folder = folder
        self._env = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._ours, self._theirs = os.openpty()
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, size)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "turboupload", *self.words],
            cwd=self._folder, env=self._env,
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
        )  # fmt: skip
        os.close(self._theirs)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # EIO: the other end is closed
                return
            with self._lock:
                self._stream.feed(data)

    def shows(self) -> str:
        """The text on the screen."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait(self, until: Callable[[str], bool]) -> None:
        """Waits until the screen shows something.

        Raises:
            AssertionError: It never did.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not until(self.shows()):
            running = self._process.poll() is None
            assert running and time.monotonic() < deadline, f"it never came: {self.shows()}"  # noqa: PT018 - one reason
            time.sleep(0.02)

    def ended(self) -> int:
        """Waits for the command's end; returns its exit code."""
        code = self._process.wait(PATIENCE_S)
        self._reader.join()
        return code

    def styled(self) -> Text:
        """What is on the screen, with its colours, below the command that was given."""
        with self._lock:
            rows = [self._row(number) for number in range(self._screen.lines)]
        while rows and not rows[-1].plain.strip():
            rows.pop()
        for row in rows:
            row.rstrip()
        return Text("\n").join([*_prompt(self.words, self._screen.columns), *rows])

    def _row(self, number: int) -> Text:
        cells = (self._screen.buffer[number][each] for each in range(self._screen.columns))
        runs = groupby(cells, key=lambda cell: (cell.fg, cell.bold, cell.italics))
        return Text.assemble(
            *(
                ("".join(cell.data for cell in run), Style(color=_colour(fg), bold=b, italic=i))
                for (fg, b, i), run in runs
            )
        )


def _prompt(words: Sequence[str], columns: int) -> list[Text]:
    """The command as a shell would show it, continued where it is too long."""
    lines, line = [], "$ turboupload"
    for word in map(shlex.quote, words):
        if len(line) + len(word) + 3 > columns:
            lines.append(f"{line} \\")
            line = "   "
        line += f" {word}"
    return [Text(each, "bold") for each in [*lines, line]]


def _colour(name: str) -> str | None:
    """A colour of the terminal by rich's name."""
    if name == "default":
        return None
    if len(name) == 6 and all(each in "0123456789abcdef" for each in name):
        return f"#{name}"
    name = name.replace("brown", "yellow")
    return f"bright_{name.removeprefix('bright')}" if name.startswith("bright") else name


def picture(text: Text, name: str, *, columns: int) -> str:
    """An SVG of a terminal.

    Args:
        text: What it shows.
        name: The picture's own, for the ids in it.
        columns: The terminal's width.
    """
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True,
        color_system="truecolor", legacy_windows=False,
    )  # fmt: skip
    console.print(text, no_wrap=True, overflow="crop", highlight=False)
    return console.export_svg(
        title="turboupload", theme=SVG_EXPORT_THEME, code_format=_FORMAT, unique_id=name
    )
