from __future__ import annotations

import gzip
import io
import os
import socket
import struct
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.seqcheck.preflight_samples import (
    SAMTOOLS,
    bgzf,
    debian_files,
    fastq_text,
    needs_samtools,
    write,
)
from tests.support import samples
from turboupload.core.formats import FORMATS
from turboupload.errors import ConfigError, InputError
from turboupload.seqcheck.formats import Compression, Kind, require_type, sniff
from turboupload.seqcheck.kinds import HINTS, MAGIC

FASTQ = fastq_text(20)
SAM = b"@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:1000\nr1\t0\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tFFFF\n"


def _bam(path: Path, *, sequences: bool, mapped: int, unmapped: int) -> str:
    header = {"HD": {"VN": "1.6"}, **({"SQ": [{"SN": "c", "LN": 99}]} if sequences else {})}
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for index in range(mapped + unmapped):
            record = pysam.AlignedSegment(out.header)
            record.query_name, record.query_sequence = f"r{index}", "ACGT"
            record.flag = 0 if index < mapped else 4
            if index < mapped:
                record.reference_id, record.reference_start = 0, 5
                record.cigartuples = [(0, 4)]
            out.write(record)
    return str(path)


@pytest.mark.parametrize("make", [samples.fastq, samples.bgzf_fastq, samples.bam, samples.ubam])
def test_valid_files_are_what_they_are(tmp_path: Path, make: object) -> None:
    sample = make(tmp_path / "no-suffix")  # type: ignore[operator]  # one of the makers above
    assert require_type(sample.path, None) == sample.file_type
    assert require_type(sample.path, sample.file_type.lower()) == sample.file_type


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
def test_cram_of_every_version(tmp_path: Path, version: str) -> None:
    reference = samples.reference_fasta(tmp_path / "ref.fa")
    bam = samples.bam(tmp_path / "a.bam")
    path = tmp_path / "a.cram"
    pysam.samtools.view(
        "-T", str(reference), "-O", f"cram,version={version}", "-o", str(path), str(bam.path),
        catch_stdout=False,
    )  # fmt: skip
    assert sniff(path).kind is Kind.CRAM
    assert version in sniff(path).detail
    assert require_type(path, None) == "CRAM"


def test_fastq_compressions_are_told_apart(tmp_path: Path) -> None:
    plain = write(tmp_path / "a", gzip.compress(FASTQ))
    blocks = write(tmp_path / "b", bgzf(FASTQ))
    assert sniff(plain).compression is Compression.GZIP
    assert sniff(blocks).compression is Compression.BGZF


@pytest.mark.parametrize(
    "text",
    [
        b"@r\nACGT\n+\nFFFF",
        b"@r\n\n+\n\n",
        b"@r\r\nACGT\r\n+\r\nFFFF\r\n",
        b"@HD1\nACGT\n+\nFFFF\n",
        b"@long\n" + b"ACGT" * 50_000 + b"\n+\n" + b"FFFF" * 50_000 + b"\n",
        b"@wrapped\nACGT\nACGT\n+\nFFFF\nFFFF\n",
        b"@m\nACGT\n+m\n@FFF\n",
    ],
)
def test_fastq_in_all_its_shapes(tmp_path: Path, text: bytes) -> None:
    assert sniff(write(tmp_path / "a", gzip.compress(text))).kind is Kind.FASTQ


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.fastq"))
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.fastq", FASTQ)
    return out.getvalue()


