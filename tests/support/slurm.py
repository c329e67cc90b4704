"""Slurm on one machine: Debian's slurm-wlm, started for the tests alone, as any user."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Cluster", "slurm"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo")
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Cluster:
    """One node, which is its own controller, and as many tasks as are asked for."""

    folder: Path

    def __post_init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        host = socket.gethostname().split(".")[0]
        me = os.environ.get("USER") or "root"
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        self.env = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")}
        (self.folder / "slurm.conf").write_text(
            "\n".join(
                [
                    "ClusterName=test",
                    f"SlurmctldHost={host}(127.0.0.1)",
                    f"SlurmUser={me}", f"SlurmdUser={me}",
                    "AuthType=auth/munge", f"AuthInfo=socket={self.folder}/munge.socket",
                    f"StateSaveLocation={self.folder}/state", f"SlurmdSpoolDir={self.folder}/spool",
                    f"SlurmctldPidFile={self.folder}/ctld.pid",
                    f"SlurmdPidFile={self.folder}/d.pid",
                    f"SlurmctldPort={free_port()}", f"SlurmdPort={free_port()}",
                    "ProctrackType=proctrack/pgid", "TaskPlugin=task/none",
                    "SwitchType=switch/none", "JobAcctGatherType=jobacct_gather/none",
                    "SelectType=select/cons_tres", "SelectTypeParameters=CR_CPU",
                    "MpiDefault=none", "ReturnToService=2", "SlurmdParameters=config_overrides",
                    f"NodeName={host} NodeAddr=127.0.0.1 CPUs=20 State=UNKNOWN",
                    "PartitionName=all Nodes=ALL Default=YES State=UP",
                    "",
                ]
            )
        )  # fmt: skip

    def start(self) -> None:
        self._spawn(
            "munged", "--foreground", "--force",
            f"--socket={self.folder}/munge.socket", f"--key-file={self.folder}/munge.key",
            f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munged.seed",
        )  # fmt: skip
        self._until((self.folder / "munge.socket").exists)
        self._spawn("slurmctld", "-D", "-c")
        self._spawn("slurmd", "-D", "-c")
        self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T", check=False))

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, *command: str, env: dict[str, str] | None = None, check: bool = True) -> str:
        done = subprocess.run(
            command, env={**self.env, **(env or {})}, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def _spawn(self, *command: str) -> None:
        log = (self.folder / f"{command[0]}.out").open("wb")
        program = shutil.which(command[0]) or command[0]
        with log:
            process = subprocess.Popen(
                [program, *command[1:]], env=self.env, stdout=log, stderr=log
            )
        self._processes.append(process)

    def _until(self, condition: object) -> None:
        assert callable(condition)
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end or any(each.poll() is not None for each in self._processes):
                logs = [path.read_text()[-500:] for path in self.folder.glob("*.out")]
                pytest.skip(f"Slurm does not start here: {logs}")
            time.sleep(0.1)


@contextmanager
def slurm() -> Iterator[Cluster]:
    """A cluster that runs; where Slurm isn't installed, the test is skipped."""
    missing = [
        each for each in PROGRAMS if not (shutil.which(each) or Path("/usr/sbin", each).exists())
    ]
    if missing:
        pytest.skip(f"not installed (Debian: slurm-wlm): {', '.join(missing)}")
    # munge refuses a socket in a folder that others may write.
    with tempfile.TemporaryDirectory(dir=Path.home(), prefix=".slurm-test-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        found = Cluster(folder)
        try:
            found.start()
            yield found
        finally:
            found.stop()
