"""Errors to sentences and exit codes, in one place.

| exit | meaning |
|---|---|
| 0 | done |
| 1 | a bug; or stdout could not be written by a command that only tells |
| 2 | usage or configuration; nothing was sent |
| 3 | the input was rejected before anything was sent |
| 4 | the service refused |
| 5 | stopped part-way, resumable: the same command goes on |
| 6 | integrity: a checksum differs, or the file changed |
| 7 | uploaded, then rejected by the service |
| 8 | a batch in which some rows failed |
| 130 | interrupted, resumable |
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import traceback
from pathlib import Path
from typing import Final

import click

from turboupload.cli.ui.output import say
from turboupload.core.characters import without_passwords
from turboupload.errors import InputError, TurbouploadError

__all__ = [
    "BUG",
    "INTERRUPTED",
    "SOME_FAILED",
    "STOPPED",
    "USAGE",
    "exit_code_for",
    "exit_code_of",
    "tell_bug",
    "tell_error",
    "tell_usage",
    "this_command",
]

BUG: Final = 1
USAGE: Final = 2
STOPPED: Final = 5
SOME_FAILED: Final = 8
INTERRUPTED: Final = 130


def exit_code_for(error: TurbouploadError) -> int:
    """The exit code of an error, by the table above."""
    return error.exit_code


def exit_code_of(outcome: str, stopped_by: TurbouploadError | None = None) -> int:
    """The exit code of what ran to its end, by the table above.

    Args:
        outcome: The result's word.
        stopped_by: The error that ended it for all rows, if there is one.
    """
    if stopped_by is not None:
        return exit_code_for(stopped_by)
    return {"some_failed": SOME_FAILED, "stopped": STOPPED}.get(outcome, 0)


def tell_error(error: TurbouploadError) -> None:
    """Prints what happened, to what, and what to do next; of several errors, each."""
    others = error.others if isinstance(error, InputError) else ()
    for label, text in (("error", TurbouploadError.__str__(error)), ("hint", error.hint)):
        if text:
            say(f"{label}: {text}")
    for each in others:
        tell_error(each)


def tell_usage(error: click.ClickException) -> None:
    """Prints what is wrong with the command line, and where the right one is described."""
    say(f"error: {error.format_message()}")
    context = getattr(error, "ctx", None)
    if context is None:
        return
    dashes = ""
    if isinstance(error, click.NoSuchOption) and not error.option_name.startswith("--"):
        dashes = "options of more than one letter begin with two dashes, such as --name; "
    say(f"hint: {dashes}{context.command_path} --help")


def tell_bug(error: BaseException, *, verbosity: int = 0) -> None:
    """Prints that this should not have happened; the traceback only where it was asked for.

    Args:
        error: What happened.
        verbosity: How often `-v` was given; from 2 on the traceback is shown.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    say(f"error: unexpected {type(error).__name__}: {error}")
    if verbosity >= 2 or os.environ.get("TURBOUPLOAD_TRACEBACK"):
        say("".join(traceback.format_exception(error)))
    say(
        "hint: this is a bug in turboupload; what was sent is kept. "
        "With TURBOUPLOAD_TRACEBACK=1 in the environment it is shown where it happened"
    )


def this_command(*, without: tuple[str, ...] = ()) -> str:
    """The command line as it was typed, quoted for a shell, without the passwords of URLs.

    Args:
        without: Flags to leave out.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        start = ["python", "-m", "turboupload"]
    elif shutil.which(program.name):
        start = [program.name]
    else:
        start = [str(program)]
    words = [without_passwords(each) for each in [*start, *sys.argv[1:]] if each not in without]
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """A word as a shell takes it, bytes that can't be shown as `$'...'` has them."""
    if word.isprintable():
        return shlex.quote(word)
    shown = (chr(each) if 32 <= each < 127 else f"\\x{each:02x}" for each in os.fsencode(word))
    return "$'" + "".join(f"\\{each}" if each in ("'", "\\") else each for each in shown) + "'"
