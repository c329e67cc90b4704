"""The demo tells a true story."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.samples import fastq_pair

DEMO = [sys.executable, "-m", "turboupload", "demo"]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_whole_story_in_less_than_a_minute(tmp_path: Path) -> None:
    done = run("--keep", tmp_path / "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "killed (SIGKILL) when 4 of 8 parts had arrived" in done.stdout
    assert "4 parts sent, 4 reused" in done.stdout
    assert done.stdout.count("  ACTIVE after ") == 4
    assert re.search(r"2 files, .*: every byte is equal", done.stdout)
    assert re.search(r"3 files, .*: every record is equal", done.stdout)
    assert "not compared" not in done.stdout
    assert "11 stored, none of them twice" in done.stdout
    assert done.stdout.count("_MD5up ") == 5
    assert f"files         {tmp_path / 'demo'}" in done.stdout
    again = re.search(r"sent twice +(\d+(\.\d+)?) MiB of", done.stdout)
    assert again
    assert 0 < float(again[1]) < 20
    made = {path.name for path in (tmp_path / "demo" / "samples").iterdir()}
    assert {"aligned.bam", "unaligned.bam", "compressed.cram", "reads_R1.fastq.gz"} <= made


def test_the_users_own_files_and_no_traces(tmp_path: Path) -> None:
    first, second = fastq_pair(tmp_path, reads=2000)
    done = run(first.path, second.path, "--keep", tmp_path / "demo", "--remove")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sample_R1.fastq.gz sample_R2.fastq.gz" in done.stdout
    assert "killed (SIGKILL)" in done.stdout
    assert "2 files" in done.stdout
    assert not (tmp_path / "demo").exists()
    assert first.path.exists()


def test_a_file_that_can_not_be_uploaded(tmp_path: Path) -> None:
    done = run(tmp_path / "absent.bam", "--keep", tmp_path / "demo")
    assert done.returncode == 3
    assert "absent.bam: no such file" in done.stderr
    (tmp_path / "cut.fastq.gz").write_bytes(fastq_pair(tmp_path)[0].path.read_bytes()[:-500])
    done = run(tmp_path / "cut.fastq.gz", "--keep", tmp_path / "demo")
    assert done.returncode == 3
    assert "cut.fastq.gz" in done.stderr
    assert "ends before the end" in done.stderr


def test_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--keep", tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr


def test_without_the_extra_it_says_how_to_get_it() -> None:
    code = (
        "import turboupload.demo.story as story\n"
        "story.NEEDS = ('a_module_that_is_not_there',)\n"
        "from turboupload.cli.main import main\n"
        "main(['demo'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "a_module_that_is_not_there isn't installed" in done.stderr
    assert "hint: pip install 'turboupload[emulator]'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_service_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    first, second = fastq_pair(tmp_path)
    command = [*DEMO, str(first.path), str(second.path), "--keep", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        port = next(
            int(found[1]) for line in it.stdout if (found := re.search(r"127\.0\.0\.1:(\d+)", line))
        )
        it.send_signal(number)
        _, err = it.communicate(timeout=30)
    assert it.returncode == 130
    assert "Traceback" not in err
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
