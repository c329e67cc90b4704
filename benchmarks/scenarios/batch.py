"""A sheet of a thousand rows at twenty times the quotas, and one of ten thousand tiny ones."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, sheet_of
from benchmarks.process import ClientFailed, Run, module, run_process
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator
from turboupload.operations import TRANSACTIONS_PER_S

__all__ = ["batch"]

SCALE = 20
"""Every quota is so many times the service's: 1,000 rows would else take 17 minutes."""

UNLIMITED = 100_000.0
CREATE = "CreateMultipartReadSetUpload"


def batch(sink: Sink, *, quick: bool) -> Outcome:
    """Against the emulator, which enforces the quotas."""
    rows, many = (20, 60) if quick else (1_000, 10_000)
    scaled = {operation: tps * SCALE for operation, tps in TRANSACTIONS_PER_S.items()}
    first, calls = _run(rows, MIB, scaled, [f"--quota={o}={t:g}" for o, t in scaled.items()])
    # The library lets half a second's worth go at once.
    bound_s = (rows - scaled[CREATE] / 2) / scaled[CREATE]
    unlimited = dict.fromkeys(TRANSACTIONS_PER_S, UNLIMITED)
    second, _ = _run(many, 1024, unlimited, ["--quotas", "off"])
    table = Table(
        "a sheet's rows",
        ("rows", "quotas", "s", "bound s", "checked s", "first row s", "cpu ms a row", "peak MiB"),
    )
    for count, quotas, run, bound in (
        (rows, f"x {SCALE}", first, f"{bound_s:.1f}"),
        (many, "off", second, "-"),
    ):
        table.rows.append(
            (
                f"{count:,}",
                quotas,
                f"{run.job_s:.1f}",
                bound,
                f"{run.line['checked_s']:.2f}",
                f"{run.line['first_row_s']:.2f}",
                f"{_cpu_ms(run, count):.1f}",
                f"{run.peak_rss_bytes / MIB:.0f}",
            )
        )
    table.notes.append(f"calls of the first: {json.dumps(calls)}")
    figures = [
        Figure(
            f"{rows:,} rows of 1 MiB: time against Create's bound",
            first.job_s / bound_s,
            "x",
            target=1.05,
        ),
        Figure(
            f"{rows:,} rows of 1 MiB: client's processor time a row", _cpu_ms(first, rows), "ms"
        ),
        Figure(f"{many:,} rows: peak memory", second.peak_rss_bytes / MIB, "MiB", target=300.0),
        Figure(
            f"{many:,} rows: until the first row was sent",
            second.line["first_row_s"],
            "s",
            target=5.0,
        ),
    ]
    measurements: dict[str, Any] = {
        "bound_s": bound_s,
        "calls": calls,
        "thousand": {**first.line, "wall_s": first.job_s},
        "ten_thousand": {**second.line, "wall_s": second.job_s},
    }
    return [table], figures, measurements


def _cpu_ms(run: Run, rows: int) -> float:
    return float(run.line["user_s"] + run.line["system_s"]) / rows * 1000


def _run(
    rows: int, size: int, rates: dict[str, float], quotas: list[str]
) -> tuple[Run, dict[str, int]]:
    with (
        tempfile.TemporaryDirectory(dir=folder_for(rows * size)) as name,
        RunningEmulator(*quotas, "--ingest-delay", "0", tls=True) as emulator,
    ):
        folder = Path(name)
        options = {
            "sheet": str(sheet_of(folder, rows, size)),
            "store": emulator.store_id,
            "transactions_per_s": rates,
        }
        job = folder / "job.json"
        job.write_text(json.dumps(options))
        environment = aws_environment(
            emulator.endpoint_url, Path(emulator.ca_bundle) if emulator.ca_bundle else None
        )
        run = run_process(module("clients.batcher", f"@{job}"), environment, timeout_s=900)
        operations = emulator.stats()["operations"]
    if run.line["counts"] != {"active": rows}:
        raise ClientFailed(f"not all rows are ACTIVE: {run.line['counts']}")
    return run, {each: int(row["requests"]) for each, row in operations.items()}
