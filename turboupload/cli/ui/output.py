"""What leaves the command: stdout and stderr, which may be closed, full, or a terminal.

A file's name, a sheet's cell or a service's sentence may have what moves a terminal's cursor or
turns its text around. All text passes through `printable` here; only what this program draws
itself (tables and bars, of cells that have passed) is written as it is.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO, cast

import click

from turboupload.core.characters import printable

__all__ = [
    "Output",
    "StdoutLost",
    "can_be_drawn_on",
    "canvas",
    "discard_stdout",
    "folded",
    "open_standard_streams",
    "pour",
    "pour_names",
    "printable",
    "printable_lines",
    "say",
]


_NARROWEST = 20
"""Columns; in fewer, nothing is gained by whole words."""


def printable_lines(text: str) -> str:
    """The same for text of ours, whose line breaks and tabs are meant."""
    return re.sub(r"[^\n\t]+", lambda piece: printable(piece[0]), text)


_COMMAND = re.compile(r"\s+turboupload ")
"""How a line begins that is to be copied, and so stays whole."""


def folded(text: str, stream: TextIO | None) -> str:
    """Text whose lines break between words, where a terminal would break them within one.

    Args:
        text: Printable lines.
        stream: Where they go; to a file or a pipe they go as they are.
    """
    try:
        on_terminal = stream is not None and stream.isatty()
        width = os.get_terminal_size(stream.fileno()).columns if stream and on_terminal else 0
    except (OSError, ValueError):
        return text
    if width < _NARROWEST or all(len(line) <= width for line in text.split("\n")):
        return text
    from textwrap import fill  # most commands say nothing so long

    return "\n".join(
        line
        if len(line) <= width or _COMMAND.match(line)
        else fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip())),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.split("\n")
    )


def say(text: str, *, before: str = "", end: str = "\n") -> None:
    """Writes to stderr; if that fails, the text is lost and the work continues.

    Args:
        text: The words.
        before: What comes before them as it is, such as a sequence that clears the line.
        end: What follows them as it is.
    """
    try:
        lines = folded(printable_lines(text), sys.stderr)
        click.echo(f"{before}{lines}{end}", err=True, nl=False)
    except (OSError, ValueError):
        _discard(sys.stderr)


class _Forgiving:
    """A stream on which what can't be written is lost, as where a terminal went away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            _discard(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def can_be_drawn_on() -> bool:
    """Whether stderr is a terminal that a bar can be drawn on."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def canvas() -> TextIO:
    """Stderr for drawing; it never raises, even if the terminal goes away."""
    return cast("TextIO", _Forgiving(sys.stderr))


def pour(document: str) -> None:
    """Writes a document to stdout: as it is to a file or a pipe, printable to a terminal.

    Raises:
        StdoutLost: It can't be written.
    """
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    Output(required=True).line(document.removesuffix("\n"), drawn=not on_terminal)


def pour_names(paths: Iterable[str]) -> None:
    """Writes paths to stdout byte by byte, a NUL after each, as `xargs -0` reads them.

    Raises:
        StdoutLost: They can't be written.
    """
    try:
        for path in paths:
            sys.stdout.buffer.write(os.fsencode(path) + b"\0")
        sys.stdout.buffer.flush()
    except (OSError, ValueError, AttributeError) as error:
        discard_stdout()
        reason = getattr(error, "strerror", None) or "it is closed"
        raise StdoutLost("" if isinstance(error, BrokenPipeError) else reason) from error


class StdoutLost(Exception):
    """Stdout can't be written, so the command has no reader and ends.

    Attributes:
        reason: Why, in words; empty where the reader went away.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Output:
    """Lines on stdout, each flushed: the reader may be waiting for it.

    Args:
        required: Whether the command is pointless without a reader: then a line that can't be
            written raises. Else that is said once, and what is written from then on is lost.

    Attributes:
        failed: Whether something was lost.
    """

    def __init__(self, *, required: bool) -> None:
        self._required = required
        self.failed = False

    def line(self, text: str, *, drawn: bool = False) -> None:
        """Writes a line.

        Args:
            text: What to write.
            drawn: It has what a terminal obeys, such as the colours of a table.

        Raises:
            StdoutLost: It can't be written, and is required.
        """
        if self.failed:
            return
        try:
            sys.stdout.write((text if drawn else printable_lines(text)) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError) as error:
            # ValueError: closed meanwhile; AttributeError: None, because it never was open.
            self.failed = True
            discard_stdout()
            reason = getattr(error, "strerror", None) or "it is closed"
            if self._required:
                raise StdoutLost("" if isinstance(error, BrokenPipeError) else reason) from error
            say(f"warning: stdout can't be written: {reason}; going on without")


def discard_stdout() -> None:
    """Discards what is still buffered, so that the interpreter can close without errors."""
    _discard(sys.stdout)


def _discard(stream: TextIO | None) -> None:
    if stream is None:
        return
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def open_standard_streams() -> None:
    """Puts /dev/null where stdin, stdout or stderr was closed before we began (`>&-`).

    Otherwise the next file or socket takes that number, and libuv, which never expects it there,
    ends the process. `sys.stdout` stays None, so that what is lost is still noticed.

    What stdout's encoding lacks is escaped: a name in another script, or the name of a file that
    is no text at all, would else look like a stdout that was closed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_RDWR)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
