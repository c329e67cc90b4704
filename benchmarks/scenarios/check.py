"""`turboupload check`, quick and deep, against the tools that read a file to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.files import MIB, folder_for, sequenced_file
from benchmarks.process import Run, run_process
from benchmarks.report import Figure, Outcome, Table, median
from benchmarks.sink import MissingTool, Sink

__all__ = ["check"]

Way = tuple[Callable[[], Run], int]


def check(sink: Sink, *, quick: bool) -> Outcome:
    """Uncompressed content checked a second, and how long the look before an upload takes."""
    for tool in ("samtools", "bgzip"):
        if shutil.which(tool) is None:
            raise MissingTool(tool)
    size = (5 if quick else 160) * MIB
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory(dir=folder_for(12 * size)) as folder:
        ways = _ways(Path(folder), size)
        measured: dict[str, list[Run]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, (run, _) in ways.items():
                measured[way].append(run())
    content = {way: length for way, (_, length) in ways.items()}
    return [_table(measured, content)], _figures(measured), _kept(measured, content)


def _ways(folder: Path, size: int) -> dict[str, Way]:
    """The same reads in every form; what is run, and how many bytes of content it reads."""
    plain = sequenced_file(folder / "reads.fastq.gz", size)
    text, blocks, second = (folder / name for name in ("reads.fq", "a_R1.fq.gz", "a_R2.fq.gz"))
    _shell('gzip -dc "$1" >"$2" && bgzip -c "$2" >"$3"', plain, text, blocks)
    _shell('sed "1~4s/ 1:/ 2:/" "$1" | bgzip -c >"$2"', text, second)
    bam = folder / "reads.bam"
    _shell('samtools import -0 "$1" -o "$2"', text, bam)
    _shell('samtools view -u "$1" | bgzip -dc >"$2"', bam, folder / "raw")
    length, raw = text.stat().st_size, (folder / "raw").stat().st_size
    (folder / "raw").unlink()
    return {
        "quick: gzip FASTQ": (lambda: _check(plain), 0),
        "quick: BGZF FASTQ, a pair": (lambda: _check(blocks, second), 0),
        "quick: BAM": (lambda: _check(bam), 0),
        "deep: gzip FASTQ": (lambda: _check("--deep", plain), length),
        "gzip -t": (lambda: _run('gzip -t "$1"', plain), length),
        "deep: BGZF FASTQ": (lambda: _check("--deep", blocks), length),
        "bgzip -@ 2 -dc": (lambda: _run('bgzip -@ 2 -dc "$1" >/dev/null', blocks), length),
        "deep: BGZF FASTQ, a pair": (lambda: _check("--deep", blocks, second), 2 * length),
        "deep: BAM": (lambda: _check("--deep", bam), raw),
        "samtools view -c -@ 2": (lambda: _run('samtools view -c -@ 2 "$1"', bam), raw),
    }


def _shell(script: str, *paths: Path) -> None:
    command = ["/bin/sh", "-ec", script, "sh", *map(str, paths)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run(script: str, path: Path) -> Run:
    return run_process(["/bin/sh", "-c", script, "sh", str(path)], os.environ, prints_json=False)


def _check(*arguments: Path | str) -> Run:
    command = [sys.executable, "-m", "turboupload", "check", "--quiet", *map(str, arguments)]
    return run_process(command, os.environ, prints_json=False)


def _rates(runs: list[Run], length: int) -> list[float]:
    return [length / run.wall_s / 1e6 for run in runs]


def _table(measured: dict[str, list[Run]], content: dict[str, int]) -> Table:
    table = Table(
        "check, start of the process included",
        ("", "s", "MB/s uncompressed", "cpu s", "peak RSS of the first process, MiB"),
    )
    for way, runs in measured.items():
        rate = f"{median(_rates(runs, content[way])):,.0f}" if content[way] else "-"
        table.rows.append(
            (
                way,
                f"{median([run.wall_s for run in runs]):.2f}",
                rate,
                f"{median([run.cpu_s for run in runs]):.2f}",
                f"{median([run.peak_rss_bytes / MIB for run in runs]):.0f}",
            )
        )
    return table


def _figures(measured: dict[str, list[Run]]) -> list[Figure]:
    def wall(way: str) -> float:
        return median([run.wall_s for run in measured[way]])

    def against(name: str, ours: str, theirs: str, target: float | None) -> Figure:
        return Figure(name, wall(theirs) / wall(ours), "x", target, at_least=True)

    slowest = max(wall(way) for way in measured if way.startswith("quick"))
    return [
        Figure("the slowest quick check, start included", slowest, "s", 1.0),
        against("deep check of gzip: rate against gzip -t", "deep: gzip FASTQ", "gzip -t", 1.0),
        against("… of BGZF: against bgzip -@ 2 -dc", "deep: BGZF FASTQ", "bgzip -@ 2 -dc", None),
        against(
            "… of BAM: against samtools view -c -@ 2", "deep: BAM", "samtools view -c -@ 2", None
        ),
    ]


def _kept(measured: dict[str, list[Run]], content: dict[str, int]) -> dict[str, Any]:
    return {
        way: {
            "wall_s": [run.wall_s for run in runs],
            "cpu_s": [run.cpu_s for run in runs],
            "mb_per_s": _rates(runs, content[way]),
            "peak_rss_bytes": [run.peak_rss_bytes for run in runs],
        }
        for way, runs in measured.items()
    }
