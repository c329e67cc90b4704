"""The file changes, or the disks fail, under way: stopped, nothing completed, what is safe kept."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.conftest import COMPLETE, Trial
from tests.support.launcher import Ending


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(45_000)
        file.write(b"other bytes")


def test_a_file_that_changes_stops_it_and_comes_back_to_what_was_sent(trial: Trial) -> None:
    whole = trial.path.read_bytes()
    run = trial.start(edge="after the row part 1/3", deed="stop")
    assert run.wait().code is None
    rewrite(trial.path)
    run.go_on()
    ending = run.wait()
    assert (ending.code, ending.last["outcome"]) == (6, "changed"), ending.err
    assert f"{trial.path}: " in ending.err
    assert "changed while it was being uploaded: it was written to" in ending.err
    assert trial.count(COMPLETE) == 0
    trial.path.write_bytes(whole)
    trial.goes_on(reused=3)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if mount is None or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607 - as the system has it


def test_a_disk_that_fills_under_the_journal_stops_it(trial: Trial, small_disk: Path) -> None:
    ballast = small_disk / "ballast"

    def fill() -> None:
        free = os.statvfs(small_disk)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))

    state = small_disk / "state"
    run = trial.start(edge="after the row part 1/2", deed="stop", state=state)
    assert run.wait().code is None
    fill()
    run.go_on()
    check_journal_failed(trial, run.wait())
    again = trial.run(state=state)
    assert again.code in (2, 5), again.err
    assert "Traceback" not in again.err
    assert trial.count(COMPLETE) == 0
    ballast.unlink()
    ending = trial.run(state=state)
    trial.verify(ending)
    assert ending.last["parts_reused"] >= 2


def test_a_journal_that_can_not_grow_stops_it(trial: Trial) -> None:
    run = trial.start(edge="after the row part 1/2", deed="stop")
    assert run.wait().code is None
    journal = trial.subject.state / "journal.sqlite3-wal"
    limit = (journal.stat().st_size, resource.RLIM_INFINITY)
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, limit)
    run.go_on()
    check_journal_failed(trial, run.wait())
    trial.goes_on(reused=2)


def check_journal_failed(trial: Trial, ending: Ending) -> None:
    assert (ending.code, ending.last["outcome"]) == (5, "stopped"), ending.err
    assert "the journal can't be written" in ending.err
    assert "to go on, run the same command again" in ending.err
    assert trial.count(COMPLETE) == 0
