"""A Dask cluster as a lab has it: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.networks import Networks
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


TALKATIVE = """
import logging
logging.getLogger("distributed").setLevel(logging.DEBUG)
"""
"""Loaded by whoever is to log every message: the configuration was read before they were forked."""


@dataclass
class DaskCluster:
    """A scheduler, and workers that are started and killed.

    Attributes:
        folder: Where all of it is; each worker works in a folder of its name.
        env: The workers' environment.
        networks: Where the scheduler and each worker have an address of their own, by their names;
            None has all of them on loopback.
        certificates: The files of an authority and of a certificate with its key, for TLS.
        dashboard: Whether scheduler and workers have one.
        without: Variables that their environment lacks.
        talkative: Whether they log all they can.
    """

    folder: Path
    env: Mapping[str, str]
    networks: Networks | None = None
    certificates: tuple[Path, Path] | None = None
    dashboard: bool = False
    without: tuple[str, ...] = ()
    talkative: bool = False
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{'tls' if self.certificates else 'tcp'}://{self._host}:{self.port}"

    @property
    def _host(self) -> str:
        return "127.0.0.1" if self.networks is None else self.networks.address("scheduler")

    def start_scheduler(self) -> None:
        # A worker that is killed is known by its connection, and new ones are told at once.
        host, _, port = self.address.rpartition(":")
        self._start("scheduler", "--host", host, "--port", port)

    def start_worker(self, name: str, *, host: str | None = None) -> None:
        more: list[str] = []
        if host is not None:
            preload = self.folder / f"{name}-host.py"
            preload.write_text(OTHER_HOST.format(name=host))
            more = ["--preload", str(preload)]
        self._start(
            "worker", self.address, "--name", name, "--nthreads", "1", "--no-nanny",
            "--local-directory", str(self.folder / name), *more, name=name,
        )  # fmt: skip

    def _start(self, *words: str, name: str = "scheduler") -> None:
        (self.folder / name).mkdir(exist_ok=True)
        if self.certificates is not None:
            ca, own = (str(each) for each in self.certificates)
            words = (*words, "--tls-ca-file", ca, "--tls-cert", own, "--tls-key", own)
        if self.talkative:
            preload = self.folder / "talkative.py"
            preload.write_text(TALKATIVE)
            words = (*words, "--preload", str(preload))
        where = ("--dashboard-address", "127.0.0.1:0") if self.dashboard else ("--no-dashboard",)
        environ = {**os.environ, **self.env}
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            # Forked from a process that has imported Dask: that takes longer than anything else.
            self.processes[name] = start(
                f"distributed.cli.dask_{words[0]}",
                [*words[1:], *where],
                env={k: v for k, v in environ.items() if k not in self.without},
                network=None if self.networks is None else self.networks.path(name),
                cwd=self.folder / name,
                stdout=log,
                stderr=log,
            )

    def await_workers(self, count: int) -> None:
        """Waits until so many workers are there.

        Raises:
            TimeoutError: They are not, after a minute.
        """
        import distributed

        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=PATIENCE_S)

    def processor_s(self) -> float:
        """What those that run have used of a processor so far, in seconds."""
        ticks = os.sysconf("SC_CLK_TCK")
        stats = [Path(f"/proc/{each.pid}/stat").read_text() for each in self.processes.values()]
        fields = [each.rpartition(")")[2].split() for each in stats]
        return sum(int(each[11]) + int(each[12]) for each in fields) / ticks

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    def has_ended(self, name: str, *, within_s: float) -> None:
        """Waits until one has ended by itself; kills it where it doesn't so soon."""
        with suppress(subprocess.TimeoutExpired):
            self.processes[name].wait(within_s)
        self.kill(name)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
