from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.support import samples

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
        (("nowhere",), 3, "error: {cwd}/nowhere: can't be looked through: No such file"),
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
