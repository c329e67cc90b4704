"""What a chunk takes in Python, which one thread of a process at a time can run."""

from __future__ import annotations

import json
import os

from benchmarks.process import Run, module, run_process
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import Sink
from turboupload.http.transport import TransportConfig

__all__ = ["lock"]

THREADS = (1, 10, 64)
CHUNK_BYTES = 4096


def lock(sink: Sink, *, quick: bool) -> Outcome:
    """Processor time and waits a chunk, by the number of threads, and the rate that they allow."""
    chunks = 2_000 if quick else 50_000
    rounds = 1 if quick else 5
    runs: dict[int, list[Run]] = {threads: [] for threads in THREADS}
    for _ in range(rounds):
        for threads, each in runs.items():
            each.append(_run(threads, chunks))
    table = Table(
        f"interpreter lock: {chunks} chunks of {CHUNK_BYTES} bytes, {rounds} rounds",
        ("threads", "cpu us a chunk", "chunks/s", "waits a chunk"),
    )
    for threads, each in runs.items():
        table.rows.append(
            (
                str(threads),
                spread(_cpu_us(each), digits=1),
                spread(_rates(each), digits=0),
                spread(_waits(each)),
            )
        )
    real_bits = TransportConfig().chunk_bytes * 8
    figures = [
        Figure(
            f"rate at which Python alone takes a processor, {threads} threads",
            real_bits / median(_cpu_us(each)) / 1e3,
            "Gbit/s",
        )
        for threads, each in runs.items()
    ]
    kept = {
        str(threads): {
            "cpu_us_per_chunk": _cpu_us(each),
            "chunks_per_s": _rates(each),
            "waits_per_chunk": _waits(each),
        }
        for threads, each in runs.items()
    }
    return [table], figures, {"chunk_bytes": CHUNK_BYTES, "threads": kept}


def _run(threads: int, chunks: int) -> Run:
    options = {"threads": threads, "chunk_bytes": CHUNK_BYTES, "chunks": chunks}
    job = json.dumps({"file": "", "options": options})
    return run_process(module("clients.chunks", job), os.environ)


def _cpu_us(runs: list[Run]) -> list[float]:
    return [(run.line["user_s"] + run.line["system_s"]) / run.line["chunks"] * 1e6 for run in runs]


def _rates(runs: list[Run]) -> list[float]:
    return [run.line["chunks"] / run.job_s for run in runs]


def _waits(runs: list[Run]) -> list[float]:
    return [run.line["waits"] / run.line["chunks"] for run in runs]
