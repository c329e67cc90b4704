"""The command as a subprocess, against an emulator over HTTPS that all of these tests share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest
import structlog

from tests.cli.desk import Desk
from tests.cli.ran import Ran
from tests.support.emulator import RunningEmulator
from tests.support.quickstart import start
from tests.support.samples import fastq
from turboupload.cli.main import main
from turboupload.telemetry import set_logging

PATIENCE_S = 30.0
SECRET = "a-secret-that-must-not-be-seen"
ABOUT = ("--sample", "HG002", "--subject", "NA24385")


class Running:
    """A run of the command that is under way, with `--json`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    @property
    def stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Reads events until one satisfies the condition; the test's time-out bounds it."""
        for line in self.stdout:
            self.lines.append(line)
            event: dict[str, Any] = json.loads(line)
            if condition(event):
                return event
        _, err = self.process.communicate(timeout=PATIENCE_S)
        pytest.fail(f"the command ended before: {self.lines[-1:]} {err}")

    def wait_for_parts(self, count: int) -> dict[str, Any]:
        return self.wait_for(
            lambda event: event["event"] == "upload.progress" and event["done_parts"] >= count
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self) -> Ran:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Ran(self.process.returncode, "".join(self.lines) + (out or ""), err)


class Shell:
    """Runs commands in an environment that knows the emulator and nothing else."""

    def __init__(self, emulator: RunningEmulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TURBOUPLOAD", "AWS_"))},
            **emulator.env(),
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "TURBOUPLOAD_STATE_DIR": str(folder / "state"),
            "TURBOUPLOAD_STORE": emulator.store_id,
        }

    def start(
        self,
        *arguments: str | Path,
        env: Mapping[str, str | None] | None = None,
        **more: Any,
    ) -> Running:
        changed = {**self.env, **(env or {})}
        options: dict[str, Any] = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            **more,
        }  # fmt: skip
        process = start(
            "turboupload",
            [*map(str, arguments)],
            env={key: value for key, value in changed.items() if value is not None},
            **options,
        )
        self._started.append(process)
        return Running(process)

    def run(
        self, *arguments: str | Path, env: Mapping[str, str | None] | None = None, **more: Any
    ) -> Ran:
        return self.start(*arguments, env=env, **more).finish()

    def upload(self, name: str, *arguments: str | Path, **more: Any) -> Ran:
        return self.run("upload", *arguments, "--name", name, *ABOUT, **more)

    def start_upload(self, name: str, *arguments: str | Path, **more: Any) -> Running:
        return self.start("upload", *arguments, "--name", name, *ABOUT, "--json", **more)

    def count(self, operation: str) -> int:
        """How many requests of this operation the emulator has seen."""
        operations = self.emulator.stats()["operations"]
        return int(operations.get(operation, {}).get("requests", 0))

    @property
    def creates(self) -> int:
        return self.count("CreateMultipartReadSetUpload")

    def wait_until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=PATIENCE_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self.emulator.clear_faults()


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[RunningEmulator]:
    options = ("--quotas", "off", "--ingest-delay", "0", "--secret-key", SECRET)
    with RunningEmulator(*options, tls=True) as emulator:
        yield emulator


@pytest.fixture
def shell(shared_emulator: RunningEmulator, tmp_path: Path) -> Iterator[Shell]:
    shared_emulator.reset_stats()
    shell = Shell(shared_emulator, tmp_path)
    yield shell
    shell.close()


@pytest.fixture
def within(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ran]]:
    """Runs the command in this process, which spares half a second of imports each time."""

    def run(*arguments: str | Path) -> Ran:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("TURBOUPLOAD", "AWS_"))]:
                patch.delenv(name)
            for name, value in shell.env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["turboupload", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, captured.out, captured.err)

    yield run
    structlog.reset_defaults()
    set_logging(enabled=True)


@pytest.fixture
def desk(
    emulator: RunningEmulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Desk]:
    """Needs the module's `emulator`; other tests don't see what is in its store."""
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    yield Desk(emulator, tmp_path, capsys)
    emulator.clear_faults()
    emulator.reset_world()
    structlog.reset_defaults()
    set_logging(enabled=True)


@pytest.fixture
def reads(tmp_path: Path) -> Path:
    """A FASTQ file of about 53 kB, six parts of 10 kB."""
    return fastq(tmp_path / "reads.fastq.gz", reads=560).path


SIX_PARTS = ("--part-size", "10000", "--concurrency", "1")
