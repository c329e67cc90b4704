"""Tables: whole on a wide terminal, folded on a narrow one, blocks on a very narrow one, tabs in a
pipe; and nothing that a name holds reaches the terminal as a command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from turboupload.cli.reporters.tables import Column, Table, moment_text, record_lines
from turboupload.cli.ui.output import printable

Row = tuple[str, str, str]
ROWS: list[Row] = [
    ("1234567890", "ACTIVE", "a name of many words that a lab gives to its read sets"),
    ("1234567891", "UPLOAD_FAILED", "short"),
]


def table() -> Table[Row]:
    return Table(
        (
            Column("ID", lambda row: row[0]),
            Column("STATUS", lambda row: row[1]),
            Column("NAME", lambda row: row[2], whole=False),
        )
    )


def drawn(
    monkeypatch: pytest.MonkeyPatch, columns: int, *pieces: list[Row], color: bool = False
) -> list[str]:
    monkeypatch.setattr("turboupload.cli.reporters.tables.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    if color:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", "1")
    whole = table()
    text = "\n".join(whole.piece(piece) for piece in pieces)
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if not color else text.splitlines()


def test_a_pipe_gets_tabs_and_the_titles_once() -> None:
    whole = table()
    assert whole.piece(ROWS[:1]).splitlines() == ["ID\tSTATUS\tNAME", "\t".join(ROWS[0])]
    assert whole.piece(ROWS[1:]).splitlines() == ["\t".join(ROWS[1])]
    assert whole.piece([]) == ""


def test_a_wide_terminal_gets_a_row_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, 120, ROWS)
    assert [line.split()[0] for line in lines] == ["ID", ROWS[0][0], ROWS[1][0]]
    assert lines[1].endswith(ROWS[0][2])


@pytest.mark.parametrize("columns", range(39, 80, 5))
def test_a_narrow_one_folds_texts_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    lines = drawn(monkeypatch, columns, ROWS)
    assert max(map(len, lines)) <= columns
    text = "\n".join(lines)
    for whole in ("1234567890", "1234567891", "UPLOAD_FAILED"):
        assert whole in text
    folded = [line[line.index("NAME") if "NAME" in line else 27 :].strip() for line in lines[1:]]
    assert "".join("".join(folded).split()) == "".join((ROWS[0][2] + ROWS[1][2]).split())


def test_a_very_narrow_one_gets_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 30, ROWS[1:]) == [
        "id      1234567891",
        "status  UPLOAD_FAILED",
        "name    short",
    ]


def test_each_piece_has_its_titles(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = drawn(monkeypatch, 120, ROWS[:1], ROWS[1:])
    assert [line.split()[:1] for line in lines] == [["ID"], [ROWS[0][0]], [], ["ID"], [ROWS[1][0]]]


def test_titles_are_bold_unless_colours_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1m" in drawn(monkeypatch, 120, ROWS, color=True)[0]


def test_what_is_missing_is_a_dash() -> None:
    columns: tuple[Column[Row], ...] = (Column("ID", lambda _: None),)
    assert Table(columns).piece(ROWS[:1]).splitlines()[1:] == ["-"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ärgerlich 日本", "plain ärgerlich 日本"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("right\u202eto left", "right\\u202eto left"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, text: str, shown: str
) -> None:
    assert printable(text) == shown
    assert record_lines([("name", text)]) == f"name  {shown}"
    assert shown in "\n".join(drawn(monkeypatch, 200, [("1", "2", text)]))


def test_names_are_not_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[bold]lane[/bold]" in drawn(monkeypatch, 120, [("1", "2", "[bold]lane[/bold]")])[1]


def test_moments_are_told_in_utc() -> None:
    there = datetime(2026, 11, 24, 14, 30, 5, tzinfo=timezone(timedelta(hours=2)))
    assert moment_text(there) == "2026-11-24 12:30:05"
    assert moment_text(there.astimezone(UTC), seconds=False) == "2026-11-24 12:30"
    assert moment_text(None) is None
