from __future__ import annotations

import base64
import contextlib
import errno
import gzip
import hashlib
import importlib.util
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.seqcheck.preflight_samples import (
    SAMTOOLS,
    bgzf,
    debian_files,
    fastq_text,
    needs_samtools,
    write,
)
from tests.support import samples
from turboupload.core.proof.etag import (
    FAMILIES,
    ContentETag,
    ETagOutcome,
    compare_etag,
    etag_algorithm,
)
from turboupload.core.records import ETag
from turboupload.errors import ConfigError, InputError
from turboupload.files import etag
from turboupload.files.etag import hash_content

TEXT = fastq_text(3_000)


def etag_of(path: str | Path, *about: Any, **more: Any) -> str:
    return hash_content(path, *about, **more).digest


def _sum(command: list[str], tool: str) -> str:
    """What `command | tool` prints: the first word of it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE) as source:
        out = subprocess.run([tool], stdin=source.stdout, capture_output=True, check=True)
    assert source.returncode == 0
    return out.stdout.split()[0].decode()


@pytest.mark.parametrize(
    ("family", "tool"), [("MD5up", "md5sum"), ("SHA256up", "sha256sum"), ("SHA512up", "sha512sum")]
)
@pytest.mark.parametrize("processors", [1, 4])
def test_fastq_equals_gzip_dc(
    tmp_path: Path, family: str, tool: str, processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etag, "processors", lambda: processors)
    half = len(TEXT) // 2
    for data in (
        gzip.compress(TEXT),
        bgzf(TEXT),
        gzip.compress(TEXT[:half]) + gzip.compress(b"") + gzip.compress(TEXT[half:]),
        bgzf(TEXT[:half]) + gzip.compress(TEXT[half:]),
    ):
        path = write(tmp_path / "a.fastq.gz", data)
        found = hash_content(path, "FASTQ", family)
        assert found.digest == _sum(["gzip", "-dc", path], tool)
        assert found.reads == 3_000


@needs_samtools
@pytest.mark.parametrize(
    ("family", "tool"), [("MD5up", "md5sum"), ("SHA256up", "sha256sum"), ("SHA512up", "sha512sum")]
)
def test_alignments_equal_samtools_view(tmp_path: Path, family: str, tool: str) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    for sample in (samples.bam(tmp_path / "a"), samples.ubam(tmp_path / "b")):
        expected = _sum([SAMTOOLS, "view", str(sample.path)], tool)
        assert etag_of(sample.path, sample.file_type, family) == expected


@needs_samtools
def test_a_cram_on_its_reference(tmp_path: Path) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    path, reference = samples.cram(tmp_path / "a.cram").path, tmp_path / "a.fa"
    expected = _sum([SAMTOOLS, "view", "-T", str(reference), str(path)], "md5sum")
    assert etag_of(path, "CRAM", reference=reference) == expected
    reference.unlink()
    with pytest.raises(InputError, match="without its reference") as caught:
        etag_of(path, "CRAM")
    assert "reference FASTA" in (caught.value.hint or "")


@needs_samtools
@pytest.mark.skipif(
    not debian_files("*.bam"), reason="no test files (Debian: samtools-test, htslib-test)"
)
def test_bams_of_samtools_and_htslib() -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    for path in debian_files("range.bam", "ce#unmap*.bam", "mpileup.1.bam", "no_hdr_sq_1.bam"):
        expected = _sum([SAMTOOLS, "view", str(path)], "md5sum")
        assert etag_of(path, "BAM") == expected, path


@pytest.mark.parametrize("pack", [gzip.compress, bgzf])
def test_a_damaged_fastq_has_no_etag(tmp_path: Path, pack: object) -> None:
    data = pack(TEXT)  # type: ignore[operator]  # one of the two above
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for bad in (data[: len(data) // 2], bytes(flipped), data + b"trailing words"):
        with pytest.raises(InputError):
            etag_of(write(tmp_path / "a", bad), "FASTQ")
    with pytest.raises(InputError, match="not gzip"):
        etag_of(write(tmp_path / "a", TEXT), "FASTQ")


def test_zero_padding_does_not_change_the_etag(tmp_path: Path) -> None:
    path = write(tmp_path / "a", gzip.compress(TEXT) + bytes(512))
    assert etag_of(path, "FASTQ") == hashlib.md5(TEXT, usedforsecurity=False).hexdigest()


def test_a_disk_that_fails_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    fastq = write(tmp_path / "a.fastq.gz", gzip.compress(TEXT))
    bam = samples.bam(tmp_path / "b").path

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    for path, file_type in ((fastq, "FASTQ"), (bam, "BAM")):
        with pytest.raises(InputError, match="Input/output error"):
            etag_of(path, file_type)


def test_a_damaged_bam_has_no_etag(tmp_path: Path) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    data = samples.bam(tmp_path / "a", reads=5_000).path.read_bytes()
    with pytest.raises(InputError, match="ends inside the block that starts at byte"):
        etag_of(write(tmp_path / "b", data[: len(data) // 2]), "BAM")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    with pytest.raises(InputError, match="the block at byte"):
        etag_of(write(tmp_path / "c", bytes(flipped)), "BAM")
    blocks = bgzf(gzip.decompress(data)[:-20])
    for cut in (blocks, bgzf(b"no BAM"), bgzf(b"")):
        with pytest.raises(InputError, match="its records can't be read"):
            etag_of(write(tmp_path / "d", cut), "BAM")
    with pytest.raises(InputError, match="not gzip data"):
        etag_of(write(tmp_path / "e", b"no BAM at all, but long enough"), "BAM")
    padded = write(tmp_path / "f", data + bytes(64))
    assert etag_of(padded, "BAM") == etag_of(write(tmp_path / "g", data), "BAM")


def test_without_pysam_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    path = samples.bgzf_fastq(tmp_path / "a").path
    with pytest.raises(ConfigError, match="pysam") as caught:
        etag_of(path, "BAM")
    assert "turboupload[preflight]" in (caught.value.hint or "")
    assert etag_of(path, "FASTQ")


def test_what_the_caller_got_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a", gzip.compress(TEXT))
    with pytest.raises(ConfigError, match="SHA1up"):
        etag_of(path, "FASTQ", "SHA1up")
    with pytest.raises(ConfigError, match="VCF"):
        etag_of(path, "VCF")
    with pytest.raises(InputError, match="no such file"):
        etag_of(tmp_path / "missing", "FASTQ")
    assert etag_algorithm("ubam", "SHA256up") == "BAM_SHA256up"
    assert set(FAMILIES) == {"MD5up", "SHA256up", "SHA512up"}


def test_progress_and_clean_cancellation(tmp_path: Path) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    made = [
        (write(tmp_path / "a", gzip.compress(TEXT)), "FASTQ"),
        (write(tmp_path / "b", bgzf(TEXT)), "FASTQ"),
        # More text than the pipes hold, so that all who write to them wait when nobody reads.
        (str(samples.bam(tmp_path / "c", reads=60_000).path), "BAM"),
    ]

    def stop(done: int, total: int) -> None:
        raise RuntimeError("stop")

    for path, file_type in made:
        calls: list[tuple[int, int]] = []
        etag_of(path, file_type, progress=lambda d, t, c=calls: c.append((d, t)))
        size = Path(path).stat().st_size
        assert calls[-1] == (size, size)
        before = threading.active_count()
        open_files = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(RuntimeError, match="stop"):
            etag_of(path, file_type, progress=stop)
        assert threading.active_count() == before
        assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_a_ctrl_c_does_not_reach_the_child(tmp_path: Path) -> None:
    pytest.importorskip("pysam", reason="pysam is not installed (extra: preflight)")
    groups: set[int] = set()

    def look(done: int, total: int) -> None:
        for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            # Threads and the tests' other children come and go.
            with contextlib.suppress(OSError):
                for each in children.read_text().split():
                    if b"pysam" in Path(f"/proc/{each}/cmdline").read_bytes():
                        groups.add(os.getpgid(int(each)))

    etag_of(samples.bam(tmp_path / "a", reads=60_000).path, "BAM", progress=look)
    assert groups
    assert os.getpgid(0) not in groups


A, B, C = "aa" * 16, "bb" * 16, "cc" * 16


@pytest.mark.parametrize(
    ("algorithm", "ours", "theirs", "outcome", "proof", "words"),
    [
        ("FASTQ_MD5up", (A, B), (A, B), "equal", True, "every byte"),
        ("FASTQ_MD5up", (A, None), (A.upper(), None), "equal", True, "every byte"),
        ("FASTQ_MD5up", (A, B), (A, C), "different", True, "source 2"),
        ("FASTQ_MD5up", (A, B), (C, C), "different", True, "source 1 and source 2"),
        ("FASTQ_MD5up", (A, B), (B, A), "different", True, "swapped"),
        ("FASTQ_MD5up", (A, None), (A, B), "different", True, "one source here, but two"),
        ("FASTQ_MD5up", (A, B), (A, None), "incomparable", False, "none of source 2"),
        ("FASTQ_MD5up", (A, B), (A, ""), "incomparable", False, "source 1 is equal"),
        ("FASTQ_MD5up", (A, B), ("", B), "incomparable", False, "none of source 1"),
        ("FASTQ_MD5up", (A, B), (C, None), "different", True, "of source 1 differ"),
        ("FASTQ_MD5up", (A, B), ("", C), "different", True, "of source 2 differ"),
        ("BAM_MD5up", (A, None), (A, None), "equal", True, "every alignment record"),
        ("BAM_MD5up", (A, None), (B, None), "different", False, "doesn't prove"),
        ("CRAM_SHA256up", (A, None), (B, None), "different", False, "doesn't prove"),
    ],
)
def test_comparisons_say_what_is_proven(
    algorithm: str,
    ours: tuple[str, str | None],
    theirs: tuple[str, str | None],
    outcome: str,
    proof: bool,
    words: str,
) -> None:
    found = compare_etag(ContentETag(algorithm, *ours), ContentETag(algorithm, *theirs))
    assert (found.outcome, found.is_proof) == (outcome, proof)
    assert words in found.sentence


MD5 = hashlib.md5(b"reads", usedforsecurity=False)


@pytest.mark.parametrize(
    ("theirs", "outcome"),
    [
        (MD5.hexdigest().upper(), ETagOutcome.EQUAL),
        (f'"{MD5.hexdigest()}"', ETagOutcome.EQUAL),
        (f'W/"{MD5.hexdigest()}" ', ETagOutcome.EQUAL),
        (base64.b64encode(MD5.digest()).decode(), ETagOutcome.INCOMPARABLE),
        (f"{MD5.hexdigest()}-3", ETagOutcome.INCOMPARABLE),
        ("z" * 32, ETagOutcome.INCOMPARABLE),
        ("0" * 32, ETagOutcome.DIFFERENT),
    ],
)
def test_a_hash_that_is_written_otherwise_disproves_nothing(
    theirs: str, outcome: ETagOutcome
) -> None:
    ours = ContentETag("FASTQ_MD5up", MD5.hexdigest())
    found = compare_etag(ours, ContentETag("FASTQ_MD5up", theirs))
    assert found.outcome is outcome
    assert found.proves_different is (outcome is ETagOutcome.DIFFERENT)


def test_other_algorithms_cannot_be_compared() -> None:
    found = compare_etag(ContentETag("FASTQ_MD5up", A), ContentETag("FASTQ_SHA256up", A))
    assert found.outcome is ETagOutcome.INCOMPARABLE
    assert not found.is_proof


def test_etags_from_replies() -> None:
    reply = ETag(algorithm="FASTQ_MD5up", source1=A, source2=B)
    found = ContentETag.of(reply)
    assert found == ContentETag("FASTQ_MD5up", A, B)
    for nothing in (None, ""):
        assert ContentETag.of(replace(reply, source2=nothing)) == ContentETag("FASTQ_MD5up", A)
        assert ContentETag.of(replace(reply, source1=nothing)) == ContentETag("FASTQ_MD5up", "", B)
        assert ContentETag.of(replace(reply, algorithm=nothing)) is None
        assert ContentETag.of(ETag(algorithm="X", source1=nothing)) is None
    assert found.family == "MD5up"
    for missing in (None, ETag(), ETag(algorithm="BAM_MD5up")):
        assert ContentETag.of(missing) is None
