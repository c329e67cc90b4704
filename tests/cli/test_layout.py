"""What is drawn fits the terminal: at 60 to 200 columns, nothing is cut, split, or said twice."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from turboupload.cli.ui import screen
from turboupload.cli.ui.batch_screen import MOST_ROWS, drawn
from turboupload.cli.ui.drawing import bar_line
from turboupload.cli.ui.layout import SEPARATOR, flowed, folded, width_of
from turboupload.core.batch import BatchProgress, RowUnderWay
from turboupload.core.notices import Progress
from turboupload.units import GIB, MIB

WIDTHS = (60, 80, 120, 200)

PROGRESS = Progress(
    total_bytes=2400 * MIB, done_bytes=1100 * MIB, bytes_sent=1100 * MIB, parts=134, done_parts=61,
    bytes_per_s=35.2 * MIB, eta_s=37.0, in_flight=16, window=16, limited_by="quota",
    in_flight_bytes=123 * MIB,
)  # fmt: skip
LONG = "NA24385-tumour-replicate-{}-flowcell-HG7KMDSX5-lane-{}"
BATCH = BatchProgress(
    rows=1200, counts={"active": 340, "failed": 2, "processing": 12, "running": 10, "waiting": 836},
    total_bytes=4200 * GIB, done_bytes=1300 * GIB, bytes_sent=1300 * GIB, bytes_per_s=812 * MIB,
    eta_s=3737.0, in_flight=64, window=64, limited_by="processor", waits_for_create=False,
    in_flight_bytes=6300 * MIB,
    under_way=tuple(
        RowUnderWay(row=341 + n, name=LONG.format(n, 9 - n), done_bytes=n * 370 * MIB,
                    total_bytes=3600 * MIB, in_flight_bytes=400 * MIB)
        for n in range(10)
    ),
)  # fmt: skip


def render(draw: Callable[[int], Iterator[Any]], width: int) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None)
    for each in draw(width):
        console.print(each)
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", WIDTHS)
def test_an_upload_says_all_of_it_once_at_any_width(width: int) -> None:
    pieces = screen._status(PROGRESS)
    lines = render(lambda columns: bar_line("", (1100, 2400), pieces, columns), width)
    assert max(map(width_of, lines)) <= width
    text = " ".join(lines)
    for piece in (*pieces, "45 %"):
        assert text.count(piece) == 1, lines
    assert len(lines) <= {60: 4, 80: 3, 120: 2, 200: 1}[width]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_batch_says_all_of_it_at_any_width(width: int) -> None:
    lines = render(lambda columns: drawn(BATCH, columns), width)
    assert max(map(width_of, lines)) <= width
    text = "\n".join(lines)
    for piece in (
        "340 of 1,200 rows", "30 %", "812 MiB/s", "1 h 2 min left", "as fast as the processor",
        "1.27 TiB of 4.10 TiB safe + 6.15 GiB on the way", "2 failed", "12 at work in the service",
        "10 under way", "836 not begun", "2 more in flight",
    ):  # fmt: skip
        assert text.count(piece) == 1, lines
    assert "done" not in text
    rows = [line for line in lines if re.match(r"  34\d ", line)]
    assert len(rows) == MOST_ROWS
    for row in rows:
        number = int(row.split()[0]) - 341
        name = row.split()[1]
        # Begin and end of the name are there: what tells one lane from another.
        assert name.startswith("NA24385")
        assert name.endswith(f"-lane-{9 - number}")
        assert ("…" not in name) == (width == 200)
        assert "3.52 GiB" in row


@pytest.mark.parametrize("width", WIDTHS)
def test_a_pause_stands_in_place_of_rate_and_time(width: int) -> None:
    lines = render(lambda columns: drawn(replace(BATCH, paused=True, eta_s=None), columns), width)
    text = " ".join(lines)
    assert "paused" in lines[0]
    assert "MiB/s" not in text
    assert screen.progress_line(replace(PROGRESS, paused=True, limited_by=None, eta_s=None)) == (
        "45 %, 1.07 GiB of 2.34 GiB + 123 MiB on the way, paused, 61 of 134 parts, 16 in flight"
    )


def test_what_is_all_sent_has_no_rate_and_no_time_left() -> None:
    sent = replace(BATCH, done_bytes=BATCH.total_bytes, in_flight_bytes=0, under_way=(), eta_s=0.0)
    text = " ".join(render(lambda columns: drawn(sent, columns), 80))
    assert "left" not in text
    assert "MiB/s" not in text


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("lane-1", 6, "lane-1"),
        ("sample-A-lane-1", 9, "samp…ne-1"),
        ("sample-A-lane-1", 8, "samp…e-1"),
        ("樣本-甲-通道-一", 9, "樣本-…-一"),
        ("ab", 1, "…"),
    ],
)
def test_a_name_is_folded_in_its_middle(text: str, width: int, shown: str) -> None:
    assert folded(text, width) == shown


@given(st.text(st.characters(categories=["L", "N", "P"])), st.integers(1, 40))
def test_a_folded_name_fits(text: str, width: int) -> None:
    assert width_of(folded(text, width)) <= width


@given(st.lists(st.text("ab ", max_size=12)), st.integers(12, 60), st.integers(1, 60))
def test_no_piece_is_split_or_lost(pieces: list[str], width: int, first: int) -> None:
    lines = flowed(pieces, width, first=min(first, width))
    assert all(width_of(line) <= width for line in lines)
    assert width_of(lines[0]) <= min(first, width)
    found = [piece for line in lines for piece in line.split(SEPARATOR) if piece]
    assert found == [piece for piece in pieces if piece]
