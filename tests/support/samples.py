"""Small valid sequencing files of every type, the same bytes for the same arguments."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "REFERENCE_ARN",
    "Sample",
    "bam",
    "bgzf_fastq",
    "cram",
    "fastq",
    "fastq_pair",
    "reference_fasta",
    "ubam",
]

REFERENCE_ARN = (
    "arn:aws:omics:us-east-1:000000000000:referenceStore/1111111111/reference/2222222222"
)

READ_LENGTH = 150
CONTIG = "chr1"
CONTIG_LENGTH = 20_000
BGZF_BLOCK_BYTES = 65_280
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample file and what is true of it.

    Attributes:
        path: The file.
        file_type: FASTQ, BAM, CRAM or UBAM.
        reads: The number of reads in it.
        bases: The number of bases in them.
    """

    path: Path
    file_type: str
    reads: int
    bases: int


def _bases(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("ACGT", k=count))


def _qualities(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("#,:F", weights=(1, 4, 10, 85), k=count))


def _fastq_text(reads: int, *, mate: int, seed: int) -> bytes:
    rng = random.Random(f"{seed}/{mate}")
    records = (
        f"@SIM:{seed}:{index} {mate}:N:0:ACGT\n"
        f"{_bases(rng, READ_LENGTH)}\n+\n{_qualities(rng, READ_LENGTH)}\n"
        for index in range(reads)
    )
    return "".join(records).encode()


def fastq(path: Path, *, reads: int = 200, mate: int = 1, seed: int = 1) -> Sample:
    """A gzip FASTQ file, one member. About 125 bytes a read."""
    text = _fastq_text(reads, mate=mate, seed=seed)
    path.write_bytes(gzip.compress(text, compresslevel=1, mtime=0))
    return Sample(path, "FASTQ", reads, reads * READ_LENGTH)


def fastq_pair(folder: Path, *, reads: int = 200, seed: int = 1) -> tuple[Sample, Sample]:
    """Both mates of a paired run: `sample_R1.fastq.gz` and `sample_R2.fastq.gz`."""
    first = fastq(folder / "sample_R1.fastq.gz", reads=reads, mate=1, seed=seed)
    second = fastq(folder / "sample_R2.fastq.gz", reads=reads, mate=2, seed=seed)
    return first, second


def _bgzf_block(data: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    deflated = packer.compress(data) + packer.flush()
    header = struct.pack("<4BIBBHBBHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(deflated) + 25)
    return header + deflated + struct.pack("<II", zlib.crc32(data), len(data))


def bgzf_fastq(path: Path, *, reads: int = 2_000, mate: int = 1, seed: int = 1) -> Sample:
    """A FASTQ file in BGZF: many gzip members, an empty one at the end."""
    text = _fastq_text(reads, mate=mate, seed=seed)
    starts = range(0, len(text), BGZF_BLOCK_BYTES)
    blocks = [_bgzf_block(text[start : start + BGZF_BLOCK_BYTES]) for start in starts]
    path.write_bytes(b"".join(blocks) + BGZF_EOF)
    return Sample(path, "FASTQ", reads, reads * READ_LENGTH)


def _contig(seed: int) -> str:
    return _bases(random.Random(f"contig/{seed}"), CONTIG_LENGTH)


def reference_fasta(path: Path, *, seed: int = 1) -> Path:
    """The reference that `bam` and `cram` with the same seed are aligned to, with its index."""
    import pysam

    path.write_text(f">{CONTIG}\n{_contig(seed)}\n")
    pysam.faidx(str(path))
    return path


def _write_alignments(
    path: Path,
    mode: str,
    *,
    reads: int,
    seed: int,
    aligned: bool,
    reference: Path | None = None,
    names: Sequence[str] = (),
) -> None:
    import pysam

    rng = random.Random(f"alignments/{seed}")
    contig = _contig(seed)
    header: dict[str, object] = {"HD": {"VN": "1.6", "SO": "coordinate" if aligned else "unsorted"}}
    if aligned:
        header["SQ"] = [{"SN": CONTIG, "LN": CONTIG_LENGTH}]
    if names:
        header["RG"] = [{"ID": f"rg{index}", "SM": name} for index, name in enumerate(names)]
    starts = sorted(rng.randrange(CONTIG_LENGTH - READ_LENGTH) for _ in range(reads))
    with pysam.AlignmentFile(
        str(path), mode, header=header, reference_filename=str(reference) if reference else None
    ) as out:
        for index, start in enumerate(starts):
            record = pysam.AlignedSegment(out.header)
            record.query_name = f"read{index:07d}"
            record.flag = 0 if aligned else 4
            sequence = contig[start : start + READ_LENGTH] if aligned else _bases(rng, READ_LENGTH)
            record.query_sequence = sequence
            record.query_qualities = pysam.qualitystring_to_array(_qualities(rng, READ_LENGTH))
            if aligned:
                record.reference_id = 0
                record.reference_start = start
                record.mapping_quality = 60
                record.cigartuples = [(0, READ_LENGTH)]
            out.write(record)


def bam(path: Path, *, reads: int = 500, seed: int = 1, names: Sequence[str] = ()) -> Sample:
    """A coordinate-sorted BAM file, every read aligned. About 100 bytes a read.

    `names` are the samples (SM) of its read groups; without any it has none. No read refers to one.
    """
    _write_alignments(path, "wb", reads=reads, seed=seed, aligned=True, names=names)
    return Sample(path, "BAM", reads, reads * READ_LENGTH)


def ubam(path: Path, *, reads: int = 500, seed: int = 1, names: Sequence[str] = ()) -> Sample:
    """An unaligned BAM file."""
    _write_alignments(path, "wb", reads=reads, seed=seed, aligned=False, names=names)
    return Sample(path, "UBAM", reads, reads * READ_LENGTH)


def cram(path: Path, *, reads: int = 500, seed: int = 1, names: Sequence[str] = ()) -> Sample:
    """A CRAM file whose reference is `path` with the suffix `.fa`, written beside it."""
    reference = reference_fasta(path.with_suffix(".fa"), seed=seed)
    _write_alignments(
        path, "wc", reads=reads, seed=seed, aligned=True, reference=reference, names=names
    )
    return Sample(path, "CRAM", reads, reads * READ_LENGTH)
