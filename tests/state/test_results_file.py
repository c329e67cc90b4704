"""The file of results, whatever stands in it or in its way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from turboupload.core.rows import RowResult
from turboupload.errors import ConfigError
from turboupload.state.results_file import ResultsFile

# As Python has a file's name that is no UTF-8.
ROW = RowResult(row=2, name="n", sample="s", status="failed", message="a\udcff.bam: no such file")


@pytest.mark.parametrize("name", ["r.csv", "r.json"])
def test_a_path_that_is_no_text_is_written_all_the_same(tmp_path: Path, name: str) -> None:
    ResultsFile(tmp_path / name).write([ROW])
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "a\\udcff.bam: no such file" in text
    assert name == "r.csv" or json.loads(text)[0]["message"] == ROW.message


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "a\0b.csv", "none/r.csv"])
def test_a_name_that_can_not_be_written_is_a_matter_of_configuration(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "sheet.csv").touch()
    results = ResultsFile(tmp_path / name)
    results.keep_off(tmp_path / "sheet.csv")
    with pytest.raises(ConfigError, match="the results can't be written"):
        results.write([ROW])


def test_a_sheet_is_known_by_any_of_its_names(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.touch()
    (tmp_path / "link.csv").symlink_to(sheet)
    ResultsFile(tmp_path / "other.csv").keep_off(sheet)
    ResultsFile(tmp_path / "link.csv").keep_off("-")
    with pytest.raises(ConfigError, match="sheet's place"):
        ResultsFile(tmp_path / "link.csv").keep_off(sheet)


def test_two_runs_of_one_sheet_leave_the_results_of_one_of_them(tmp_path: Path) -> None:
    write = (
        "import sys; from turboupload.core.rows import RowResult; "
        "from turboupload.state.results_file import ResultsFile; "
        "rows = [RowResult(row=n, name=sys.argv[2], sample='s', status='active')"
        " for n in range(int(sys.argv[3]))]; "
        "results = ResultsFile(sys.argv[1]); [results.write(rows) for _ in range(60)]"
    )
    path = tmp_path / "r.json"
    runs = [
        subprocess.Popen([sys.executable, "-c", write, str(path), name, count])
        for name, count in (("one", "20"), ("two", "400"))
    ]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    names = [row["name"] for row in json.loads(path.read_text())]
    assert names in (["one"] * 20, ["two"] * 400)
    assert [each.name for each in tmp_path.iterdir()] == ["r.json"]
