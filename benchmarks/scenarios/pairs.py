"""Sheets of pairs at the service's real quotas: is the scarcest of them all that binds?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, sparse_file
from benchmarks.process import ClientFailed, Run, module, run_process
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator
from turboupload.core.rate.bound import Bound, least_time_of_rows
from turboupload.operations import TRANSACTIONS_PER_S

__all__ = ["pairs"]

PART_MIB = 100
UNLIMITED = 100_000.0
UNLIMITED_QUOTAS = dict.fromkeys(TRANSACTIONS_PER_S, UNLIMITED)

FULL = {
    "24 of 2 x 1 MiB": [1] * 24,
    "24 of 2 x 64 MiB": [64] * 24,
    "8 of 2 x 400 MiB": [400] * 8,
    "a mix of 24": [1] * 16 + [64] * 6 + [400] * 2,
}
QUICK = {"a mix of 6": [1, 1, 1, 4, 4, 16]}
"""MiB of each file, by row."""


def pairs(sink: Sink, *, quick: bool) -> Outcome:
    """Against the emulator, which enforces the quotas; the link is what it takes without them."""
    link = 0.0 if quick else _bytes_per_s(400)
    told = f", a link of {link / 1e6:,.0f} MB/s" if link else ""
    table = Table(
        f"pairs at the real quotas{told}",
        ("rows", "s", "bound s", "bound by", "ratio", "it says", "throttled"),
    )
    figures: list[Figure] = []
    measurements: dict[str, Any] = {"link_bytes_per_s": link}
    for name, sizes in (QUICK if quick else FULL).items():
        run = _run(sizes, {}, "real")
        bound = _bound(sizes, link)
        ratio = run.job_s / bound.seconds
        table.rows.append(
            (
                name,
                f"{run.job_s:.1f}",
                f"{bound.seconds:.1f}",
                bound.operation or bound.by,
                f"{ratio:.2f}",
                run.line["quota"] or run.line["limited_by"] or "-",
                str(run.line["retries"]),
            )
        )
        figures.append(Figure(f"{name}, real quotas: time against the bound", ratio, "x", 1.05))
        measurements[name] = {**run.line, "wall_s": run.job_s, "bound_s": bound.seconds}
    return [table], figures, measurements


def _bound(sizes: Sequence[int], link: float) -> Bound:
    bound = least_time_of_rows(
        [(size * MIB, size * MIB) for size in sizes],
        TRANSACTIONS_PER_S,
        part_bytes=PART_MIB * MIB,
        link_bytes_per_s=link or UNLIMITED * MIB,
    )
    assert bound is not None
    return bound


def _bytes_per_s(size: int) -> float:
    """What a single pair takes without quotas, from its first byte to its last.

    That is the machine's link, at both of its ends.
    """
    line = _run([size], UNLIMITED_QUOTAS, "off").line
    return 2 * size * MIB / float(line["last_part_s"] - line["first_create_s"])


def _run(sizes: Sequence[int], rates: dict[str, float], quotas: str) -> Run:
    with tempfile.TemporaryDirectory(dir=folder_for(2 * sum(sizes) * MIB)) as name:
        folder = Path(name)
        options = ("--quotas", quotas, "--ingest-delay", "600")
        with RunningEmulator(*options, root=folder / "emulator", tls=True) as emulator:
            job = folder / "job.json"
            job.write_text(
                json.dumps(
                    {
                        "sheet": str(_sheet(folder, sizes)),
                        "store": emulator.store_id,
                        "transactions_per_s": rates,
                        # Holes behind a head are no FASTQ, and what is read of them is not meant.
                        "config": {
                            "part_size_bytes": PART_MIB * MIB,
                            "preflight": False,
                            "wait": False,
                        },
                    }
                )
            )
            environment = aws_environment(
                emulator.endpoint_url, Path(emulator.ca_bundle) if emulator.ca_bundle else None
            )
            run = run_process(module("clients.batcher", f"@{job}"), environment, timeout_s=600)
    if run.line["counts"] != {"processing": len(sizes)}:
        raise ClientFailed(f"not all rows were sent: {run.line['counts']}")
    return run


def _sheet(folder: Path, sizes: Sequence[int]) -> Path:
    lines = ["sample,subject,name,type,source1,source2"]
    for row, size in enumerate(sizes):
        names = [f"row{row:03d}_R{which}.fastq.gz" for which in (1, 2)]
        for each in names:
            sparse_file(folder / each, size * MIB)
        lines.append(f"s{row},subject,row{row},FASTQ,{','.join(names)}")
    sheet = folder / "sheet.csv"
    sheet.write_text("\n".join(lines) + "\n")
    return sheet
