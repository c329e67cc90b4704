"""Several processes: on one upload, on uploads side by side, and after one that died."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hostile.conftest import CREATE, PARTS, SEND, Trial, stall, wait_until
from tests.soak.site import Subject
from tests.support.samples import fastq


@pytest.mark.parametrize("edge", ["before Create", "part 1/2 from byte 4096", "before GetReadSet"])
def test_a_second_process_says_so_and_ends(trial: Trial, edge: str) -> None:
    first = trial.start(edge=edge, deed="stop")
    assert first.wait().code is None
    second = trial.run()
    assert (second.code, second.last["outcome"]) == (5, "busy")
    assert f"another process ({first.pid})" in second.err
    first.go_on()
    trial.verify(first.wait())
    assert trial.count(CREATE) == 1
    assert set(trial.stored.values()) == {1}


def test_the_lock_of_a_dead_process_blocks_nobody(trial: Trial) -> None:
    assert trial.run(edge="part 1/2 from byte 4096").killed
    locks = list((trial.subject.state / "locks").iterdir())
    assert locks
    for lock in locks:
        # Its process id may have become another's.
        lock.write_text(f"{os.getpid()}\n")
    trial.goes_on(reused=1)


def test_two_hosts_on_one_upload_make_one_read_set(trial: Trial, tmp_path: Path) -> None:
    trial.faults(stall(SEND, after=2))
    first = trial.start("--stall-timeout", "2s")
    wait_until(lambda: len(trial.stored) == 2 and trial.under_way(SEND))
    second = trial.run(state=tmp_path / "elsewhere")
    trial.verify(second)
    ending = first.wait()
    assert ending.code in (0, 5), ending.err
    again = trial.run()
    trial.verify(again)
    assert again.last["read_set_id"] == second.last["read_set_id"]


def test_processes_on_different_uploads_work_side_by_side(trial: Trial, tmp_path: Path) -> None:
    subjects = []
    for number in range(6):
        path = fastq(tmp_path / f"lane{number}.fastq.gz", reads=300, seed=number).path
        name = f"{trial.subject.name} {number}"
        subjects.append(Subject(name, (path,), 10_000, 2, trial.subject.state))
    store = trial.site.emulator.store_id
    runs = [
        trial.site.launcher.start(*each.arguments(store), state=each.state) for each in subjects
    ]
    for subject, run in zip(subjects, runs, strict=True):
        trial.site.verify(subject, run.wait())
    rows = trial.site.emulator.stats()["parts"]
    assert {row["stored"] for row in rows} == {1}
    assert len(rows) > PARTS
