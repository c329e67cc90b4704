"""One client, one process, one job: what it took."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["ClientFailed", "Run", "module", "run_process"]

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.05


class ClientFailed(Exception):
    """A client did not do its job."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a process took, from its start to its end.

    Attributes:
        wall_s: Seconds.
        user_s: Of the processor's time, in user mode.
        system_s: And in the kernel.
        peak_rss_bytes: As it says itself, or as was seen every 50 ms.
        line: What it printed about its job; empty if it prints none.
    """

    wall_s: float
    user_s: float
    system_s: float
    peak_rss_bytes: int
    line: dict[str, Any] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        return self.user_s + self.system_s

    @property
    def job_s(self) -> float:
        """The job alone where the client tells it, else the whole process."""
        return float(self.line.get("wall_s", self.wall_s))


def run_process(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout_s: float = 300.0,
    prints_json: bool = True,
) -> Run:
    """Runs a command to its end. Only one at a time: the kernel adds all children's times up.

    Raises:
        ClientFailed: It ended with an error, or took too long.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=dict(environment), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    peak = _PeakMemory(process.pid)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise ClientFailed(f"{_name(command)} took more than {timeout_s:g} s") from error
    finally:
        peak.stop()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        tail = err.decode(errors="replace").strip()[-2000:]
        raise ClientFailed(f"{_name(command)} ended with {process.returncode}: {tail}")
    line = json.loads(out.splitlines()[-1]) if prints_json else {}
    return Run(
        wall_s=wall,
        user_s=after.ru_utime - before.ru_utime,
        system_s=after.ru_stime - before.ru_stime,
        peak_rss_bytes=int(line.get("peak_rss_bytes", peak.seen_bytes)),
        line=line,
    )


def module(name: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """The command that runs a module of this package."""
    return [python, "-m", f"benchmarks.{name}", *arguments]


def _name(command: Sequence[str]) -> str:
    return " ".join(part for part in command[1:4] if not part.startswith("{"))


class _PeakMemory:
    """Looks at a process's peak memory, for those that don't tell it."""

    def __init__(self, pid: int) -> None:
        self.seen_bytes = 0
        self._path = Path(f"/proc/{pid}/status")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(LOOK_S):
            try:
                rows = self._path.read_text().splitlines()
            except OSError:
                return
            for row in rows:
                if row.startswith("VmHWM:"):
                    self.seen_bytes = max(self.seen_bytes, int(row.split()[1]) * 1024)
