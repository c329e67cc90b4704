"""Runs of the command that end, stop or are interrupted where a test says; see `edges`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.emulator import PROJECT
from turboupload.runtime.processors import processors

__all__ = ["Ending", "Launched", "Launcher", "in_time_s", "queue"]

PATIENCE_S = 60.0
DEED_MARK = "done at "
LOOK_S = 0.005


def queue() -> float:
    """How much longer things take here than on a machine with a processor to spare."""
    return max(1.0, os.getloadavg()[0] / processors())


def in_time_s() -> float:
    """How long an interrupted run may take to end, in seconds."""
    return 2.0 * queue()


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        code: The exit code; negative, the signal that ended it; None where it has stopped.
        events: What it wrote to stdout with `--json`.
        err: Its stderr.
        at: When, in seconds of the monotonic clock.
    """

    code: int | None
    events: list[dict[str, Any]]
    err: str
    at: float

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1] if self.events else {}

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Launched:
    """A run that is under way."""

    def __init__(self, launcher: Launcher, pid: int, folder: Path, number: int) -> None:
        self._launcher = launcher
        self.pid = pid
        self._out = folder / f"{number}.out"
        self._err = folder / f"{number}.err"
        self._log = folder / f"{number}.edges"

    def signal(self, number: signal.Signals) -> float:
        """Sends a signal; returns when, in seconds of the monotonic clock."""
        os.kill(self.pid, number)
        return time.monotonic()

    def go_on(self) -> None:
        """Lets a run that has stopped go on."""
        self.signal(signal.SIGCONT)

    def kill(self) -> Ending:
        """SIGKILL, whatever it is at."""
        self.signal(signal.SIGKILL)
        return self.wait()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has told so far."""
        text = self._out.read_text() if self._out.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    @property
    def edges(self) -> list[str]:
        """The edges it has passed so far."""
        return [line for line in self._log_lines() if not line.startswith(DEED_MARK)]

    @property
    def deed_at(self) -> float | None:
        """When it did the deed, in seconds of the monotonic clock; None where it did not."""
        marks = (line for line in self._log_lines() if line.startswith(DEED_MARK))
        return next((float(line.removeprefix(DEED_MARK)) for line in marks), None)

    def _log_lines(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def wait(self, *, patience_s: float = PATIENCE_S) -> Ending:
        """Waits until it ends, or stops.

        Raises:
            TimeoutError: It did neither in time; it is killed then.
        """
        ending = self.wait_at_most(patience_s)
        if ending is None:
            os.kill(self.pid, signal.SIGKILL)
            raise TimeoutError(f"still running after {patience_s:.0f} s: {self.said}")
        return ending

    def wait_at_most(self, seconds: float) -> Ending | None:
        """Waits until it ends, or stops; None where it does neither so soon."""
        end = time.monotonic() + seconds
        while not (found := self._launcher.look(self.pid)):
            if time.monotonic() > end:
                return None
            time.sleep(LOOK_S)
        at = found.get("at", time.monotonic())
        return Ending(found.get("code"), self.events, self.said, at)

    @property
    def said(self) -> str:
        """Its stderr so far."""
        return self._err.read_text(errors="replace") if self._err.exists() else ""


class Launcher:
    """Starts runs, any number side by side; any thread may.

    Args:
        folder: For what the runs write.
        environment: Of every run, over nothing else.
        preload: A library for LD_PRELOAD.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, preload: Path | None = None
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._started: set[int] = set()
        self._number = 0
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.edges"],
            cwd=PROJECT,
            env={**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(self._read_line()) == {"ready": True}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in self._started:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=PATIENCE_S)

    def start(
        self,
        *arguments: str | Path,
        state: Path,
        edge: str | None = None,
        deed: str = "kill",
        watched: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Launched:
        """Starts `turboupload upload … --json`.

        Args:
            arguments: Of the command.
            state: The folder of the journal.
            edge: Where to do the deed; see `edges`.
            deed: `kill`, `stop`, `interrupt` or `terminate`.
            watched: Whether the marks are set at all.
            environment: Over that of the launcher.
        """
        with self._lock:
            self._number += 1
            number = self._number
        place = self._folder / str(number)
        answer = self._ask(
            {
                "arguments": ["upload", *map(str, arguments), "--json"],
                "environment": {
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": str(self._folder),
                    **self._environment,
                    **(environment or {}),
                    "TURBOUPLOAD_STATE_DIR": str(state),
                },
                "stdout": f"{place}.out",
                "stderr": f"{place}.err",
                "log": f"{place}.edges" if watched else None,
                "edge": edge,
                "deed": deed,
            }
        )
        self._started.add(answer["pid"])
        return Launched(self, answer["pid"], self._folder, number)

    def run(self, *arguments: str | Path, state: Path, **more: Any) -> Ending:
        """Starts the command and waits until it ends, or stops."""
        return self.start(*arguments, state=state, **more).wait()

    def look(self, pid: int) -> dict[str, Any]:
        """How a run fares: nothing while it runs."""
        found = self._ask({"pid": pid})
        if "code" in found:
            self._started.discard(pid)
        return found

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            assert self._server.stdin is not None
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            answer: dict[str, Any] = json.loads(self._read_line())
        return answer

    def _read_line(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()
