"""The programs whose files are judged, and what they are given to write."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pysam
import pytest

from turboupload.seqcheck.checks import Findings, check_files

SEED = 20_264
PACKAGES = {
    "samtools": "samtools",
    "bgzip": "tabix",
    "gzip": "gzip",
    "pigz": "pigz",
    "igzip": "isal",
    "zopfli": "zopfli",
    "libdeflate-gzip": "libdeflate-tools",
    "scramble": "staden-io-lib-utils",
    "sambamba": "sambamba",
    "bamtools": "bamtools",
    "bamsort": "biobambam2",
    "picard-tools": "picard-tools",
}
"""The Debian package of each."""


def needs(tool: str) -> None:
    """Skips the test where a tool is not installed."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed (Debian: {PACKAGES[tool]})")


def run(*arguments: object, into: Path | None = None) -> None:
    """Runs a tool; what it prints goes to `into`, and what it complains of into the failure."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr[-2_000:])
    if into is not None:
        into.write_bytes(done.stdout)


def assert_taken(
    paths: list[Path], file_type: str | dict[Path, str], *warnings: str
) -> dict[str, Findings]:
    """Each file is of the right type, and nothing is said against it, quick or deep."""
    judged = {}
    for depth in ("quick", "deep"):
        found = check_files(paths, deep=depth == "deep", as_pair=False)
        said = [(str(f), f.code) for f in found.errors]
        said += [(str(f), f.code) for f in found.warnings if f.code not in warnings]
        assert not said, depth
        for facts, path in zip(found.files, paths, strict=True):
            wanted = file_type if isinstance(file_type, str) else file_type[path]
            assert facts.file_type == wanted, (depth, path)
        judged[depth] = found
    return judged


@dataclass(frozen=True, slots=True)
class Alignments:
    """A SAM file that the writers convert.

    Attributes:
        sam: The file.
        file_type: What the service calls it as a BAM.
        records: How many records it has.
    """

    sam: Path
    file_type: str
    records: int


class Studio:
    """Makes SAM files and their reference in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reference = folder / "r.fa"
        self._rng = random.Random(SEED)
        self._sequences = {
            f"chr{n}": "".join(self._rng.choices("ACGT", k=20_000)) for n in range(2)
        } | {f"contig{n}": "ACGTTGCAAT" * 10 for n in range(2_000)}
        lines = (f">{name}\n{text}\n" for name, text in self._sequences.items())
        self.reference.write_text("".join(lines))
        pysam.faidx(str(self.reference))

    def _quality(self, length: int) -> str:
        return "".join(self._rng.choices("#-5<AFI", k=length))

    def _header(self, sequences: list[str], groups: int) -> str:
        listed = "".join(f"@SQ\tSN:{n}\tLN:{len(self._sequences[n])}\n" for n in sequences)
        read = "".join(f"@RG\tID:g{n}\tSM:s\tLB:l{n}\tPL:ILLUMINA\n" for n in range(groups))
        return f"@HD\tVN:1.6\tSO:unsorted\n{listed}{read}@CO\tprøve\n"

    def _write(self, name: str, header: str, records: list[str], file_type: str) -> Alignments:
        sam = self.folder / f"{name}.sam"
        sam.write_text(header + "".join(records))
        return Alignments(sam, file_type, len(records))

    def _aligned(self, number: int, at: int, length: int, tags: str = "") -> str:
        text = self._sequences["chr0"][at : at + length]
        clip = length // 10
        cigar = f"{clip}S{length - clip}M" if number % 3 else f"{length}M"
        place = at + clip + 1 if number % 3 else at + 1
        flag = (99, 147, 0, 16)[number % 4]
        mate = f"=\t{at + 1}\t0" if flag > 16 else "*\t0\t0"
        return (
            f"read{number}\t{flag}\tchr0\t{place}\t60\t{cigar}\t{mate}\t{text}\t"
            f"{self._quality(length)}\tRG:Z:g0\tNM:i:0{tags}\n"
        )

    def all(self) -> list[Alignments]:
        """All of them."""
        chromosomes = ["chr0", "chr1"]
        short = sorted(self._rng.randrange(19_000) for _ in range(300))
        long = sorted(self._rng.randrange(10_000) for _ in range(8))
        tags = "\tMM:Z:C+m?,1,3,0;\tML:B:C,255,0,128\tmv:B:c,5,1,0,-1\tde:f:0.01\tts:A:+\txx:H:1AE3"
        return [
            self._write(
                "short",
                self._header(chromosomes, 1),
                [self._aligned(n, at, 100) for n, at in enumerate(short)],
                "BAM",
            ),
            self._write(
                "long",
                self._header(chromosomes, 1),
                [self._aligned(n, at, 9_000, tags) for n, at in enumerate(long)],
                "BAM",
            ),
            self._write("nothing", self._header(chromosomes, 1), [], "BAM"),
            self._write(
                "many",
                self._header(list(self._sequences), 400),
                [self._aligned(n, at, 50) for n, at in enumerate(short[:40])],
                "BAM",
            ),
            self._write(
                "unaligned",
                self._header([], 2),
                [
                    f"u{n // 2}\t{(77, 141)[n % 2]}\t*\t0\t0\t*\t*\t0\t0\t"
                    f"{''.join(self._rng.choices('ACGTN', k=80))}\t{self._quality(80)}\tRG:Z:g1\n"
                    for n in range(200)
                ],
                "UBAM",
            ),
        ]