LOOKALIKES = [
    (FASTQ, Kind.PLAIN_FASTQ, "bgzip"),
    (SAM, Kind.SAM, "samtools view"),
    (SAM.split(b"\n", 2)[2], Kind.SAM, "samtools view"),
    (gzip.compress(SAM), Kind.SAM, "samtools view"),
    (b">chr1 a reference\nACGT\n", Kind.FASTA, "reference store"),
    (gzip.compress(b">chr1\nACGT\n"), Kind.FASTA, "reference store"),
    (b"##fileformat=VCFv4.2\n", Kind.VCF, "variants"),
    (bgzf(b"##fileformat=VCFv4.2\n"), Kind.VCF, "variants"),
    (bgzf(b"BCF\x02\x02"), Kind.BCF, "variants"),
    (b"BAI\x01" + bytes(20), Kind.INDEX, "index"),
    (bgzf(b"CSI\x01" + bytes(20)), Kind.INDEX, "index"),
    (b"BZh91AY&SY", Kind.BZIP2, "bzip2 -dc"),
    (b"\xfd7zXZ\0\0", Kind.XZ, "xz -dc"),
    (b"\x28\xb5\x2f\xfd\x04", Kind.ZSTD, "zstd -dc"),
    (_zip(), Kind.ZIP, "unpack"),
    (_tar(), Kind.TAR, "unpack"),
    (gzip.compress(_tar()), Kind.TAR, "unpack"),
    (b"NCBI.sra\x05", Kind.SRA, "fasterq-dump"),
    (b"\x89HDF\r\n\x1a\n", Kind.HDF5, "bases"),
    (b"\x8bPOD\r\n\x1a\n", Kind.POD5, "bases"),
    (b"crypt4gh\x01", Kind.ENCRYPTED, "decrypt"),
    (b"<!DOCTYPE html><html>404</html>", Kind.HTML, "again"),
    (b"\n <html><body>Sign in</body>", Kind.HTML, "again"),
    (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', Kind.XML, "again"),
    (b'{"message": "Forbidden"}', Kind.JSON, "again"),
    (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        Kind.LFS_POINTER,
        "git lfs pull",
    ),
    (b"/annex/objects/SHA256E-s5--00.bam\n", Kind.ANNEX_POINTER, "git annex get"),
    (gzip.compress(gzip.compress(FASTQ)), Kind.GZIP_OTHER, "gzipped FASTQ"),
    (gzip.compress(b"CRAM\x03\0"), Kind.GZIP_OTHER, "gzipped FASTQ"),
    (gzip.compress(b"hello\n"), Kind.GZIP_OTHER, "gzipped FASTQ"),
    (gzip.compress(FASTQ)[:12], Kind.DAMAGED_GZIP, "again"),
    (b"\x1f\x8b\x08\x04nothing like it", Kind.DAMAGED_GZIP, "again"),
    (gzip.compress(b"BAM\x01" + struct.pack("<ii", 0, 0)), Kind.GZIPPED_BAM, "samtools"),
    (b"BAM\x01" + struct.pack("<ii", 0, 0), Kind.RAW_BAM, "samtools"),
    (b"CRAM\x01\x00" + bytes(20), Kind.OTHER_CRAM, "CRAM 3.0"),
    (b"CRAM\x04\x00" + bytes(20), Kind.OTHER_CRAM, "CRAM 3.0"),
    (b"chr1\t248956422\t112\t70\t71\nchr2\t1\t2\t3\t4\n", Kind.INDEX, "index"),
    (b"read1\t150\t7\t150\t151\t160\n", Kind.INDEX, "index"),
    (gzip.compress(b"0\t1\t20000\t26\t100\t5000\n-1\t0\t0\t1\t2\t3\n"), Kind.INDEX, "index"),
    (bgzf(b"TBI\x01" + bytes(20)), Kind.INDEX, "index"),
    (gzip.compress(SAM.split(b"\n", 2)[2]), Kind.SAM, "samtools view"),
    (b"CRAM", Kind.UNKNOWN, "gzipped FASTQ"),
    (bytes(5000), Kind.ZEROS, "copy"),
    (b"", Kind.EMPTY, "step"),
    (gzip.compress(b""), Kind.EMPTY, "step"),
    (b"just some words\n", Kind.UNKNOWN, "gzipped FASTQ"),
    (os.urandom(4) + bytes(range(256)), Kind.UNKNOWN, "gzipped FASTQ"),
]


@pytest.mark.parametrize(
    ("data", "kind", "advice"),
    LOOKALIKES,
    ids=[f"{kind}-{number}" for number, (_, kind, _) in enumerate(LOOKALIKES)],
)
def test_lookalikes_are_named_with_what_to_do(
    tmp_path: Path, data: bytes, kind: Kind, advice: str
) -> None:
    path = write(tmp_path / "sample.bam", data)
    assert sniff(path).kind is kind
    with pytest.raises(InputError) as caught:
        require_type(path, None)
    assert caught.value.path == path
    assert advice in (caught.value.hint or "")


def test_dragens_archive_is_known_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "A_S1_L001_R1_001.fastq.ora", b"\x49\x7c\x01\x02" * 64)
    with pytest.raises(InputError, match="is DRAGEN ORA, by its name, which HealthOmics") as caught:
        require_type(path, None)
    assert "`orad`" in (caught.value.hint or "")


def test_every_lookalike_has_advice() -> None:
    assert set(HINTS) == {kind for kind in Kind if kind.name not in FORMATS}


