"""The same proof by everybody: the SHA-256 of each part, to be held against the service's checksum.

turboupload computes it in the pass that sends. Who uploads with something else reads the file once
more, with the tool or the script at hand, or hashes each part before sending it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.files import GIB, MIB, folder_for, full_file
from benchmarks.peers import (
    CURL,
    SHA256,
    THREADS,
    TOOLS,
    XXH3,
    Client,
    cpu_s,
    left_out_because,
    per_gib,
    run_client,
)
from benchmarks.process import Run, module, run_process
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import Sink

__all__ = ["proven"]

HASHED_BEFORE = replace(
    THREADS, name="boto3, 10 threads, hashlib before each part", options={"sha256": True}
)
PART_BYTES = 100 * MIB


@dataclass(frozen=True, slots=True)
class Way:
    """One way to upload, and to have the proof.

    Attributes:
        name: As the table has it.
        client: What uploads.
        afterwards: What hashes the file then; None if nothing has to.
        proves: Whether each part's SHA-256 is known in the end.
    """

    name: str
    client: Client
    afterwards: Callable[[Path], Run] | None = None
    proves: bool = True


@dataclass(frozen=True, slots=True)
class Took:
    """One run of one way, in seconds by the clock and of processor time."""

    upload_s: float
    hash_s: float
    cpu_s: float
    peak_rss_bytes: int

    @property
    def wall_s(self) -> float:
        return self.upload_s + self.hash_s


def _sha256sum(file: Path) -> Run:
    """The digests of the parts with coreutils alone, as docs/receipts.md has it."""
    command = ["split", f"--bytes={PART_BYTES}", "--filter=sha256sum", str(file)]
    return run_process(command, os.environ, prints_json=False)


def _hashlib(file: Path) -> Run:
    return run_process(module("clients.part_sha256", json.dumps({"file": str(file)})), os.environ)


WAYS = (
    Way("curl, one connection (no proof, no parts)", CURL, proves=False),
    Way("turboupload, xxh3 (no proof)", XXH3, proves=False),
    Way("aws-healthomics-tools (no proof)", TOOLS, proves=False),
    Way("turboupload, sha256 (the default)", SHA256),
    Way("aws-healthomics-tools, then hashlib on both processors", TOOLS, _hashlib),
    Way("aws-healthomics-tools, then split and sha256sum", TOOLS, _sha256sum),
    Way(HASHED_BEFORE.name, HASHED_BEFORE),
)
CURL_ONLY, _, TOOLS_ONLY, DEFAULT, TOOLS_HASHLIB, TOOLS_SUM, BOTO3 = (way.name for way in WAYS)


def proven(sink: Sink, *, quick: bool) -> Outcome:
    """Seconds and processor time until the upload is done and its parts' SHA-256 are known."""
    size = 112 * MIB if quick else GIB
    rounds = 1 if quick else 5
    took: dict[str, list[Took]] = {}
    left_out = {way.name: said for way in WAYS if (said := left_out_because(way.client, sink))}
    with tempfile.TemporaryDirectory(dir=folder_for(size)) as folder:
        file = full_file(Path(folder) / "reads.fastq.gz", size)
        for _ in range(rounds):
            for way in WAYS:
                if way.name not in left_out:
                    took.setdefault(way.name, []).append(_run(way, sink, file))
    notes = list(dict.fromkeys(left_out.values()))
    table = _table(took, size, f"{size // MIB} MiB, {rounds} rounds")
    table.notes += notes
    kept = {name: [_kept(each, size) for each in runs] for name, runs in took.items()}
    return [table], _figures(took), {"file_bytes": size, "ways": kept, "left_out": notes}


def _run(way: Way, sink: Sink, file: Path) -> Took:
    upload = run_client(way.client, sink, file)
    if way.afterwards is None:
        return Took(upload.job_s, 0.0, cpu_s(upload), upload.peak_rss_bytes)
    hashed = way.afterwards(file)
    peak = max(upload.peak_rss_bytes, hashed.peak_rss_bytes)
    return Took(upload.job_s, hashed.job_s, cpu_s(upload) + cpu_s(hashed), peak)


def _table(took: Mapping[str, list[Took]], size: int, about: str) -> Table:
    table = Table(
        f"the same proof: {about}, alternating; median (range)",
        ("way", "upload s", "hash s", "together s", "cpu s/GiB", "RSS MiB"),
    )
    for name, runs in took.items():
        table.rows.append(
            (
                name,
                spread([each.upload_s for each in runs]),
                spread([each.hash_s for each in runs]),
                spread([each.wall_s for each in runs]),
                spread([per_gib(each.cpu_s, size) for each in runs]),
                f"{max(each.peak_rss_bytes for each in runs) / MIB:.0f}",
            )
        )
    return table


def _kept(each: Took, size: int) -> dict[str, float]:
    return {
        "upload_s": each.upload_s,
        "hash_s": each.hash_s,
        "cpu_s_per_gib": per_gib(each.cpu_s, size),
        "peak_rss_bytes": each.peak_rss_bytes,
    }


def _figures(took: Mapping[str, list[Took]]) -> list[Figure]:
    """Ratios of the same round, and then their median."""
    figures: list[Figure] = []

    def add(name: str, peer: str, target: float | None, *, wall: bool) -> None:
        if DEFAULT not in took or peer not in took:
            return
        pairs = list(zip(took[DEFAULT], took[peer], strict=True))
        if wall:
            ratio = median([theirs.wall_s / ours.wall_s for ours, theirs in pairs])
        else:
            ratio = median([ours.cpu_s / theirs.cpu_s for ours, theirs in pairs])
        figures.append(Figure(name, ratio, "x", target, at_least=wall))

    add("processor time with proof, against curl's without", CURL_ONLY, 1.3, wall=False)
    add("wall rate with proof, against aws-healthomics-tools' without", TOOLS_ONLY, 0.85, wall=True)
    for peer in (TOOLS_HASHLIB, TOOLS_SUM, BOTO3):
        add(f"processor time with proof, against {peer}", peer, 1.0, wall=False)
        add(f"wall rate with proof, against {peer}", peer, 1.0, wall=True)
    return figures
