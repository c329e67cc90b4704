"""`--report`: listens while a command runs, and writes the page however that ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turboupload.cli.reporters.reporter import Reporter
from turboupload.cli.ui.output import say
from turboupload.core.notices import Remark
from turboupload.units import format_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turboupload.config import UploadConfig
    from turboupload.core.batch import RowNotice
    from turboupload.core.report.document import Report
    from turboupload.core.report.recording import Recording
    from turboupload.report.place import ReportPlace

__all__ = ["Page", "Reported", "now_iso"]


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

    def write(self, report: Report, *, at_once: bool) -> str | None:
        """Writes the page.

        Args:
            report: What is known.
            at_once: Without charts and proofs, which may take seconds.

        Returns:
            Why it couldn't be written, in words; None if it was.
        """
        from turboupload.report.proofs import with_proofs

        try:
            if at_once:
                self._place.write(report, drawn=False)
            else:
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
        page = self._page if outcome != "rehearsed" else None
        if page is None:
            super()._finish(outcome, **fields)
        elif outcome == "interrupted":
            # After an interrupt a user wants to leave now: the last line doesn't wait for a disk.
            super()._finish(outcome, **fields)
            self._write(page, outcome, fields)
        else:
            if why := self._write(page, outcome, fields):
                self._remark("report-unwritten", why)
            super()._finish(outcome, **fields)

    @staticmethod
    def _write(page: Page, outcome: str, fields: Mapping[str, Any]) -> str | None:
        """Writes the page; returns why it couldn't, and says so."""
        error = fields.get("error") or {}
        report = page.recording.report(
            outcome,
            page.at_s,
            read_set_id=fields.get("read_set_id"),
            message=error.get("message", ""),
        )
        why = page.write(report, at_once=outcome == "interrupted")
        if why:
            say(f"warning: {why}")
        return why

    def _remark(self, code: str, text: str) -> None:
        """Reports a remark to a program."""
        if self.as_json:
            from turboupload.events import describe

            self._emit(*describe(self._for_all(Remark(code, text))))

    def _for_all(self, remark: Remark) -> Remark | RowNotice:
        """As the command's other remarks that concern no row."""
        return remark


def now_iso() -> str:
    """Now, in UTC, to the second."""
    return format_moment(datetime.now(UTC), to="seconds")
