"""`--report`: listens while a command runs, and writes the page however that ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turboupload.cli.ui.output import say
from turboupload.cli.ui.reporter import Reporter
from turboupload.cli.ui.signals import CLEAN_UP_S
from turboupload.core.notices import Remark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turboupload.config import UploadConfig
    from turboupload.core.batch import RowNotice
    from turboupload.core.report.document import Report
    from turboupload.core.report.recording import Recording
    from turboupload.report.place import ReportPlace

__all__ = ["Page", "Reported", "clean_up_s", "now_iso"]

DRAW_S: Final = 8.0
"""How much longer an interrupt may take where a page is drawn then, in seconds. That takes one or
two of a processor; a second signal leaves at once."""


class Page:
    """A report under way.

    Attributes:
        recording: What was heard so far.
    """

    def __init__(self, place: ReportPlace, recording: Recording, folder: Path) -> None:
        self.recording = recording
        self._place = place
        self._folder = folder
        self._began = time.monotonic()

    @classmethod
    def at(cls, path: Path, config: UploadConfig, title: str) -> Page:
        """A page at a place.

        Args:
            path: Its file.
            config: Whose state folder has the receipts.
            title: What the page is about.

        Raises:
            ConfigError: It can't be written there, or can't be drawn.
        """
        from turboupload.core.report.recording import Recording
        from turboupload.report.place import ReportPlace

        return cls(ReportPlace(path), Recording(title, began=now_iso()), config.state_folder)

    def hear(self, notice: Any) -> None:
        """Takes a notice in."""
        self.recording.hear(notice, self.at_s)

    @property
    def at_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def write(self, report: Report) -> str | None:
        """Writes the page; returns why it couldn't, in words."""
        from turboupload.report.proofs import with_proofs

        try:
            self._place.write(with_proofs(report, self._folder))
        except Exception as error:  # whatever it is, it mustn't change how the upload ended
            return f"the report can't be written: {error or type(error).__name__}"
        return None


class Reported(Reporter):
    """A reporter whose command has `--report`."""

    _page: Page | None = None

    def report_to(self, given: Mapping[str, Any], title: str) -> None:
        """Begins a report, where one was asked for.

        Args:
            given: The options' values by name.
            title: What it is about.

        Raises:
            ConfigError: It can't be written there, or can't be drawn.
        """
        if given["report"] is None:
            return
        from turboupload.config import UploadConfig

        config = UploadConfig(state_dir=given["state_dir"])
        self._page = Page.at(Path(given["report"]), config, title)

    def hear(self, notice: Any) -> None:
        """Takes a notice in."""
        if self._page is not None:
            self._page.hear(notice)
        super().hear(notice)

    def _finish(self, outcome: str, **fields: Any) -> None:
        if self._page is not None and outcome != "rehearsed":
            self._write(self._page, outcome, fields)
        super()._finish(outcome, **fields)

    def _write(self, page: Page, outcome: str, fields: Mapping[str, Any]) -> None:
        error = fields.get("error") or {}
        report = page.recording.report(
            outcome,
            page.at_s,
            read_set_id=fields.get("read_set_id"),
            message=error.get("message", ""),
        )
        if why := page.write(report):
            say(f"warning: {why}")
            self._remark("report-unwritten", why)

    def _remark(self, code: str, text: str) -> None:
        """Tells a program of a remark."""
        if self.as_json:
            from turboupload.events import describe

            self._emit(*describe(self._for_all(Remark(code, text))))

    def _for_all(self, remark: Remark) -> Remark | RowNotice:
        """As the command's other remarks that concern no row."""
        return remark


def clean_up_s(given: Mapping[str, Any]) -> float:
    """How long cleaning up after a signal may take, in seconds.

    Args:
        given: The options' values by name.
    """
    return CLEAN_UP_S + (DRAW_S if given["report"] is not None else 0)


def now_iso() -> str:
    """Now, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
