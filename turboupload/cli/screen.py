"""An upload for people: a bar on a terminal, a plain line now and then without one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import click

from turboupload.core.model import Completed, StatusSeen
from turboupload.core.notices import Notice, Planned, Progress, Remark, Retrying, UploadResult
from turboupload.units import format_duration, format_rate, format_size

__all__ = ["Screen", "describe_result", "open_screen"]

LINE_EVERY_S = 10.0
"""How often a plain line is printed, in seconds."""

RETRIES_TOLD = 5
"""How many retries are told one by one; the rest is counted."""


class Screen(Protocol):
    """Where a person watches."""

    def hear(self, notice: Notice) -> None:
        """Shows what a notice says, if a person wants to know."""
        ...

    def close(self) -> None:
        """Leaves the terminal as it was."""
        ...


def open_screen(*, quiet: bool) -> Screen:
    """The screen that fits where stderr goes."""
    if quiet:
        return _Silent()
    return _Bar() if sys.stderr.isatty() else _Plain()


def _sentence(notice: Notice) -> str | None:
    """The notices that are told in the same words everywhere."""
    match notice:
        case Planned(resumed=True):
            return (
                f"going on with upload {notice.upload_id}: "
                f"{notice.parts_there:,} of {notice.parts:,} parts are there"
            )
        case Planned():
            return (
                f"upload {notice.upload_id}: {format_size(notice.total_bytes)} in "
                f"{notice.parts:,} parts of {format_size(notice.part_size)}"
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


class _Retries:
    """Tells the first few retries, then only counts."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._count = 0

    def hear(self, notice: Retrying) -> None:
        self._count += 1
        if self._count > RETRIES_TOLD:
            return
        more = "; further retries are counted only" if self._count == RETRIES_TOLD else ""
        self._tell(
            f"{notice.operation}: {notice.message} ({notice.reason}); "
            f"again in {format_duration(notice.pause_s)}{more}"
        )


class _Silent:
    def hear(self, notice: Notice) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was opened."""


class _Plain:
    """For logs and pipes: a line when something changes, and one every ten seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._retries = _Retries(self._line)

    def hear(self, notice: Notice) -> None:
        if isinstance(notice, Progress):
            now = time.monotonic()
            if now - self._last >= LINE_EVERY_S:
                self._last = now
                self._line(progress_line(notice))
        elif isinstance(notice, Retrying):
            self._retries.hear(notice)
        elif (text := _sentence(notice)) is not None:
            self._line(text)

    def close(self) -> None:
        """Nothing is left open."""

    @staticmethod
    def _line(text: str) -> None:
        click.echo(text, err=True)


def progress_line(notice: Progress) -> str:
    """Where an upload stands, in one line."""
    share = notice.done_bytes / max(1, notice.total_bytes)
    eta = "" if notice.eta_s is None else f", {format_duration(notice.eta_s)} left"
    return (
        f"{share:.0%}, {format_size(notice.done_bytes)} of {format_size(notice.total_bytes)}, "
        f"{format_rate(notice.bytes_per_s)}{eta}, "
        f"{notice.done_parts:,} of {notice.parts:,} parts, {notice.in_flight} in flight"
    )


class _Bar:
    """For a terminal: a bar that stays at the bottom while sentences scroll by above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[status]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None
        self._retries = _Retries(self._line)
        self._progress.start()

    def hear(self, notice: Notice) -> None:
        if isinstance(notice, Progress):
            self._draw(notice)
        elif isinstance(notice, Retrying):
            self._retries.hear(notice)
        elif (text := _sentence(notice)) is not None:
            self._line(text)

    def close(self) -> None:
        """Takes the bar away."""
        self._progress.stop()

    def _draw(self, notice: Progress) -> None:
        eta = "" if notice.eta_s is None else f" · {format_duration(notice.eta_s)} left"
        status = (
            f"{format_rate(notice.bytes_per_s)}{eta} · {notice.done_parts:,}/{notice.parts:,} parts"
            f" · {notice.in_flight} of {notice.window} in flight"
        )
        if self._task is None:
            self._task = self._progress.add_task("", total=notice.total_bytes, status=status)
        self._progress.update(
            self._task, completed=notice.done_bytes, total=notice.total_bytes, status=status
        )

    def _line(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)


_VERIFIED = {
    "sha256": "every part's SHA-256 equals the service's checksum",
    "opaque": "the service's checksums can't be computed here; they are as recorded",
    "none": "no part was compared with a checksum",
}


def describe_result(result: UploadResult) -> str:
    """How an upload ended well, in a few lines."""
    lines = [f"read set {result.read_set_id} is {result.status}"]
    if result.read_set_arn:
        lines.append(f"  arn        {result.read_set_arn}")
    if result.existed:
        lines.append("  sent       nothing: it was there already")
    else:
        rate = result.bytes_sent / result.seconds if result.seconds > 0 else 0.0
        reused = f", {result.parts_reused:,} reused" if result.parts_reused else ""
        lines.append(
            f"  sent       {format_size(result.bytes_sent)} in {format_duration(result.seconds)} "
            f"({format_rate(rate)}), {result.parts:,} parts{reused}, {result.retries} retries"
        )
    lines.append(f"  verified   {_VERIFIED[result.verified]}")
    if result.total_reads is not None:
        lines.append(f"  reads      {result.total_reads:,} ({result.total_bases or 0:,} bases)")
    for key, value in sorted(result.etag.items()):
        lines.append(
            f"  {('etag ' + key)[:10]:<10} {value}"
            if key != "algorithm"
            else f"  etag       {value}"
        )
    return "\n".join(lines)
