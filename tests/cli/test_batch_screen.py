"""What a batch says on a stderr that is no terminal, while it runs."""

from __future__ import annotations

import pytest

from turboupload.cli.ui.batch_screen import MOST_WORDS, BatchScreen
from turboupload.core.batch import RowChanged, RowNotice
from turboupload.core.notices import Remark
from turboupload.core.rows import RowResult


def test_a_thousand_rows_that_fail_are_not_a_thousand_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = BatchScreen()
    for row in range(1000):
        failed = RowResult(row=row, name="n", sample="s", status="failed", message="cut off")
        screen.hear(RowChanged(failed))
        screen.hear(RowNotice(row, Remark("unaligned", "is unaligned")))
    *told, last = capsys.readouterr().err.splitlines()
    assert len(told) == MOST_WORDS
    assert "--results" in last


def test_what_concerns_no_row_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    BatchScreen().hear(RowNotice(None, Remark("results-unwritten", "r.csv: can't be written")))
    assert capsys.readouterr().err == "note: r.csv: can't be written\n"
