"""What `turboupload watch` says of the runs, the page of each, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from turboupload.cli.reporters.batch import BatchReporter
from turboupload.cli.reporters.page import Page
from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.ui.batch_words import rows_words
from turboupload.cli.ui.errors import exit_code_of
from turboupload.cli.ui.output import say
from turboupload.core.batch import BatchResult, RowNotice
from turboupload.core.notices import Calling, Remark
from turboupload.core.watch.notices import (
    RunChanged,
    RunNotice,
    RunSent,
    WatchedRun,
    WatchNotice,
    WatchResult,
)
from turboupload.errors import ConfigError
from turboupload.telemetry import log_notice
from turboupload.units import counted, format_duration

if TYPE_CHECKING:
    from turboupload.cli.ui.batch_screen import BatchScreen
    from turboupload.config import UploadConfig
    from turboupload.core.rows import RowStatus

__all__ = ["WatchReporter"]

_BAD = ("retrying", "failed")

_NO_RUN = (
    "no run is over: none has its sentinel, such as CopyComplete.txt, or the rules leave it out; "
    "--sentinel names another, and `turboupload sheet` and `turboupload batch` upload any folder"
)


class WatchReporter(Reporter):
    """Reports the runs of a folder.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("watch", given, needs_stdout=False)
        self._runs: dict[str, WatchedRun] = {}
        self._report: str | None = given.get("report")
        self._state_dir: str | None = given.get("state_dir")
        self._page: Page | None = None

    @property
    def _config(self) -> UploadConfig:
        from turboupload.config import UploadConfig

        return UploadConfig(state_dir=self._state_dir)

    def hear(self, notice: WatchNotice) -> None:
        """Takes a notice in."""
        match notice:
            case Remark():
                self.event("remark", {"code": notice.code, "text": notice.text})
                self.note(notice.text)
            case RunNotice(notice=inner):
                if self._page is not None:
                    self._page.hear(inner)
                super().hear(inner)
                self._emit_notice(notice)
            case RunChanged(run):
                self._emit_notice(notice)
                self._tell_run(run)
            case RunSent(result=result):
                self._emit_notice(notice)
                self._write_page(result)
            case _:
                self._emit_notice(notice)

    def _emit_notice(self, notice: WatchNotice) -> None:
        # Calls are for the log.
        if self.as_json and not isinstance(_innermost(notice), Calling):
            from turboupload.events import describe

            self._emit(*describe(notice))

    def _tell_run(self, run: WatchedRun) -> None:
        self._runs[run.run] = run
        if run.status == "sending":
            self._page = self._new_page(run)
        if not self.as_json and not (self.quiet and run.status not in _BAD):
            self.line(f"{run.run}: {_words(run)}")

    def _new_page(self, run: WatchedRun) -> Page | None:
        if self._report is None:
            return None
        try:
            return Page.at(Path(run.output, self._report), self._config, f"Run {run.run}")
        except ConfigError as error:
            self.hear(Remark("report-unwritten", str(error)))
            return None

    def _write_page(self, result: BatchResult) -> None:
        if (page := self._page) is None:
            return
        self._page = None
        _, _, message = BatchReporter.how_it_ended(result)
        page.recording.rows(result.rows)
        report = page.recording.report(result.outcome, page.at_s, message=message)
        if why := page.write(report, at_once=False):
            self.hear(Remark("report-unwritten", why))

    def tell(self, remark: Remark) -> None:
        """Reports a change from outside."""
        log_notice(remark)
        super().hear(RowNotice(None, remark))

    def _open_screen(self) -> BatchScreen:
        from turboupload.cli.ui.batch_screen import open_batch_screen

        return open_batch_screen(quiet=self.quiet or self.as_json, logging=self.verbosity > 0)

    def ended(self, result: WatchResult) -> int:
        """Reports the end of a pass, or of a list; returns the exit code."""
        self._runs |= {each.run: each for each in result.runs}
        if not self.as_json and not self.quiet:
            self.result(self._sum())
            if not self._runs:
                self.note(_NO_RUN)
        return self.done(code=exit_code_of(result.outcome), outcome=result.outcome)

    @staticmethod
    def how_it_ended(result: WatchResult) -> tuple[str, int, str]:
        """The outcome of a pass, its exit code, and what went wrong."""
        wrong = ""
        if result.failed:
            wrong = f"{counted(len(result.failed), 'run')} failed"
        elif result.retrying:
            wrong = f"{counted(len(result.retrying), 'run')} to be tried again"
        return result.outcome, exit_code_of(result.outcome), wrong

    def _sum(self) -> str:
        counts = Counter(each.status for each in self._runs.values())
        told = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
        return f"{counted(len(self._runs), 'run')}{f': {told}' if told else ''}"

    def _tell_interrupt(self) -> None:
        say(f"interrupted; {self._sum()}")
        self._tell_command()

    def _known(self) -> Mapping[str, Any]:
        counts = Counter(each.status for each in self._runs.values())
        return {"runs": len(self._runs), "counts": dict(counts)}


def _innermost(notice: Any) -> Any:
    """What a notice of a run, or of a row in it, tells of."""
    while (inner := getattr(notice, "notice", None)) is not None:
        notice = inner
    return notice


def _words(run: WatchedRun) -> str:
    """A run in a line."""
    counts = cast("Mapping[RowStatus, int]", run.counts)
    rows = f" ({rows_words(counts)})" if counts else ""
    where = f"; see {run.output}" if run.output else ""
    match run.status:
        case "waiting":
            return f"waiting: {run.message}"
        case "would send":
            return f"would send {counted(run.rows, 'row')} to store {run.store_id}"
        case "sending":
            return f"sending {counted(run.rows, 'row')} to store {run.store_id}{where}"
        case "done":
            return f"done{rows}{where}"
        case "retrying":
            pause = max(0.0, (run.next_at or 0.0) - time.time())
            return f"{run.message}{rows}; again in {format_duration(pause)}{where}"
        case "failed":
            return f"failed too often: {run.message}{rows}; a person must look{where}"
    return f"{run.status}{rows}{where}"
