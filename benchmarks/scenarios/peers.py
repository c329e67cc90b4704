"""The same file over TLS into the sink, by everything that people use; and over narrow links."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import GIB, MIB, folder_for, full_file
from benchmarks.process import ClientFailed, Run, module, run_process
from benchmarks.relay import Relay
from benchmarks.report import Figure, Table, median, spread
from benchmarks.sink import Sink

__all__ = ["links", "raw"]

PEERS_PYTHON = Path(__file__).resolve().parents[2] / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Client:
    """One way to upload a file.

    Attributes:
        name: As the table has it.
        module: The client's module under `benchmarks.clients`; empty for curl.
        options: What it understands.
        peer: Whether it lives in the peers' environment.
        needs_443: Whether it knows no other port.
    """

    name: str
    module: str
    options: dict[str, Any]
    peer: bool = False
    needs_443: bool = False


XXH3 = Client("turboupload, xxh3", "uploader", {"checksum": "xxh3"})
SHA256 = Client("turboupload, sha256", "uploader", {"checksum": "sha256"})
TOOLS = Client("aws-healthomics-tools", "healthomics_tools", {}, peer=True)
BYTESIO = Client("aiobotocore, BytesIO", "aiobotocore_payload", {"payload": "bytesio"})
CRT = Client("awscrt S3", "awscrt_s3", {}, peer=True, needs_443=True)
CURL = Client("curl, one connection", "", {})
CLIENTS = (
    XXH3,
    SHA256,
    CURL,
    TOOLS,
    Client("boto3, threads", "boto3_threads", {}, peer=True),
    BYTESIO,
    Client("aiobotocore, bytes", "aiobotocore_payload", {"payload": "bytes"}),
    CRT,
)


def _run(client: Client, sink: Sink, file: Path, endpoint: str | None = None) -> Run:
    environment = sink.environment(endpoint)
    if not client.module:
        url = f"{endpoint or sink.endpoint_url}/sequencestore/1234567890/upload/1/part"
        curl = shutil.which("curl")
        if curl is None:
            raise ClientFailed("curl is not installed")
        command = [curl, "-sS", "--cacert", str(sink.ca), "-o", "/dev/null", "-T", str(file), url]
        return run_process(command, environment, prints_json=False)
    python = {"python": str(PEERS_PYTHON)} if client.peer else {}
    job = json.dumps({"file": str(file), "options": client.options})
    return run_process(module(f"clients.{client.module}", job, **python), environment)


def _usable(clients: Sequence[Client], sink: Sink) -> list[Client]:
    return [
        client
        for client in clients
        if (not client.peer or PEERS_PYTHON.exists()) and (not client.needs_443 or sink.has_443)
    ]


def _cpu_s(run: Run) -> float:
    """Processor time of the job; of curl the whole process, which has next to no start-up."""
    return float(run.line.get("user_s", run.user_s)) + float(run.line.get("system_s", run.system_s))


def _alternate(
    clients: Sequence[Client], sink: Sink, file: Path, rounds: int, endpoint: str | None = None
) -> tuple[dict[str, list[Run]], list[str]]:
    """A B C A B C …, so that a slow moment of the machine hits all alike."""
    runs: dict[str, list[Run]] = {}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for client in clients:
            if client.name in failed:
                continue
            sink.forget()
            try:
                run = _run(client, sink, file, endpoint)
            except ClientFailed as error:
                failed[client.name] = f"{client.name}: {str(error).splitlines()[-1][:150]}"
                continue
            size = file.stat().st_size
            came = sink.received(at_least=size).part_bytes
            if came < size:
                failed[client.name] = f"{client.name}: only {came:,} bytes arrived"
                continue
            runs.setdefault(client.name, []).append(run)
    return runs, list(failed.values())


def raw(sink: Sink, *, quick: bool) -> tuple[list[Table], list[Figure], dict[str, Any]]:
    """Everything against the bare sink."""
    size = 256 * MIB if quick else 2 * GIB
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory(dir=folder_for(size)) as folder:
        file = full_file(Path(folder) / "reads.fastq.gz", size)
        runs, failed = _alternate(_usable(CLIENTS, sink), sink, file, rounds)
        sha256_s = _hash_s(file) * GIB / size
    table = Table(
        f"raw TLS: {size // MIB} MiB, parts of 100 MiB, {rounds} rounds; median (range)",
        ("client", "cpu s/GiB", "MB/s", "peak RSS MiB", "loop lag p99 / worst ms"),
        notes=[f"hashlib.sha256 alone: {sha256_s:.2f} s/GiB", *failed],
    )
    for name, each in runs.items():
        lag = each[0].line.get("lag", {})
        p99 = [run.line["lag"]["p99_ms"] for run in each if "p99_ms" in run.line.get("lag", {})]
        worst = [
            run.line["lag"]["worst_ms"] for run in each if "worst_ms" in run.line.get("lag", {})
        ]
        table.rows.append(
            (
                name,
                spread([_cpu_s(run) * GIB / size for run in each]),
                f"{median([size / run.job_s / 1e6 for run in each]):,.0f}",
                f"{max(run.peak_rss_bytes for run in each) / MIB:.0f}",
                f"{median(p99):.0f} / {max(worst):.0f}" if lag and p99 else "-",
            )
        )
    measurements = {
        "sha256_s_per_gib": sha256_s,
        "runs": {
            name: [
                {
                    "cpu_s_per_gib": _cpu_s(run) * GIB / size,
                    "mb_per_s": size / run.job_s / 1e6,
                    "peak_rss_bytes": run.peak_rss_bytes,
                    "lag": run.line.get("lag"),
                }
                for run in each
            ]
            for name, each in runs.items()
        },
    }
    return [table], _raw_figures(runs, size, sha256_s), measurements


def _hash_s(file: Path) -> float:
    data = file.read_bytes()
    began = time.perf_counter()
    hashlib.sha256(data).digest()
    return time.perf_counter() - began


def _raw_figures(runs: dict[str, list[Run]], size: int, sha256_s: float) -> list[Figure]:
    def cpu(client: Client) -> float:
        return median([_cpu_s(run) * GIB / size for run in runs[client.name]])

    def rate(client: Client) -> float:
        return median([size / run.job_s for run in runs[client.name]])

    figures = []
    if CURL.name in runs and XXH3.name in runs:
        figures.append(
            Figure("processor time, xxh3, against curl's", cpu(XXH3) / cpu(CURL), "x", 1.0)
        )
    if XXH3.name in runs and SHA256.name in runs:
        extra = cpu(SHA256) - cpu(XXH3)
        figures.append(Figure("SHA-256's share, against hashlib's", extra / sha256_s, "x", 1.1))
    for peer in (TOOLS, CRT, BYTESIO):
        if peer.name in runs and XXH3.name in runs:
            name = f"wall rate against {peer.name}"
            figures.append(Figure(name, rate(XXH3) / rate(peer), "x", 1.0, at_least=True))
    lags = [run.line["lag"] for run in runs.get(XXH3.name, []) if "p99_ms" in run.line["lag"]]
    if lags:
        figures.append(Figure("loop lag p99", median([lag["p99_ms"] for lag in lags]), "ms", 10.0))
        figures.append(Figure("loop lag worst", max(lag["worst_ms"] for lag in lags), "ms", 50.0))
    return figures


def links(sink: Sink, *, quick: bool) -> tuple[list[Table], list[Figure], dict[str, Any]]:
    """Links on which each connection is capped at 25 MB/s, with 40 ms there and back."""
    size = (512 * MIB) if quick else 8 * GIB
    rate, trip = 25e6, 0.040
    rounds = 1 if quick else 2
    with tempfile.TemporaryDirectory(dir=folder_for(size)) as folder:
        file = full_file(Path(folder) / "reads.fastq.gz", size)
        with Relay(sink.port, bytes_per_s=rate, round_trip_s=trip) as relay:
            endpoint = f"https://localhost:{relay.port}"
            clients = _usable((XXH3, TOOLS), sink)
            runs, failed = _alternate(clients, sink, file, rounds, endpoint)
    table = Table(
        f"narrow links: {size // MIB} MiB, 25 MB/s a connection, 40 ms; {rounds} rounds",
        ("client", "MB/s", "largest window"),
        notes=failed,
    )
    for name, each in runs.items():
        windows = [size for run in each for _, size in run.line.get("windows", [])]
        table.rows.append(
            (
                name,
                f"{median([size / run.job_s / 1e6 for run in each]):,.0f}",
                str(max(windows, default=16)) if name == XXH3.name else "10",
            )
        )
    figures = []
    if TOOLS.name in runs and XXH3.name in runs:
        ours, theirs = (median([1 / run.job_s for run in runs[c.name]]) for c in (XXH3, TOOLS))
        figures.append(
            Figure(
                "narrow links against aws-healthomics-tools", ours / theirs, "x", 2.0, at_least=True
            )
        )
    return (
        [table],
        figures,
        {name: [size / run.job_s / 1e6 for run in each] for name, each in runs.items()},
    )
