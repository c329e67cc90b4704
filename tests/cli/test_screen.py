"""What a person sees without a terminal: now and then a line, and a storm as one."""

from __future__ import annotations

import sys

import pytest

from turboupload.cli.ui import screen
from turboupload.core.notices import Progress, Remark, Retrying

MIB = 1024 * 1024


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(screen, "time", clock)
    return clock


def progress(done: int, *, eta_s: float | None = 65.0, way: int = 0) -> Progress:
    return Progress(
        total_bytes=200 * MIB, done_bytes=done, bytes_sent=done, parts=25, done_parts=9,
        bytes_per_s=2.5 * MIB, eta_s=eta_s, in_flight=4, window=16, in_flight_bytes=way,
    )  # fmt: skip


def test_what_is_safe_and_what_is_on_the_way_are_told_apart() -> None:
    line = screen.progress_line(progress(75 * MIB, way=10 * MIB))
    assert line.startswith("37 %, 75 MiB of 200 MiB + 10 MiB on the way, 2.50 MiB/s")


def test_a_line_every_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    plain = screen.open_screen(quiet=False)
    for _ in range(61):  # half a minute of reports
        plain.hear(progress(75 * MIB))
        clock.now += 0.5
    plain.close()
    assert (
        capsys.readouterr().err.splitlines()
        == ["37 %, 75 MiB of 200 MiB, 2.50 MiB/s, 1 min 5 s left, 9 of 25 parts, 4 in flight"] * 3
    )


def test_it_is_not_done_before_it_is_done() -> None:
    assert screen.progress_line(progress(200 * MIB - 1, eta_s=None)).startswith("99 %")
    assert screen.progress_line(progress(200 * MIB)).startswith("100 %")


def test_a_storm_of_retries_is_told_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = screen.open_screen(quiet=False)
    retry = Retrying(
        operation="UploadReadSetPart", reason="ThrottlingException", message="slow down",
        pause_s=0.5,
    )  # fmt: skip
    for _ in range(100):
        plain.hear(retry)
    clock.now += 5.0
    plain.hear(retry)
    told = "UploadReadSetPart failed: slow down (ThrottlingException); again in 0.5 s"
    assert capsys.readouterr().err.splitlines() == [told, f"{told} (99 more since the last)"]


def test_what_is_logged_is_not_told_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for logging in (False, True):
        plain = screen.open_screen(quiet=False, logging=logging)
        plain.hear(Remark("code", "listen"))
    assert capsys.readouterr().err == "note: listen\n"


def test_on_a_terminal_parts_do_not_wait_for_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    bar = screen.open_screen(quiet=False)
    bar.hear(Remark("code", "lis\x1bten"))
    bar.hear(progress(0))  # told before the first part is on its way
    assert capsys.readouterr().err == "note: lis\\x1bten\n"
    bar.hear(progress(75 * MIB))
    bar.hear(Remark("code", "again"))
    bar.close()
    shown = capsys.readouterr().err
    assert "note: again" in shown
    assert "9/25 parts" in shown
