"""Batches on a Dask cluster whose processes are killed at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.botocore_client import omics_client
from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from tests.support.samples import fastq

__all__ = ["ClusterRound", "ClusterStorm"]

WORKERS = {"one": "host-one", "two": "host-two", "three": "host-two"}
"""The workers, and the hosts that they pass for."""

ROWS = 4
READS = 3000
BYTES_PER_S = 200_000
"""Of all workers together: a round's rows take some six seconds, in which something may happen."""

MOST_DEATHS = 4
PATIENCE_S = 180.0


@dataclass
class ClusterRound:
    """What came of a round."""

    number: int
    deaths: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    sent_times: float = 0.0
    failures: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """One line."""
        verdict = "; ".join(self.failures) or "each row once and whole"
        return (
            f"round {self.number}: {self.runs} runs, killed {dict(self.deaths)}, sent "
            f"{self.sent_times:.2f} x: {verdict}"
        )


class ClusterStorm:
    """Plays rounds, each a sheet of its own, on one cluster.

    Args:
        folder: Where all of it is.
        seed: What decides who dies when.
    """

    def __init__(self, folder: Path, seed: str) -> None:
        self._folder = folder
        self._seed = seed
        self._service = RunningEmulator("--quotas", "off", "--ingest-delay", "0.2")

    def __enter__(self) -> Self:
        self._service.start()
        (self._folder / "dask").mkdir(parents=True)
        self._cluster = DaskCluster(self._folder / "dask", self._service.env())
        self._files = [
            fastq(self._folder / f"{index}.fastq.gz", reads=READS, seed=index).path
            for index in range(ROWS)
        ]
        self._start_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cluster.stop()
        self._service.stop()

    def play(self, number: int) -> ClusterRound:
        """Gives the command until it has come to its end, and kills meanwhile."""
        played = ClusterRound(number)
        chance = random.Random(f"{self._seed} {number}")
        sheet = self._folder / f"{number}.csv"
        lines = [f"S,X,{number}-{index},{path}" for index, path in enumerate(self._files)]
        sheet.write_text("\n".join(["sample,subject,name,source1", *lines]) + "\n")
        self._service.reset_stats()
        for _ in range(chance.randint(1, MOST_DEATHS)):
            victim = chance.choice([*WORKERS, *WORKERS, "scheduler", "coordinator", "coordinator"])
            self._run(sheet, played, victim, chance.uniform(0.0, 5.0))
        if self._run(sheet, played, None, 0.0) != 0:
            played.failures.append("the command did not come to a good end")
        self._judge(played)
        return played

    def _run(
        self, sheet: Path, played: ClusterRound, victim: str | None, after_s: float
    ) -> int | None:
        """Gives the command once, with one death; the exit code, None where it was killed."""
        played.runs += 1
        command = [
            sys.executable, "-m", "turboupload", "batch", str(sheet), "--json",
            "--store", self._service.store_id, "--dask", self._cluster.address,
            "--max-bandwidth", str(BYTES_PER_S), "--part-size", "64KiB",
        ]  # fmt: skip
        env = {
            **os.environ,
            **self._service.env(),
            "TURBOUPLOAD_STATE_DIR": str(self._folder / "state" / sheet.stem),
        }
        with subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            if victim is not None:
                self._wait_for_start(process)
                time.sleep(after_s)
                if process.poll() is None:
                    played.deaths[victim] += 1
                    self._kill(victim, process)
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                played.failures.append(f"it did not end within {PATIENCE_S:g} s")
                process.kill()
            return process.returncode

    @staticmethod
    def _wait_for_start(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "batch.started":
                return

    def _kill(self, victim: str, process: subprocess.Popen[str]) -> None:
        if victim == "coordinator":
            process.send_signal(signal.SIGKILL)
        elif victim == "scheduler":
            self._cluster.stop()
            self._start_all()
        else:
            self._cluster.kill(victim)
            self._cluster.start_worker(victim, host=WORKERS[victim])

    def _start_all(self) -> None:
        self._cluster.start_scheduler()
        for name, host in WORKERS.items():
            self._cluster.start_worker(name, host=host)

    def _judge(self, played: ClusterRound) -> None:
        """Reads back what the store has of the round."""
        client = omics_client(self._service)
        store = self._service.store_id
        pages = client.get_paginator("list_read_sets").paginate(sequenceStoreId=store)
        listed = [each for page in pages for each in page["readSets"]]
        for index, path in enumerate(self._files):
            found = [each for each in listed if each["name"] == f"{played.number}-{index}"]
            if len(found) != 1 or found[0]["status"] != "ACTIVE":
                played.failures.append(f"row {index} is {len(found)} read sets")
                continue
            content, part = b"", 1
            about = client.get_read_set_metadata(sequenceStoreId=store, id=found[0]["id"])
            while part <= about["files"]["source1"]["totalParts"]:
                reply = client.get_read_set(
                    sequenceStoreId=store, id=found[0]["id"], partNumber=part
                )
                content += reply["payload"].read()
                part += 1
            if content != path.read_bytes():
                played.failures.append(f"row {index} has other bytes")
        left = client.list_multipart_read_set_uploads(sequenceStoreId=store)["uploads"]
        if left:
            played.failures.append(f"{len(left)} uploads were left open")
        sent = self._service.stats()["operations"].get("UploadReadSetPart", {"bodyBytes": 0})
        total = sum(path.stat().st_size for path in self._files)
        played.sent_times = sent["bodyBytes"] / total
