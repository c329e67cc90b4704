"""`turboupload import` as its users run it, over real objects and a real socket."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import SECRET, Shell
from tests.support import samples
from tests.support.emulator import RunningEmulator

ROLE = ("--role-arn", "arn:aws:iam::111122223333:role/omics-import")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bucket = tmp_path_factory.mktemp("s3") / "bucket"
    bucket.mkdir()
    samples.fastq_pair(bucket, reads=2)
    samples.ubam(bucket / "reads.bam", reads=2)
    (bucket / "bad.fastq.gz").write_text("no gzip")
    return bucket


@pytest.fixture(scope="module")
def emulator(bucket: Path) -> Iterator[RunningEmulator]:
    with RunningEmulator(*options(bucket), "--ingest-delay", "0") as running:
        yield running


def options(bucket: Path) -> tuple[str, ...]:
    return ("--secret-key", SECRET, "--s3-root", str(bucket.parent))


@pytest.fixture
def shell(emulator: RunningEmulator, tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(emulator, tmp_path)
    yield shell
    shell.close()


def test_a_sheet_with_a_row_that_fails_then_list_and_show(shell: Shell, tmp_path: Path) -> None:
    sheet, results = tmp_path / "sheet.csv", tmp_path / "results.csv"
    sheet.write_text(
        "sample,source1,source2,type,note\n"
        "s,s3://bucket/sample_R1.fastq.gz,s3://bucket/sample_R2.fastq.gz,,x\n"
        "s,s3://bucket/reads.bam,,ubam,x\n"
        "s,s3://bucket/bad.fastq.gz,,,x\n"
    )
    words = ("import", sheet, "--subject", "p", *ROLE)
    ran = shell.run(*words, "--results", results, "--retry-failed", "1")
    assert ran.code == 8
    assert "warning: row 1, note: this column is not used" in ran.err
    assert ran.out.startswith("3 rows: 2 done, 1 failed\n  row 4 (bad): SOURCE1: the file is not")
    with results.open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["active", "active", "failed"]

    again = shell.run("import", "start", *words[1:], "--json")
    assert again.code == 8
    kinds = [event["event"] for event in again.events]
    assert kinds[0] == "import.finding"
    assert kinds[-1] == "import.start.finished"
    assert {"import.planned", "import.row", "import.job"} <= set(kinds)
    assert again.last["outcome"] == "some_failed"
    assert again.last["counts"] == {"exists": 2, "failed": 1}

    listed = shell.run("import", "list", "--json", "--status", "completed_with_failures")
    # The newest first: the row that failed was a job of its own afterwards.
    *_, job = [event for event in listed.events if event["event"] == "import.job"]
    assert job["status"] == "COMPLETED_WITH_FAILURES"
    shown = shell.run("import", "show", job["job_id"])
    assert "sources     2 FINISHED, 1 FAILED" in shown.out
    assert "s3://bucket/sample_R2.fastq.gz" in shown.out
    assert "SOURCE1: the file is not gzip" in shown.out


def test_arguments_name_one_read_set(shell: Shell) -> None:
    words = ("s3://bucket/sample_R1.fastq.gz", "s3://bucket/sample_R2.fastq.gz")
    about = ("--sample", "args", "--subject", "p", "--name", "mine", "--tag", "k=v", *ROLE)
    dry = shell.run("import", *words, *about, "--dry-run")
    assert (dry.code, dry.out) == (0, "row 1 (mine): import\n")
    ran = shell.run("import", *about, *words, "--quiet")
    assert (ran.code, ran.err) == (0, "")
    row, name, status, read_set_id = ran.out.rstrip("\n").split("\t")
    assert (row, name, status) == ("1", "mine", "active")
    assert read_set_id.isdecimal()


def test_what_goes_wrong_is_told_with_its_code(shell: Shell, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(
        "sample,subject,file\na,p,here.bam\nb,p,s3://bucket/what\n,p,s3://bucket/x.bam\n"
    )
    ran = shell.run("import", sheet, *ROLE, "--json")
    assert ran.code == 3
    assert ran.err.endswith("error: 3 findings; nothing was started\n")
    found = [event["row"] for event in ran.events if event["event"] == "import.finding"]
    assert found == [2, 3, 4]
    assert ran.last["outcome"] == "rejected"

    ran = shell.run("import", "s3://bucket/a.bam", "--json")
    assert (ran.code, ran.last["outcome"]) == (2, "usage")
    assert "Missing option '--role-arn'" in ran.err


def test_the_results_never_take_the_sheets_place(shell: Shell, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("sample,subject,source1\nkept,p,s3://bucket/sample_R1.fastq.gz\n")
    before = sheet.read_text()
    ran = shell.run("import", sheet, *ROLE, "--results", tmp_path / "." / "sheet.csv")
    assert ran.code == 2
    assert "it is not replaced" in ran.err
    assert sheet.read_text() == before


def test_a_hundred_warnings_hide_no_error(shell: Shell, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    rows = [f"s,p,s3://bucket/{number}.bam" for number in range(120)]
    sheet.write_text("\n".join(["sample,subject,source1", *rows, "s,p,here.bam", ""]))
    ran = shell.run("import", sheet, *ROLE)
    assert ran.code == 3
    assert ran.err.startswith("error: row 122: ")
    assert ran.err.count("\nwarning: ") + ran.err.count("\nnote: ") == 99
    assert "more findings, which --json tells" in ran.err


def test_an_interrupt_and_a_kill_start_nothing_twice(bucket: Path, tmp_path: Path) -> None:
    about = ("--type", "UBAM", "--sample", "killed", "--subject", "p")
    words = ("import", "s3://bucket/reads.bam", *about, *ROLE)
    data = tmp_path / "data"
    with RunningEmulator(*options(bucket), "--ingest-delay", "600", root=data) as slow:
        shell = Shell(slow, tmp_path)
        interrupted = shell.start(*words, "--json")
        job = interrupted.wait_for(lambda event: event["event"] == "import.job")
        interrupted.signal(signal.SIGINT)
        ran = interrupted.finish()
        assert (ran.code, ran.last["outcome"]) == (130, "interrupted")
        assert "interrupted; 1 import job goes on at the service; the same command" in ran.err
        killed = shell.start(*words, "--json")
        adopted = killed.wait_for(lambda event: event["event"] == "import.job")
        assert (adopted["job_id"], adopted["adopted"]) == (job["job_id"], True)
        killed.signal(signal.SIGKILL)
        killed.finish()
        assert slow.stats()["operations"]["StartReadSetImportJob"]["requests"] == 1
    with RunningEmulator(*options(bucket), "--ingest-delay", "0", root=data) as quick:
        done = Shell(quick, tmp_path).run(*words, "--json")
        assert done.code == 0
        assert "StartReadSetImportJob" not in json.dumps(quick.stats()["operations"])
