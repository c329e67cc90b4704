"""Ten parts a second, and not one more: how near to the bound."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.files import MIB, folder_for, sparse_file
from benchmarks.peers import TOOLS, left_out_because, run_client, upload
from benchmarks.process import ClientFailed
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink

__all__ = ["quota"]

RATE = 10
BURST = 5
"""Half a second's worth goes at once."""


def quota(sink: Sink, *, quick: bool) -> Outcome:
    """With parts of real size, where the machine may be what limits, and with small ones."""
    table = Table(
        "quota: ten parts a second",
        ("client", "parts", "s", "bound s", "parts/s", "MB/s", "throttled"),
    )
    figures: list[Figure] = []
    measurements: dict[str, object] = {}
    for mib, parts in ((8, 10), (32, 10)) if quick else ((8, 60), (100, 60)):
        with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
            file = sparse_file(Path(folder) / "reads.fastq.gz", parts * mib * MIB)
            seconds, throttled = _upload(sink, file, mib)
        bound = (parts - BURST) / RATE
        _add(table, f"turboupload, xxh3, {mib} MiB", parts, seconds, throttled, mib)
        # Small parts keep two cores from being what limits; the quota counts parts, not bytes.
        target = 1.1 if mib == 8 else None
        name = f"time under the quota against its bound, parts of {mib} MiB"
        figures.append(Figure(name, seconds / bound, "x", target))
        figures.append(Figure(f"calls throttled, parts of {mib} MiB", throttled, "", 0.0))
        measurements[f"{mib} MiB"] = {"job_s": seconds, "bound_s": bound, "throttled": throttled}
    measurements["aws-healthomics-tools"] = _peer(sink, table, 8 if quick else 60, strict=quick)
    measurements["left_out"] = table.notes
    return [table], figures, measurements


def _add(table: Table, name: str, parts: int, seconds: float, throttled: int, mib: int) -> None:
    bound = (parts - BURST) / RATE
    rate = f"{parts * mib * MIB / seconds / 1e6:,.0f}"
    cells = (f"{seconds:.2f}", f"{bound:.2f}", f"{parts / seconds:.1f}", rate, str(throttled))
    table.rows.append((name, str(parts), *cells))


def _upload(sink: Sink, file: Path, mib: int) -> tuple[float, int]:
    options = {
        # The service's own rate, which is the library's default.
        "transactions_per_s": {},
        "part_size_bytes": mib * MIB,
        "checksum": "xxh3",
    }
    run = upload(sink, file, options, sink.quota_url)
    return run.job_s, sink.received().throttled


def _peer(sink: Sink, table: Table, parts: int, *, strict: bool) -> dict[str, object]:
    """What a client does that knows of no quota."""
    if said := left_out_because(TOOLS, sink):
        table.notes.append(said)
        return {}
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        file = sparse_file(Path(folder) / "reads.fastq.gz", parts * 100 * MIB)
        try:
            seconds = run_client(TOOLS, sink, file, sink.quota_url).job_s
        except ClientFailed as error:
            if strict:
                raise
            table.notes.append(f"aws-healthomics-tools failed: {str(error)[-200:]}")
            return {"failed": True, "throttled": sink.received().throttled}
        throttled = sink.received().throttled
    _add(table, "aws-healthomics-tools, 100 MiB", parts, seconds, throttled, 100)
    return {"job_s": seconds, "throttled": throttled}
