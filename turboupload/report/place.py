"""Where a report is written: found out before anything is sent."""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path

from turboupload.core.report.document import Report
from turboupload.errors import ConfigError
from turboupload.report.page import MARK, page, unfinished_report
from turboupload.state.whole_file import try_place, write_whole

__all__ = ["ReportPlace", "require_drawing"]


def require_drawing() -> None:
    """Makes sure that a report can be drawn.

    Raises:
        ConfigError: What draws it is not installed.
    """
    if find_spec("vl_convert") is None:
        raise ConfigError(
            "what draws a report is not installed",
            hint="pip install 'turboupload[report]'; nothing was sent",
        )


class ReportPlace:
    """A report's file. What is there is replaced only if it is a report, or empty.

    Args:
        path: The file to write.

    Raises:
        ConfigError: It can't be written there, would replace another file, or what draws it is not
            installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        require_drawing()
        self.path = Path(os.path.realpath(path))
        obstacle = self._obstacle()
        if self.path.suffix.lower() not in ("", ".html", ".htm"):
            obstacle = "is named as another kind of file: end its name in .html"
        if obstacle is None:
            try:
                try_place(self.path)
            except (OSError, ValueError) as error:
                obstacle = f"can't be written: {getattr(error, 'strerror', None) or error}"
        if obstacle is not None:
            raise ConfigError(
                f"the report's place {obstacle}",
                path=str(self.path),
                hint="name another file; nothing was sent",
            )

    def write(self, report: Report, *, drawn: bool = True) -> None:
        """Draws the report and writes it, whole or not at all.

        Args:
            report: The report.
            drawn: With its charts; without them it takes a moment, and can be finished later.

        Raises:
            OSError: It can't be written.
            ConfigError: Another file was put there meanwhile.
        """
        text = page(report, drawn=drawn)
        if obstacle := self._obstacle():
            raise ConfigError(f"its place {obstacle}", path=str(self.path))
        write_whole(self.path, text)

    def unfinished(self) -> Report:
        """The report of the page that an interrupted run wrote here.

        Raises:
            ConfigError: There is no such page.
        """
        try:
            found = unfinished_report(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError("there is no such page", path=str(self.path)) from None
        except (OSError, ValueError) as error:
            why = f"the page can't be read: {getattr(error, 'strerror', None) or error}"
            raise ConfigError(why, path=str(self.path)) from error
        if found is None:
            raise ConfigError("this page has its charts and proofs already", path=str(self.path))
        return found

    def _obstacle(self) -> str | None:
        """Why the path can't be written, in words; None if it can."""
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                return "is not a regular file"
            with self.path.open("rb") as file:
                head = file.read(len(MARK))
        except FileNotFoundError:
            folder = self.path.parent.is_dir()
            return None if folder else "can't be written: there is no such folder"
        except (OSError, ValueError) as error:
            return f"can't be written: {getattr(error, 'strerror', None) or error}"
        ours = head in (MARK.encode(), b"")
        return None if ours else "is taken: something else than a report is there"
