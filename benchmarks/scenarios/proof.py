"""ETags, against the hash alone, inflating alone, and the tools whose output they equal."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.files import GIB, MIB, folder_for, sequenced_file
from benchmarks.process import Run, module, run_process
from benchmarks.report import Figure, Outcome, Table, median, spread
from benchmarks.sink import MissingTool, Sink

__all__ = ["proof"]

HASH_ALONE = "hashlib alone, in memory"
GZIP_ALONE = "gzip, one file, inflated by a thread and not hashed"
BGZF_ALONE = "BGZF, one file, inflated by a thread and not hashed"
GZIP = "gzip, one file"
BGZF = "BGZF, one file"
PAIR = "BGZF, a pair side by side"
TOOLS = "gzip -dc | md5sum"
BAM = "BAM, one file"
BAM_TOOLS = "samtools view -@ 2 | md5sum"
FAMILIES = ("MD5up", "SHA512up", "SHA256up")


Measured = dict[str, tuple[list[Run], int]]
"""The runs of each way, and how many bytes of text each of them hashed."""


def proof(sink: Sink, *, quick: bool) -> Outcome:
    """Uncompressed FASTQ hashed a second, in one file and in a pair; a BAM as text."""
    for tool in ("samtools", "bgzip"):
        if shutil.which(tool) is None:
            raise MissingTool(tool)
    size = (3 if quick else 256) * MIB
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory(dir=folder_for(8 * size)) as folder:
        files = _make(Path(folder), size)
        measured = {family: _measure(family, files, rounds) for family in FAMILIES}
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
    bam: Path
    bam_text_bytes: int

    @property
    def text_bytes(self) -> int:
        return self.text.stat().st_size


def _make(folder: Path, size: int) -> _Files:
    plain = sequenced_file(folder / "reads.fastq.gz", size, level=6)
    text = folder / "reads.fastq"
    with gzip.open(plain) as source, text.open("wb") as target:
        shutil.copyfileobj(source, target, MIB)
    blocks = folder / "blocks.fastq.gz"
    _shell('bgzip -c "$1" >"$2"', text, blocks)
    second = Path(shutil.copy(blocks, folder / "second.fastq.gz"))
    bam = folder / "reads.bam"
    _shell('samtools import -0 "$1" -o "$2" 2>/dev/null', text, bam)
    bam_text_bytes = int(_shell('samtools view "$1" | wc -c', bam))
    return _Files(text, plain, blocks, second, bam, bam_text_bytes)


def _shell(script: str, *paths: Path) -> bytes:
    command = ["/bin/sh", "-ec", script, "sh", *map(str, paths)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _measure(family: str, files: _Files, rounds: int) -> Measured:
    """Every way in turns."""

    def client(file: Path, way: str, **options: object) -> Run:
        job = {"file": str(file), "options": {"family": family, "way": way, **options}}
        return run_process(module("clients.etag", json.dumps(job)), os.environ)

    repeats = files.text_bytes // MIB
    ways: dict[str, tuple[Callable[[], Run], int]] = {
        HASH_ALONE: (lambda: client(files.text, "hashlib", repeats=repeats), repeats * MIB),
        GZIP_ALONE: (lambda: client(files.plain, "inflate"), files.text_bytes),
        BGZF_ALONE: (lambda: client(files.blocks, "inflate"), files.text_bytes),
        GZIP: (lambda: client(files.plain, "one"), files.text_bytes),
        BGZF: (lambda: client(files.blocks, "one"), files.text_bytes),
        PAIR: (
            lambda: client(files.blocks, "pair", second=str(files.second)),
            2 * files.text_bytes,
        ),
    }
    if family == "MD5up":
        ways[TOOLS] = (
            lambda: _tools('gzip -dc "$1" | md5sum', files.plain),
            files.text_bytes,
        )
        ways[BAM] = (lambda: client(files.bam, "bam"), files.bam_text_bytes)
        ways[BAM_TOOLS] = (
            lambda: _tools('samtools view -@ 2 "$1" | md5sum', files.bam),
            files.bam_text_bytes,
        )
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


def _tools(script: str, file: Path) -> Run:
    command = ["/bin/sh", "-c", script, "sh", str(file)]
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
        f"ETag, {family}",
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
                f"{_against(measured, way, HASH_ALONE):.2f} x",
                spread([_cpu(run) * GIB / size for run in runs]),
                f"{max(run.peak_rss_bytes for run in runs) / MIB:.0f}",
                f"{median(lags):.1f} ms" if lags else "-",
            )
        )
    return table


def _against(measured: Measured, way: str, *others: str) -> float:
    """The rate against the slowest of the others', as the median of the rounds' ratios."""
    rounds = zip(*(_rates(measured, each) for each in (way, *others)), strict=True)
    return median([rate / min(theirs) for rate, *theirs in rounds])


def _figures(family: str, measured: Measured) -> list[Figure]:
    """Nothing is faster than its slowest part; the hash is that only where it is slower."""
    figures: list[Figure] = []

    def add(name: str, measured_x: float, target: float | None) -> None:
        figures.append(Figure(name, measured_x, "x", target, at_least=True))

    for way, alone in ((GZIP, GZIP_ALONE), (BGZF, BGZF_ALONE)):
        name = f"ETag of a FASTQ ({family}, {way})"
        is_slower = family != "SHA256up"
        add(
            f"{name}, against hashlib alone",
            _against(measured, way, HASH_ALONE),
            0.9 if is_slower else None,
        )
        add(
            f"{name}, against the slower of hashlib and one thread that inflates",
            _against(measured, way, HASH_ALONE, alone),
            0.9,
        )
    for way, tools in ((GZIP, TOOLS), (BAM, BAM_TOOLS)):
        if tools in measured:
            add(f"ETag ({family}, {way}), against {tools}", _against(measured, way, tools), 1.0)
    return figures
