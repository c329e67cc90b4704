"""Nothing that came from a name, a cell or a reply moves a terminal's cursor or turns its text."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import sys
import termios
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ABOUT, Shell
from tests.cli.ran import Ran
from tests.support.samples import fastq
from turboupload.cli.ui import errors
from turboupload.cli.ui.output import Output, folded, pour, say

EVIL = "x\x1b[31m\x9b2J\u202e\x07"
ROLE = ("--role-arn", "arn:aws:iam::000000000000:role/import")
Within = Callable[..., Ran]


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """A folder of an evil name, with a read file and a sheet of evil cells in it."""
    folder = tmp_path / EVIL
    folder.mkdir()
    fastq(folder / f"{EVIL}.fastq.gz", reads=2)
    (folder / "broken.fastq.gz").write_bytes(b"\x1b[31mno FASTQ")
    (folder / "sheet.csv").write_text(f"{EVIL},sample,subject,fastq_1\n1,s,u,{EVIL}.fastq.gz\n")
    (folder / "bad.csv").write_text(f"sample,subject,fastq_1,tag:{EVIL}\n{EVIL},u,a{EVIL}.gz,1\n")
    return folder


def commands(folder: Path) -> list[list[str | Path]]:
    reads, broken = folder / f"{EVIL}.fastq.gz", folder / "broken.fastq.gz"
    imported = folder / "imported.csv"
    imported.write_text(f"sample,subject,fastq_1\ns,u,s3://bucket/{EVIL}.fastq.gz\n")
    return [
        [EVIL],
        ["upload", f"--{EVIL}"],
        ["upload", reads, "--name", "n", *ABOUT, "--dry-run", "-vv"],
        ["upload", reads, "--name", "evil", *ABOUT, "-vv", "--receipt", folder / "receipt.json"],
        ["upload", reads, "--name", "evil", *ABOUT],
        ["upload", reads, "--name", EVIL, *ABOUT],
        ["upload", reads, "--name", "n", *ABOUT, "--tag", f"{EVIL}=1"],
        ["upload", reads, "--name", "n", *ABOUT, "--tag", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--reference", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--region", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--endpoint-url", f"http://{EVIL}"],
        ["upload", reads, "--name", "n", *ABOUT, "--profile", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--ca-bundle", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--store", EVIL],
        ["upload", reads, "--name", "n", *ABOUT, "--state-dir", f"/dev/null/{EVIL}"],
        ["upload", broken, folder / EVIL, "--name", "n", *ABOUT],
        ["check", reads],
        ["check", reads, "--deep", "--json"],
        ["check", reads, broken, folder / EVIL],
        ["batch", folder / "sheet.csv", "--dry-run"],
        ["batch", folder / "sheet.csv", "--results", folder / f"{EVIL}.json"],
        ["batch", folder / "bad.csv"],
        ["batch", folder / EVIL],
        ["sheet", folder, "-o", folder / f"{EVIL}.csv"],
        ["sheet", folder, "-o", folder / f"{EVIL}.csv"],
        ["sheet", folder / EVIL],
        ["import", folder / "sheet.csv", *ROLE],
        ["import", imported, *ROLE, "--dry-run"],
        ["import", f"s3://bucket/{EVIL}", *ABOUT, *ROLE, "--dry-run"],
        ["import", imported, "--role-arn", EVIL],
        ["import", "list", "--status", EVIL],
        ["import", "show", EVIL],
        ["readsets", "list", "--name", EVIL],
        ["readsets", "list", "--created-after", EVIL],
        ["readsets", "show", EVIL],
        ["readsets", "verify", "1234567890", reads],
        ["uploads", "show", EVIL],
        ["uploads", "clean", "--older-than", EVIL],
        ["stores", "list", "--name", EVIL],
        ["receipt", "show", EVIL],
        ["receipt", "verify", folder / "receipt.json"],
        ["receipt", "verify", folder / EVIL, reads],
        ["demo", folder / EVIL, "--keep", folder],
    ]


def test_no_command_lets_them_through(shell: Shell, within: Within, evil: Path) -> None:
    obeyed = {}
    for arguments in commands(evil):
        ran = within(*arguments)
        found = {each for each in ran.out + ran.err if unicodedata.category(each)[0] == "C"}
        assert ran.code != 1, (arguments, ran.err)
        if found - {"\n", "\t"}:
            obeyed[tuple(map(str, arguments))] = (found, ran.err)
    assert obeyed == {}


def test_words_and_lines_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    shown = r"x\x1b[31m\x9b2J\u202e\x07"
    say(f"a {EVIL}\n\tb")
    Output(required=True).line(f"a {EVIL}\n\tb")
    captured = capsys.readouterr()
    assert captured == (f"a {shown}\n\tb\n", f"a {shown}\n\tb\n")


def test_a_document_is_whole_in_a_file_and_printable_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pour(f"{EVIL}\n")
    assert capsys.readouterr().out == f"{EVIL}\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    pour(f"{EVIL}\n")
    assert capsys.readouterr().out == r"x\x1b[31m\x9b2J\u202e\x07" + "\n"


def test_the_same_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["turboupload", "a b", "it's \x1b\udce4\\"])
    assert errors.this_command().endswith(r" 'a b' $'it\'s \x1b\xe4\\'")


def test_nothing_else_writes() -> None:
    """All that a command says passes through `cli.ui.output`, or is drawn by rich."""
    package = Path(errors.__file__).parents[1]
    writes = re.compile(
        r"click\.(?:echo|secho|prompt|confirm)\(|(?<![.\w])print\(|sys\.std\w+\.write"
    )
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for line in path.read_text().splitlines()
        if writes.search(line) and not re.search(r"printable|def ", line)
    }
    assert found <= {"ui/output.py"}


def test_a_file_cannot_be_typed(within: Within, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.isatty", lambda descriptor: descriptor == 0)
    ran = within("upload", "-", "--name", "n", *ABOUT)
    assert ran.code == 2
    assert "standard input is a terminal" in ran.err
    assert "samtools view -b" in ran.err


def test_nothing_is_read_through_a_closed_standard_input(
    within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As Python has it after `<&-`; descriptor 0 is then whatever was opened first.
    monkeypatch.setattr("sys.stdin", None)
    ran = within("upload", "-", "--name", "n", *ABOUT)
    assert ran.code == 2
    assert "standard input is closed" in ran.err


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_lines_break_between_words_on_a_terminal_alone(columns: int, tmp_path: Path) -> None:
    words = (
        "CreateMultipartReadSetUpload failed: Rate exceeded (ThrottlingException); again in 0.5 s"
    )
    command = (
        "  turboupload upload sample.bam --store 1234567890 --name sample --sample HG002 --dry"
    )
    text = f"  {words}, {words}\n{command}\nshort"
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    with open(theirs, "w") as terminal, (tmp_path / "file").open("w") as file:  # noqa: PTH123 # a descriptor
        told = folded(text, terminal)
        assert folded(text, file) == folded(text, None) == text
    os.close(ours)
    assert told.split() == text.split()
    assert command in told
    assert all(len(line) <= columns for line in told.split("\n") if line != command)
    assert told.startswith("  Create")
    assert re.match(r" {2}\S", told.split("\n")[1])
