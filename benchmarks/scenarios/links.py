"""Links that are not loopback: narrow, far away, or breaking."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.files import GIB, MIB, folder_for, sparse_file
from benchmarks.peers import SHA256, TOOLS, Client, alternate, upload
from benchmarks.process import Run
from benchmarks.relay import Link, Relay
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import Sink

__all__ = ["far", "faults", "narrow"]

CLIENTS = (TOOLS, SHA256)
STALL_TIMEOUT_S = 3.0


def narrow(sink: Sink, *, quick: bool) -> Outcome:
    """Each connection is capped at 25 MB/s, with 40 ms there and back."""
    link = Link(bytes_per_s=25e6, round_trip_s=0.040)
    size = 512 * MIB if quick else 6 * GIB
    return _compare(sink, link, size, 1 if quick else 2, "25 MB/s a connection, 40 ms", target=2.0)


def far(sink: Sink, *, quick: bool) -> Outcome:
    """A round trip of 200 ms, and a TCP window of 4 MiB a connection (Linux's default largest)."""
    link = Link(round_trip_s=0.200, window_bytes=4 * MIB)
    size = 256 * MIB if quick else 4 * GIB
    return _compare(sink, link, size, 1, "200 ms, window of 4 MiB")


def _compare(
    sink: Sink, link: Link, size: int, rounds: int, about: str, *, target: float | None = None
) -> Outcome:
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", size)
        with Relay(sink.port, link) as relay:
            runs, failed = alternate(CLIENTS, sink, file, rounds, endpoint=relay.endpoint_url)
    table = Table(
        f"{about}: {size // MIB} MiB, {rounds} rounds",
        ("client", "MB/s", "s", "parts in flight"),
        notes=failed,
    )
    for name, each in runs.items():
        rates = [size / run.job_s / 1e6 for run in each]
        seconds = [run.job_s for run in each]
        table.rows.append((name, spread(rates, digits=0), spread(seconds), _in_flight(each)))
    figures = []
    if len(runs) == len(CLIENTS):
        pairs = zip(runs[SHA256.name], runs[TOOLS.name], strict=False)
        ratio = statistics.median([theirs.job_s / ours.job_s for ours, theirs in pairs])
        name = f"{about}: rate against {TOOLS.name}"
        figures.append(Figure(name, ratio, "x", target, at_least=True))
    measurements = {
        "file_bytes": size,
        "link": about,
        "mb_per_s": {name: [size / run.job_s / 1e6 for run in each] for name, each in runs.items()},
        "windows": [run.line["windows"] for run in runs.get(SHA256.name, [])],
        "left_out": failed,
    }
    return [table], figures, measurements


def _in_flight(each: list[Run]) -> str:
    seen = [run.line["in_flight"] for run in each if "in_flight" in run.line]
    return f"up to {max(seen)}" if seen else "10"


def faults(sink: Sink, *, quick: bool) -> Outcome:
    """Every third connection is reset in mid-part; then, every third stalls for good."""
    size, after = (512 * MIB, 10 * MIB) if quick else (2 * GIB, 60 * MIB)
    table = Table(
        f"faults: {size // MIB} MiB; every third connection breaks after {after // MIB} MiB",
        ("client and fault", "s", "faults", "bytes sent again", "retries"),
    )
    measurements: dict[str, object] = {"file_bytes": size}
    figures = []
    breaking = Link(drop_after_bytes=after, every=3)
    stalling = Link(stall_after_bytes=after, every=3)
    # A stalled peer would wait a minute for each of its own time-outs: it is left out.
    cases = (
        ("reset", breaking, SHA256),
        ("reset", breaking, TOOLS),
        ("stall", stalling, SHA256),
    )
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", size)
        for fault, link, client in cases:
            with Relay(sink.port, link) as relay:
                found = _one_faulty(sink, relay, file, client)
                again = relay.forwarded / size - 1
            name = f"{client.name}: {fault}"
            seconds, retries = found
            table.rows.append(
                (name, f"{seconds:.1f}", str(relay.faults), f"{again:.0%}", str(retries))
            )
            measurements[name] = {"job_s": seconds, "faults": relay.faults, "again": again}
            if client is SHA256:
                label = f"bytes sent again over those needed, {fault}"
                figures.append(Figure(label, again * 100, "%"))
    return [table], figures, measurements


def _one_faulty(sink: Sink, relay: Relay, file: Path, client: Client) -> tuple[float, object]:
    if client is TOOLS:
        runs, failed = alternate([TOOLS], sink, file, 1, endpoint=relay.endpoint_url)
        if failed:
            return float("nan"), failed[0]
        return median([run.job_s for run in runs[TOOLS.name]]), "botocore's"
    options = {**client.options, "stall_timeout_s": STALL_TIMEOUT_S}
    run = upload(sink, file, options, relay.endpoint_url)
    return run.job_s, run.line["retries"]
