from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import itertools
import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.omics import omics_client, upload_files, wait_for, wait_for_read_set
from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.stored import check_comment
from turboupload.emulator.reading.alignments import AlignmentFindings, examine_alignments
from turboupload.emulator.reading.bam import bam_head
from turboupload.emulator.reading.cram import cram_head, records_begin, walk_containers
from turboupload.emulator.reading.fastq import examine_fastq
from turboupload.emulator.reading.findings import IngestFailure

REFERENCE: dict[str, Any] = {"referenceArn": samples.REFERENCE_ARN}


def command_md5(*pipeline: list[str]) -> str:
    """The MD5 of what the last command prints; skips where the first is not installed."""
    if shutil.which(pipeline[0][0]) is None:
        pytest.skip(f"{pipeline[0][0]} is not installed")
    output = subprocess.run(pipeline[0], check=True, capture_output=True).stdout
    return hashlib.md5(output, usedforsecurity=False).hexdigest()


def ingest(
    client: Any,
    store: str,
    file_type: str,
    files: list[Path | bytes],
    *,
    parts: int = 1,
    **details: Any,
) -> dict[str, Any]:
    read_set = upload_files(client, store, file_type, files, parts=parts, details=details)
    return wait_for_read_set(client, store, read_set)


def stored(client: Any, store: str, metadata: dict[str, Any]) -> bytes:
    """The bytes that the service has of a file of one part."""
    reply = client.get_read_set(sequenceStoreId=store, id=metadata["id"], partNumber=1)
    data: bytes = reply["payload"].read()
    assert len(data) == metadata["files"]["source1"]["contentLength"]
    return data


def failure(
    client: Any, store: str, file_type: str, data: bytes, *, parts: int = 1, **details: Any
) -> str:
    metadata = ingest(client, store, file_type, [data], parts=parts, **details)
    assert metadata["status"] == "UPLOAD_FAILED", metadata
    assert "etag" not in metadata
    assert "sequenceInformation" not in metadata
    return str(metadata["statusMessage"])


