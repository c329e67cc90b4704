"""The table and the JSON say what was measured, misses included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.report import Figure, Table, spread, targets_table, write_json
from benchmarks.scenarios.cap import rate_over

FIGURES = [
    Figure("memory", 100.0, "MiB", 120.0),
    Figure("rate", 0.9, "x", 1.0, at_least=True),
    Figure("seen", 3.0, "s"),
]


def test_a_miss_is_shown_as_one() -> None:
    rows = targets_table(FIGURES).rows
    assert [tuple(row) for row in rows] == [
        ("memory", "100.00 MiB", "<= 120 MiB", "PASS"),
        ("rate", "0.90 x", ">= 1 x", "MISS"),
        ("seen", "3.00 s", "-", ""),
    ]


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    Table("a title", ("client", "s"), [("a long name", "1"), ("b", "22")], ["a note"]).print()
    assert capsys.readouterr().out.splitlines() == [
        "",
        "a title",
        "  client       s ",
        "  -----------  --",
        "  a long name  1 ",
        "  b            22",
        "  a note",
    ]


def test_the_json_has_figures_machine_and_all_measurements(tmp_path: Path) -> None:
    path = tmp_path / "results" / "raw.json"
    write_json(path, FIGURES, {"runs": [1, 2]}, {"processors": 2})
    content = json.loads(path.read_text())
    assert [figure["met"] for figure in content["figures"]] == [True, False, None]
    assert content["machine"] == {"processors": 2}
    assert content["measurements"] == {"runs": [1, 2]}


def test_a_spread_has_the_median_and_the_range() -> None:
    assert spread([3.0, 1.0, 2.0]) == "2.00 (1.00-3.00)"
    assert spread([1234.4], digits=0) == "1,234"


def test_the_rate_leaves_the_beginning_out() -> None:
    burst = [(10.0, 500)]
    steady = [(10.0 + step / 10, 500 + step * 10) for step in range(1, 50)]
    assert rate_over(burst + steady, 1.0, 3.0) == pytest.approx(100)
    with pytest.raises(ValueError, match="less than"):
        rate_over(burst + steady, 1.0, 10.0)
