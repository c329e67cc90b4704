"""What the engine costs above the wire: parts, plans, memory, start-up."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import anyio

from benchmarks.files import GIB, MIB, folder_for, sequenced_file, sparse_file
from benchmarks.peers import upload
from benchmarks.process import ClientFailed
from benchmarks.report import Figure, Outcome, median
from benchmarks.sink import Sink
from tests.support.memory_service import MemoryService
from turboupload.config import UploadConfig
from turboupload.core.model import PartSource, ReadSet
from turboupload.core.upload.plan import make_plan
from turboupload.engine import Engine
from turboupload.files.source import inspect_source
from turboupload.limits import MAX_SOURCE_BYTES
from turboupload.state.journal import Journal

__all__ = ["memory", "overhead", "startup"]


def overhead(sink: Sink, *, quick: bool) -> Outcome:
    """10,000 parts of 8 KiB over the service in memory, and a plan of the largest file."""
    parts = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = sparse_file(folder / "reads.fastq.gz", parts * 8192)
        wall = anyio.run(_upload_in_memory, folder, file, backend_options={"use_uvloop": True})
        large = sparse_file(folder / "large.fastq.gz", MAX_SOURCE_BYTES)
        began = time.perf_counter()
        source = inspect_source(str(large), PartSource.SOURCE1)
        plan = make_plan([source])
        plan_ms = (time.perf_counter() - began) * 1000
        tracemalloc.start()
        every = list(make_plan([source]).parts())
        plan_mib = tracemalloc.get_traced_memory()[1] / MIB
        tracemalloc.stop()
        assert len(every) == plan.total_parts
    figures = [
        Figure("engine overhead a part", wall / parts * 1000, "ms", 1.0),
        Figure("plan of 976 GiB", plan_ms, "ms", 50.0),
        Figure("memory of that plan with all its parts in a list", plan_mib, "MiB", 20.0),
    ]
    return [], figures, {"parts": parts, "wall_s": wall}


async def _upload_in_memory(folder: Path, file: Path) -> float:
    service = MemoryService(in_thread=False, looks_until_active=0)
    journal = Journal(folder / "state")
    rates = {"UploadReadSetPart": 1e9}
    config = UploadConfig(part_size_bytes=8192, transactions_per_s=rates, preflight=False)
    engine = Engine(service, journal, config, where="memory")
    read_set = ReadSet(sources=[file], name="n", sample_id="s", subject_id="s")
    began = time.perf_counter()
    await engine.upload(read_set, service.store_id, lambda _: None)
    wall = time.perf_counter() - began
    journal.close()
    return wall


def memory(sink: Sink, *, quick: bool) -> Outcome:
    """64 parts of 100 MiB in flight, with the default checksum."""
    size = 448 * MIB if quick else 13 * GIB
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", size)
        options = {"concurrency": 64, "part_size_bytes": 100 * MIB}
        run = upload(sink, file, options)
    lag = run.line["lag"]
    figures = [
        Figure(
            "peak memory, 64 parts of 100 MiB in flight", run.peak_rss_bytes / MIB, "MiB", 120.0
        ),
        Figure("… parts in flight at most", run.line["in_flight"], ""),
        Figure("… loop lag, p99", lag["p99_ms"], "ms"),
    ]
    return [], figures, {"bytes": size, "peak_rss_bytes": run.peak_rss_bytes, "lag": lag}


def startup(sink: Sink, *, quick: bool) -> Outcome:
    """`--help`, and the first byte of an upload after the start of its process."""
    rounds = 1 if quick else 7
    helps, first_bytes = [], []
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        # Files up to 4 MiB are read whole by the preflight, so this one costs it the most.
        file = sequenced_file(Path(folder) / "reads.fastq.gz", 4 * MIB)
        size = file.stat().st_size
        for index in range(rounds):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "turboupload", "--help"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            helps.append(time.perf_counter() - began)
            sink.forget()
            started = time.time()
            subprocess.run(
                [sys.executable, "-m", "turboupload", "upload", str(file), "--store", "1234567890",
                 "--name", f"n{index}", "--sample", "s", "--subject", "s", "--quiet",
                 "--state-dir", str(Path(folder) / f"state{index}")],
                check=True, stdout=subprocess.DEVNULL,
                 env={**sink.environment(), "PYTHONPATH": str(Path.cwd())},
            )  # fmt: skip
            if (arrived := sink.received(at_least=size).part_bytes) < size:
                raise ClientFailed(f"only {arrived:,} of {size:,} bytes arrived")
            first = min(
                float(row["at"]) - float(row["seconds"])
                for row in sink.rows()
                if row["method"] == "PUT"
            )
            first_bytes.append(first - started)
    figures = [
        Figure("turboupload --help", median(helps) * 1000, "ms", 150.0),
        Figure("first byte of an upload after start", median(first_bytes) * 1000, "ms", 700.0),
    ]
    return [], figures, {"help_s": helps, "first_byte_s": first_bytes}
