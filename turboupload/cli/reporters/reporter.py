"""What a command says, to a person or a program: while it runs and, once, how it ended."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from turboupload.cli.ui.errors import (
    BUG,
    INTERRUPTED,
    exit_code_for,
    tell_bug,
    tell_error,
    this_command,
)
from turboupload.cli.ui.events import error_fields, event_line, fields_of, message_fields
from turboupload.cli.ui.output import Output, StdoutLost, folded, say
from turboupload.errors import TurbouploadError
from turboupload.runtime.exhaustion import trouble_here

if TYPE_CHECKING:
    from turboupload.cli.ui.screen import Screen
    from turboupload.core.sheet.model import SheetFinding

__all__ = ["Reporter", "SheetReporter"]


class Reporter:
    """Writes results to stdout and everything else to stderr.

    Args:
        words: The command's, such as `readsets list`.
        given: The options' values by name: `as_json`, `quiet` and `verbose` count here; those that
            are left out are off.
        needs_stdout: Whether the command is pointless where stdout can't be written.

    Attributes:
        as_json: One JSON object a line on stdout, the last one how it ended.
        quiet: Ids and errors only; with `as_json`, the last line only.
        verbosity: How often `-v` was given.
        about: What the last line says on every ending.
        left_behind: What an interrupt leaves as it is, in words; empty where nothing need be said.
        on_ending: Called once, before the last words.
    """

    def __init__(self, words: str, given: Mapping[str, Any], *, needs_stdout: bool = True) -> None:
        self.as_json: bool = given.get("as_json", False)
        self.quiet: bool = given.get("quiet", False)
        self.verbosity: int = given.get("verbose", 0)
        self.about: dict[str, Any] = {}
        self.left_behind = ""
        self.on_ending: Callable[[], None] = lambda: None
        self._last_event = f"{words.replace(' ', '.')}.finished"
        self._group = words.split()[0]
        self._output = Output(required=needs_stdout)
        self._screen: Screen | None = None
        self._began = time.monotonic()
        self._once = threading.Lock()

    @property
    def for_people(self) -> bool:
        """Whether a person reads stdout, and wants more than ids."""
        return not self.as_json and not self.quiet

    @property
    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self._began

    # --- while it runs ----------------------------------------------------------------------

    def result(self, text: str, *, drawn: bool = False) -> None:
        """Writes text for people to stdout, if there is any.

        Args:
            text: What to write.
            drawn: It has what a terminal obeys; else nothing in it is obeyed.

        Raises:
            StdoutLost: Stdout has no reader.
        """
        if text:
            self._output.line(text if drawn else folded(text, sys.stdout), drawn=drawn)

    def event(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Writes a JSON line, where they were asked for.

        Args:
            kind: Its name after the command's, such as `read_set`.
            fields: What it says.

        Raises:
            StdoutLost: Stdout has no reader.
        """
        self._emit(f"{self._group}.{kind}", fields)

    def _emit(self, event: str, fields: Mapping[str, Any]) -> None:
        if self.as_json and not self.quiet:
            self._output.line(event_line(event, fields))

    def note(self, text: str) -> None:
        """Says something to a person on stderr, unless told to be quiet."""
        if not self.quiet:
            self.line(text)

    def line(self, text: str) -> None:
        """Shows a line on stderr, such as one of the log."""
        self.screen.line(text)

    def hear(self, notice: Any) -> None:
        """Takes a notice of the library in."""
        self.screen.hear(notice)

    def problem(self, error: TurbouploadError) -> None:
        """Reports an error that doesn't end the command."""
        tell_error(error)

    @property
    def screen(self) -> Screen:
        """Where a person watches, opened when there is something to show."""
        if self._screen is None:
            self._screen = self._open_screen()
        return self._screen

    def _open_screen(self) -> Screen:
        from turboupload.cli.ui.screen import open_lines

        return open_lines(quiet=self.quiet or self.as_json, logging=self.verbosity > 0)

    # --- how it ended -----------------------------------------------------------------------

    def done(self, *, code: int = 0, outcome: str = "ok", **fields: Any) -> int:
        """Reports a regular end; returns the exit code.

        Args:
            code: The exit code.
            outcome: The word for it.
            fields: What came of it, for programs.
        """
        if self._ends():
            try:
                self._finish(outcome, **fields)
            except StdoutLost as lost:
                return self.lost_stdout(lost)
        return code

    def failed(self, error: TurbouploadError) -> int:
        """Reports an expected error; returns the exit code."""
        if self._ends():
            self._tell_failure(error)
            self._end_badly(error.outcome, error=error_fields(error))
        return exit_code_for(error)

    def interrupted(self) -> int:
        """Reports a signal; returns the exit code."""
        if self._ends():
            self._tell_interrupt()
            self._end_badly("interrupted")
        return INTERRUPTED

    def unexpected(self, error: BaseException) -> int:
        """Reports a bug, or a fault of this machine; returns the exit code."""
        if (trouble := trouble_here(error)) is not None:
            return self.failed(trouble)
        if self._ends():
            tell_bug(error, verbosity=self.verbosity)
            self._end_badly("error", error=message_fields(f"{type(error).__name__}: {error}"))
        return BUG

    def misused(self, message: str) -> None:
        """Writes that the command line makes no sense; a person reads that elsewhere."""
        if self._ends():
            self._end_badly("usage", error=message_fields(message))

    def lost_stdout(self, lost: StdoutLost) -> int:
        """Reports that the output can't be written; returns the exit code."""
        self._ends()
        if lost.reason:
            say(f"error: stdout can't be written: {lost.reason}")
        return BUG

    def _tell_failure(self, error: TurbouploadError) -> None:
        tell_error(error)

    def _tell_interrupt(self) -> None:
        say("; ".join(filter(None, ["interrupted", self.left_behind])))

    @staticmethod
    def _tell_command(*, without: tuple[str, ...] = ()) -> None:
        command = this_command(without=without)
        say(f"to go on, run the same command again:\n  {command}")

    def _known(self) -> Mapping[str, Any]:
        """What the last line says on every ending, as far as it is known by then."""
        return self.about

    def _finish(self, outcome: str, **fields: Any) -> None:
        if not self.as_json:
            return
        said = {**self._known(), "seconds": round(self.seconds, 3), "error": None, **fields}
        self._output.line(event_line(self._last_event, {"outcome": outcome, **said}))

    def _end_badly(self, outcome: str, **fields: Any) -> None:
        """Writes the last line; where nobody reads it, the error's exit code says enough."""
        with suppress(StdoutLost):
            self._finish(outcome, **fields)

    def _ends(self) -> bool:
        """Whether it has not ended yet: the last words are said once."""
        if not self._once.acquire(blocking=False):
            return False
        self.on_ending()
        if self._screen is not None:
            # A terminal that went away costs neither the last line nor the exit code.
            with suppress(OSError, ValueError):
                self._screen.close()
        return True


