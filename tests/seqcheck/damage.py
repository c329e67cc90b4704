"""Damaged copies of files of reads, each judged by other readers and by the check.

`scripts/damage` makes thousands of them; a smaller sample is in the suite. What htslib calls
damaged (it fails to read and print all records) a deep check must find; so it must in a FASTQ what
`gzip -t` complains of. A quick check may say less than a deep one only where it says that it read
less, and nothing against a file that a deep one takes.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast
from unittest.mock import patch

import pysam

from tests.seqcheck.preflight_samples import bgzf, block_edges, fastq_text
from tests.support import samples
from turboupload.seqcheck import cram
from turboupload.seqcheck.checks import Depth, Findings, check, check_files, fastqfile

_READER = """
import json, sys, pysam
pysam.set_verbosity(0)
for line in sys.stdin:
    path, reference = json.loads(line)
    try:
        if path.endswith(".gz"):
            with pysam.FastxFile(path) as file:
                for record in file:
                    pass
        else:
            with pysam.AlignmentFile(path, check_sq=False, reference_filename=reference) as file:
                for record in file.fetch(until_eof=True):
                    record.to_string()
        answer = ""
    except (OSError, ValueError, RuntimeError) as error:
        answer = str(error) or "error"
    print(json.dumps(answer), flush=True)
"""


class Htslib:
    """htslib, reading file after file in a process that is started anew when a file ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def complaint(self, path: Path, reference: Path | None) -> str | None:
        """What it says against a file; None where it reads all of it."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _READER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "REF_PATH": "/dev/null/none", "REF_CACHE": ""},
            )
        question, answers = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        question.write(json.dumps([str(path), str(reference) if reference else None]) + "\n")
        question.flush()
        answer = answers.readline()
        if not answer:
            self.end()
            return "ended by the file"
        return cast(str, json.loads(answer)) or None

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None


@dataclass(frozen=True, slots=True)
class Original:
    """A whole file, and where its blocks begin; the last edge is its end."""

    name: str
    data: bytes
    edges: list[int]
    reference: Path | None = None


Damage = Callable[[Original, random.Random], bytes]


def flip(file: Original, rng: random.Random) -> bytes:
    bad = bytearray(file.data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    return bytes(bad)


def cut(file: Original, rng: random.Random) -> bytes:
    return file.data[: rng.choice((rng.randrange(1, len(file.data)), rng.choice(file.edges[1:-1])))]


def zeros(file: Original, rng: random.Random) -> bytes:
    bad = bytearray(file.data)
    at, length = rng.randrange(len(bad)), rng.choice((1, 16, 512, 4096))
    bad[at : at + length] = bytes(len(bad[at : at + length]))
    return bytes(bad)


def insert(file: Original, rng: random.Random) -> bytes:
    at = rng.randrange(len(file.data))
    return file.data[:at] + rng.randbytes(rng.choice((1, 2, 100))) + file.data[at:]


def _blocks(file: Original) -> list[bytes]:
    return [file.data[a:b] for a, b in itertools.pairwise(file.edges)]


def drop(file: Original, rng: random.Random) -> bytes:
    blocks = _blocks(file)
    del blocks[rng.randrange(len(blocks))]
    return b"".join(blocks)


def twice(file: Original, rng: random.Random) -> bytes:
    blocks = _blocks(file)
    at = rng.randrange(len(blocks))
    return b"".join([*blocks[:at], blocks[at], *blocks[at:]])


def swap(file: Original, rng: random.Random) -> bytes:
    blocks = _blocks(file)
    one, other = rng.randrange(len(blocks)), rng.randrange(len(blocks))
    blocks[one], blocks[other] = blocks[other], blocks[one]
    return b"".join(blocks)


def forge(file: Original, rng: random.Random) -> bytes:
    """Damage that its writer made: the checksum of a CRAM's block fits what is in it."""
    blocks = _blocks(file)
    at = rng.randrange(len(blocks))
    bad = bytearray(blocks[at])
    bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
    if file.data[:4] == b"CRAM" and file.data[4] >= 3 and len(bad) > 8:
        bad[-4:] = zlib.crc32(bad[:-4]).to_bytes(4, "little")
    blocks[at] = bytes(bad)
    return b"".join(blocks)


