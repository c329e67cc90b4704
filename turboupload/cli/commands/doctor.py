"""`turboupload doctor`: does everything that an upload needs work here?"""

from __future__ import annotations

import os
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from turboupload.cli.lazy import importing
from turboupload.cli.options.settings import Settings
from turboupload.cli.options.shared import CONNECTION, STORE_OR_NONE, option
from turboupload.cli.options.values import PATH
from turboupload.cli.reporters.tables import on_terminal
from turboupload.cli.session.command import Command
from turboupload.cli.ui.errors import USAGE
from turboupload.cli.ui.events import error_fields, fields_of
from turboupload.cli.ui.output import printable
from turboupload.errors import TurbouploadError
from turboupload.units import counted, format_duration

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.doctor.line import Blame, Level, Line

__all__ = ["doctor"]

_INDENT: Final = 22
_COLOURS: Final[Mapping[Level, str]] = {"failure": "red", "warning": "yellow", "ok": "green"}

_CODES: Final[Mapping[Blame | None, tuple[int, str]]] = {
    None: (0, "ok"),
    "settings": (USAGE, "usage"),
    "service": (4, "refused"),
    "files": (3, "rejected"),
}
"""The exit code and the outcome by what must be mended first."""


@click.command(
    "doctor",
    cls=Command,
    words="doctor",
    examples=("doctor --store 1234567890", "doctor --store 1234567890 HG002_R1.fastq.gz"),
)
@click.argument("files", metavar="[FILE]…", nargs=-1, type=PATH)
@STORE_OR_NONE
@option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line on stdout, the last one how it ended.",
)
@option("--quiet", is_flag=True, help="Only warnings and failures.")
@CONNECTION
def doctor(**given: Any) -> None:
    """Find out whether everything that an upload needs works here, and what to do where not.

    Looks at versions, settings and where they came from, credentials, the way to the service, its
    clock, permissions, the store, the state folder and FILEs, measures how fast this machine
    reads, hashes and encrypts, and says what rate to expect. It makes, changes and sends nothing;
    what can't be asked that way is said to be unknown. It takes less than ten seconds.

    \b
    Exit codes:
      0  nothing failed
      2  settings are wrong
      3  a FILE can't be uploaded
      4  the service refused, or can't be reached
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    context = click.get_current_context()
    with importing():
        from turboupload.cli.session.run import Session

        command = context.command
        assert isinstance(command, Command)
        reporter = command.reporter({**given, "quiet": False})
    teller = _Teller(reporter, quiet=given["quiet"])

    async def run() -> int:
        from turboupload.doctor.examine import Examination

        settings = Settings(context, os.environ)
        config, wrong = settings.config()
        examination = Examination(
            config=config,
            store=given["store"],
            files=given["files"],
            settings=settings.settings,
            told=settings.told,
            wrong=wrong,
        )
        teller.tell(settings.unread())
        await examination.run(teller.tell)
        return teller.end()

    Session(reporter).run(run, int, needs=("turboupload.doctor.examine",))


class _Teller:
    """Reports lines, and at the end how many there were of each kind.

    Args:
        reporter: Where to report.
        quiet: Report only warnings and failures to a person.
    """

    def __init__(self, reporter: Reporter, *, quiet: bool) -> None:
        self._reporter = reporter
        self._quiet = quiet
        self._lines: list[Line] = []

    def tell(self, lines: Iterable[Line]) -> None:
        """Reports some lines."""
        for line in lines:
            self._lines.append(line)
            self._reporter.event("line", fields_of(line))
            if not self._reporter.as_json and self._is_told(line):
                self._reporter.result(_drawn(line), drawn=True)

    def _is_told(self, line: Line) -> bool:
        return not self._quiet or line.level in ("warning", "failure")

    def end(self) -> int:
        """Reports the end; returns the exit code."""
        from turboupload.core.doctor.line import blamed

        code, outcome = _CODES[blamed(self._lines)]
        count = Counter(line.level for line in self._lines)
        first = next((line for line in self._lines if line.level == "failure"), None)
        error = None
        if first is not None:
            error = error_fields(TurbouploadError(first.text, hint=first.advice))
        if not self._reporter.as_json and not (self._quiet and code == 0):
            verdict = "ok: nothing failed" if code == 0 else counted(count["failure"], "failure")
            warnings = counted(count["warning"], "warning")
            took = format_duration(self._reporter.seconds)
            self._reporter.result(f"{verdict}, {warnings}, {count['unknown']} unknown ({took})")
        return self._reporter.done(
            code=code,
            outcome=outcome,
            failures=count["failure"],
            warnings=count["warning"],
            unknown=count["unknown"],
            error=error,
        )


def _drawn(line: Line) -> str:
    """A line for people, folded and coloured where a terminal shows it."""
    level, topic = f"{line.level:<8}", f"{line.topic:<12}"
    texts = [printable(line.text)] + ([f"hint: {printable(line.advice)}"] if line.advice else [])
    if on_terminal():
        width = max(40, shutil.get_terminal_size().columns - _INDENT)
        texts = [
            each for text in texts for each in textwrap.wrap(text, width, break_on_hyphens=False)
        ]
        if "NO_COLOR" not in os.environ:
            level = click.style(level, fg=_COLOURS.get(line.level), bold=line.level != "ok")
    return f"{level} {topic} " + f"\n{'':<{_INDENT}}".join(texts)
