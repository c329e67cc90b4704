"""Errors to sentences and exit codes, in one place."""

from __future__ import annotations

import os
import traceback
from typing import Final

import click

from turboupload.errors import (
    ConfigError,
    InputError,
    IntegrityError,
    ReadSetRejected,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)

__all__ = ["BUG", "INTERRUPTED", "exit_code_for", "tell_bug", "tell_error"]

BUG: Final = 1
INTERRUPTED: Final = 130

_CODES: tuple[tuple[type[TurbouploadError], int], ...] = (
    (ConfigError, 2),
    (InputError, 3),
    (ServiceRefused, 4),
    (Stopped, 5),
    (IntegrityError, 6),
    (ReadSetRejected, 7),
)


def exit_code_for(error: TurbouploadError) -> int:
    """The exit code of an error; docs/guide.md has the table."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)


def tell_error(error: TurbouploadError) -> None:
    """Prints what happened, to what, and what to do next."""
    click.echo(f"error: {error}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def tell_bug(error: BaseException) -> None:
    """Prints that this should not have happened; the traceback only where it was asked for."""
    click.echo(f"error: unexpected {type(error).__name__}: {error}", err=True)
    if os.environ.get("TURBOUPLOAD_TRACEBACK"):
        click.echo("".join(traceback.format_exception(error)), err=True)
    else:
        click.echo(
            "hint: this is a bug in turboupload; what was sent is kept. "
            "Set TURBOUPLOAD_TRACEBACK=1 to see where it happened",
            err=True,
        )
