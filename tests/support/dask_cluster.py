"""A Dask cluster as a lab has it: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.quickstart import start

__all__ = ["DaskCluster"]

PATIENCE_S = 60.0

OTHER_HOST = """
import socket
socket.gethostname = lambda: "{name}"
"""
"""Loaded by a worker, so that processes of one machine pass for two hosts."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class DaskCluster:
    """A scheduler, and workers that are started and killed.

    Attributes:
        folder: Where all of it is; each worker works in a folder of its name.
        env: The workers' environment.
    """

    folder: Path
    env: Mapping[str, str]
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        # A worker that is killed is known by its connection, and new ones are told at once.
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self, name: str, *, host: str | None = None) -> None:
        more: list[str] = []
        if host is not None:
            preload = self.folder / f"{name}-host.py"
            preload.write_text(OTHER_HOST.format(name=host))
            more = ["--preload", str(preload)]
        self._start(
            "worker", self.address, "--name", name, "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--local-directory", str(self.folder / name), *more, name=name,
        )  # fmt: skip

    def _start(self, *words: str, name: str = "scheduler") -> None:
        (self.folder / name).mkdir(exist_ok=True)
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            # Forked from a process that has imported Dask: that takes longer than anything else.
            self.processes[name] = start(
                f"distributed.cli.dask_{words[0]}",
                words[1:],
                env={**os.environ, **self.env},
                cwd=self.folder / name,
                stdout=log,
                stderr=log,
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
