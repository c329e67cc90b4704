"""`turboupload batch`, as a process: what it says, writes and ends with."""

from __future__ import annotations

import csv
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Running, Shell
from tests.cli.ran import Ran
from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.samples import REFERENCE_ARN

FAST = "\n".join(
    f"{operation}=200"
    for operation in (
        "CreateMultipartReadSetUpload",
        "CompleteMultipartReadSetUpload",
        "GetReadSetMetadata",
        "ListReadSets",
        "UploadReadSetPart",
    )
)


class Sheets:
    """A shell, and a sheet of files of every kind."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell = shell
        self.folder = folder
        self.rows: list[str] = []
        shell.env["TURBOUPLOAD_QUOTA"] = FAST

    def add(self, sample: str, name: str, *values: str) -> None:
        # The emulator is shared: another test's read sets must not be taken for ours.
        self.rows.append(",".join((sample, self.folder.name, name, *values)))

    @property
    def path(self) -> Path:
        path = self.folder / "sheet.csv"
        lines = ["sample,subject,name,source1,source2,reference", *self.rows]
        path.write_text("\n".join(lines) + "\n")
        return path

    def mixed(self) -> None:
        one, two = samples.fastq_pair(self.folder)
        self.add("S1", "pair", one.path.name, two.path.name, "")
        self.add("S2", "bam", samples.bam(self.folder / "b.bam").path.name, "", REFERENCE_ARN)
        self.add("S3", "ubam", samples.ubam(self.folder / "u.bam").path.name, "", "")

    def fastqs(self, count: int, reads: int = 60) -> None:
        for index in range(count):
            name = f"f{index}.fastq.gz"
            samples.fastq(self.folder / name, reads=reads, seed=index)
            self.add(f"S{index}", f"lane{index}", name, "", "")

    def run(self, *arguments: str | Path) -> Ran:
        return self.shell.run("batch", self.path, *arguments)

    def start(self, *arguments: str | Path) -> Running:
        return self.shell.start("batch", self.path, "--json", *arguments)


@pytest.fixture
def sheets(shell: Shell, tmp_path: Path) -> Sheets:
    return Sheets(shell, tmp_path)


def results(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_sheet_of_every_kind_and_again(sheets: Sheets, tmp_path: Path) -> None:
    sheets.mixed()
    kept = tmp_path / "results.csv"
    ran = sheets.run("--results", kept)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("3 rows: 3 done\n  sent ")
    assert [(row["row"], row["name"], row["status"]) for row in results(kept)] == [
        ("2", "pair", "active"), ("3", "bam", "active"), ("4", "ubam", "active"),
    ]  # fmt: skip
    parts = sheets.shell.count("UploadReadSetPart")
    assert (sheets.shell.creates, parts) == (3, 4)
    again = sheets.run("--quiet")
    assert again.code == 0, again.err
    ids = [row["read_set_id"] for row in results(kept)]
    assert [line.split("\t")[2:] for line in again.out.splitlines()] == [
        ["exists", each] for each in ids
    ]
    assert again.err == ""
    assert (sheets.shell.creates, sheets.shell.count("UploadReadSetPart")) == (3, parts)


def test_a_person_is_told_a_hundred_findings_and_a_program_all(sheets: Sheets) -> None:
    for index in range(130):
        sheets.add("S", f"gone{index}", f"gone{index}.bam", "", "")
    ran = sheets.run("--json")
    assert ran.code == 3
    assert ran.err.count("no such file") == 100
    assert ran.err.endswith(
        "and 30 more findings, which --json tells\nerror: 130 findings; nothing was sent\n"
    )
    assert sum(event["event"] == "batch.finding" for event in ran.events) == 130


def test_a_warning_is_told_once(sheets: Sheets) -> None:
    sheets.add("S", "gone", "gone.bam", "", "")
    sheets.path.write_text(
        sheets.path.read_text().replace("reference", "note").replace(",\n", ",x\n")
    )
    ran = sheets.shell.run("batch", sheets.folder / "sheet.csv")
    assert ran.code == 3
    assert ran.err.count("this column is not used") == 1


def test_findings_are_told_all_at_once_and_nothing_is_sent(sheets: Sheets) -> None:
    sheets.fastqs(2)
    sheets.add("S", "gone", "gone.bam", "", "")
    sheets.add("", "nobody", "f0.fastq.gz", "", "")
    samples.bam(sheets.folder / "b.bam")
    sheets.add("S", "bam", "b.bam", "", "")
    ran = sheets.run()
    assert ran.code == 3
    assert ran.out == ""
    rows = [line.split()[2] for line in ran.err.splitlines() if line.startswith("error: row")]
    assert [int(row.rstrip(":,")) for row in rows] == [4, 5, 5, 6]
    assert "nothing was sent" in ran.err
    assert sheets.shell.creates == 0
    as_json = sheets.run("--json")
    assert as_json.code == 3
    assert [each["row"] for each in as_json.events[:-1]] == [4, 5, 5, 6]
    assert (as_json.last["event"], as_json.last["outcome"]) == ("batch.finished", "rejected")


def test_a_bad_row_costs_no_other_and_the_summary_says_what_to_do(
    sheets: Sheets, tmp_path: Path
) -> None:
    sheets.mixed()
    cut = samples.bam(tmp_path / "cut.bam", seed=9).path
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-28])  # its BGZF EOF block: only a look at its end finds that
    sheets.add("S4", "cut", "cut.bam", "", REFERENCE_ARN)
    kept = tmp_path / "results.json"
    *_, refused, last = sheets.run("--dry-run", "--json").events
    assert (refused["row"], refused["verdict"]) == (5, "refused")
    assert refused["error"]["code"] == "bgzf.eof"
    assert (last["counts"]["create"], last["counts"]["refused"]) == (3, 1)
    ran = sheets.run("--results", kept)
    assert ran.code == 8, ran.err
    assert ran.out.startswith("4 rows: 3 done, 1 rejected\n")
    assert "row 5 (cut): " in ran.out
    assert "Traceback" not in ran.err
    (failed,) = [row for row in json.loads(kept.read_text()) if row["status"] == "rejected"]
    assert failed["row"] == 5
    assert failed["what_to_do"]
    cut.write_bytes(whole)
    again = sheets.run("--json")
    assert again.code == 0, again.err
    assert again.last["outcome"] == "active"
    assert again.last["counts"] == {"exists": 3, "active": 1}


def test_a_dry_run_says_what_would_be(sheets: Sheets) -> None:
    sheets.fastqs(3)
    assert sheets.run().code == 0
    sheets.fastqs(1)
    sheets.rows.pop()
    samples.fastq(sheets.folder / "new.fastq.gz", reads=60, seed=77)
    sheets.add("S", "new", "new.fastq.gz", "", "")
    ran = sheets.run("--dry-run")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert [line.split(": ")[1].split(",")[0].split(" ")[0] for line in lines[:4]] == [
        "skip", "skip", "skip", "send",
    ]  # fmt: skip
    assert "1 new read set, 3 skipped" in lines[-1]
    as_json = sheets.run("--dry-run", "--json").last
    assert as_json["outcome"] == "rehearsed"
    assert (as_json["counts"]["create"], as_json["counts"]["exists"]) == (1, 3)
    assert sheets.shell.creates == 3


def test_wrong_credentials_are_said_once_and_end_in_exit_4(sheets: Sheets) -> None:
    sheets.fastqs(3)
    sheets.shell.env["AWS_SECRET_ACCESS_KEY"] = "another"
    ran = sheets.run("--json")
    assert ran.code == 4
    assert ran.err.count("error:") == 1
    assert ran.last["outcome"] == "refused"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--results", "r.txt"], ".csv or .json"),
        (["--results-format", "nf-core"], "add --results FILE"),
        (["--results", "r.json", "--results-format", "nf-core"], "end the file's name in .csv"),
        (["--results-format", "xlsx"], "--results-format"),
        (["--max-failures", "0"], "--max-failures"),
        (["--quota", "Nothing=1"], "not an operation with a quota"),
        (["--quota", "UploadReadSetParts=1"], "did you mean UploadReadSetPart"),
        (["--quota", "UploadReadSetPart=0"], "above zero"),
        (["--quota", "UploadReadSetPart"], "write it like"),
    ],
)
def test_a_command_line_that_makes_no_sense(
    sheets: Sheets, arguments: list[str], said: str
) -> None:
    sheets.fastqs(1)
    ran = sheets.run("--json", *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert ran.last["outcome"] == "usage"


def test_the_results_never_take_the_sheets_place(sheets: Sheets) -> None:
    sheets.fastqs(1)
    before = sheets.path.read_text()
    ran = sheets.run("--results", sheets.path)
    assert ran.code == 2
    assert "it is not replaced" in ran.err
    assert sheets.path.read_text() == before


def test_a_run_that_is_waited_for_and_what_comes_of_it(sheets: Sheets, tmp_path: Path) -> None:
    """The sheet is written last; results are a sample sheet, receipts are in a folder."""
    mark, kept = tmp_path / "CopyComplete.txt", tmp_path / "nf.csv"
    sheet = tmp_path / "later.csv"
    running = sheets.shell.start(
        "batch", sheet, "--json", "--wait-for", mark, "--settle", "100ms", "--results", kept,
        "--results-format", "nf-core", "--receipts", tmp_path / "receipts",
    )  # fmt: skip
    sheets.fastqs(2)
    sheets.path.rename(sheet)
    assert running.process.poll() is None
    mark.touch()
    ran = running.finish()
    assert ran.code == 0, ran.err
    assert [row["sample"] for row in results(kept)] == ["S0", "S1"]
    assert all(row["fastq_1"].startswith("s3://") for row in results(kept))
    names = sorted(each.name for each in (tmp_path / "receipts").iterdir())
    assert names == ["lane0.receipt.json", "lane1.receipt.json"]
    again = sheets.shell.run("batch", sheet, "--force", "--quiet")
    assert again.code == 0, again.err
    assert sheets.shell.creates == 4


STALL = {"operation": "UploadReadSetPart", "after": 3, "times": None,
         "action": {"type": "stall", "seconds": 600}}  # fmt: skip


def test_a_signal_leaves_every_row_resumable(sheets: Sheets, tmp_path: Path) -> None:
    sheets.fastqs(8)
    sheets.shell.emulator.set_faults([STALL])
    kept = tmp_path / "results.json"
    running = sheets.start("--results", kept)
    running.wait_for(
        lambda event: (
            event["event"] == "batch.progress"
            and (len(event["under_way"]), event["counts"].get("active")) == (5, 3)
        )
    )
    began = time.monotonic()
    running.signal(signal.SIGINT)
    running.process.wait(timeout=30)
    assert time.monotonic() - began < 10.0
    ran = running.finish()
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert ran.last["outcome"] == "interrupted"
    assert {row["status"] for row in json.loads(kept.read_text())} <= {
        "active", "processing", "stopped", "waiting",
    }  # fmt: skip
    sheets.shell.emulator.clear_faults()
    command = shlex.split(ran.err.splitlines()[-1])
    again = sheets.shell.run(*command[3:])
    assert again.code == 0, again.err
    assert sheets.shell.creates == 8
    assert sum(again.last["counts"].values()) == 8


def test_on_a_terminal_it_draws_and_leaves_nothing_behind(sheets: Sheets) -> None:
    sheets.fastqs(2)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "turboupload", "batch", str(sheets.path)],
        env={**sheets.shell.env, "TERM": "xterm", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    )
    os.close(follower)
    drawn = b""
    while True:
        try:
            drawn += os.read(leader, 65536)
        except OSError:  # the other end was closed
            break
        if not drawn:
            break
    os.close(leader)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out.startswith("2 rows: 2 done")
    assert b"of 2 rows" in drawn
    assert b"\x1b[?25h" in drawn  # the cursor is shown again


def test_the_sheet_may_come_through_standard_input(
    sheets: Sheets, shared_emulator: RunningEmulator
) -> None:
    sheets.fastqs(1)
    done = subprocess.run(
        [sys.executable, "-m", "turboupload", "batch", "-"],
        input=sheets.path.read_text(),
        env=sheets.shell.env,
        cwd=sheets.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 row: 1 done")


def test_rows_and_cells_of_lanes_become_one_read_set_each(sheets: Sheets) -> None:
    for lane in range(1, 7):
        for mate, read in enumerate(samples.fastq_pair(sheets.folder, reads=9, seed=lane), start=1):
            read.path.rename(sheets.folder / f"L{lane}_R{mate}.fastq.gz")
    for lane in (1, 2):
        sheets.add("S", "rows", f"L{lane}_R1.fastq.gz", f"L{lane}_R2.fastq.gz", "")
    sheets.add("S", "cell", "L3_R1.fastq.gz;L4_R1.fastq.gz", "L3_R2.fastq.gz;L4_R2.fastq.gz", "")
    refused = sheets.run()
    assert refused.code == 3
    assert "row 2 has the same name" in refused.err
    table = sheets.folder / "results.csv"
    ran = sheets.run("--merge", "--prove", "--results", table)
    assert ran.code == 0, ran.err
    assert "2 rows were merged into 1" in ran.err
    assert [(row["row"], row["name"], row["status"]) for row in results(table)] == [
        ("2", "rows", "active"),
        ("4", "cell", "active"),
    ]
    again = sheets.run("--merge")
    assert "2 there already" in again.out
    # A row whose mates are in another order is refused before anything is sent.
    sheets.add("S", "bad", "L5_R1.fastq.gz;L6_R1.fastq.gz", "L6_R2.fastq.gz;L5_R2.fastq.gz", "")
    bad = sheets.run("--merge")
    assert bad.code == 3
    assert "L6_R2.fastq.gz: is not the mate of" in bad.err


def test_a_shard_sends_its_rows_and_has_results_of_its_own(sheets: Sheets, tmp_path: Path) -> None:
    sheets.fastqs(6)
    kept = tmp_path / "run.csv"
    named: list[str] = []
    for number in (1, 2):
        ran = sheets.run("--results", kept, "--shard", f"{number}/2", "--json")
        assert ran.code == 0, ran.err
        assert ran.events[0]["severity"] == "note"
        rows = results(tmp_path / f"run.{number}-of-2.csv")
        assert ran.last["rows"] == len(rows)
        named += [row["name"] for row in rows]
    assert sorted(named) == [f"lane{index}" for index in range(6)]
    assert (sheets.shell.creates, kept.exists()) == (6, False)
    wrong = sheets.run("--shard", "3/2")
    assert wrong.code == 2
    assert "there is no shard 3/2" in wrong.err
