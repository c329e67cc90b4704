"""A batch on 1 to N workers of a Dask cluster; neither service nor processors are the limit.

On one machine the processors would be: a worker takes two to three seconds of one for a GiB, and
the service that answers shares them. So each worker gets a cap on its bytes a second, as a node has
a link of its own, and all together stay far below what the machine can do. What is left to be seen
is what the coordinator, the scheduler and the rows' way to the workers cost.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, sheet_of
from benchmarks.process import ROOT, ClientFailed
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import MissingTool, Sink
from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from turboupload.operations import SEND_PART, TRANSACTIONS_PER_S

__all__ = ["scaling"]

WORKERS = (1, 2, 4, 8)
QUICK_WORKERS = (1, 2)
ROWS_EACH = 3
"""Rows for each worker."""

ROW_BYTES = 4 * MIB
QUICK_ROW_BYTES = MIB
CAP = 1_000_000
"""Bytes a second of each worker."""

PART_BYTES = MIB // 4
SCALE = 100
"""The quotas are lifted: they are not what this is about."""

LOOK_S = 0.1
TIMEOUT_S = 200.0


@dataclass(slots=True)
class Played:
    """What came of one number of workers.

    Attributes:
        workers: How many.
        seconds: From the first byte to the last.
        sent_bytes: What the service received of parts.
        file_bytes: What the files have.
        processor_s: Time of workers and scheduler together, of a processor.
        used: How many of the workers sent rows.
    """

    workers: int
    seconds: float
    sent_bytes: int
    file_bytes: int
    processor_s: float
    used: int

    @property
    def bytes_per_s(self) -> float:
        return self.file_bytes / self.seconds


def scaling(sink: Sink, *, quick: bool) -> Outcome:
    """The same cap for each worker, and rows for each, on ever more of them."""
    try:
        import distributed
    except ImportError as error:
        raise MissingTool("the extra turboupload[dask]") from error
    del distributed
    row_bytes = QUICK_ROW_BYTES if quick else ROW_BYTES
    played = [_play(count, row_bytes) for count in (QUICK_WORKERS if quick else WORKERS)]
    table = Table(
        f"workers of {CAP / 1e6:g} MB/s each, {ROWS_EACH} rows of {row_bytes // MIB} MiB for each",
        ("workers", "MB/s", "of the caps", "against one worker", "cpu of all", "extra bytes"),
        notes=[f"{os.cpu_count()} processors, which workers, scheduler and service share"],
    )
    figures: list[Figure] = []
    one = played[0].bytes_per_s
    for each in played:
        of_caps = each.bytes_per_s / (CAP * each.workers)
        extra = each.sent_bytes / each.file_bytes - 1.0
        table.rows.append(
            (
                str(each.workers),
                f"{each.bytes_per_s / 1e6:.2f}",
                f"{of_caps:.1%}",
                f"{each.bytes_per_s / one:.2f} x",
                f"{each.processor_s / each.seconds:.2f}",
                f"{extra:.2%}",
            )
        )
        name = f"{each.workers} workers"
        figures.append(Figure(f"{name}: rate against one, for each", _share(each, one), "x"))
        if each.used != each.workers:
            raise ClientFailed(f"{each.used} of {each.workers} workers sent anything")
    measured = {
        "cap": CAP,
        "played": [
            {**{name: getattr(each, name) for name in Played.__slots__}, "rate": each.bytes_per_s}
            for each in played
        ],
    }
    return [table], figures, measured


def _share(each: Played, one: float) -> float:
    return each.bytes_per_s / (one * each.workers)


def _play(count: int, row_bytes: int) -> Played:
    rows = ROWS_EACH * count
    with tempfile.TemporaryDirectory(dir=folder_for(2 * rows * row_bytes)) as name:
        folder = Path(name)
        sheet = sheet_of(folder, rows, row_bytes)
        service = RunningEmulator("--quotas", "off", "--ingest-delay", "0", root=folder / "service")
        with service:
            cluster = DaskCluster(folder, aws_environment(service.endpoint_url, None))
            try:
                cluster.start_scheduler()
                for number in range(count):
                    cluster.start_worker(f"w{number}", host=f"host{number}")
                cluster.await_workers(count)
                return _measure(service, cluster, sheet, count, rows)
            finally:
                cluster.stop()


def _measure(
    service: RunningEmulator, cluster: DaskCluster, sheet: Path, count: int, rows: int
) -> Played:
    quotas = [
        word
        for operation, per_s in TRANSACTIONS_PER_S.items()
        for word in ("--quota", f"{operation}={per_s * SCALE:g}")
    ]
    command = [
        sys.executable, "-m", "turboupload", "batch", str(sheet), "--store", service.store_id,
        "--dask", cluster.address, "--json", "--no-wait", "--part-size", str(PART_BYTES),
        "--max-bandwidth", str(CAP * count), "--state-dir", str(sheet.parent / "state"), *quotas,
    ]  # fmt: skip
    marks: list[tuple[float, int]] = []
    ended = threading.Event()
    looking = threading.Thread(target=_look, args=(service, marks, ended))
    before = cluster.processor_s()
    looking.start()
    try:
        done = subprocess.run(
            command, env=aws_environment(service.endpoint_url, None), cwd=ROOT,
            capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ClientFailed(f"{count} workers: not over within {TIMEOUT_S:g} s") from error
    finally:
        ended.set()
        looking.join()
    if done.returncode != 0:
        raise ClientFailed(f"{count} workers: exit {done.returncode}: {done.stderr[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ends = {row["name"]: row for row in events if row["event"] == "batch.row"}
    if len(ends) != rows:
        raise ClientFailed(f"{count} workers: {len(ends)} of {rows} rows have ended")
    files = sum(each.stat().st_size for each in sheet.parent.glob("*.fastq.gz"))
    sent = service.stats()["operations"][SEND_PART.name]["bodyBytes"]
    moving = [mark for mark in marks if 0 < mark[1] < sent]
    return Played(
        workers=count,
        seconds=marks[-1][0] - moving[0][0],
        sent_bytes=sent,
        file_bytes=files,
        processor_s=cluster.processor_s() - before,
        used=len({row["worker"] for row in ends.values()}),
    )


def _look(service: RunningEmulator, marks: list[tuple[float, int]], ended: threading.Event) -> None:
    """Notes whenever the service has received more of parts."""
    while not ended.wait(LOOK_S):
        stats: dict[str, Any] = service.stats()
        received = stats["operations"].get(SEND_PART.name, {}).get("bodyBytes", 0)
        if not marks or received > marks[-1][1]:
            marks.append((time.monotonic(), received))
