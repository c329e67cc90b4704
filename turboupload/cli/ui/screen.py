"""An upload for people: a bar on a terminal, a plain line now and then without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from turboupload.cli.ui.drawing import Drawing, bar_line
from turboupload.cli.ui.output import can_be_drawn_on, say
from turboupload.cli.ui.words import LIMITS, on_the_way, pace_words
from turboupload.core.notices import Hashing, Notice, Planned, Progress, Remark, Retrying
from turboupload.core.upload.events import Completed, StatusSeen
from turboupload.units import counted, format_duration, format_size

__all__ = [
    "LINE_EVERY_S",
    "Screen",
    "Sentences",
    "open_lines",
    "open_screen",
    "progress_line",
]

LINE_EVERY_S = 10.0
"""How often a plain line is printed, in seconds."""

RETRY_EVERY_S = 5.0
"""The least time between two lines about retries, in seconds; those in between are counted."""


class Screen(Protocol):
    """Where a person watches."""

    def hear(self, notice: Any) -> None:
        """Shows what a notice says, if a person wants to know."""
        ...

    def line(self, text: str) -> None:
        """Shows a line above the progress bar, if there is one."""
        ...

    def close(self) -> None:
        """Leaves the terminal as it was."""
        ...


def open_screen(*, quiet: bool, logging: bool = False) -> Screen:
    """The screen that fits where stderr goes.

    Args:
        quiet: Show nothing.
        logging: What happens is logged to stderr: leave that to the log.
    """
    if quiet or not can_be_drawn_on():
        return open_lines(quiet=quiet, logging=logging)
    return _Bar(logging=logging)


def open_lines(*, quiet: bool, logging: bool = False) -> Screen:
    """A screen of plain lines, for commands that have no progress to show.

    Args:
        quiet: Show nothing.
        logging: What happens is logged to stderr: leave that to the log.
    """
    return _Silent() if quiet else _Plain(logging=logging)


class Sentences:
    """Shows the notices that have the same text in all commands.

    Args:
        tell: Where a sentence goes.
        silent: Tell nothing.
    """

    def __init__(self, tell: Callable[[str], None], *, silent: bool) -> None:
        self._tell = tell
        self._silent = silent
        self._retry_told: float | None = None
        self._retries_untold = 0

    def hear(self, notice: Notice) -> None:
        """Tells what a notice says, if a person wants to know."""
        if self._silent:
            return
        text = self._retry(notice) if isinstance(notice, Retrying) else _sentence(notice)
        if text is not None:
            self._tell(text)

    def _retry(self, notice: Retrying) -> str | None:
        """Shows many retries as one line now and then."""
        now = time.monotonic()
        if self._retry_told is not None and now - self._retry_told < RETRY_EVERY_S:
            self._retries_untold += 1
            return None
        more = f" ({self._retries_untold:,} more since the last)" if self._retries_untold else ""
        self._retry_told, self._retries_untold = now, 0
        return (
            f"{notice.operation} failed: {notice.message} ({notice.reason}); "
            f"again in {format_duration(notice.pause_s)}{more}"
        )


def _sentence(notice: Notice) -> str | None:
    match notice:
        case Planned(resumed=True):
            return (
                f"resuming upload {notice.upload_id}: "
                f"{notice.parts_there:,} of {notice.parts:,} parts are there"
            )
        case Planned(total_bytes=0):
            return (
                f"upload {notice.upload_id}: a stream, in parts of {format_size(notice.part_size)}"
            )
        case Planned():
            return (
                f"upload {notice.upload_id}: {format_size(notice.total_bytes)} in "
                f"{counted(notice.parts, 'part')} of {format_size(notice.part_size)}"
            )
        case Completed(adopted=True):
            return f"read set {notice.read_set_id} is there already"
        case Completed():
            return f"read set {notice.read_set_id} was made; the service is working on it"
        case StatusSeen(record):
            return f"read set {record.read_set_id} is {record.status}"
        case Remark():
            return f"note: {notice.text}"
    return None


class _Silent:
    def hear(self, notice: Notice) -> None:
        """Nothing is shown."""

    def line(self, text: str) -> None:
        _print(text)

    def close(self) -> None:
        """Nothing was opened."""


class _Plain:
    """For logs and pipes: a line when something changes, and one every ten seconds."""

    def __init__(self, *, logging: bool) -> None:
        self._last = time.monotonic()
        self._sentences = Sentences(_print, silent=logging)

    def hear(self, notice: Notice) -> None:
        if not isinstance(notice, Progress | Hashing):
            self._sentences.hear(notice)
            return
        now = time.monotonic()
        if now - self._last >= LINE_EVERY_S:
            self._last = now
            _print(progress_line(notice) if isinstance(notice, Progress) else hashing_line(notice))

    def line(self, text: str) -> None:
        _print(text)

    def close(self) -> None:
        """Nothing is left open."""


def _print(text: str) -> None:
    say(text)


def progress_line(notice: Progress) -> str:
    """Where an upload stands, in one line."""
    share = int(100 * notice.done_bytes / max(1, notice.total_bytes))
    limit = _limit(notice)
    pace = ", ".join(pace_words(notice, ""))
    return (
        f"{share} %, {_sizes(notice)}, "
        f"{f'{pace}, ' if pace else ''}"
        f"{notice.done_parts:,} of {notice.parts:,} parts, {notice.in_flight} in flight"
        f"{f', {limit}' if limit else ''}"
    )


def _sizes(notice: Progress) -> str:
    done, total = format_size(notice.done_bytes), format_size(notice.total_bytes)
    return f"{done} of {total}{on_the_way(notice.in_flight_bytes)}"


def hashing_line(notice: Hashing) -> str:
    """How far the files' ETag is computed, in one line."""
    return (
        f"all sent; computing the ETag of the files: {format_size(notice.done_bytes)} of "
        f"{format_size(notice.total_bytes)}"
    )


