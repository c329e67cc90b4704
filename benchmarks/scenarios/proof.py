"""The ETag of FASTQ files, against the hash alone and against `gzip -dc | md5sum`."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import GIB, MIB, folder_for, sequenced_file
from benchmarks.process import Run, module, run_process
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import Sink

__all__ = ["proof"]

BLOCK_BYTES = 65_280
BLOCK_HEAD = bytes.fromhex("1f8b08040000000000ff060042430200")
BLOCK_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
HASH_ALONE = "hashlib alone, in memory"
GZIP = "gzip, one file"
BGZF = "BGZF, one file"
PAIR = "BGZF, a pair side by side"
TOOLS = "gzip -dc | md5sum"


Measured = dict[str, tuple[list[Run], int]]
"""The runs of each way, and how many bytes of text each of them hashed."""


def proof(sink: Sink, *, quick: bool) -> Outcome:
    """Uncompressed FASTQ hashed a second, in one file and in a pair."""
    size = (3 if quick else 64) * MIB
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory(dir=folder_for(8 * size)) as folder:
        files = _make(Path(folder), size)
        measured = {family: _measure(family, files, rounds) for family in ("MD5up", "SHA256up")}
    return (
        [_table(family, each) for family, each in measured.items()],
        [figure for family, each in measured.items() for figure in _figures(family, each)],
        {family: _kept(each) for family, each in measured.items()},
    )


@dataclass(frozen=True, slots=True)
class _Files:
    """The same reads in every form."""

    text: Path
    plain: Path
    blocks: Path
    second: Path

    @property
    def text_bytes(self) -> int:
        return self.text.stat().st_size


def _make(folder: Path, size: int) -> _Files:
    plain = sequenced_file(folder / "reads.fastq.gz", size, level=6)
    text = folder / "reads.fastq"
    with gzip.open(plain) as source, text.open("wb") as target:
        shutil.copyfileobj(source, target, MIB)
    blocks = _as_blocks(text, folder / "blocks.fastq.gz")
    return _Files(text, plain, blocks, Path(shutil.copy(blocks, folder / "second.fastq.gz")))


def _measure(family: str, files: _Files, rounds: int) -> Measured:
    """Every way in turns."""

    def client(file: Path, way: str, **options: object) -> Run:
        job = {"file": str(file), "options": {"family": family, "way": way, **options}}
        return run_process(module("clients.etag", json.dumps(job)), os.environ)

    repeats = files.text_bytes // MIB
    ways: dict[str, tuple[Callable[[], Run], int]] = {
        HASH_ALONE: (lambda: client(files.text, "hashlib", repeats=repeats), repeats * MIB),
        GZIP: (lambda: client(files.plain, "one"), files.text_bytes),
        BGZF: (lambda: client(files.blocks, "one"), files.text_bytes),
        PAIR: (
            lambda: client(files.blocks, "pair", second=str(files.second)),
            2 * files.text_bytes,
        ),
    }
    if family == "MD5up":
        ways[TOOLS] = (lambda: _tools(files.plain), files.text_bytes)
    measured: Measured = {way: ([], size) for way, (_, size) in ways.items()}
    for _ in range(rounds):
        for way, (run, _) in ways.items():
            measured[way][0].append(run())
    return measured


def _kept(measured: Measured) -> dict[str, Any]:
    return {
        way: {
            "mb_per_s": _rates(measured, way),
            "cpu_s_per_gib": [_cpu(run) * GIB / size for run in runs],
            "peak_rss_bytes": [run.peak_rss_bytes for run in runs],
            "lag": [run.line["lag"] for run in runs if "lag" in run.line],
        }
        for way, (runs, size) in measured.items()
    }


def _tools(file: Path) -> Run:
    command = ["/bin/sh", "-c", 'gzip -dc "$1" | md5sum', "sh", str(file)]
    return run_process(command, os.environ, prints_json=False)


def _cpu(run: Run) -> float:
    if "user_s" in run.line:
        return float(run.line["user_s"] + run.line["system_s"])
    return run.cpu_s


def _rates(measured: Measured, way: str) -> list[float]:
    runs, size = measured[way]
    return [size / run.job_s / 1e6 for run in runs]


def _table(family: str, measured: Measured) -> Table:
    table = Table(
        f"ETag of FASTQ, {family}",
        (
            "",
            "MB/s uncompressed",
            "of the hash alone",
            "cpu s/GiB",
            "peak RSS, MiB",
            "loop lag p99",
        ),
    )
    for way, (runs, size) in measured.items():
        lags = [run.line["lag"]["p99_ms"] for run in runs if "lag" in run.line]
        table.rows.append(
            (
                way,
                spread(_rates(measured, way), digits=0),
                f"{_against_hash(measured, way):.2f} x",
                spread([_cpu(run) * GIB / size for run in runs]),
                f"{max(run.peak_rss_bytes for run in runs) / MIB:.0f}",
                f"{median(lags):.1f} ms" if lags else "-",
            )
        )
    return table


def _against_hash(measured: Measured, way: str) -> float:
    """The median of the ratios of the same round."""
    pairs = zip(_rates(measured, way), _rates(measured, HASH_ALONE), strict=True)
    return median([rate / alone for rate, alone in pairs])


def _figures(family: str, measured: Measured) -> list[Figure]:
    figures = [
        Figure(
            f"ETag of a FASTQ ({family}, {way}), against hashlib alone",
            _against_hash(measured, way),
            "x",
            0.9,
            at_least=True,
        )
        for way in (GZIP, BGZF)
    ]
    if TOOLS in measured:
        pairs = zip(_rates(measured, GZIP), _rates(measured, TOOLS), strict=True)
        figures.append(
            Figure(
                f"ETag of a FASTQ ({family}), against {TOOLS}",
                median([rate / theirs for rate, theirs in pairs]),
                "x",
                1.0,
                at_least=True,
            )
        )
    return figures


def _as_blocks(text: Path, path: Path) -> Path:
    """The text as BGZF: gzip members of at most 64 KiB that say how long they are."""
    with text.open("rb") as source, path.open("wb") as target:
        while data := source.read(BLOCK_BYTES):
            packer = zlib.compressobj(1, wbits=-15)
            body = packer.compress(data) + packer.flush()
            head = BLOCK_HEAD + struct.pack("<H", len(BLOCK_HEAD) + 2 + len(body) + 8 - 1)
            target.write(head + body + struct.pack("<II", zlib.crc32(data), len(data)))
        target.write(BLOCK_EOF)
    return path
