"""Jobs in their folder: who may ask, and that a dead process leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from turboupload.core.jobs import Asked, Job, written
from turboupload.errors import ConfigError, Stopped
from turboupload.jobs import client, listener, server
from turboupload.jobs.client import find_job, list_jobs, tell_job
from turboupload.jobs.folder import JobFolder, this_host
from turboupload.jobs.listener import PREFIX, is_own_peer, peer_uid
from turboupload.jobs.running import RunningJob, running_job


def job(**more: Any) -> Job:
    fields: dict[str, Any] = {
        "id": 0, "pid": os.getpid(), "host": this_host(), "kind": "upload", "about": "lane 1",
        "store_id": "1234567890", "command": "turboupload upload", "started_at": time.time(),
        "seen_at": time.time(), **more,
    }  # fmt: skip
    return Job(**fields)


class Controlled:
    """Controls that remember what they were told."""

    def __init__(self) -> None:
        self.max_bandwidth: int | None = None
        self.concurrency: int | None = 2
        self.paused = False

    def set_bandwidth(self, bytes_per_s: int | None) -> None:
        self.max_bandwidth = bytes_per_s

    def set_concurrency(self, parts: int | None) -> None:
        if parts == 13:
            raise ConfigError("not thirteen")
        self.concurrency = parts

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


async def in_thread(work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, work)


def nobody(asked: Asked, job: Job) -> None:
    """Hears nothing."""


async def test_it_is_listed_obeys_and_ends(tmp_path: Path) -> None:
    heard: list[Asked] = []
    controls = Controlled()
    with contextlib.suppress(ZeroDivisionError):
        async with running_job(tmp_path, job(), lambda asked, _: heard.append(asked)) as running:
            (seen,) = await in_thread(lambda: list_jobs(tmp_path))
            assert (seen.job.id, seen.state) == (1, "running")
            early = await in_thread(lambda: tell_job(seen, Asked("pause")))
            assert (early.progress.paused, controls.paused) == (True, False)
            running.obey(controls)
            assert controls.paused
            told = Asked("set", {"max_bandwidth": 5000, "concurrency": None})
            after = await in_thread(lambda: tell_job(seen, told))
            assert after.progress.max_bandwidth == controls.max_bandwidth == 5000
            assert after.progress.concurrency is None
            with pytest.raises(Stopped, match="not thirteen"):
                await in_thread(lambda: tell_job(seen, Asked("set", {"concurrency": 13})))
            running.ended("active", 0)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in _files(tmp_path)}
            assert modes == {"1.json": 0o600, "1.sock": 0o600, "jobs": 0o700}
            raise ZeroDivisionError
    assert [each.deed for each in heard] == ["pause", "set"]
    (ended,) = list_jobs(tmp_path)
    assert (ended.state, ended.job.outcome, ended.job.exit_code) == ("ended", "active", 0)
    assert [path.name for path in _files(tmp_path)] == ["1.json", "jobs"]
    with pytest.raises(ConfigError, match="it has ended"):
        tell_job(ended, Asked("pause"))
    with pytest.raises(ConfigError, match="no job 2"):
        find_job(tmp_path, 2)


def _files(state: Path) -> list[Path]:
    return sorted([state / "jobs", *(state / "jobs").iterdir()], key=lambda path: path.name)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


DIES = """
import asyncio, json, os, signal, sys
from pathlib import Path
from turboupload.core.jobs import read_job
from turboupload.jobs.running import running_job
async def die():
    async with running_job(Path(sys.argv[1]), read_job(sys.argv[2]), print):
        os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(die())
