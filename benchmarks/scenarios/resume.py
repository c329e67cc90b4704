"""A half-done upload of 10,000 parts goes on after a crash, with and without its journal."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import folder_for, valid_file
from benchmarks.process import module, run_process
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator
from turboupload.core.rate.window import MOST

__all__ = ["resume"]

PART_BYTES = 8192
QUICK_PARTS, QUICK_WINDOW = 160, 8
PARTS, WINDOW = 10_000, MOST
CRASHES = 3
UNLIMITED = 100_000.0
LISTING = "ListReadSetUploadParts"


def resume(sink: Sink, *, quick: bool) -> Outcome:
    """How long until the first part goes out again."""
    parts, window = (QUICK_PARTS, QUICK_WINDOW) if quick else (PARTS, WINDOW)
    # A crash leaves up to two windows of parts behind that the service has, and nobody knows of:
    # how many depends on how soon the journal's disk answers. Every run must find some to send.
    assert parts // 2 + CRASHES * 2 * window < parts
    rates = dict.fromkeys(("UploadReadSetPart", LISTING), UNLIMITED)
    real = {"UploadReadSetPart": UNLIMITED}
    table = Table(
        f"resume of {parts:,} parts of 8 KiB, half of them there",
        ("run", "s to the first part", "s in all", "parts sent", "listings"),
    )
    measurements: dict[str, Any] = {"parts": parts}
    with (
        tempfile.TemporaryDirectory(dir=folder_for(parts * PART_BYTES)) as name,
        RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator,
    ):
        folder = Path(name)
        file = valid_file(folder / "reads.fastq.gz", parts * PART_BYTES)
        base = {
            "store": emulator.store_id,
            "part_size_bytes": PART_BYTES,
            "wait": False,
            "preflight": True,
            # Without a number it is as large as the link wants, `MOST` at the most.
            "concurrency": window if quick else None,
        }
        environment = aws_environment(
            emulator.endpoint_url, Path(emulator.ca_bundle) if emulator.ca_bundle else None
        )

        def run(label: str, **options: Any) -> dict[str, Any]:
            job = json.dumps({"file": str(file), "options": {**base, **options}})
            line = run_process(module("clients.uploader", job), environment).line
            sent = line["calls"].get("UploadReadSetPart ok", 0)
            listings = sum(n for call, n in line["calls"].items() if call.startswith(LISTING))
            first = f"{line['first_part_s']:.2f}"
            table.rows.append((label, first, f"{line['wall_s']:.2f}", str(sent), str(listings)))
            measurements[label] = {**line, "lag": line.get("lag")}
            return line

        state = str(folder / "state")
        run(
            "the first half",
            state_dir=state,
            transactions_per_s=rates,
            crash_after_parts=parts // 2,
        )
        with_journal = run(
            "with the journal, listings at 5 a second",
            state_dir=state,
            transactions_per_s=real,
            crash_after_parts=1,
        )
        run(
            "with the journal, listings unlimited",
            state_dir=state,
            transactions_per_s=rates,
            crash_after_parts=1,
        )
        rest = run(
            "without the journal, to the end",
            state_dir=str(folder / "other"),
            transactions_per_s=rates,
        )
    figures = [
        Figure("resume of a half-done upload: first part after", with_journal["first_part_s"], "s"),
        Figure(
            "… without its journal: share of the parts sent again",
            max(0, rest["calls"].get("UploadReadSetPart ok", 0) - parts / 2) / parts * 100,
            "%",
            1.0,
        ),
    ]
    return [table], figures, measurements
