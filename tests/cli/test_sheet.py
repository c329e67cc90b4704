from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.support import run_folders, samples

COLUMNS = "sample,subject,name,type,source1,source2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    samples.fastq_pair(folder, reads=2)
    return folder


def sheet(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "turboupload", "sheet", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_to_stdout_with_absolute_paths(folder: Path) -> None:
    done = sheet(".", cwd=folder)
    assert done.returncode == 0
    one, two = folder / "sample_R1.fastq.gz", folder / "sample_R2.fastq.gz"
    assert done.stdout == f"{COLUMNS}sample,sample,sample,FASTQ,{one},{two}\n"
    assert "the subject of each row is its sample" in done.stderr
    assert done.stderr.endswith("1 row (1 pair) of 1 sample\n")


def test_to_a_file_with_paths_relative_to_it_and_never_over_another(folder: Path) -> None:
    words = ("run", "--output", "sheet.csv", "--subject", "p", "--quiet")
    done = sheet(*words, cwd=folder.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    written = folder.parent / "sheet.csv"
    expected = f"{COLUMNS}sample,p,sample,FASTQ,run/sample_R1.fastq.gz,run/sample_R2.fastq.gz\n"
    assert written.read_text() == expected
    written.write_text("sample,fastq_1\nmine,a.fastq.gz\n")
    done = sheet(*words, cwd=folder.parent)
    assert done.returncode == 2
    assert done.stderr == (
        "error: sheet.csv: is there already\nhint: name another file, or add --overwrite\n"
    )
    assert written.read_text().startswith("sample,fastq_1\nmine")
    assert sheet(*words, "--overwrite", cwd=folder.parent).returncode == 0
    assert written.read_text() == expected
    assert sorted(each.name for each in folder.parent.iterdir()) == ["run", "sheet.csv"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nowhere",), 3, "error: {cwd}/nowhere: no such folder\nhint: check the path"),
        (("run", "-o", "no/where.csv"), 2, "error: no/where.csv: can't be written: No such file"),
        (("run", "--sample", "x" * 128), 0, "error: row 2, sample: sample id must have 1 to 127"),
        (("run", "--format", "xlsx"), 2, "error: Invalid value for '--format'"),
    ],
)
def test_what_goes_wrong(folder: Path, words: tuple[str, ...], code: int, told: str) -> None:
    done = sheet(*words, cwd=folder.parent)
    assert done.returncode == code
    assert told.format(cwd=folder.parent) in done.stderr


def test_batch_takes_what_it_writes(shell: Shell, folder: Path) -> None:
    written = shell.run("sheet", folder, "--quiet")
    assert written.code == 0
    copy = folder.parent / "copy.csv"
    copy.write_text(written.out)
    with copy.open() as stdin:
        ran = shell.run("batch", "-", "--dry-run", stdin=stdin)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("row 2 (sample): send ")


def test_what_is_left_out_is_told_to_programs(tmp_path: Path, shell: Shell) -> None:
    folder = run_folders.minknow(tmp_path)
    ran = shell.run("sheet", folder, "--json", "--name-pattern", "{sample}_{run}_{chunk}")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for each in lines:
        by_kind.setdefault(each["event"], []).append(each)
    assert [each["short"] for each in by_kind["sheet.run"]] == ["PAA12345_e05460c6"]
    first, *_, last = by_kind["sheet.row"]
    assert (first["row"], first["name"]) == (2, f"HG002_{run_folders.ONT_RUN}_0")
    assert (last["sample_id"], last["subject_id"]) == (None, None)
    left_out = {each["code"]: each for each in by_kind["sheet.left_out"]}
    assert len(left_out["failed-reads"]["paths"]) == 6
    assert left_out["signal"]["harmless"]
    warnings = [each for each in by_kind["sheet.finding"] if each["severity"] == "warning"]
    assert [each["message"][:31] for each in warnings] == ["nothing says whose reads 1 row "]
    (end,) = by_kind["sheet.finished"]
    assert (end["outcome"], end["rows"], end["left_out"]) == ("ok", 5, 11)


def test_a_sheet_with_an_open_sample_is_not_uploaded(tmp_path: Path, shell: Shell) -> None:
    folder = run_folders.minknow(tmp_path)
    sheet = tmp_path / "sheet.csv"
    assert shell.run("sheet", folder, "--output", sheet).code == 0
    ran = shell.run("batch", sheet, "--dry-run")
    assert ran.code == 3
    assert "row 6, sample: there is no sample" in ran.err
    sheet.write_text(sheet.read_text().replace("\n,,barcode03", "\nHG004,HG004,barcode03"))
    assert shell.run("batch", sheet, "--dry-run").code == 0


def test_options_that_make_no_sense(tmp_path: Path) -> None:
    for words, told in (
        (("--mates", "R1"), "names no two reads"),
        (("--mates", "R1,R1"), "names no two reads"),
        (("--name-pattern", "{smaple}"), "stands for nothing"),
    ):
        done = sheet(".", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert told in done.stderr