"""


@pytest.mark.parametrize("deep", [False, True], ids=["short path", "path too long for a socket"])
def test_a_dead_process_is_known_as_dead_and_leaves_nothing(short: Path, deep: bool) -> None:
    state = short / ("x" * 120 if deep else "state")
    env = {**os.environ, "TMPDIR": str(short)}
    words = [sys.executable, "-c", DIES, str(state), written(job())]
    died = subprocess.run(words, env=env, check=False)
    assert died.returncode == -9
    left = [path for path in short.rglob("*") if path.is_socket()]
    assert len(left) == 1
    assert left[0].parent.name.startswith(PREFIX) == deep
    (seen,) = list_jobs(state)
    assert (seen.state, seen.job.outcome) == ("killed", None)
    assert not [path for path in short.rglob("*") if path.is_socket() or PREFIX in path.name]
    with pytest.raises(ConfigError, match="was killed"):
        tell_job(seen, Asked("pause"))


async def test_a_path_too_long_for_a_socket_is_obeyed_all_the_same(tmp_path: Path) -> None:
    state = tmp_path / ("x" * 120)
    async with running_job(state, job(), nobody) as running:
        running.obey(controls := Controlled())
        seen = await in_thread(lambda: find_job(state, 1))
        await in_thread(lambda: tell_job(seen, Asked("pause")))
        assert controls.paused
        folder = Path(seen.job.socket or "").parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


async def test_where_there_are_no_sockets_it_runs_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Any:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(listener, "_listen", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with running_job(tmp_path / "state", job(), nobody):
        (seen,) = list_jobs(tmp_path / "state")
        assert (seen.state, seen.job.why_no_socket) == ("silent", "Operation not permitted")
        with pytest.raises(ConfigError, match=r"no socket \(Operation not permitted\)"):
            tell_job(seen, Asked("pause"))
    assert list_jobs(tmp_path / "state")[0].state == "ended"
    assert not list(tmp_path.glob(f"{PREFIX}*"))  # noqa: ASYNC240


async def test_where_it_cannot_be_listed_it_runs(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("no folder")
    async with running_job(tmp_path, job(), nobody) as running:
        running.ended("active", 0)
    with pytest.raises(ConfigError, match="it is a file"):
        list_jobs(tmp_path)


def test_other_users_are_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer_uid(ours) == os.geteuid()
    assert [is_own_peer(uid) for uid in (os.geteuid(), os.geteuid() + 1, -1, None)] == [
        True, False, False, True,
    ]  # fmt: skip


async def test_a_stranger_gets_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_job(tmp_path, job(), nobody):
        seen = await in_thread(lambda: find_job(tmp_path, 1))
        monkeypatch.setattr(server, "peer_uid", lambda _: os.geteuid() + 1)
        with pytest.raises(Stopped):
            await in_thread(lambda: tell_job(seen, Asked("pause")))
        assert not json.loads((tmp_path / "jobs" / "1.json").read_text())["progress"]["paused"]


@pytest.mark.parametrize("line", [b"{\n", b"\xff\n", b"", b"x" * 100_000 + b"\n"])
async def test_nonsense_on_the_socket_disturbs_nobody(tmp_path: Path, line: bytes) -> None:
    async with running_job(tmp_path, job(), nobody):
        seen = await in_thread(lambda: find_job(tmp_path, 1))

        def talk() -> None:
            with socket.socket(socket.AF_UNIX) as peer, contextlib.suppress(OSError):
                peer.connect(seen.job.socket or "")
                peer.sendall(line)
                peer.shutdown(socket.SHUT_WR)
                peer.recv(1000)

        await in_thread(talk)
        assert (await in_thread(lambda: find_job(tmp_path, 1))).state == "running"


async def test_one_that_does_not_answer_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOOK_S", "TELL_S"):
        monkeypatch.setattr(client, name, 0.05)
    async with running_job(tmp_path, job(), nobody):
        # Not in a thread: the loop that would answer is held up.
        (seen,) = list_jobs(tmp_path)
        assert seen.state == "silent"
        with pytest.raises(Stopped, match="does not answer"):
            tell_job(seen, Asked("pause"))


def test_each_job_gets_a_number_of_its_own(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.prepare()
    numbers: list[int] = []

    def begin() -> None:
        file = folder.begin(job())
        numbers.append(file.job.id)

    threads = [threading.Thread(target=begin) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 21))
    assert len(folder.jobs()) == 20


def test_what_is_old_is_forgotten_and_what_is_no_job_is_left_out(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.prepare()
    for number in range(3):
        file = folder.begin(job(about=str(number)))
        ended_at = 1.0 if number == 0 else 4e9
        file.write(replace(file.job, ended_at=ended_at, outcome="active"))
        file.close()
    (folder.path / "9.json").write_text("{")
    (folder.path / "7.sock").write_text("")
    assert [seen.id for seen, _ in folder.jobs()] == [2, 3]
    assert sorted(path.name for path in folder.path.iterdir()) == ["2.json", "3.json", "9.json"]


def test_a_folder_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    folder.path.mkdir(mode=0o755)
    folder.prepare()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.path.rmdir()
    folder.path.symlink_to(tmp_path)
    with pytest.raises(ConfigError):
        folder.prepare()


def test_what_is_asked_before_it_runs_is_seen_at_once() -> None:
    running = RunningJob(job(), nobody)
    answer = json.loads(running.answer(b'{"do": "set", "concurrency": 9}'))
    assert answer["job"]["progress"]["concurrency"] == 9
    assert json.loads(running.answer(b"{}"))["error"]
