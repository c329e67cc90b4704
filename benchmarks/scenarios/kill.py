"""An upload is killed: how much of what it had sent does the service have?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.environment import aws_environment
from benchmarks.files import MIB, folder_for, sparse_file
from benchmarks.process import ROOT, ClientFailed
from benchmarks.relay import Link, Relay
from benchmarks.report import Figure, Outcome, Table
from benchmarks.sink import Sink
from tests.support.emulator import RunningEmulator

__all__ = ["kill"]

RATES = (0.5e6, 2e6, 8e6, 20e6, 60e6)
QUICK_RATES = (8e6,)
"""Bytes a second, of all connections together."""

MOMENTS_S = (1.0, 2.5, 4.0, 6.0, 9.0, 13.0, 18.0, 24.0, 32.0, 45.0)
QUICK_MOMENTS_S = (3.5,)
"""How long after its first byte it is killed, in seconds."""

START_S = 60.0
COMMAND = [sys.executable, "-m", "turboupload"]
RISK_S, LEAST_BYTES = 15.0, 16 * MIB
CAPPED = "cap"


def kill(sink: Sink, *, quick: bool) -> Outcome:
    """A file that takes a minute, over links of several rates and under a cap, killed each time."""
    rates, moments = (QUICK_RATES, QUICK_MOMENTS_S) if quick else (RATES, MOMENTS_S)
    cases = [(rate, how) for rate in rates for how in ("link", CAPPED)]
    table = Table(
        "killed so long after its first byte: MiB sent, and kept",
        ("rate", *(f"{moment:g} s" for moment in moments), "most lost", "may be lost"),
    )
    figures: list[Figure] = []
    measured: dict[str, Any] = {}
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator:
        for rate, how in cases:
            runs = [_killed(emulator, rate, moment, capped=how == CAPPED) for moment in moments]
            allowed = max(RISK_S * rate, LEAST_BYTES)
            lost = max(sent - kept for sent, kept in runs)
            label = f"{rate / 1e6:g} MB/s {how}"
            told = [f"{sent / MIB:.0f}, {kept / MIB:.0f}" for sent, kept in runs]
            table.rows.append((label, *told, f"{lost / MIB:.0f}", f"{allowed / MIB:.0f}"))
            measured[label] = {"sent_and_kept": runs, "moments_s": moments, "allowed": allowed}
            figures.append(
                Figure(f"killed, {label}: lost of what may be", lost / allowed, "x", 1.0)
            )
    return [table], figures, measured


def _killed(
    emulator: RunningEmulator, rate: float, moment_s: float, *, capped: bool
) -> tuple[int, int]:
    """One run: how many bytes passed the link, and how many of them the service has."""
    link = Link() if capped else Link(total_bytes_per_s=rate)
    size = int(60 * rate) + 9 * MIB
    with (
        tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as name,
        Relay(emulator.port, link) as relay,
    ):
        folder = Path(name)
        file = sparse_file(folder / "reads.fastq.gz", size)
        ca = Path(emulator.ca_bundle) if emulator.ca_bundle else None
        environment = aws_environment(relay.endpoint_url, ca)
        command = [
            *COMMAND, "upload", str(file), "--store", emulator.store_id, "--name", folder.name,
            "--sample", "s", "--subject", "u", "--no-preflight", "--quiet",
            "--state-dir", str(folder / "state"),
            *(["--max-bandwidth", str(int(rate))] if capped else []),
        ]  # fmt: skip
        process = subprocess.Popen(command, env=environment, cwd=ROOT)
        try:
            _wait_for_bytes(relay, process)
            time.sleep(moment_s)
            sent = relay.forwarded
        finally:
            process.kill()
            process.wait()
        return sent, _kept(emulator, environment, folder.name)


def _wait_for_bytes(relay: Relay, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while relay.forwarded < MIB // 8:
        if process.poll() is not None or time.monotonic() > deadline:
            raise ClientFailed("no part was sent")
        time.sleep(0.02)


def _kept(emulator: RunningEmulator, environment: Mapping[str, str], name: str) -> int:
    """What the service has of an upload, in bytes."""
    direct = {**environment, "AWS_ENDPOINT_URL_OMICS": emulator.endpoint_url}
    command = [*COMMAND, "uploads", "list", "--store", emulator.store_id, "--json"]
    process = subprocess.run(command, env=direct, cwd=ROOT, capture_output=True, check=True)
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    return sum(row["bytes"] or 0 for row in rows if row.get("name") == name)
