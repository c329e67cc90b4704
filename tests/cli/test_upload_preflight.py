"""What `turboupload upload` says of files that are bad, and what it takes from good ones."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from tests.cli.conftest import Shell
from tests.support import samples


def test_every_reason_is_named_and_nothing_is_sent(shell: Shell, tmp_path: Path) -> None:
    pair = [each.path for each in samples.fastq_pair(tmp_path)]
    for path in pair:
        path.write_bytes(path.read_bytes()[:-60])
    for more in ((), ("--dry-run",)):
        ran = shell.upload("cut", *pair, *more)
        assert ran.code == 3
        assert [line.split(": ")[1] for line in ran.err.splitlines() if "error: " in line] == [
            str(path) for path in pair
        ]
        assert "hint: " in ran.err
    ran = shell.upload("cut", *pair, "--json")
    assert (ran.code, ran.last["outcome"], ran.last["bytes_sent"]) == (3, "rejected", 0)
    assert ran.last["error"]["code"] == "compression.cut"
    assert [each["path"] for each in ran.last["error"]["others"]] == [str(pair[1])]
    assert shell.emulator.stats()["operations"] == {}


def test_without_preflight_the_service_is_the_one_to_turn_it_down(
    shell: Shell, reads: Path
) -> None:
    reads.write_bytes(reads.read_bytes()[:-60])
    ran = shell.upload("blind", reads, "--no-preflight", "--json")
    assert (ran.code, ran.last["bytes_sent"]) == (7, reads.stat().st_size)
    assert "turned down by the service" in ran.err


def test_the_sample_is_taken_from_the_header_and_said_aloud(shell: Shell, tmp_path: Path) -> None:
    path = samples.ubam(tmp_path / "a.bam", names=("HG003",)).path
    ran = shell.run("upload", path, "--name", "from the header")
    assert ran.code == 0, ran.err
    assert "sample and subject: HG003, from the header's @RG SM" in ran.err
    ran = shell.run("upload", path, "--name", "from the header", "--json")
    assert "sample-from-header" in {event.get("code") for event in ran.events}
    assert ran.last["bytes_sent"] == 0
    ran = shell.run("upload", samples.fastq(tmp_path / "a.gz").path, "--name", "none")
    assert ran.code == 3
    assert "hint: add --sample ID and --subject ID" in ran.err


def test_a_dry_run_makes_no_state_folder(shell: Shell, reads: Path, tmp_path: Path) -> None:
    state = tmp_path / "none yet"
    ran = shell.upload("trace", reads, "--dry-run", "--state-dir", state)
    assert ran.code == 0, ran.err
    assert not state.exists()


def test_an_upload_waits_for_a_sequencer(shell: Shell, reads: Path, tmp_path: Path) -> None:
    done = tmp_path / "CopyComplete.txt"
    threading.Timer(1.0, done.touch).start()
    began = time.monotonic()
    ran = shell.upload("patient", reads, "--wait-for", done, "--settle", "300ms", "--json")
    assert (ran.code, ran.last["outcome"]) == (0, "active")
    assert time.monotonic() - began > 1.3


def test_an_interrupt_ends_that_wait(shell: Shell, reads: Path, tmp_path: Path) -> None:
    running = shell.start_upload("never", reads, "--wait-for", tmp_path / "never.txt")
    # It has imported what it needs once it sleeps in its worker thread.
    shell.wait_until(lambda: len(os.listdir(f"/proc/{running.process.pid}/task")) > 1)  # noqa: PTH208 - a count is all that is needed
    began = time.monotonic()
    running.signal(signal.SIGINT)
    ran = running.finish()
    assert (ran.code, ran.last["outcome"]) == (130, "interrupted")
    assert time.monotonic() - began < 10.0