class TestFastq:
    @pytest.mark.parametrize("make", [samples.fastq, samples.bgzf_fastq])
    def test_one_file(self, client: Any, store: str, tmp_path: Path, make: Any) -> None:
        sample = make(tmp_path / "reads.fastq.gz")
        metadata = ingest(client, store, "FASTQ", [sample.path], parts=3, generatedFrom="a run")
        assert metadata["status"] == "ACTIVE"
        assert metadata["sequenceInformation"] == {
            "totalReadCount": sample.reads,
            "totalBaseCount": sample.bases,
            "generatedFrom": "a run",
            "alignment": "UNALIGNED",
        }
        md5 = command_md5(["gzip", "-dc", str(sample.path)])
        assert metadata["etag"] == {"algorithm": "FASTQ_MD5up", "source1": md5}
        assert metadata["files"]["source1"]["contentLength"] == sample.path.stat().st_size
        assert (metadata["fileType"], metadata["creationType"]) == ("FASTQ", "UPLOAD")

    def test_both_mates_are_counted_together(self, client: Any, store: str, tmp_path: Path) -> None:
        pair = samples.fastq_pair(tmp_path)
        metadata = ingest(client, store, "FASTQ", [mate.path for mate in pair], parts=2)
        assert metadata["sequenceInformation"]["totalReadCount"] == pair[0].reads + pair[1].reads
        assert metadata["sequenceInformation"]["totalBaseCount"] == pair[0].bases + pair[1].bases
        assert metadata["etag"] == {
            "algorithm": "FASTQ_MD5up",
            "source1": command_md5(["gzip", "-dc", str(pair[0].path)]),
            "source2": command_md5(["gzip", "-dc", str(pair[1].path)]),
        }
        assert set(metadata["files"]) == {"source1", "source2"}

    @pytest.mark.parametrize(("family", "name"), [("SHA256up", "sha256"), ("SHA512up", "sha512")])
    def test_the_stores_family_of_hashes(
        self, client: Any, tmp_path: Path, family: str, name: str
    ) -> None:
        store = client.create_sequence_store(name="hashes", eTagAlgorithmFamily=family)["id"]
        sample = samples.fastq(tmp_path / "reads.fastq.gz")
        metadata = ingest(client, store, "FASTQ", [sample.path])
        text = gzip.decompress(sample.path.read_bytes())
        assert metadata["etag"] == {
            "algorithm": f"FASTQ_{family}",
            "source1": hashlib.new(name, text).hexdigest(),
        }

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda data: gzip.decompress(data), "not gzip"),
            (lambda data: data[:-9], "truncated"),
            (lambda data: data[: len(data) // 2], "truncated"),
            (lambda data: data + data[:40], "truncated"),
            (lambda data: data + b"garbage", "not gzip"),
            (lambda data: data[:-8] + b"\0" * 8, "damaged"),
            (lambda data: gzip.compress(b">not\nFASTQ\n"), "not FASTQ"),
            (lambda data: gzip.compress(b"@r\nACGT\n+\nFFF\n"), "bad record"),
            (lambda data: gzip.compress(b"@r\nACGT\n-\nFFFF\n"), "bad record"),
            (lambda data: gzip.compress(b"@r\nACGT\n+\n"), "middle of a record"),
            (lambda data: gzip.compress(b""), "no reads"),
            (lambda data: b"\x1f", "truncated"),
        ],
    )
    def test_what_is_not_whole_gzip_fastq_fails(
        self, client: Any, store: str, tmp_path: Path, change: Any, sentence: str
    ) -> None:
        data = samples.fastq(tmp_path / "reads.fastq.gz").path.read_bytes()
        assert sentence in failure(client, store, "FASTQ", change(data))

    def test_the_mate_that_fails_is_named(self, client: Any, store: str, tmp_path: Path) -> None:
        sample = samples.fastq(tmp_path / "reads.fastq.gz")
        metadata = ingest(client, store, "FASTQ", [sample.path, b"not gzip"])
        assert metadata["statusMessage"] == "SOURCE2: the file is not gzip"

    @pytest.mark.parametrize("make", [samples.bam, samples.ubam])
    def test_a_bam_is_no_fastq(self, client: Any, store: str, tmp_path: Path, make: Any) -> None:
        data = make(tmp_path / "reads.bam").path.read_bytes()
        assert "BAM, not FASTQ" in failure(client, store, "FASTQ", data)


def test_each_of_many_is_ingested_once(client: Any, store: str) -> None:
    bad, good = b"not gzip", gzip.compress(b"@r\nACGT\n+\nFFFF\n")

    def upload(number: int) -> str:
        return upload_files(client, store, "FASTQ", [bad if number % 2 else good])

    with ThreadPoolExecutor(8) as threads:
        read_sets = list(threads.map(upload, range(60)))
    for number, read_set in enumerate(read_sets):
        metadata = wait_for_read_set(client, store, read_set)
        wanted = "SOURCE1: the file is not gzip" if number % 2 else None
        assert metadata.get("statusMessage") == wanted
        assert metadata["status"] == ("UPLOAD_FAILED" if number % 2 else "ACTIVE")


