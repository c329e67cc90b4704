"""No false alarm: valid files as samtools, bgzip, gzip and others write them, in every depth."""

from __future__ import annotations

import gzip
import random
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pysam
import pytest

from tests.seqcheck.preflight_samples import (
    BGZIP,
    SAMTOOLS,
    bgzf,
    fastq_text,
    needs_bgzip,
    needs_samtools,
)
from tests.support import samples
from turboupload.seqcheck import fast_path
from turboupload.seqcheck.checks import Depth, Findings, alignments, check, check_files, fastqfile
from turboupload.seqcheck.parallel import pool

SEED = 20_253
TEXT = fastq_text(2_500)
Check = Callable[[Path], Iterator[Findings]]


@pytest.fixture
def in_every_depth(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Checks a file quickly, deeply, shared out, with numpy, and as if it were large."""

    def look(path: Path) -> Iterator[Findings]:
        yield check_files([path])
        yield check_files([path], deep=True)
        if path.stat().st_size < 200_000:
            # Too small to be anything but whole.
            return
        with monkeypatch.context() as patch:
            patch.setattr(fastqfile, "SHARED_FROM_BYTES", 0)
            patch.setattr(alignments, "SHARED_FROM_BYTES", 0)
            patch.setattr(pool, "_RANGE_BYTES", 100_000)
            yield check_files([path], deep=True)
        with monkeypatch.context() as patch:
            patch.setattr(fast_path, "_PAYS_FROM_BYTES", 0)
            yield check_files([path], deep=True)
        with monkeypatch.context() as patch:
            for module in (fastqfile, check):
                patch.setattr(module, "WHOLE_BELOW_BYTES", 0)
            patch.setattr(alignments, "_WHOLE_BELOW_BYTES", 0)
            for module in (fastqfile, alignments):
                patch.setattr(module, "_HEAD_CONTENT_BYTES", 16 * 1024)
            yield check_files([path])

    return look


def assert_good(looks: Iterator[Findings], records: int | None, *warnings: str) -> None:
    for found in looks:
        assert found.ok, found.errors
        assert {f.code for f in found.warnings} <= set(warnings), found.warnings
        if found.files[0].depth is Depth.WHOLE and records is not None:
            assert found.files[0].records == records


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@needs_bgzip
@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_bgzip_at_every_level(tmp_path: Path, in_every_depth: Check, level: int) -> None:
    packed = subprocess.run(
        [BGZIP, "-c", "-l", str(level)], input=TEXT, capture_output=True, check=True
    ).stdout
    assert_good(in_every_depth(write(tmp_path / "a.fq.gz", packed)), 2_500)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_gzip_at_every_level(tmp_path: Path, in_every_depth: Check, level: int) -> None:
    assert_good(in_every_depth(write(tmp_path / "a.gz", gzip.compress(TEXT, level))), 2_500)


def _flushed(mode: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = [
        packer.compress(TEXT[at : at + 131_072]) + packer.flush(mode)
        for at in range(0, len(TEXT), 131_072)
    ]
    return b"".join(pieces) + packer.flush()


def _with_header_fields() -> bytes:
    """Name, comment, extra field and header checksum, as RFC 1952 allows."""
    head = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03" + b"\x04\0ab\0\0" + b"name.fq\0" + b"a comment\0"
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(TEXT) + packer.flush()
    crc = (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return (
        head + crc + body + zlib.crc32(TEXT).to_bytes(4, "little") + len(TEXT).to_bytes(4, "little")
    )


@pytest.mark.parametrize(
    "data",
    [
        _flushed(zlib.Z_SYNC_FLUSH),
        _flushed(zlib.Z_FULL_FLUSH),
        _with_header_fields(),
        b"".join(gzip.compress(TEXT[at : at + 70_001]) for at in range(0, len(TEXT), 70_001)),
        gzip.compress(TEXT) + gzip.compress(b""),
        bgzf(TEXT, block=777),
        gzip.compress(TEXT[:-1]),
        bgzf(TEXT[:-1]),
    ],
    ids=["pigz", "full flush", "all fields", "members", "empty member", "tiny blocks", "no end",
         "no end, bgzf"],
)  # fmt: skip
def test_gzip_in_other_shapes(tmp_path: Path, in_every_depth: Check, data: bytes) -> None:
    assert_good(in_every_depth(write(tmp_path / "a.fq.gz", data)), 2_500)


def _records(count: int, name: bytes = b"r%d", plus: bytes = b"", length: int = 50) -> bytes:
    rng = random.Random(SEED)
    to_base, to_quality = (bytes(ord(a[v % len(a)]) for v in range(256)) for a in ("ACGTN", "I9@+"))
    return b"".join(
        b"@%s\n%s\n+%s\n%s\n"
        % (
            name % index,
            rng.randbytes(length).translate(to_base),
            plus,
            rng.randbytes(length).translate(to_quality),
        )
        for index in range(count)
    )


@pytest.mark.parametrize("pack", [gzip.compress, bgzf])
@pytest.mark.parametrize(
    ("text", "records", "warnings"),
    [
        (b"@r\nA\n+\nI\n", 1, ()),
        (b"@r\n\n+\n\n" * 3_000, 3_000, ()),
        (_records(3_000, name=b"SRR1.%d %%d length=50" % 1, plus=b"SRR1"), 3_000, ()),
        (_records(3_000, name=b"x%d/1"), 3_000, ()),
        (_records(3_000, name=b"a b\tc %d"), 3_000, ()),
        (_records(3_000).lower(), 3_000, ()),
        (_records(6, length=200_000), 6, ()),
        (_records(100, length=9_973), 100, ()),
        (_records(3_000).replace(b"\n", b"\r\n"), 3_000, ("fastq.crlf",)),
    ],
    ids=[
        "one",
        "empty reads",
        "SRA",
        "suffix",
        "comments",
        "lower case",
        "200 kb",
        "10 kb",
        "CRLF",
    ],
)
def test_fastq_in_other_shapes(
    tmp_path: Path,
    in_every_depth: Check,
    pack: Callable[[bytes], bytes],
    text: bytes,
    records: int,
    warnings: tuple[str, ...],
) -> None:
    assert_good(in_every_depth(write(tmp_path / "a.fq.gz", pack(text))), records, *warnings)


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alignments of all sorts as SAM text, with its reference beside it."""
    folder = tmp_path_factory.mktemp("sam")
    reference = samples.reference_fasta(folder / "a.fa")
    path = samples.bam(folder / "a.bam", reads=3_000, names=("HG002",)).path
    lines = str(pysam.samtools.view("-h", str(path))).splitlines()
    records = [line for line in lines if line[0] != "@"]
    header = [line for line in lines if line[0] == "@"]
    other = [record.split("\t") for record in records[:600]]
    for number, fields in enumerate(other):
        fields[1] = ("4", "256", "2048", "77", "1024", "16")[number % 6]
        fields[0] = f"other{number}"
        if fields[1] in ("4", "77"):
            fields[2:9] = ["*", "0", "0", "*", "*", "0", "0"]
    text = folder / "a.sam"
    rows = sorted([*("\t".join(fields) for fields in other), *records], key=lambda row: row[0])
    text.write_text("\n".join([*header, *rows]).replace("SO:coordinate", "SO:unsorted") + "\n")
    assert reference.exists()
    return text


def _samtools(sam: Path, target: Path, *options: str) -> Path:
    reference = str(sam.with_suffix(".fa"))
    command = [SAMTOOLS, "view", "-T", reference, *options, "-o", str(target), str(sam)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@needs_samtools
@pytest.mark.parametrize(
    "options",
    [
        ("-b",),
        ("-u",),
        ("-1",),
        ("-O", "bam,level=9"),
        ("-@2", "-b"),
        ("-O", "cram,version=2.1"),
        ("-O", "cram,version=3.0"),
        ("-O", "cram,version=3.1"),
        ("-O", "cram,no_ref"),
        ("-O", "cram,use_bzip2,use_lzma,level=9"),
        ("-O", "cram,seqs_per_slice=50,slices_per_container=3"),
        ("-O", "cram,level=0"),
    ],
    ids=" ".join,
)
def test_samtools_in_every_format(
    tmp_path: Path, in_every_depth: Check, sam: Path, options: tuple[str, ...]
) -> None:
    assert_good(in_every_depth(_samtools(sam, tmp_path / "a", *options)), 3_600)


@needs_samtools
@pytest.mark.parametrize(("options", "code"), [(("-b",), "bam.empty"), (("-C",), "cram.empty")])
def test_a_header_and_nothing_else(
    tmp_path: Path, in_every_depth: Check, sam: Path, options: tuple[str, ...], code: str
) -> None:
    path = _samtools(sam, tmp_path / "a", *options, "-e", "flag == 3")
    assert_good(in_every_depth(path), 0, code)


@needs_samtools
@pytest.mark.parametrize("kind", ["-b", "-C"])
def test_a_huge_header(tmp_path: Path, in_every_depth: Check, sam: Path, kind: str) -> None:
    lines = sam.read_text().splitlines()
    header = [line for line in lines if line[0] == "@"]
    contigs = [f"@SQ\tSN:decoy{n}\tLN:{1000 + n}\tM5:{n:032x}" for n in range(5_000)]
    comments = [f"@CO\t{'x' * 1000}" for _ in range(100)]
    records = [line for line in lines if line[0] != "@"]
    text = tmp_path / "huge.sam"
    text.write_text("\n".join([*header, *contigs, *comments, *records]) + "\n")
    options = ("-O", "cram,no_ref") if kind == "-C" else ("-b",)
    path = tmp_path / "a"
    subprocess.run(
        [SAMTOOLS, "view", *options, "-o", str(path), str(text)], check=True, capture_output=True
    )
    assert_good(in_every_depth(path), 3_600)


@pytest.mark.parametrize("length", [30_000, 400_000])
def test_long_reads(tmp_path: Path, in_every_depth: Check, length: int) -> None:
    rng = random.Random(SEED)
    count = 1_600_000 // length
    path = tmp_path / "long.bam"
    with pysam.AlignmentFile(str(path), "wb", header={"HD": {"VN": "1.6"}}) as out:
        for number in range(count):
            record = pysam.AlignedSegment(out.header)
            record.query_name = f"m64/{number}/ccs"
            record.flag = 4
            record.query_sequence = "".join(rng.choices("ACGT", k=length))
            record.query_qualities = pysam.qualitystring_to_array("~" * length)
            record.set_tag("ip", [number % 250] * length)
            out.write(record)
    assert_good(in_every_depth(path), count)
