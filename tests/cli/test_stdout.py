"""A stdout that can't be written costs nobody an upload."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import ABOUT, SIX_PARTS, Shell


def existing(shell: Shell, name: str, *arguments: str | Path) -> str:
    """The read set that the same command finds afterwards."""
    ran = shell.upload(name, *arguments, "--json")
    assert ran.code == 0, ran.err
    assert ran.last["bytes_sent"] == 0
    return str(ran.last["read_set_id"])


def test_a_reader_who_goes_away_does_not_stop_the_upload(shell: Shell, reads: Path) -> None:
    running = shell.start_upload("pipe", reads, *SIX_PARTS)
    running.wait_for(lambda event: event["event"] == "upload.started")
    running.stdout.close()
    assert running.process.stderr is not None
    err = running.process.stderr.read()
    assert running.process.wait(timeout=30) == 0
    assert err == "warning: stdout can't be written: Broken pipe; going on without\n"
    assert existing(shell, "pipe", reads, *SIX_PARTS)


def test_a_full_disk_does_not_swallow_the_result(shell: Shell, reads: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ran = shell.upload("full", reads, "--quiet", stdout=full)
    assert ran.code == 0
    warning, read_set_id = ran.err.splitlines()
    assert "No space left on device" in warning
    assert read_set_id == existing(shell, "full", reads)


def test_a_closed_stdout_is_no_bug(shell: Shell, reads: Path) -> None:
    ran = shell.upload("closed", reads, "--quiet", preexec_fn=lambda: os.close(1))
    assert ran.code == 0
    assert "Traceback" not in ran.err
    assert existing(shell, "closed", reads) in ran.err


@pytest.mark.parametrize("words", [(), ("--json",), ("-vv",)])
def test_an_upload_that_nobody_can_be_told_of_is_done_all_the_same(
    shell: Shell, reads: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    receipt = tmp_path / "r.json"

    def close_all() -> None:
        for descriptor in range(3):
            os.close(descriptor)

    told: tuple[str | Path, ...] = ("--receipt", receipt, *words)
    ran = shell.upload(f"silent{words}", reads, *told, preexec_fn=close_all)
    assert (ran.code, ran.out, ran.err, receipt.exists()) == (0, "", "", True)
    receipt.unlink()
    with Path("/dev/full").open("w") as full:
        ran = shell.upload(f"silent{words}", reads, *told, stdout=full, stderr=full)
    assert (ran.code, receipt.exists()) == (0, True)


def test_a_terminal_that_goes_away_stops_nothing(shell: Shell, reads: Path, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    running = shell.start(
        *("upload", reads, "--name", "terminal", *ABOUT, *SIX_PARTS, "--max-bandwidth", "20k"),
        *("--receipt", tmp_path / "r.json"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    os.close(theirs)
    shell.wait_until(lambda: shell.count("UploadReadSetPart"))
    os.close(ours)
    assert running.process.wait(timeout=30) == 0
    assert (tmp_path / "r.json").exists()


def test_what_the_encoding_lacks_is_escaped(shell: Shell, reads: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii"}
    assert shell.upload("Zürich", reads, "--quiet", env=env).code == 0
    ran = shell.run("readsets", "list", "--name", "Zürich", env=env)
    assert (ran.code, ran.err) == (0, "")
    assert "Z\\xfcrich" in ran.out
    odd = reads.rename(os.fsdecode(os.fsencode(reads.parent) + b"/\xff.fastq.gz"))
    ran = shell.run("check", odd, env={"PYTHONIOENCODING": "utf-8:strict"})
    assert (ran.code, "\\udcff.fastq.gz: FASTQ" in ran.out) == (0, True)


def test_help_into_a_full_disk(shell: Shell) -> None:
    with Path("/dev/full").open("w") as full:
        ran = shell.run("--help", stdout=full)
    assert ran.code == 1
    assert ran.err == "error: stdout can't be written: No space left on device\n"


def test_a_last_line_that_is_lost_is_told(shell: Shell, reads: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "r.json"
    assert shell.upload("last", reads, "--receipt", receipt).code == 0
    # Nothing but the last line is written by these.
    only_last_lines: list[tuple[str | Path, ...]] = [
        ("receipt", "verify", receipt),
        ("uploads", "list"),
        ("readsets", "list", "--name", "none of this name"),
    ]
    for command in only_last_lines:
        with Path("/dev/full").open("w") as full:
            ran = shell.run(*command, "--json", stdout=full)
        assert ran.code == 1, command
        assert ran.err.splitlines()[-1] == (
            "error: stdout can't be written: No space left on device"
        )


def test_an_error_keeps_its_exit_code_where_the_last_line_is_lost(shell: Shell) -> None:
    with Path("/dev/full").open("w") as full:
        ran = shell.run("readsets", "show", "1234567890", "--json", stdout=full)
        assert ran.code == 4, ran.err
        assert shell.run("readsets", "show", "abc", "--json", stdout=full).code == 2
