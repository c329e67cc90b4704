"""Batches on a Dask cluster whose processes are killed at random moments.

Everything random of a round comes from the seed and the round's number, so that a round can be
played again; the moments themselves are the machine's.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.soak.outcome import Stored, faults_of
from tests.soak.shares import Share, all_of_them
from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from tests.support.quickstart import start
from tests.support.samples import fastq

__all__ = ["ClusterRound", "ClusterStorm"]

WORKERS: Final = {"one": "host-one", "two": "host-two", "three": "host-two"}
"""The workers, and the hosts that they pass for."""

ROWS: Final = 4
READS: Final = 1600
PART_BYTES: Final = 32 * 1024
BYTES_PER_S: Final = 150_000
"""Of all workers together: a round's rows take some four seconds, in which something may happen."""

QUOTAS: Final = {
    "CreateMultipartReadSetUpload": 5,
    "CompleteMultipartReadSetUpload": 5,
    "UploadReadSetPart": 20,
    "ListReadSets": 10,
    "GetReadSetMetadata": 20,
    "ListMultipartReadSetUploads": 10,
    "ListReadSetUploadParts": 10,
}
"""Transactions a second, which the service enforces."""

MOST_DEATHS: Final = 3
LONGEST_LIFE_S: Final = 3.5
"""Until the next death, at most."""

LONGEST_ABSENCE_S: Final = 4.0
"""For how long a limiter's holder has its lock, or a server isn't there, at most: longer than
anybody waits for it."""

PATIENCE_S: Final = 180.0
LEAVES_S: Final = 20.0
"""How long a worker may take to end after its scheduler has died, in seconds."""


