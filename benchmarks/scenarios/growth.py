"""Time and memory from 100 MB to 50 GB."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.files import GIB, MIB, folder_for, sparse_file
from benchmarks.peers import upload
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink

__all__ = ["growth"]

SIZES = (100_000_000, 1_000_000_000, 10_000_000_000, 50_000_000_000)
QUICK_SIZES = (50_000_000, 250_000_000)


def growth(sink: Sink, *, quick: bool) -> Outcome:
    """A sparse file to the bare sink, with the defaults (SHA-256)."""
    table = Table(
        "growth: default settings, sparse file",
        ("GB", "parts", "s", "MB/s", "cpu s/GiB", "peak RSS MiB"),
    )
    rows = []
    for size in QUICK_SIZES if quick else SIZES:
        with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
            file = sparse_file(Path(folder) / "reads.fastq.gz", size)
            run = upload(sink, file)
        cpu = (run.line["user_s"] + run.line["system_s"]) * GIB / size
        rows.append(
            {
                "bytes": size,
                "parts": run.line["parts"],
                "job_s": run.job_s,
                "cpu_s_per_gib": cpu,
                "peak_rss_bytes": run.peak_rss_bytes,
            }
        )
        table.rows.append(
            (
                f"{size / 1e9:g}",
                str(run.line["parts"]),
                f"{run.job_s:.1f}",
                f"{size / run.job_s / 1e6:,.0f}",
                f"{cpu:.2f}",
                f"{run.peak_rss_bytes / MIB:.0f}",
            )
        )
    first, last = rows[0], rows[-1]
    figures = [
        Figure(
            f"peak memory at {last['bytes'] / 1e9:g} GB over that at {first['bytes'] / 1e9:g} GB",
            (last["peak_rss_bytes"] - first["peak_rss_bytes"]) / MIB,
            "MiB",
        )
    ]
    return [table], figures, {"sizes": rows}