def header(file: Original, rng: random.Random) -> bytes:
    """One bit of the head of a block, often of the last: no checksum covers it."""
    at = rng.choice((rng.choice(file.edges[:-1]), file.edges[-2], file.edges[-3]))
    bad = bytearray(file.data)
    bad[min(at + rng.randrange(18), len(bad) - 1)] ^= 1 << rng.randrange(8)
    return bytes(bad)


FORMATS = ("bam", "cram", "gzip", "bgzf")
DAMAGES: Sequence[Damage] = (flip, flip, cut, zeros, insert, drop, twice, swap, forge, header)


def cram_edges(path: Path) -> list[int]:
    """Where its file definition, container headers and blocks begin, and the end."""
    size = path.stat().st_size
    edges = [0, cram.FILE_DEFINITION_BYTES]
    with path.open("rb") as file:
        descriptor = file.fileno()
        header = cram.read_header(descriptor, size)
        for container in cram.containers(descriptor, size, header):
            edges.append(container.offset)
            at = container.body
            while at < container.end:
                edges.append(at)
                at = cram._read_block(descriptor, at, container.end, header.major)[0].end
            edges.append(at)
    return sorted({*edges, size})


def originals(folder: Path, file_format: str) -> list[Original]:
    """Whole files of a format in its several forms."""
    if file_format in ("gzip", "bgzf"):
        return _fastq_originals(file_format)
    reference = samples.reference_fasta(folder / "a.fa")
    bam = samples.bam(folder / "a.bam", reads=1_500).path
    with_tags = folder / "tags.bam"
    with (
        pysam.AlignmentFile(str(bam)) as old,
        pysam.AlignmentFile(str(with_tags), "wb", template=old) as new,
    ):
        for number, record in enumerate(old):
            record.set_tags([("NM", number % 7), ("XB", [1, 2, number % 99])])
            if number % 10 == 0:
                record.flag, record.reference_id, record.cigartuples = 4, -1, None
            new.write(record)
    if file_format == "bam":
        ubam = samples.ubam(folder / "u.bam", reads=1_500).path
        return [
            Original(path.name, data := path.read_bytes(), block_edges(data))
            for path in (bam, with_tags, ubam)
        ]
    made: list[Original] = []
    for version, options, needs in (
        ("2.1", "seqs_per_slice=300", True),
        ("2.1", "no_ref=1,seqs_per_slice=300", False),
        ("3.0", "seqs_per_slice=300", True),
        ("3.0", "no_ref=1,seqs_per_slice=100,slices_per_container=3", False),
        ("3.1", "seqs_per_slice=300,use_bzip2=1,multi_seq_per_slice=1", True),
    ):
        path = folder / f"{len(made)}.cram"
        pysam.samtools.view(
            "-O", f"cram,version={version},{options}", "-T", str(reference),
            "-o", str(path), str(with_tags), catch_stdout=False,
        )  # fmt: skip
        made.append(
            Original(
                f"{version} {options}",
                path.read_bytes(),
                cram_edges(path),
                reference if needs else None,
            )
        )
    return made


