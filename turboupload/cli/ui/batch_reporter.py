"""Tells a person or a program of a batch: while it runs, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import click

from turboupload.cli.batch_lines import BatchLines
from turboupload.cli.ui.batch_screen import BatchScreen, open_batch_screen
from turboupload.cli.ui.errors import (
    BUG,
    INTERRUPTED,
    SOME_FAILED,
    STOPPED,
    exit_code_for,
    tell_bug,
    tell_error,
    this_command,
)
from turboupload.cli.ui.output import Output
from turboupload.cli.ui.words import (
    counted,
    describe_batch,
    describe_batch_rehearsal,
    foremost,
    rows_words,
    table_of,
)
from turboupload.core.batch import BatchNotice, BatchProgress, BatchRehearsal, BatchResult
from turboupload.core.sheet.model import Sheet, SheetFinding
from turboupload.errors import TurbouploadError

__all__ = ["BatchTelling"]


class BatchTelling:
    """Tells of a batch: to a person or a program, while it runs and how it ended, once.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._quiet: bool = given["quiet"]
        self._verbosity: int = given["verbose"]
        self._results: str | None = given["results"]
        self._output = Output()
        self._lines: BatchLines | None = None
        if given["as_json"]:
            self._lines = BatchLines(self._output, last_only=self._quiet)
        self._screen: BatchScreen | None = None
        self._progress: BatchProgress | None = None
        self._once = threading.Lock()
        self._warned: frozenset[SheetFinding] = frozenset()

    def warn(self, sheet: Sheet) -> None:
        """Tells of what a sheet's reader should know; its errors come when all was checked."""
        if not sheet.errors:
            self._find(sheet.findings)
            self._warned = frozenset(sheet.findings)

    def hear(self, notice: BatchNotice) -> None:
        """Takes a notice in."""
        if isinstance(notice, BatchProgress):
            self._progress = notice
        self._open_screen().hear(notice)
        if self._lines is not None:
            self._lines.hear(notice)

    def line(self, text: str) -> None:
        """Shows a line of the log."""
        self._open_screen().line(text)

    def _open_screen(self) -> BatchScreen:
        if self._screen is None:
            self._screen = open_batch_screen(
                quiet=self._quiet or self._lines is not None, logging=self._verbosity > 0
            )
        return self._screen

    def ended(self, outcome: BatchResult | BatchRehearsal) -> int:
        """Tells of the end; returns the exit code."""
        if not self._ends():
            return 0
        if isinstance(outcome, BatchRehearsal):
            code = 0
            self._tell_rehearsal(outcome)
        else:
            code = _code_of(outcome)
            self._tell_result(outcome, code)
        return code or (BUG if self._output.failed else 0)

    def _tell_rehearsal(self, found: BatchRehearsal) -> None:
        if self._lines is not None:
            self._lines.rehearsed(found)
        else:
            self._output.line(describe_batch_rehearsal(found))

    def _tell_result(self, result: BatchResult, code: int) -> None:
        if self._lines is not None:
            self._lines.finish(result)
        else:
            self._output.line(
                table_of(result.rows)
                if self._quiet
                else describe_batch(result, results=self._results)
            )
        if result.stopped_by is not None:
            tell_error(result.stopped_by)
        if code and result.unfinished:
            self._tell_command()

    def failed(self, error: TurbouploadError) -> int:
        """Tells of what kept the batch from being sent; returns the exit code."""
        if self._ends():
            findings = _findings_of(error)
            if findings:
                self._find([each for each in findings if each not in self._warned])
                errors = sum(each.severity == "error" for each in findings)
                click.echo(f"error: {counted(errors, 'finding')}; nothing was sent", err=True)
            else:
                tell_error(error)
            if self._lines is not None:
                self._lines.fail(error)
        return exit_code_for(error)

    def _find(self, findings: Sequence[SheetFinding]) -> None:
        """Tells a program of all findings, and a person of as many as one would read."""
        told, more = foremost(
            each for each in findings if not self._quiet or each.severity == "error"
        )
        for finding in told:
            click.echo(f"{finding.severity}: {finding}", err=True)
            if finding.hint:
                click.echo(f"  {finding.hint}", err=True)
        if more:
            click.echo(more, err=True)
        if self._lines is not None:
            self._lines.found(findings)

    def interrupted(self) -> int:
        """Tells of a signal; returns the exit code."""
        if self._ends():
            known = self._progress
            kept = rows_words(known.counts) if known is not None else "nothing was sent yet"
            click.echo(f"interrupted; {kept}", err=True)
            self._tell_command()
            if self._lines is not None:
                self._lines.interrupted()
        return INTERRUPTED

    def unexpected(self, error: BaseException) -> int:
        """Tells of a bug; returns the exit code."""
        if self._ends():
            tell_bug(error, verbosity=self._verbosity)
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

    @staticmethod
    def _tell_command() -> None:
        click.echo(f"to go on, run the same command again:\n  {this_command()}", err=True)


def _code_of(result: BatchResult) -> int:
    if result.stopped_by is not None:
        return exit_code_for(result.stopped_by)
    if result.failed:
        return SOME_FAILED
    # Without waiting, a read set that the service works on is all that was asked for.
    left = [row for row in result.unfinished if row.status != "processing" or row.message]
    return STOPPED if left else 0


def _findings_of(error: TurbouploadError) -> tuple[SheetFinding, ...]:
    """Every finding, where the sheet was rejected."""
    found: tuple[SheetFinding, ...] = getattr(error, "findings", ())
    return found
