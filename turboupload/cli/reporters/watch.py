"""What `turboupload watch` says of the runs, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.ui.batch_words import rows_words
from turboupload.cli.ui.errors import SOME_FAILED, STOPPED
from turboupload.cli.ui.output import say
from turboupload.core.batch import RowNotice
from turboupload.core.notices import Remark
from turboupload.core.watch.records import RunNews
from turboupload.telemetry import log_notice
from turboupload.units import counted, format_duration

if TYPE_CHECKING:
    from turboupload.cli.ui.batch_screen import BatchScreen
    from turboupload.core.rows import RowStatus

__all__ = ["WatchReporter"]

_BAD = ("retrying", "failed")


class WatchReporter(Reporter):
    """Tells of the runs of a folder.

    Args:
        given: The options' values by name.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__("watch", given, needs_stdout=False)
        self._runs: dict[str, RunNews] = {}

    def run(self, news: RunNews) -> None:
        """Tells that a run has a new status, or another reason for it."""
        self._runs[news.run] = news
        self.event("run", asdict(news))
        if not self.as_json and not (self.quiet and news.status not in _BAD):
            self.line(f"{news.run}: {_words(news)}")

    def remark(self, code: str, text: str) -> None:
        """Tells something once."""
        self.event("remark", {"code": code, "text": text})
        self.note(text)

    def tell(self, remark: Remark) -> None:
        """Tells what was changed from outside."""
        log_notice(remark)
        self.hear(RowNotice(None, remark))

    def _open_screen(self) -> BatchScreen:
        from turboupload.cli.ui.batch_screen import open_batch_screen

        return open_batch_screen(quiet=self.quiet or self.as_json, logging=self.verbosity > 0)

    def ended(self, runs: Sequence[RunNews]) -> int:
        """Tells of the end of a pass, or of a list; returns the exit code."""
        self._runs |= {each.run: each for each in runs}
        statuses = [each.status for each in self._runs.values()]
        code = SOME_FAILED if "failed" in statuses else STOPPED if "retrying" in statuses else 0
        outcome = {0: "ok", STOPPED: "stopped", SOME_FAILED: "some_failed"}[code]
        if not self.as_json and not self.quiet:
            self.result(self._sum())
        return self.done(code=code, outcome=outcome)

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


def _words(news: RunNews) -> str:
    """A run in a line."""
    counts = cast("Mapping[RowStatus, int]", news.counts)
    rows = f" ({rows_words(counts)})" if counts else ""
    where = f"; see {news.output}" if news.output else ""
    match news.status:
        case "waiting" | "left alone":
            return f"{news.status}: {news.message}"
        case "would send":
            return f"would send {counted(news.rows, 'row')} to store {news.store_id}"
        case "sending":
            return f"sending {counted(news.rows, 'row')} to store {news.store_id}{where}"
        case "done":
            return f"done{rows}{where}"
        case "retrying":
            pause = max(0.0, (news.next_at or 0.0) - time.time())
            return f"{news.message}{rows}; again in {format_duration(pause)}{where}"
        case "failed":
            return f"failed too often: {news.message}{rows}; a person must look{where}"
    return f"{news.status}{rows}{where}"