@dataclass
class ClusterRound:
    """What came of a round.

    Attributes:
        number: Of the round.
        share: Where its processes shared the quota.
        deaths: Who was killed, and how often.
        runs: How often the command was given.
        again: Parts that the service stored once more.
        sent_times: Bytes received, by those of the files.
        refused: Calls that were throttled.
        seconds: From begin to end.
        failures: What was wrong.
    """

    number: int
    share: str
    deaths: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    again: int = 0
    sent_times: float = 0.0
    refused: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    def describe(self) -> str:
        """One line."""
        verdict = "; ".join(self.failures) or "each row once and whole"
        deaths = ", ".join(f"{who} {times}" for who, times in sorted(self.deaths.items()))
        return (
            f"round {self.number} ({self.share}): {self.seconds:.0f} s, {self.runs} runs, killed: "
            f"{deaths or 'nobody'}; {self.sent_times:.2f} x the bytes, {self.again} parts stored "
            f"again, {self.refused} calls refused: {verdict}"
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
        quotas = [f"--quota={operation}={per_s}" for operation, per_s in QUOTAS.items()]
        self._service = RunningEmulator(*quotas, "--ingest-delay", "0.2")

    def __enter__(self) -> Self:
        self._service.start()
        (self._folder / "dask").mkdir(parents=True)
        self._cluster = DaskCluster(self._folder / "dask", self._service.env())
        self._files = [
            fastq(self._folder / f"{index}.fastq.gz", reads=READS, seed=index).path
            for index in range(ROWS)
        ]
        self._cluster.start_scheduler()
        for name in WORKERS:
            self._start_worker(name)
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
        began = time.monotonic()
        kinds = all_of_them(self._folder)
        share = kinds[number % len(kinds)]()
        share.start()
        try:
            played = _Play(self, number, share).to_the_end()
        finally:
            share.stop()
        played.seconds = time.monotonic() - began
        return played

    # --- what a round needs -----------------------------------------------------------------

    @property
    def service(self) -> RunningEmulator:
        return self._service

    @property
    def files(self) -> list[Path]:
        return self._files

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def address(self) -> str:
        return self._cluster.address

    def chance(self, number: int) -> random.Random:
        """Decides all that is random of a round."""
        return random.Random(f"{self._seed} {number}")

    def kill_worker(self, name: str, absent_s: float) -> None:
        """Kills a worker; another one comes in its place after a while."""
        self._cluster.kill(name)
        time.sleep(absent_s)
        self._start_worker(name)

    def kill_scheduler(self, absent_s: float) -> None:
        """Kills the scheduler alone; its workers find out and end, and are replaced."""
        self._cluster.kill("scheduler")
        time.sleep(absent_s)
        self._cluster.start_scheduler()
        for name in WORKERS:
            self._cluster.has_ended(name, within_s=LEAVES_S)
            self._start_worker(name)

    def _start_worker(self, name: str) -> None:
        self._cluster.start_worker(name, host=WORKERS[name])


class _Play:
    """One round."""

    def __init__(self, storm: ClusterStorm, number: int, share: Share) -> None:
        self._storm = storm
        self._share = share
        self._chance = storm.chance(number)
        self.played = ClusterRound(number, type(share).__name__)
        self._state = storm.folder / "state" / str(number)
        self._results = storm.folder / f"{number}.results.csv"
        self._sheet = storm.folder / f"{number}.csv"
        self._names = [f"{number}-{index}" for index in range(ROWS)]
        lines = [f"S,X,{name},{path}" for name, path in zip(self._names, storm.files, strict=True)]
        self._sheet.write_text("\n".join(["sample,subject,name,source1", *lines]) + "\n")

    def to_the_end(self) -> ClusterRound:
        played = self.played
        self._storm.service.reset_stats()
        wanted = self._chance.randint(1, MOST_DEATHS)
        code: int | None = None
        while code is None and not played.failures:
            code = self._run(wanted)
        if code != 0:
            played.failures.append(f"exit {code}")
        stats = self._storm.service.stats()
        self._count(stats)
        if played.again > self._most_again:
            played.failures.append(f"{played.again} parts came again that the service had")
        stored = Stored(self._storm.service, dict(zip(self._names, self._storm.files, strict=True)))
        kept = self._state, self._results
        played.failures += faults_of(stored, *kept)
        return played

    @property
    def _most_again(self) -> int:
        """How many parts may come again.

        Whoever goes on finds by the service's list what it has. Only where the scheduler or the
        coordinator died, workers that nobody waits for go on for a moment beside those that got
        their rows, with a part of each row under way.
        """
        deaths = self.played.deaths
        return ROWS * (deaths["scheduler"] + deaths["coordinator"])

    def _run(self, wanted: int) -> int | None:
        """Gives the command once; the exit code, None where it was killed."""
        played = self.played
        played.runs += 1
        with self._started() as process:
            for line in process.stdout or ():
                if json.loads(line)["event"] == "batch.started":
                    break
            reading = _Reader(process)
            while played.deaths.total() < wanted:
                if reading.ended_within(self._chance.uniform(0.0, LONGEST_LIFE_S)):
                    break
                victim = self._chance.choice(list(self._victims()))
                played.deaths[victim] += 1
                if victim == "coordinator":
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    return None
                self._kill(victim)
            if not reading.ended_within(PATIENCE_S):
                played.failures.append(f"it did not end within {PATIENCE_S:g} s")
                process.kill()
            return process.wait()

    def _victims(self) -> Iterator[str]:
        yield from (*WORKERS, "scheduler", "coordinator", "coordinator")
        if self._share.victim is not None:
            yield from (self._share.victim,) * 2

    def _kill(self, victim: str) -> None:
        if victim == "scheduler":
            self._storm.kill_scheduler(self._chance.choice((0.0, 0.7)))
        elif victim == self._share.victim:
            self._share.strike(self._chance.uniform(0.0, LONGEST_ABSENCE_S))
        else:
            self._storm.kill_worker(victim, self._chance.choice((0.0, 1.5)))

    def _started(self) -> subprocess.Popen[str]:
        storm, share = self._storm, self._share
        quotas = [word for name, per_s in QUOTAS.items() for word in ("--quota", f"{name}={per_s}")]
        arguments = [
            "batch", str(self._sheet), "--json", "--store", storm.service.store_id,
            "--dask", storm.address, "--results", str(self._results),
            "--max-bandwidth", str(BYTES_PER_S), "--part-size", str(PART_BYTES),
            *quotas, *(["--quota-share", share.url] if share.url else []),
        ]  # fmt: skip
        env = {
            **os.environ,
            **storm.service.env(),
            "TURBOUPLOAD_STATE_DIR": str(self._state),
        }
        with (storm.folder / f"{self.played.number}.err").open("ab") as err:
            return start("turboupload", arguments, env=env, stdout=subprocess.PIPE, stderr=err)

    def _count(self, stats: dict[str, Any]) -> None:
        operations = stats["operations"]
        sent = operations.get("UploadReadSetPart", {"bodyBytes": 0})["bodyBytes"]
        self.played.sent_times = sent / sum(path.stat().st_size for path in self._storm.files)
        self.played.again = sum(max(0, part["stored"] - 1) for part in stats["parts"])
        self.played.refused = sum(
            each["errorCodes"].get("ThrottlingException", 0) for each in operations.values()
        )


class _Reader:
    """Reads what a process tells, so that it can go on telling, and waits for its end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for _ in self._process.stdout or ():
            pass

    def ended_within(self, seconds: float) -> bool:
        """Whether it has ended, or ends within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()