def _limit(notice: Progress) -> str:
    """What limits the rate, in words, once that is known."""
    return "" if notice.limited_by is None else LIMITS[notice.limited_by]


def _status(notice: Progress) -> list[str]:
    """What is said beside the bar, first things first."""
    return [
        *pace_words(notice, _limit(notice)),
        _sizes(notice),
        f"{notice.done_parts:,}/{notice.parts:,} parts",
        f"{notice.in_flight} of {notice.window} in flight",
    ]


class _Bar:
    """For a terminal: a bar that stays at the bottom while sentences scroll by above it.

    Its length is what the service has accepted, in whichever run; rate and time left are those of
    what this run sends, so that parts which were there already don't make it look fast.

    It is opened for the second progress: the first comes before any part is on its way, and
    importing rich takes nearly a tenth of a second, which that part would have to wait. What is
    said before goes to the terminal as it is.
    """

    def __init__(self, *, logging: bool) -> None:
        self._drawing: Drawing | None = None
        self._bar = (0, 1)
        self._begun = False
        self._sentences = Sentences(self.line, silent=logging)

    def hear(self, notice: Notice) -> None:
        if isinstance(notice, Progress):
            self._progress(notice)
            return
        self._sentences.hear(notice)
        if isinstance(notice, Hashing):
            self._draw([hashing_line(notice)])
        if isinstance(notice, Completed):
            self._draw([f"all sent; the service is working on read set {notice.read_set_id}"])

    def close(self) -> None:
        """Takes the bar away."""
        if self._drawing is not None:
            self._drawing.close()

    def _progress(self, notice: Progress) -> None:
        if not self._begun:
            self._begun = True
            return
        if self._drawing is None:
            self._drawing = Drawing()
        self._bar = (notice.done_bytes, notice.total_bytes)
        self._draw(_status(notice))

    def _draw(self, pieces: list[str]) -> None:
        """Draws the bar, where there is one, with what is going on beside it."""
        if self._drawing is not None:
            bar = self._bar
            self._drawing.show(lambda width: bar_line("", bar, pieces, width))

    def line(self, text: str) -> None:
        if self._drawing is None:
            _print(text)
            return
        self._drawing.line(text)