def _fastq_originals(file_format: str) -> list[Original]:
    short, long = fastq_text(1_500), fastq_text(12, length=9_000)
    both = short + long + short
    if file_format == "bgzf":
        packed = [bgzf(both), bgzf(short, block=5_000, eof=False), bgzf(long, block=777)]
        return [Original(f"bgzf {n}", data, block_edges(data)) for n, data in enumerate(packed)]
    parts = [both[at : at + 100_000] for at in range(0, len(both), 100_000)]
    members = [gzip.compress(part, 1) for part in parts]
    packed = [gzip.compress(both, 6), b"".join(members), gzip.compress(long, 0)]
    ends = [sum(map(len, members[:n])) for n in range(len(members) + 1)]
    # One member has no edges; what is dropped or swapped is then any piece.
    return [
        Original(f"gzip {n}", data, ends if n == 1 else [len(data) * k // 20 for k in range(21)])
        for n, data in enumerate(packed)
    ]


@dataclass
class Tally:
    """What came of the copies.

    Attributes:
        counts: By what the other readers, the deep and the quick check say.
        faults: Sentences about copies that were judged wrongly.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, what: str, complaint: str | None, quick: Findings, deep: Findings) -> None:
        verdicts = ["good" if complaint is None else "damaged"]
        verdicts += ["good" if each.ok else "damaged" for each in (deep, quick)]
        why = ""
        if complaint is None and not deep.ok:
            why = f": {', '.join(sorted({each.code for each in deep.errors}))}"
        self.counts["readers {}, deep {}, quick {}".format(*verdicts) + why] += 1
        if complaint is not None and deep.ok:
            self.faults.append(
                f"{what}: another reader says {complaint}, and the deep check is content"
            )
        if deep.ok and not quick.ok:
            self.faults.append(f"{what}: only the quick check says {quick.errors[0].sentence}")
        if quick.ok and not deep.ok and not _says_unread(quick):
            self.faults.append(f"{what}: only the deep check says {deep.errors[0].sentence}")


def _says_unread(found: Findings) -> bool:
    unread = {"cram.undecoded", "bam.records", "cram.block", "cram.damaged"}
    return found.files[0].depth is not Depth.WHOLE or any(
        each.code in unread for each in found.findings
    )


def gzip_complaint(path: Path) -> str | None:
    """What `gzip -t` says against a file; None where it reads all of it."""
    done = subprocess.run(["gzip", "-t", str(path)], capture_output=True, text=True, check=False)  # noqa: S607 # whichever gzip there is
    return None if done.returncode == 0 else done.stderr.strip() or "error"


def sampled(path: Path) -> Findings:
    """A quick check of a small FASTQ as of a large one, which isn't read whole."""
    with (
        patch.object(fastqfile, "WHOLE_BELOW_BYTES", 0),
        patch.object(check, "WHOLE_BELOW_BYTES", 0),
        patch.object(fastqfile, "_HEAD_CONTENT_BYTES", 16 * 1024),
        patch.object(fastqfile, "_WINDOW_BYTES", 96 * 1024),
        patch.object(fastqfile, "_END_BYTES", 96 * 1024),
    ):
        return check_files([path], threads=1)


@contextmanager
def _htslib() -> Iterator[Htslib]:
    htslib = Htslib()
    try:
        yield htslib
    finally:
        htslib.end()


def judge_copies(folder: Path, file_format: str, copies: int, seed: str) -> Tally:
    """Makes damaged copies, and has each judged."""
    tally = Tally()
    made = originals(folder, file_format)
    rng = random.Random(f"{seed}/{file_format}")
    fastq = file_format in ("gzip", "bgzf")
    path = folder / ("copy.fastq.gz" if fastq else f"copy.{file_format}")
    with _htslib() as htslib:
        for number in range(copies):
            file, damage = made[number % len(made)], rng.choice(DAMAGES)
            data = damage(file, rng)
            if data == file.data:
                continue
            path.write_bytes(data)
            what = f"copy {number} of seed {seed} ({file.name}, {damage.__name__})"
            complaint = htslib.complaint(path, file.reference)
            deep = check_files([path], deep=True, reference_fasta=file.reference, threads=1)
            if fastq:
                complaint = gzip_complaint(path) or complaint
                if number % 4 == 0:
                    tally.add(f"{what}, sampled", complaint, sampled(path), deep)
            tally.add(what, complaint, check_files([path], threads=1), deep)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/damage", description=__doc__)
    parser.add_argument("--copies", type=int, default=2_000, help="of each format (default: 2000)")
    parser.add_argument("--seed", default="1", help="of the damages (default: 1)")
    parser.add_argument("--format", choices=FORMATS, action="append")
    given = parser.parse_args()
    faults = 0
    for file_format in given.format or FORMATS:
        with tempfile.TemporaryDirectory(prefix="damage-") as folder:
            tally = judge_copies(Path(folder), file_format, given.copies, given.seed)
        for verdicts, count in tally.counts.most_common():
            print(f"{file_format}: {count:6,} {verdicts}")
        for fault in tally.faults:
            print(f"FAULT {file_format}: {fault}")
        faults += len(tally.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
