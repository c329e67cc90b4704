"""What a command that looks after things says: rows as they come, and its end, once."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from turboupload.cli.ui.errors import BUG, INTERRUPTED, exit_code_for, tell_bug, tell_error
from turboupload.cli.ui.output import discard_stdout
from turboupload.cli.ui.screen import Screen, open_lines
from turboupload.core.notices import Notice
from turboupload.errors import ServiceRefused, TurbouploadError

__all__ = ["Report", "StdoutLost", "error_fields", "fields_of"]


class StdoutLost(Exception):
    """Stdout can't be written, so there is nobody to list anything for.

    Attributes:
        reason: Why, in words; empty where the reader went away.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Report:
    """Writes results to stdout and everything else to stderr.

    Args:
        command: The command's words, such as `readsets list`.
        as_json: One JSON object a line on stdout, the last one how it ended.
        quiet: Ids and errors only.
        verbosity: How often `-v` was given.

    Attributes:
        left_behind: What an interrupt leaves as it is, in words; empty where nothing need be said.
    """

    def __init__(self, command: str, *, as_json: bool, quiet: bool, verbosity: int) -> None:
        self.as_json = as_json
        self.left_behind = ""
        self.quiet = quiet
        self._name = command.replace(" ", ".")
        self._group = command.split()[0]
        self._verbosity = verbosity
        self._began = time.monotonic()
        self._once = threading.Lock()
        self._screen: Screen = open_lines(quiet=quiet or as_json, logging=verbosity > 0)

    @property
    def for_people(self) -> bool:
        """Whether a person reads stdout, and wants more than ids."""
        return not self.as_json and not self.quiet

    # --- while it runs ----------------------------------------------------------------------

    def result(self, text: str) -> None:
        """Writes text for people to stdout.

        Raises:
            StdoutLost: Nobody will read it.
        """
        if text:
            self._write(text)

    def event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Writes a JSON line, where they were asked for.

        Raises:
            StdoutLost: Nobody will read it.
        """
        if self.as_json and not self.quiet:
            self._write(_line(f"{self._group}.{kind}", fields))

    def note(self, text: str) -> None:
        """Says something to a person on stderr, unless told to be quiet."""
        if not self.quiet:
            self._screen.line(text)

    def line(self, text: str) -> None:
        """Shows a line of the log."""
        self._screen.line(text)

    def hear(self, notice: Notice) -> None:
        """Takes a notice of the library in: retries are told."""
        self._screen.hear(notice)

    def problem(self, error: TurbouploadError) -> None:
        """Tells of an error that doesn't end the command."""
        tell_error(error)

    @staticmethod
    def _write(text: str) -> None:
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise StdoutLost("") from error
        except (OSError, ValueError, AttributeError) as error:
            # ValueError: closed meanwhile; AttributeError: None, because it never was open.
            raise StdoutLost(getattr(error, "strerror", None) or "it is closed") from error

    # --- how it ended -----------------------------------------------------------------------

    def done(self, *, code: int = 0, outcome: str = "ok", **fields: Any) -> int:
        """Tells of an end that was reached; returns the exit code.

        Args:
            code: The exit code.
            outcome: The word for it.
            fields: What came of it, for programs.
        """
        if self._ends():
            self._finish(outcome, **fields)
        return code

    def failed(self, error: TurbouploadError) -> int:
        """Tells of an error that was foreseen; returns the exit code."""
        if self._ends():
            tell_error(error)
            self._finish(error.outcome, error=error_fields(error))
        return exit_code_for(error)

    def interrupted(self) -> int:
        """Tells of a signal; returns the exit code."""
        if self._ends():
            click.echo("; ".join(filter(None, ["interrupted", self.left_behind])), err=True)
            self._finish("interrupted")
        return INTERRUPTED

    def unexpected(self, error: BaseException) -> int:
        """Tells of a bug; returns the exit code."""
        if self._ends():
            tell_bug(error, verbosity=self._verbosity)
            self._finish("error", error={"message": f"{type(error).__name__}: {error}"})
        return BUG

    def misused(self, error: click.UsageError) -> None:
        """Writes that the command line makes no sense; the words for people come elsewhere."""
        if self._ends():
            self._finish("usage", error={"message": error.format_message()})

    def lost_stdout(self, lost: StdoutLost) -> int:
        """Tells that nobody reads what is written; returns the exit code."""
        discard_stdout()
        if self._ends() and lost.reason:
            click.echo(f"error: stdout can't be written: {lost.reason}", err=True)
        return BUG

    def _finish(self, outcome: str, **fields: Any) -> None:
        seconds = round(time.monotonic() - self._began, 3)
        said = {"outcome": outcome, **fields, "seconds": seconds, "error": fields.get("error")}
        if self.as_json:
            try:
                self._write(_line(f"{self._name}.finished", said))
            except StdoutLost:
                discard_stdout()

    def _ends(self) -> bool:
        """Whether it has not ended yet: the last words are said once."""
        return self._once.acquire(blocking=False)


def _line(event: str, fields: Mapping[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"event": event, "time": now, **fields}, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} can't be written as JSON")


def fields_of(record: Any) -> dict[str, Any]:
    """A record's fields, ready for JSON, those of records in it too."""
    return dataclasses.asdict(record)


def error_fields(error: TurbouploadError) -> dict[str, Any]:
    """An error's fields, ready for JSON."""
    return {
        "message": error.message,
        "hint": error.hint,
        "code": (error.code or None) if isinstance(error, ServiceRefused) else None,
        "operation": error.operation,
        "path": error.path,
    }
