"""`turboupload jobs` and the commands that it looks after."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import ABOUT, SIX_PARTS, Running, Shell
from tests.cli.ran import Ran
from tests.support.samples import fastq

Within = Callable[..., Ran]
OBEYS_S = 10.0


@pytest.fixture
def slowly(shell: Shell, reads: Path, request: pytest.FixtureRequest) -> Running:
    """An upload that would take a minute and a half, its first part in flight."""
    run = shell.start_upload(request.node.name, reads, *SIX_PARTS, "--max-bandwidth", "600B")
    progress(run, in_flight=1)
    return run


def job(within: Within, *arguments: str) -> dict[str, Any]:
    ran = within("jobs", *arguments, "--json")
    assert ran.code == 0, ran.err
    return ran.events[0]


def progress(run: Running, **wanted: Any) -> dict[str, Any]:
    return run.wait_for(
        lambda event: event["event"] == "upload.progress" and wanted.items() <= event.items()
    )


def test_a_job_is_capped_paused_resumed_and_ends(slowly: Running, within: Within) -> None:
    assert (job(within)["state"], job(within)["progress"]["doing"]) == ("running", "sending")
    paused = within("jobs", "pause", "1")
    assert "is paused; `turboupload jobs resume 1` lets it go on" in paused.out
    began = time.monotonic()
    progress(slowly, paused=True)
    assert time.monotonic() - began < OBEYS_S
    shown = within("jobs", "show", "1")
    assert "state    paused: nothing new is sent" in shown.out
    changed = within("jobs", "set", "1", "--max-bandwidth", "none", "--concurrency", "3")
    assert "no cap on its rate, 3 parts at a time" in changed.out
    # The part in flight comes to its end, now that nothing holds it back; no other begins.
    last = progress(slowly, done_parts=1)
    assert (last["eta_s"], last["window"]) == (None, 3)
    assert within("jobs", "resume", "1", "--quiet").out == "1\n"
    ended = slowly.finish()
    assert (ended.code, ended.last["outcome"]) == (0, "active")
    said = {event["code"]: event["text"] for event in ended.events if "code" in event}
    assert {"paused", "resumed", "changed"} <= said.keys()
    over = job(within)
    assert (over["state"], over["outcome"], over["exit_code"]) == ("ended", "active", 0)
    assert within("jobs", "pause", "1").code == 2


def test_an_interrupt_ends_a_paused_upload_and_it_goes_on(
    slowly: Running, reads: Path, within: Within, request: pytest.FixtureRequest
) -> None:
    job(within, "pause", "1")
    job(within, "set", "1", "--max-bandwidth", "none")
    progress(slowly, paused=True, in_flight=0, done_parts=1)
    slowly.signal(signal.SIGINT)
    ended = slowly.finish()
    assert (ended.code, ended.last["outcome"]) == (130, "interrupted")
    assert job(within)["outcome"] == "interrupted"
    again = within("upload", reads, "--name", request.node.name, *ABOUT, "--json")
    assert (again.code, again.last["outcome"]) == (0, "active")
    assert again.last["parts_reused"] == 1


def test_one_that_was_killed_or_stopped_is_known_as_such(
    shell: Shell, slowly: Running, within: Within, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turboupload.jobs import client

    monkeypatch.setattr(client, "LOOK_S", 0.1)
    slowly.signal(signal.SIGSTOP)
    assert job(within)["state"] == "silent"
    slowly.signal(signal.SIGKILL)
    slowly.process.wait(30)
    killed = job(within)
    assert (killed["state"], killed["outcome"]) == ("killed", None)
    assert not list(shell.folder.rglob("*.sock"))
    assert "ended without a word" in within("jobs", "show", "1").out


def test_a_batch_is_a_job_with_rows(shell: Shell, within: Within, tmp_path: Path) -> None:
    names = [f"lane{number}" for number in range(3)]
    for number, name in enumerate(names):
        fastq(tmp_path / f"{name}.fastq.gz", reads=560, seed=number)
    sheet = tmp_path / "sheet.csv"
    rows = "".join(f"{name},S,U,{name}.fastq.gz\n" for name in names)
    sheet.write_text(f"name,sample,subject,source1\n{rows}")
    run = shell.start("batch", sheet, "--json", "--max-bandwidth", "5000", "--part-size", "10000")
    run.wait_for(lambda event: event["event"] == "batch.progress" and event["in_flight"] > 0)
    job(within, "pause", "1")
    run.wait_for(lambda event: event["event"] == "batch.progress" and event["paused"])
    seen = job(within, "show", "1")
    assert (seen["state"], seen["progress"]["rows"], seen["kind"]) == ("paused", 3, "batch")
    job(within, "set", "1", "--max-bandwidth", "none")
    job(within, "resume", "1")
    ended = run.finish()
    assert (ended.code, ended.last["outcome"]) == (0, "active")
    assert (job(within)["outcome"], job(within)["progress"]["done_rows"]) == ("active", 3)


def test_what_was_refused_is_remembered_with_its_reason(within: Within, tmp_path: Path) -> None:
    (tmp_path / "broken.fastq.gz").write_bytes(b"no reads")
    ran = within("upload", tmp_path / "broken.fastq.gz", "--name", "n", *ABOUT)
    assert ran.code == 3
    seen = job(within)
    assert (seen["outcome"], seen["exit_code"]) == ("rejected", 3)
    assert seen["message"]
    assert seen["message"] in within("jobs", "show", "1").out


def test_a_rehearsal_is_no_job(within: Within, reads: Path) -> None:
    ran = within("upload", reads, "--name", "n", *ABOUT, "--dry-run")
    assert ran.code == 0
    listed = within("jobs")
    assert (listed.code, listed.out) == (0, "")
    assert "nothing runs here" in listed.err


@pytest.mark.parametrize("command", [["list"], ["show", "1"], ["pause", "1"]])
def test_a_state_folder_that_is_none(within: Within, tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "state"
    file.touch()
    ran = within("jobs", *command, "--state-dir", file)
    assert ran.code == 2, ran.err
    assert f"error: {file / 'jobs'}: the state folder can't be used: it is a file" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "1"], "nothing is to be set"),
        (["set", "1", "--max-bandwidth", "0"], "jobs pause"),
        (["set", "1", "--concurrency", "many"], "neither a number"),
        (["set", "1", "--concurrency", "1001"], "neither a number"),
        (["pause", "7"], "there is no job 7"),
        (["show", "first"], "first"),
        (["stop", "1"], "there is no command 'stop'"),
    ],
)
def test_what_makes_no_sense_is_exit_2(within: Within, arguments: list[str], words: str) -> None:
    ran = within("jobs", *arguments)
    assert ran.code == 2
    assert words in ran.err


def test_the_settings_file_changes_no_job(
    within: Within, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "turboupload").mkdir()
    (tmp_path / "turboupload" / "config.toml").write_text('max-bandwidth = "1MiB/s"\n')
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "nothing is to be set" in within("jobs", "set", "1").err
    assert "there is no job 1" in within("jobs", "set", "1", "--concurrency", "4").err
