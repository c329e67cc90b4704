"""Makes sample files of every type: the structure is real, the bases are random.

pysam writes BAM, uBAM and CRAM, igzip packs FASTQ; both come with the extra `emulator`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["REFERENCE_ARN", "Sample", "make_samples"]

REFERENCE_ARN = (
    "arn:aws:omics:us-east-1:000000000000:referenceStore/1111111111/reference/2222222222"
)
"""An invented ARN: the local service accepts any reference that looks like one."""

PAIRS = 360_000
"""Reads in each of the FASTQ pair's files, which then have about 31 MiB."""

ALIGNED_READS = 150_000
UNALIGNED_READS = 80_000
CRAM_READS = 150_000
READ_LENGTH = 150
CONTIG = "chrDemo"
CONTIG_LENGTH = 500_000
BATCH = 20_000
"""Reads per batch: a few MB of text."""

_BASES = bytes(b"ACGT"[value % 4] for value in range(256))
_QUALITIES = bytes(b"F:,#"[max(0, value - 214) % 4] for value in range(256))
"""Binned qualities, mostly the best, as from today's instruments."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One read set to upload.

    Attributes:
        label: Its description for people.
        files: One file, or two mates.
        reference_arn: The reference it needs.
    """

    label: str
    files: tuple[Path, ...]
    reference_arn: str | None = None

    @property
    def size(self) -> int:
        """Total size of its files, in bytes."""
        return sum(path.stat().st_size for path in self.files)


def make_samples(folder: Path) -> tuple[list[Sample], Path]:
    """Makes a BAM, a uBAM, a CRAM and a FASTQ pair; returns them and the reference's FASTA.

    Makes the same bytes every time, if the compression libraries are the same.
    """
    rng = random.Random(20221128)  # noqa: S311 - made-up reads, the same every time
    contig = rng.randbytes(CONTIG_LENGTH).translate(_BASES)
    reference = _write_reference(folder / "reference.fa", contig)
    bam, ubam, cram = (
        folder / name for name in ("aligned.bam", "unaligned.bam", "compressed.cram")
    )
    _write_alignments(bam, _aligned(rng, contig, ALIGNED_READS), reference, "-b")
    _write_alignments(ubam, _unaligned(rng, UNALIGNED_READS), None, "-b")
    _write_alignments(cram, _aligned(rng, contig, CRAM_READS), reference, "-C")
    pair = tuple(_write_fastq(folder / f"reads_R{mate}.fastq.gz", rng, mate) for mate in (1, 2))
    samples = [
        Sample("BAM", (bam,), REFERENCE_ARN),
        Sample("uBAM", (ubam,)),
        Sample("CRAM", (cram,), REFERENCE_ARN),
        Sample("FASTQ pair", pair),
    ]
    return samples, reference


def _write_reference(path: Path, contig: bytes) -> Path:
    import pysam

    path.write_bytes(b">%s\n%s\n" % (CONTIG.encode(), contig))
    pysam.faidx(str(path))
    return path


def _aligned(rng: random.Random, contig: bytes, reads: int) -> Iterator[bytes]:
    """SAM text, sorted by coordinate, each read at its true position."""
    yield b"@HD\tVN:1.6\tSO:coordinate\n"
    yield b"@SQ\tSN:%s\tLN:%d\n" % (CONTIG.encode(), CONTIG_LENGTH)
    yield b"@RG\tID:demo\tSM:demo-sample\tPL:ILLUMINA\n"
    starts = sorted(rng.randrange(CONTIG_LENGTH - READ_LENGTH) for _ in range(reads))
    qualities = _random_texts(rng, reads, _QUALITIES)
    for number, (start, quality) in enumerate(zip(starts, qualities, strict=True)):
        yield b"demo:%d\t%d\t%s\t%d\t60\t%dM\t*\t0\t0\t%s\t%s\tRG:Z:demo\n" % (
            number, 16 * (number % 2), CONTIG.encode(), start + 1, READ_LENGTH,
            contig[start : start + READ_LENGTH], quality,
        )  # fmt: skip


def _unaligned(rng: random.Random, reads: int) -> Iterator[bytes]:
    """SAM text of reads that are not aligned."""
    yield b"@HD\tVN:1.6\tSO:unsorted\n@RG\tID:demo\tSM:demo-sample\tPL:ILLUMINA\n"
    texts = zip(
        _random_texts(rng, reads, _BASES), _random_texts(rng, reads, _QUALITIES), strict=True
    )
    for number, (bases, quality) in enumerate(texts):
        yield b"demo:%d\t4\t*\t0\t0\t*\t*\t0\t0\t%s\t%s\tRG:Z:demo\n" % (number, bases, quality)


def _write_alignments(
    path: Path, lines: Iterator[bytes], reference: Path | None, form: str
) -> None:
    import pysam

    text = path.with_suffix(".sam")
    with text.open("wb") as file:
        file.writelines(lines)
    try:
        options = [form, "-o", str(path)]
        if reference is not None:
            options += ["-T", str(reference)]
        pysam.view(*options, str(text), catch_stdout=False)
    finally:
        text.unlink()


def _write_fastq(path: Path, rng: random.Random, mate: int) -> Path:
    from isal import isal_zlib

    packer = isal_zlib.compressobj(level=1, wbits=31)
    with path.open("wb") as file:
        for first in range(0, PAIRS, BATCH):
            texts = zip(
                _random_texts(rng, BATCH, _BASES),
                _random_texts(rng, BATCH, _QUALITIES),
                strict=True,
            )
            records = b"".join(
                b"@demo:%d %d:N:0:ACGTACGT\n%s\n+\n%s\n" % (number, mate, bases, quality)
                for number, (bases, quality) in enumerate(texts, start=first)
            )
            file.write(packer.compress(records))
        file.write(packer.flush())
    return path


def _random_texts(rng: random.Random, count: int, alphabet: bytes) -> Iterator[bytes]:
    """`count` random texts of a read's length."""
    text = rng.randbytes(count * READ_LENGTH).translate(alphabet)
    for start in range(0, len(text), READ_LENGTH):
        yield text[start : start + READ_LENGTH]
