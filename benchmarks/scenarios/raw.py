"""The same file over TLS into the bare sink, by everything that people use."""

from __future__ import annotations

import hashlib
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.files import GIB, MIB, folder_for, full_file
from benchmarks.peers import (
    BYTES,
    BYTESIO,
    CRT,
    CURL,
    SHA256,
    THREADS,
    TOOLS,
    XXH3,
    Client,
    alternate,
    cpu_s,
    per_gib,
    run_client,
)
from benchmarks.process import ClientFailed, Run
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import Sink

__all__ = ["raw"]

CLIENTS = (CURL, XXH3, TOOLS, SHA256, CRT, BYTESIO, THREADS, BYTES)
CHUNK_BYTES = 512 * 1024
SMALL_BYTES = 64 * 1024

Runs = dict[str, list[Run]]


def raw(sink: Sink, *, quick: bool) -> Outcome:
    """Processor time, rate, memory and loop lag against the bare sink."""
    # Two parts of the peers', who have no smaller ones than 100 MiB.
    size = 112 * MIB if quick else 2 * GIB
    rounds = 1 if quick else 5
    sha256_s: list[float] = []
    with tempfile.TemporaryDirectory(dir=folder_for(size)) as folder:
        file = full_file(Path(folder) / "reads.fastq.gz", size)
        small = full_file(Path(folder) / "small.fastq.gz", SMALL_BYTES)
        curl_start_s = _start_up_s(sink, small)
        runs, left_out = alternate(
            CLIENTS,
            sink,
            file,
            rounds,
            between=lambda: sha256_s.append(_sha256_s(file)),
            strict=quick,
        )
    cpu = {
        name: [per_gib(cpu_s(run, baseline_s=curl_start_s), size) for run in each]
        for name, each in runs.items()
    }
    rate = {name: [size / run.job_s / 1e6 for run in each] for name, each in runs.items()}
    table = _table(runs, cpu, rate, f"{size // MIB} MiB, {rounds} rounds")
    table.notes += [f"hashlib.sha256 alone: {spread(sha256_s)} s/GiB", *left_out]
    figures = [
        *_cpu_figures(cpu, sha256_s),
        *_rate_figures(runs),
        *_lag_figures(runs, XXH3),
        *_lag_figures(runs, SHA256),
    ]
    measurements = {
        "file_bytes": size,
        "sha256_s_per_gib": sha256_s,
        "clients": {
            name: {
                "cpu_s_per_gib": cpu[name],
                "mb_per_s": rate[name],
                "runs": [_kept(run) for run in each],
            }
            for name, each in runs.items()
        },
        "left_out": left_out,
    }
    return [table], figures, measurements


def _start_up_s(sink: Sink, small: Path) -> float:
    """What curl takes for next to nothing; the other clients tell their job's time apart."""
    try:
        return median([run_client(CURL, sink, small).cpu_s for _ in range(3)])
    except ClientFailed:
        return 0.0


def _sha256_s(file: Path) -> float:
    """Processor time of hashlib.sha256 over 1 GiB, in the chunks that the transport has."""
    buffer = memoryview(file.read_bytes()[:CHUNK_BYTES])
    digest = hashlib.sha256()
    began = time.thread_time()
    for _ in range(GIB // CHUNK_BYTES // 4):
        digest.update(buffer)
    return (time.thread_time() - began) * 4


def _kept(run: Run) -> dict[str, Any]:
    line = {
        key: value
        for key, value in run.line.items()
        if key in ("user_s", "system_s", "lag", "windows", "in_flight", "retries")
    }
    return {
        "job_s": run.job_s,
        "process_s": run.wall_s,
        "process_cpu_s": run.cpu_s,
        "peak_rss_bytes": run.peak_rss_bytes,
        **line,
    }


def _lags(each: Sequence[Run], key: str) -> list[float]:
    return [run.line["lag"][key] for run in each if key in run.line.get("lag", {})]


def _table(
    runs: Runs, cpu: dict[str, list[float]], rate: dict[str, list[float]], about: str
) -> Table:
    table = Table(
        f"raw TLS: {about}, alternating; median (range)",
        ("client", "n", "cpu s/GiB", "MB/s", "RSS MiB", "lag p99 / worst ms", "start-up s (cpu)"),
    )
    for name, each in runs.items():
        p99, worst = _lags(each, "p99_ms"), _lags(each, "worst_ms")
        start = [run.wall_s - run.job_s for run in each]
        start_cpu = [run.cpu_s - cpu_s(run) for run in each]
        table.rows.append(
            (
                name,
                str(len(each)),
                spread(cpu[name]),
                spread(rate[name], digits=0),
                f"{max(run.peak_rss_bytes for run in each) / MIB:.0f}",
                f"{median(p99):.0f} / {max(worst):.0f}" if p99 else "-",
                f"{median(start):.2f} ({median(start_cpu):.2f})" if each[0].line else "-",
            )
        )
    return table


def _cpu_figures(cpu: dict[str, list[float]], sha256_s: Sequence[float]) -> list[Figure]:
    """Ratios of the same round, so that both sides had the same machine; then their median."""
    if CURL.name not in cpu:
        return []
    figures = []
    curl = cpu[CURL.name]
    if XXH3.name in cpu:
        ratios = [ours / theirs for ours, theirs in zip(cpu[XXH3.name], curl, strict=False)]
        name = "processor time, xxh3, against curl's"
        figures.append(Figure(name, statistics.median(ratios), "x", 1.0))
    if SHA256.name in cpu:
        bounds = [theirs + 1.1 * alone for theirs, alone in zip(curl, sha256_s, strict=False)]
        ratios = [ours / bound for ours, bound in zip(cpu[SHA256.name], bounds, strict=False)]
        name = "processor time, SHA-256, against curl's + 1.1 x hashlib's"
        figures.append(Figure(name, statistics.median(ratios), "x", 1.0))
    return figures


def _rate_figures(runs: Runs) -> list[Figure]:
    figures = []
    for ours in (XXH3, SHA256):
        for peer in (TOOLS, CRT, BYTESIO):
            if ours.name not in runs or peer.name not in runs:
                continue
            pairs = zip(runs[ours.name], runs[peer.name], strict=False)
            ratios = [theirs.job_s / mine.job_s for mine, theirs in pairs]
            # None of the peers hashes what it sends: the like-for-like row is xxh3's.
            target = 1.0 if ours is XXH3 else None
            name = f"wall rate, {ours.name.split(', ')[1]}, against {peer.name}"
            figures.append(Figure(name, statistics.median(ratios), "x", target, at_least=True))
    return figures


def _lag_figures(runs: Runs, client: Client) -> list[Figure]:
    each = runs.get(client.name, [])
    p99, worst = _lags(each, "p99_ms"), _lags(each, "worst_ms")
    if not p99:
        return []
    label = client.name.split(", ")[1]
    return [
        Figure(f"loop lag while saturated, {label}: p99", median(p99), "ms", 10.0),
        Figure(f"loop lag while saturated, {label}: worst", max(worst), "ms", 50.0),
    ]
