"""Tells a person or a program of an upload: while it runs, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from turboupload.cli.ui.errors import (
    BUG,
    INTERRUPTED,
    exit_code_for,
    tell_bug,
    tell_error,
    this_command,
)
from turboupload.cli.ui.events import Ending, JsonLines
from turboupload.cli.ui.output import Output
from turboupload.cli.ui.result_words import describe_rehearsal, describe_result
from turboupload.cli.ui.screen import Screen, open_screen
from turboupload.core.notices import Notice, Rehearsal, UploadResult
from turboupload.errors import (
    IntegrityError,
    ServiceRefused,
    Stopped,
    TurbouploadError,
    UploadBusy,
)

__all__ = ["Telling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manner:
    """How the user wants to be told."""

    as_json: bool
    quiet: bool
    verbosity: int


class Telling:
    """Tells of an upload: to a person or a program, while it runs and how it ended, once.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._manner = _Manner(
            as_json=given["as_json"], quiet=given["quiet"], verbosity=given["verbose"]
        )
        self._ending = Ending()
        self._output = Output()
        self._lines: JsonLines | None = None
        if self._manner.as_json:
            self._lines = JsonLines(self._ending, self._output, last_only=self._manner.quiet)
        self._screen: Screen | None = None
        self._once = threading.Lock()

    def hear(self, notice: Notice) -> None:
        """Takes a notice in."""
        self._ending.hear(notice)
        self._open_screen().hear(notice)
        if self._lines is not None:
            self._lines.hear(notice)

    def line(self, text: str) -> None:
        """Shows a line of the log."""
        self._open_screen().line(text)

    def _open_screen(self) -> Screen:
        """The screen, opened when there is something to show."""
        if self._screen is None:
            self._screen = open_screen(
                quiet=self._manner.quiet or self._manner.as_json,
                logging=self._manner.verbosity > 0,
            )
        return self._screen

    def ended(self, outcome: UploadResult | Rehearsal) -> int:
        """Tells of a good end; returns the exit code."""
        if not self._ends():
            return 0
        if self._lines is None:
            text = self._described(outcome)
            self._output.line(text)
            if self._output.failed:
                click.echo(text, err=True)
        elif isinstance(outcome, Rehearsal):
            self._lines.rehearsed(outcome)
        else:
            self._lines.finish(outcome)
        return BUG if self._output.failed else 0

    def _described(self, outcome: UploadResult | Rehearsal) -> str:
        if isinstance(outcome, Rehearsal):
            return describe_rehearsal(outcome)
        if self._manner.quiet:
            return outcome.read_set_id
        return describe_result(outcome, sending_s=self._ending.sending_s)

    def failed(self, error: TurbouploadError) -> int:
        """Tells of an error that was foreseen; returns the exit code."""
        if self._ends():
            error.upload_id = error.upload_id or self._ending.upload_id
            tell_error(error)
            if _is_resumable(error):
                self._tell_command()
            if self._lines is not None:
                self._lines.fail(error)
        return exit_code_for(error)

    def interrupted(self) -> int:
        """Tells of a signal; returns the exit code."""
        if self._ends():
            click.echo(f"interrupted; {self._kept()}", err=True)
            self._tell_command()
            if self._lines is not None:
                self._lines.interrupted()
        return INTERRUPTED

    def unexpected(self, error: BaseException) -> int:
        """Tells of a bug; returns the exit code."""
        if self._ends():
            tell_bug(error, verbosity=self._manner.verbosity)
            if self._lines is not None:
                self._lines.unexpected(error)
        return BUG

    def _ends(self) -> bool:
        """Whether it has not ended yet: the last words are said once."""
        if not self._once.acquire(blocking=False):
            return False
        if self._screen is not None:
            self._screen.close()
        return True

    def _kept(self) -> str:
        known = self._ending
        if known.read_set_id is not None:
            return f"all parts had arrived, and the service works on read set {known.read_set_id}"
        if known.upload_id is None:
            return "nothing was sent yet"
        parts = f"{known.done_parts:,} of {known.parts:,} parts" if known.parts else "what arrived"
        return f"{parts} are kept in upload {known.upload_id}"

    @staticmethod
    def _tell_command() -> None:
        # A run without resume would begin anew, and leave alone what has just been kept.
        command = this_command(without=("--no-resume",))
        click.echo(f"to go on, run the same command again:\n  {command}", err=True)


def _is_resumable(error: TurbouploadError) -> bool:
    if isinstance(error, Stopped):
        return not isinstance(error, UploadBusy)
    return isinstance(error, IntegrityError | ServiceRefused) and error.upload_id is not None