class SheetReporter(Reporter):
    """Reports a command that works through a sheet, with the findings about the sheet."""

    nothing_done = "nothing was sent"

    def __init__(self, words: str, given: Mapping[str, Any], *, needs_stdout: bool = True) -> None:
        super().__init__(words, given, needs_stdout=needs_stdout)
        self._results: str | None = given.get("results")
        self._warned: frozenset[SheetFinding] = frozenset()

    def warn(self, findings: Iterable[SheetFinding]) -> None:
        """Reports findings that aren't errors; errors are reported together, after all checks."""
        found = tuple(findings)
        if all(each.severity != "error" for each in found):
            self._tell_findings(found)
            self._warned = frozenset(found)

    def _tell_failure(self, error: TurbouploadError) -> None:
        from turboupload.core.sheet.model import SheetRejected
        from turboupload.units import counted

        if not isinstance(error, SheetRejected):
            super()._tell_failure(error)
            return
        self._tell_findings(each for each in error.findings if each not in self._warned)
        errors = sum(each.severity == "error" for each in error.findings)
        say(f"error: {counted(errors, 'finding')}; {self.nothing_done}")

    def _tell_findings(self, findings: Iterable[SheetFinding]) -> None:
        """Reports all findings to a program, and as many as one would read to a person."""
        from turboupload.cli.ui.batch_words import foremost

        found = tuple(findings)
        for finding in found:
            self.event("finding", fields_of(finding))
        told, more = foremost(each for each in found if not self.quiet or each.severity == "error")
        for finding in told:
            say(f"{finding.severity}: {finding}")
            if finding.hint:
                say(f"  {finding.hint}")
        if more:
            say(more)
