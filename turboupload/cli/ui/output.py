"""Stdout, which may be a closed pipe or on a full disk."""

from __future__ import annotations

import io
import os
import sys

import click

__all__ = ["Output", "StdoutLost", "discard_stdout", "open_standard_streams"]


class StdoutLost(Exception):
    """Stdout can't be written, so there is nobody to work for.

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

    def line(self, text: str) -> None:
        """Writes a line.

        Raises:
            StdoutLost: It can't be written, and is required.
        """
        if self.failed:
            return
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError) as error:
            # ValueError: closed meanwhile; AttributeError: None, because it never was open.
            self.failed = True
            discard_stdout()
            reason = getattr(error, "strerror", None) or "it is closed"
            if self._required:
                raise StdoutLost("" if isinstance(error, BrokenPipeError) else reason) from error
            click.echo(f"warning: stdout can't be written: {reason}; going on without", err=True)


def discard_stdout() -> None:
    """Sends what is still buffered nowhere, so that the interpreter can close down in peace."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return


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