def chunked(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_fastq_in_pieces_of_any_size(size: int) -> None:
    text = b"@a\nACGT\n+\nFFFF\n" * 30 + b"@b\r\nAC\r\n+\r\nFF\r\n" * 20
    members = gzip.compress(text[:200]) + gzip.compress(b"") + gzip.compress(text[200:])
    found = examine_fastq(chunked(members + b"\0" * 50, size), "md5", lambda: None)
    assert found.digest == hashlib.md5(text, usedforsecurity=False).hexdigest()
    assert (found.reads, found.bases) == (50, 30 * 4 + 20 * 2)
    assert zlib.decompressobj(31).decompress(members) == text[:200]
    with pytest.raises(IngestFailure, match="not gzip"):
        examine_fastq(chunked(members + b"\0" * 50 + b"x", size), "md5", lambda: None)


def test_a_last_line_without_newline_counts() -> None:
    found = examine_fastq([gzip.compress(b"@a\nACGT\n+\nFFFF")], "md5", lambda: None)
    assert (found.reads, found.bases) == (1, 4)


class TestAlignments:
    @pytest.mark.parametrize("parts", [1, 3])
    def test_bam(self, client: Any, store: str, tmp_path: Path, parts: int) -> None:
        sample = samples.bam(tmp_path / "reads.bam")
        metadata = ingest(client, store, "BAM", [sample.path], parts=parts, **REFERENCE)
        assert metadata["status"] == "ACTIVE"
        assert metadata["sequenceInformation"] == {
            "totalReadCount": sample.reads,
            "totalBaseCount": sample.bases,
            "alignment": "ALIGNED",
        }
        assert metadata["referenceArn"] == samples.REFERENCE_ARN
        assert metadata["etag"] == {
            "algorithm": "BAM_MD5up",
            "source1": command_md5(["samtools", "view", str(sample.path)]),
        }
        index = client.get_read_set(
            sequenceStoreId=store, id=metadata["id"], partNumber=1, file="INDEX"
        )["payload"].read()
        assert len(index) == metadata["files"]["index"]["contentLength"]
        kept = tmp_path / "kept.bam"
        kept.write_bytes(stored(client, store, metadata))
        (tmp_path / "kept.bam.bai").write_bytes(index)
        check_comment(sample.path, kept, store)
        assert kept.stat().st_size > sample.path.stat().st_size
        with pysam.AlignmentFile(str(kept)) as bam:
            assert bam.count("chr1", 0, 20_000) == sample.reads

    def test_ubam(self, client: Any, store: str, tmp_path: Path) -> None:
        sample = samples.ubam(tmp_path / "reads.bam")
        metadata = ingest(client, store, "UBAM", [sample.path], parts=2)
        assert metadata["status"] == "ACTIVE"
        assert metadata["sequenceInformation"]["alignment"] == "UNALIGNED"
        assert metadata["sequenceInformation"]["totalReadCount"] == sample.reads
        assert metadata["etag"] == {
            "algorithm": "BAM_MD5up",
            "source1": command_md5(["samtools", "view", str(sample.path)]),
        }
        assert set(metadata["files"]) == {"source1"}
        kept = tmp_path / "kept.bam"
        kept.write_bytes(stored(client, store, metadata))
        check_comment(sample.path, kept, store)

    def test_cram_with_its_reference(self, tmp_path: Path) -> None:
        sample = samples.cram(tmp_path / "reads.cram")
        # Where the header says the reference is, there is none any more.
        reference = (tmp_path / "reads.fa").rename(tmp_path / "moved.fa")
        (tmp_path / "reads.fa.fai").rename(tmp_path / "moved.fa.fai")
        mapping = f"{samples.REFERENCE_ARN}={reference}"
        options = ("--quotas", "off", "--ingest-delay", "0", "--reference", mapping)
        with RunningEmulator(*options) as emulator:
            client = omics_client(emulator)
            metadata = ingest(
                client, emulator.store_id, "CRAM", [sample.path], parts=2, **REFERENCE
            )
            kept = tmp_path / "kept.cram"
            kept.write_bytes(stored(client, emulator.store_id, metadata))
            client.close()
        check_comment(sample.path, kept, emulator.store_id, reference)
        assert metadata["status"] == "ACTIVE", metadata
        assert metadata["sequenceInformation"]["totalReadCount"] == sample.reads
        assert metadata["sequenceInformation"]["totalBaseCount"] == sample.bases
        assert metadata["sequenceInformation"]["alignment"] == "ALIGNED"
        assert set(metadata["files"]) == {"source1", "index"}
        assert metadata["etag"] == {
            "algorithm": "CRAM_MD5up",
            "source1": command_md5(["samtools", "view", "-T", str(reference), str(sample.path)]),
        }

    def test_cram_without_its_reference_is_counted_by_its_containers(
        self, client: Any, store: str, tmp_path: Path
    ) -> None:
        sample = samples.cram(tmp_path / "reads.cram")
        (tmp_path / "reads.fa").unlink()
        (tmp_path / "reads.fa.fai").unlink()
        metadata = ingest(client, store, "CRAM", [sample.path], **REFERENCE)
        assert metadata["status"] == "ACTIVE", metadata
        assert metadata["sequenceInformation"]["totalReadCount"] == sample.reads
        assert metadata["sequenceInformation"]["totalBaseCount"] == sample.bases
        digest = hashlib.md5(usedforsecurity=False)
        with sample.path.open("rb") as cram:
            cram.seek(records_begin(cram))
            digest.update(cram.read())
        assert metadata["etag"] == {"algorithm": "CRAM_MD5up", "source1": digest.hexdigest()}

    @pytest.mark.parametrize("file_type", ["BAM", "CRAM"])
    def test_without_a_reference_arn_it_fails(
        self, client: Any, store: str, tmp_path: Path, file_type: str
    ) -> None:
        make = {"BAM": samples.bam, "CRAM": samples.cram}[file_type]
        data = make(tmp_path / "reads").path.read_bytes()
        assert "reference ARN" in failure(client, store, file_type, data)

    def test_a_unaligned_bam_must_be_unaligned(
        self, client: Any, store: str, tmp_path: Path
    ) -> None:
        data = samples.bam(tmp_path / "reads.bam").path.read_bytes()
        assert "aligned reads" in failure(client, store, "UBAM", data)

    @pytest.mark.parametrize("file_type", ["BAM", "CRAM", "UBAM"])
    def test_the_wrong_type_fails(
        self, client: Any, store: str, tmp_path: Path, file_type: str
    ) -> None:
        other = samples.bam if file_type == "CRAM" else samples.cram
        expected = "CRAM" if file_type == "CRAM" else "BAM"
        for data in (
            other(tmp_path / "other").path.read_bytes(),
            samples.fastq(tmp_path / "reads.fastq.gz").path.read_bytes(),
            b"plain text, neither of them",
        ):
            message = failure(client, store, file_type, data, **REFERENCE)
            assert f"not {expected}" in message

    @pytest.mark.parametrize("parts", [1, 3])
    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data[:-28],
            lambda data: data[:-1],
            lambda data: data[: len(data) // 2],
        ],
    )
    def test_a_truncated_bam_fails(
        self, client: Any, store: str, tmp_path: Path, change: Any, parts: int
    ) -> None:
        data = samples.bam(tmp_path / "reads.bam").path.read_bytes()
        message = failure(client, store, "BAM", change(data), parts=parts, **REFERENCE)
        assert "truncated" in message

    def test_a_damaged_bam_fails(self, client: Any, store: str, tmp_path: Path) -> None:
        data = bytearray(samples.bam(tmp_path / "reads.bam").path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        assert "can't be read" in failure(client, store, "BAM", bytes(data), **REFERENCE)

    @pytest.mark.parametrize("keep", [26, 100, -38, -1])
    def test_a_truncated_cram_fails(
        self, client: Any, store: str, tmp_path: Path, keep: int
    ) -> None:
        data = samples.cram(tmp_path / "reads.cram").path.read_bytes()
        assert "truncated" in failure(client, store, "CRAM", data[:keep], **REFERENCE)

    def test_a_damaged_cram_fails(self, client: Any, store: str, tmp_path: Path) -> None:
        sample = samples.cram(tmp_path / "reads.cram")
        (tmp_path / "reads.fa").unlink()
        data = bytearray(sample.path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        assert "damaged" in failure(client, store, "CRAM", bytes(data), **REFERENCE)

    def test_bam_without_reads_fails(self, client: Any, store: str, tmp_path: Path) -> None:
        data = samples.ubam(tmp_path / "reads.bam", reads=0).path.read_bytes()
        assert "no reads" in failure(client, store, "UBAM", data)


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
def test_containers_of_every_cram_version_are_counted(tmp_path: Path, version: str) -> None:
    bam = samples.bam(tmp_path / "reads.bam", reads=300)
    reference = samples.reference_fasta(tmp_path / "reference.fa")
    cram = tmp_path / "reads.cram"
    pysam.view(
        "-C",
        "--output-fmt-option", f"version={version}",
        "--output-fmt-option", "seqs_per_slice=70",
        "-T", str(reference), "-o", str(cram), str(bam.path),
        catch_stdout=False,
    )  # fmt: skip
    with cram.open("rb") as file:
        counts = walk_containers(file)
    assert (counts.records, counts.bases) == (300, bam.bases)
    sent = cram.read_bytes()
    replaced, head = cram_head(io.BytesIO(sent), b"@CO\tHealthOmics sequence store 1, ingested 20")
    kept = tmp_path / "kept.cram"
    kept.write_bytes(head + sent[replaced:])
    with kept.open("rb") as file:
        assert walk_containers(file) == counts
    check_comment(cram, kept, "1", reference)


@given(data=st.data())
def test_damaged_files_fail_in_words_and_nothing_else(
    data: st.DataObject, sample_bytes: tuple[bytes, bytes]
) -> None:
    fastq, cram = sample_bytes
    original = data.draw(st.sampled_from([fastq, cram]))
    start = data.draw(st.integers(0, len(original) - 1))
    end = data.draw(st.integers(start, min(start + 40, len(original))))
    damaged = original[:start] + data.draw(st.binary(max_size=40)) + original[end:]
    # Whatever is wrong with it, it is an IngestFailure or it is whole.
    with contextlib.suppress(IngestFailure):
        if original is fastq:
            examine_fastq(chunked(damaged, 4096), "md5", lambda: None)
        else:
            walk_containers(io.BytesIO(damaged))


@pytest.fixture(scope="module")
def sample_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("samples")
    return (
        samples.bgzf_fastq(folder / "reads.fastq.gz").path.read_bytes(),
        samples.cram(folder / "reads.cram").path.read_bytes(),
    )


@pytest.fixture
def lone_cram(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a CRAM that needs no reference, with lines of its header replaced."""

    def make(version: str, sequence: str) -> Path:
        bam = samples.bam(tmp_path / "reads.bam", reads=300)
        lines = str(pysam.view("-h", str(bam.path))).splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("@SQ"))
        lines[at] = sequence.format(lines[at])
        text = tmp_path / "reads.sam"
        text.write_text("\n".join(lines) + "\n")
        cram = tmp_path / "reads.cram"
        pysam.view(
            "-O", f"cram,version={version},no_ref=1", "-o", str(cram), str(text),
            catch_stdout=False,
        )  # fmt: skip
        return cram

    return make


def examined(cram: Path) -> AlignmentFindings:
    index = cram.with_suffix(".crai")
    return examine_alignments(
        cram, "CRAM", hash_name="md5", reference=None, index=index, check=lambda: None
    )


@pytest.mark.parametrize("version", ["2.1", "3.0", "3.1"])
@pytest.mark.parametrize(
    "sequence",
    ["{}\tUR:https://example.com/a.fa\tM5:" + "0" * 32, "{}\n@CO\t" + "x" * 10_000],
    ids=["a reference elsewhere", "10 KiB"],
)
def test_a_cram_is_decoded_whatever_its_header_names(
    lone_cram: Callable[[str, str], Path], version: str, sequence: str
) -> None:
    cram = lone_cram(version, sequence)
    findings = examined(cram)
    assert (findings.reads, findings.indexed) == (300, True)
    assert findings.digest == command_md5(["samtools", "view", str(cram)])
    assert [each.name for each in cram.parent.glob("*.plain")] == []


def test_what_the_header_of_a_cram_names_is_not_opened(tmp_path: Path) -> None:
    cram = samples.cram(tmp_path / "reads.cram").path
    reference = tmp_path / "reads.fa"
    (tmp_path / "reads.fa.fai").unlink()
    with cram.open("rb") as file:
        file.seek(records_begin(file))
        whole = hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
    assert examined(cram).digest == whole
    assert not (tmp_path / "reads.fa.fai").exists()
    reference.unlink()
    # Whoever opens it waits for ever.
    os.mkfifo(reference)
    assert examined(cram).digest == whole


def _block(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    packed = deflate.compress(data) + deflate.flush()
    start = struct.pack(
        "<4sIBBH2sHH", b"\x1f\x8b\x08\x04", 0, 0, 255, 6, b"BC", 2, len(packed) + 25
    )
    return start + packed + struct.pack("<II", zlib.crc32(data), len(data))


@given(
    text=st.binary(max_size=300).map(lambda text: text.rstrip(b"\0")),
    fill=st.integers(0, 5),
    rest=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
def test_a_line_is_added_wherever_the_blocks_end(
    text: bytes, fill: int, rest: bytes, cuts: list[int]
) -> None:
    data = struct.pack("<4si", b"BAM\1", len(text) + fill) + text + bytes(fill) + rest
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    pieces = [data[start:end] for start, end in itertools.pairwise([0, *ends])]
    sent = b"".join(map(_block, pieces))
    replaced, head = bam_head(io.BytesIO(sent), b"@CO\tx")
    changed = gzip.decompress(head + sent[replaced:])
    line = (b"" if not text or text.endswith(b"\n") else b"\n") + b"@CO\tx\n"
    wanted = struct.pack("<4si", b"BAM\1", len(text + line)) + text + line + rest
    assert changed == wanted


@given(data=st.data())
def test_no_damage_is_healed_by_adding_a_line(
    data: st.DataObject, alignment_bytes: tuple[bytes, bytes]
) -> None:
    make, original = data.draw(
        st.sampled_from(list(zip((bam_head, cram_head), alignment_bytes, strict=True)))
    )
    at = data.draw(st.integers(0, min(len(original), 4000) - 1))
    damaged = original[:at] + bytes((original[at] ^ data.draw(st.integers(1, 255)),))
    damaged += original[at + 1 :]
    try:
        replaced, head = make(io.BytesIO(damaged), b"@CO\tx")
    except (IngestFailure, zlib.error, struct.error):
        return  # It is stored as it came.
    if at >= replaced:
        assert head == make(io.BytesIO(original), b"@CO\tx")[1]


@pytest.fixture(scope="module")
def alignment_bytes(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("alignments")
    return (
        samples.bam(folder / "reads.bam").path.read_bytes(),
        samples.cram(folder / "reads.cram").path.read_bytes(),
    )


def test_the_bytes_of_an_import_are_stored_with_a_comment_too(tmp_path: Path) -> None:
    bucket = tmp_path / "s3" / "bucket"
    bucket.mkdir(parents=True)
    sample = samples.ubam(bucket / "reads.bam")
    options = ("--quotas", "off", "--ingest-delay", "0", "--s3-root", str(tmp_path / "s3"))
    with RunningEmulator(*options) as emulator:
        client = omics_client(emulator)
        source = {
            "sourceFiles": {"source1": "s3://bucket/reads.bam"},
            "sourceFileType": "UBAM",
            "subjectId": "subject",
            "sampleId": "sample",
        }
        store = emulator.store_id
        client.start_read_set_import_job(
            sequenceStoreId=store,
            roleArn="arn:aws:iam::000000000000:role/import",
            sources=[source],
        )
        (row,) = wait_for(
            lambda: client.list_read_sets(sequenceStoreId=store)["readSets"], "the import"
        )
        metadata = client.get_read_set_metadata(sequenceStoreId=store, id=row["id"])
        kept = tmp_path / "kept.bam"
        kept.write_bytes(stored(client, store, metadata))
        check_comment(sample.path, kept, store)
        # Nothing but the read set's own bytes is kept.
        wait_for(lambda: len(list((emulator.root / "blobs").iterdir())) == 2, "tidying up")
        client.close()