@pytest.mark.parametrize(
    ("sequences", "mapped", "unmapped", "declared", "outcome"),
    [
        (True, 5, 5, None, "BAM"),
        (True, 0, 9, None, "UBAM"),
        (True, 0, 0, None, "BAM"),
        (False, 0, 9, None, "UBAM"),
        (False, 0, 0, None, "UBAM"),
        (True, 0, 9, "BAM", "BAM"),
        (True, 0, 9, "UBAM", "UBAM"),
        (True, 0, 0, "UBAM", "UBAM"),
        (True, 5, 5, "UBAM", "is an aligned BAM"),
        (False, 0, 9, "BAM", "is an unaligned BAM"),
        (True, 5, 5, "CRAM", "is an aligned BAM"),
        (True, 5, 5, "fastq", "was declared FASTQ"),
    ],
)
def test_bam_or_ubam(
    tmp_path: Path, sequences: bool, mapped: int, unmapped: int, declared: str, outcome: str
) -> None:
    path = _bam(tmp_path / "a", sequences=sequences, mapped=mapped, unmapped=unmapped)
    if outcome in FORMATS:
        assert require_type(path, declared) == outcome
    else:
        with pytest.raises(InputError, match=outcome):
            require_type(path, declared)


def test_a_bam_with_a_very_long_header_is_still_a_bam(tmp_path: Path) -> None:
    header = {"SQ": [{"SN": f"contig{i:08d}", "LN": 1000 + i} for i in range(200_000)]}
    path = tmp_path / "a.bam"
    with pysam.AlignmentFile(str(path), "wb", header=header):
        pass
    assert require_type(path, None) == "BAM"


def test_an_unknown_declared_type_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="VCF"):
        require_type(write(tmp_path / "a", FASTQ), "VCF")


def test_missing_folder_and_special_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_bytes(b"x")
    for path, sentence in [
        (tmp_path / "missing", "no such file"),
        (tmp_path / "link", "link"),
        (tmp_path, "folder"),
        (tmp_path / "fifo", "named pipe"),
        (Path("/dev/null"), "device"),
        (tmp_path / "file" / "below", "no such file"),
        (tmp_path / ("n" * 300), "can't be read"),
    ]:
        with pytest.raises(InputError, match=sentence):
            sniff(path)
    with pytest.raises(InputError, match="can't be read"):
        sniff("nul\0byte")


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name of a socket may be about 100 characters long at most.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(InputError, match="socket"):
            sniff("s")


def test_an_unreadable_file() -> None:
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "secret")
        path.write_bytes(FASTQ)
        path.chmod(0)
        if root:
            # Root may read everything: look at it through the eyes of nobody.
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match="permission denied"):
                sniff(path)
        finally:
            if root:
                os.seteuid(0)


def test_only_the_start_of_a_huge_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.fastq.gz"
    with path.open("wb") as file:
        file.write(gzip.compress(FASTQ))
        file.truncate(1 << 40)
    assert sniff(path).kind is Kind.FASTQ


@needs_samtools
@pytest.mark.skipif(
    not debian_files("*.bam"), reason="no test files (Debian: samtools-test, htslib-test)"
)
def test_the_files_of_samtools_and_htslib() -> None:
    for path in debian_files("*.bam", "*.cram"):
        good = subprocess.run([SAMTOOLS, "view", "-c", path], capture_output=True, check=False)
        if good.returncode == 0:
            assert require_type(path, None) in ("BAM", "UBAM", "CRAM"), path
    for path in debian_files("*.sam", "*.fa", "*.vcf", "*.fq"):
        if path.stat().st_size:
            with pytest.raises(InputError):
                require_type(path, None)


STARTS = [magic for magic, *_ in MAGIC] + [
    b"",
    b"@",
    b"@r\nACGT\n",
    b">",
    b"CRAM\x03\x00",
    b"\x1f\x8b",
    b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0",
    bgzf(FASTQ)[:40],
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=400), st.booleans(), st.booleans())
def test_any_bytes_give_a_kind(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes, zipped: bool, bam: bool
) -> None:
    data = (b"BAM\x01" if bam else start) + rest
    path = write(tmp_path_factory.getbasetemp() / "fuzz", bgzf(data) if zipped else data)
    found = sniff(path)
    assert isinstance(found.kind, Kind)
    try:
        assert require_type(path, None) == found.file_type
    except InputError:
        assert found.file_type is None
