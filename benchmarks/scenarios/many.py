"""A thousand small read sets: Create and Complete are what limits, at a scaled quota."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, small_read_sets
from benchmarks.process import ClientFailed, module, run_process
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator
from turboupload.operations import TRANSACTIONS_PER_S

__all__ = ["many"]

SCALE = 15
"""Every quota is so many times the service's: 1,000 read sets would else take 17 minutes."""


def many(sink: Sink, *, quick: bool) -> Outcome:
    """Against the emulator, which enforces the quotas; all uploads in one task group."""
    count = 20 if quick else 1_000
    rates = {operation: tps * SCALE for operation, tps in TRANSACTIONS_PER_S.items()}
    quotas = [f"--quota={operation}={tps:g}" for operation, tps in rates.items()]
    with (
        tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder,
        RunningEmulator(*quotas, "--ingest-delay", "0", tls=True) as emulator,
    ):
        files = [str(path) for path in small_read_sets(Path(folder), count)]
        environment = aws_environment(
            emulator.endpoint_url, Path(emulator.ca_bundle) if emulator.ca_bundle else None
        )
        options: dict[str, Any] = {
            "store": emulator.store_id,
            "more_files": files[1:],
            "transactions_per_s": rates,
            "preflight": True,
        }
        path = Path(folder) / "job.json"
        path.write_text(json.dumps({"file": files[0], "options": options}))
        run = run_process(module("clients.uploader", f"@{path}"), environment, timeout_s=280)
    if run.line["statuses"] != {"ACTIVE": count}:
        raise ClientFailed(f"not all read sets are ACTIVE: {run.line['statuses']}")
    create = rates["CreateMultipartReadSetUpload"]
    # The library lets half a second's worth go at once.
    bound = (count - create / 2) / create
    calls = run.line["calls"]
    throttled = sum(number for call, number in calls.items() if "Throttling" in call)
    table = Table(
        f"{count:,} small read sets, quotas x {SCALE}",
        ("read sets", "s", "bound s", "calls", "throttled", "client cpu s", "statuses"),
    )
    cpu = run.line["user_s"] + run.line["system_s"]
    table.rows.append(
        (
            f"{count:,}",
            f"{run.job_s:.1f}",
            f"{bound:.1f}",
            f"{sum(calls.values()):,}",
            str(throttled),
            f"{cpu:.1f}",
            json.dumps(run.line["statuses"]),
        )
    )
    figures = [
        Figure(f"{count:,} read sets: time against Create's bound", run.job_s / bound, "x"),
        Figure(f"{count:,} read sets: client's processor time each", cpu / count * 1000, "ms"),
    ]
    measurements = {
        "job_s": run.job_s,
        "bound_s": bound,
        "calls": calls,
        "cpu_s": cpu,
        "lag": run.line["lag"],
        "retries": run.line["retries"],
    }
    return [table], figures, measurements
