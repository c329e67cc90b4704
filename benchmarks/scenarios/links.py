"""Links that are not loopback: narrow, far away, or breaking."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.files import GIB, MIB, folder_for, sparse_file
from benchmarks.peers import SHA256, TOOLS, alternate
from benchmarks.process import ClientFailed, Run
from benchmarks.relay import Link, Relay
from benchmarks.report import Figure, Outcome, Table, spread
from benchmarks.sink import Sink

__all__ = ["far", "faults", "narrow"]

CLIENTS = (TOOLS, SHA256)
STALL_TIMEOUT_S = 3.0
QUICK_STALL_TIMEOUT_S = 1.0
QUICK_BYTES = 112 * MIB
"""Two parts of the peer's, whose parts have 100 MiB."""


def narrow(sink: Sink, *, quick: bool) -> Outcome:
    """Each connection is capped at 25 MB/s, with 40 ms there and back."""
    rate = 200e6 if quick else 25e6
    link = Link(bytes_per_s=rate, round_trip_s=0.040)
    about = f"{rate / 1e6:g} MB/s a connection, 40 ms"
    size, rounds = (QUICK_BYTES, 1) if quick else (6 * GIB, 2)
    return _compare(sink, link, size, rounds, about, target=2.0, strict=quick)


def far(sink: Sink, *, quick: bool) -> Outcome:
    """A round trip of 200 ms, and a TCP window of 4 MiB a connection (Linux's default largest)."""
    round_trip_s = 0.025 if quick else 0.200
    link = Link(round_trip_s=round_trip_s, window_bytes=4 * MIB)
    about = f"{round_trip_s * 1000:g} ms, window of 4 MiB"
    return _compare(sink, link, QUICK_BYTES if quick else 4 * GIB, 1, about, strict=quick)


def _compare(
    sink: Sink,
    link: Link,
    size: int,
    rounds: int,
    about: str,
    *,
    target: float | None = None,
    strict: bool,
) -> Outcome:
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", size)
        with Relay(sink.port, link) as relay:
            runs, left_out = alternate(
                CLIENTS, sink, file, rounds, endpoint=relay.endpoint_url, strict=strict
            )
    table = Table(
        f"{about}: {size // MIB} MiB, {rounds} rounds",
        ("client", "MB/s", "s", "parts in flight"),
        notes=left_out,
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
        "left_out": left_out,
    }
    return [table], figures, measurements


def _in_flight(each: list[Run]) -> str:
    seen = [run.line["in_flight"] for run in each if "in_flight" in run.line]
    return f"up to {max(seen)}" if seen else "10"


def faults(sink: Sink, *, quick: bool) -> Outcome:
    """Every third connection is reset in mid-part; then, every third stalls for good."""
    # The peer needs three parts at least, or it makes no third connection.
    size, after = (224 * MIB, 5 * MIB) if quick else (2 * GIB, 60 * MIB)
    table = Table(
        f"faults: {size // MIB} MiB; every third connection breaks after {after // MIB} MiB",
        ("client and fault", "s", "faults", "bytes sent again", "retries"),
    )
    measurements: dict[str, object] = {"file_bytes": size, "left_out": table.notes}
    figures = []
    breaking = Link(drop_after_bytes=after, every=3)
    stalling = Link(stall_after_bytes=after, every=3)
    stall_timeout_s = QUICK_STALL_TIMEOUT_S if quick else STALL_TIMEOUT_S
    patient = replace(SHA256, options={**SHA256.options, "stall_timeout_s": stall_timeout_s})
    # A stalled peer would wait a minute for each of its own time-outs: it is left out.
    cases = (("reset", breaking, patient), ("reset", breaking, TOOLS), ("stall", stalling, patient))
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", size)
        for fault, link, client in cases:
            with Relay(sink.port, link) as relay:
                runs, left_out = alternate(
                    [client], sink, file, 1, endpoint=relay.endpoint_url, strict=quick
                )
                again = relay.forwarded / size - 1
            if left_out:
                table.notes += left_out
                continue
            name = f"{client.name}: {fault}"
            if not relay.faults:
                raise ClientFailed(f"{name}: no connection broke, so nothing was shown")
            (run,) = runs[client.name]
            retries = str(run.line.get("retries", "botocore's"))
            table.rows.append(
                (name, f"{run.job_s:.1f}", str(relay.faults), f"{again:.0%}", retries)
            )
            measurements[name] = {"job_s": run.job_s, "faults": relay.faults, "again": again}
            if client is patient:
                label = f"bytes sent again over those needed, {fault}"
                figures.append(Figure(label, again * 100, "%"))
    return [table], figures, measurements
