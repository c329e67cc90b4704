from __future__ import annotations

import gzip
import itertools
import os
import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pysam
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.seqcheck.preflight_samples import (
    BGZIP,
    EOF_BLOCK,
    SAMTOOLS,
    bgzf,
    bgzf_block,
    block_edges,
    codes,
    debian_files,
    fastq_text,
    needs_bgzip,
    needs_samtools,
    write,
)
from tests.support import samples
from turboupload.errors import ConfigError, InputError
from turboupload.seqcheck import deflate
from turboupload.seqcheck.checks import Depth, alignments, check, check_files, fastqfile
from turboupload.seqcheck.checks.gziptail import TailVerdict, inspect_tail
from turboupload.seqcheck.fastq import FastqRecords

SEED = 20_251
TEXT = fastq_text(3_000)


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes files of a few MiB count as large ones, of which only samples are read."""
    for module in (fastqfile, check):
        monkeypatch.setattr(module, "WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(fastqfile, "_HEAD_CONTENT_BYTES", 64 * 1024)
    monkeypatch.setattr(alignments, "_WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(alignments, "_HEAD_CONTENT_BYTES", 64 * 1024)


@pytest.fixture(params=["isal", "zlib"])
def each_codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "isal":
        pytest.importorskip("isal", reason="isal is not installed (extra: preflight)")
        return
    for module in (
        "turboupload.seqcheck.bgzf",
        "turboupload.seqcheck.inflate",
        "turboupload.seqcheck.cram",
    ):
        monkeypatch.setattr(f"{module}.CODEC", zlib)


@pytest.fixture(scope="module")
def large_text() -> bytes:
    return fastq_text(60_000, length=150)


@pytest.fixture(scope="module")
def bam_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return samples.bam(tmp_path_factory.mktemp("bam") / "a.bam", reads=2_000).path.read_bytes()


@pytest.fixture(scope="module")
def cram_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return samples.cram(tmp_path_factory.mktemp("cram") / "a.cram", reads=2_000).path.read_bytes()


@pytest.mark.usefixtures("each_codec")
@pytest.mark.parametrize("deep", [False, True])
def test_whole_files_are_counted(tmp_path: Path, deep: bool) -> None:
    made = [
        samples.fastq(tmp_path / "a", seed=1),
        samples.bgzf_fastq(tmp_path / "b", seed=2),
        samples.bam(tmp_path / "c"),
        samples.ubam(tmp_path / "d"),
        samples.cram(tmp_path / "e"),
    ]
    found = check_files([s.path for s in made], deep=deep)
    assert found.ok, found.findings
    assert not found.warnings
    for sample, facts in zip(made, found.files, strict=True):
        assert facts.file_type == sample.file_type
        assert (facts.records, facts.bases) == (sample.reads, sample.bases)
        assert facts.depth is Depth.WHOLE


@pytest.mark.usefixtures("each_codec")
def test_gzip_members_and_mixtures_are_read_to_the_end(tmp_path: Path) -> None:
    half = TEXT.index(b"@RUN:1:1104:1500 ")
    for data in (
        gzip.compress(TEXT[:half]) + gzip.compress(TEXT[half:]),
        bgzf(TEXT[:half]) + bgzf(TEXT[half:]),
        bgzf(TEXT[:half]) + gzip.compress(TEXT[half:]),
        gzip.compress(TEXT[:half]) + bgzf(TEXT[half:]),
        b"".join(gzip.compress(TEXT[i : i + 999]) for i in range(0, len(TEXT), 999)),
    ):
        found = check_files([write(tmp_path / "a.fastq.gz", data)], deep=True)
        assert found.ok, found.findings
        assert found.files[0].records == 3_000


@pytest.mark.parametrize("deep", [False, True])
def test_a_bgzf_fastq_cut_at_any_block_edge(tmp_path: Path, deep: bool) -> None:
    data = bgzf(TEXT)
    for edge in block_edges(data)[1:-2]:
        found = check_files([write(tmp_path / "a", data[:edge])], deep=deep)
        assert not found.ok, edge
        assert "fastq.cut" in codes(found)


def test_a_fastq_cut_between_blocks_and_records_leaves_a_warning(tmp_path: Path) -> None:
    found = check_files([write(tmp_path / "a", bgzf(TEXT, eof=False))])
    assert found.ok
    assert [f.code for f in found.warnings] == ["bgzf.eof"]


@pytest.mark.usefixtures("sampled")
def test_sampled_a_bgzf_fastq_cut_anywhere(tmp_path: Path, large_text: bytes) -> None:
    data = bgzf(large_text)
    assert check_files([write(tmp_path / "a", data)]).findings == ()
    rng = random.Random(SEED)
    edges = rng.sample(block_edges(data)[10:-2], 20)
    for cut in edges + [rng.randrange(len(data) // 4, len(data)) for _ in range(20)]:
        found = check_files([write(tmp_path / "a", data[:cut])])
        assert not found.ok, cut
        assert found.files[0].depth is Depth.SAMPLED


@pytest.mark.parametrize("deep", [False, True])
def test_a_bam_cut_at_any_block_edge_and_at_random(
    tmp_path: Path, bam_bytes: bytes, deep: bool
) -> None:
    rng = random.Random(SEED)
    cuts = block_edges(bam_bytes)[1:-1] + [rng.randrange(1, len(bam_bytes)) for _ in range(60)]
    for cut in cuts:
        assert not check_files([write(tmp_path / "a", bam_bytes[:cut])], deep=deep).ok, cut


@pytest.mark.usefixtures("sampled")
def test_sampled_a_bam_cut_at_any_block_edge(tmp_path: Path, bam_bytes: bytes) -> None:
    assert check_files([write(tmp_path / "a", bam_bytes)]).ok
    for cut in block_edges(bam_bytes)[1:-1]:
        assert not check_files([write(tmp_path / "a", bam_bytes[:cut])]).ok, cut


@pytest.mark.parametrize("deep", [False, True])
def test_a_cram_cut_at_random(tmp_path: Path, cram_bytes: bytes, deep: bool) -> None:
    rng = random.Random(SEED)
    for cut in [*range(1, 64), *(rng.randrange(1, len(cram_bytes)) for _ in range(60))]:
        assert not check_files([write(tmp_path / "a", cram_bytes[:cut])], deep=deep).ok, cut


@pytest.mark.usefixtures("each_codec")
def test_a_gzip_fastq_cut_at_random(tmp_path: Path) -> None:
    data = gzip.compress(TEXT)
    rng = random.Random(SEED)
    for cut in [*(len(data) - k for k in range(1, 20)), *rng.sample(range(1, len(data)), 60)]:
        found = check_files([write(tmp_path / "a", data[:cut])])
        assert not found.ok, cut


@pytest.mark.usefixtures("each_codec")
@pytest.mark.parametrize("pack", [gzip.compress, bgzf])
def test_flipped_bits_in_a_fastq(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = pack(TEXT)
    rng = random.Random(SEED)
    # The bytes of a gzip header that mean nothing: time, flags of the compressor, system.
    free = {at + k for at in (block_edges(data) if pack is bgzf else [0]) for k in range(4, 10)}
    for _ in range(80):
        at = rng.randrange(len(data))
        if at in free:
            continue
        bad = bytearray(data)
        bad[at] ^= 1 << rng.randrange(8)
        found = check_files([write(tmp_path / "a", bytes(bad))], deep=True)
        assert found.errors or [f.code for f in found.warnings] == ["bgzf.eof"], at


def test_flipped_bits_in_every_block_of_a_bam(tmp_path: Path, bam_bytes: bytes) -> None:
    rng = random.Random(SEED)
    edges = block_edges(bam_bytes)
    for start, end in itertools.pairwise(edges[:-1]):
        bad = bytearray(bam_bytes)
        bad[rng.randrange(start + 18, end)] ^= 1 << rng.randrange(8)
        found = check_files([write(tmp_path / "a", bytes(bad))], deep=True)
        assert not found.ok, start


def test_a_wrong_length_in_the_trailer_of_a_block_of_a_bam(
    tmp_path: Path, bam_bytes: bytes
) -> None:
    """Nothing but our own reading sees it: htslib looks at the CRC-32 alone."""
    for end in block_edges(bam_bytes)[2:-1]:
        bad = bytearray(bam_bytes)
        bad[end - 4] ^= 1
        found = check_files([write(tmp_path / "a", bytes(bad))], deep=True)
        assert "compression.block" in codes(found), end


def test_flipped_bits_in_a_cram(tmp_path: Path, cram_bytes: bytes) -> None:
    rng = random.Random(SEED)
    for _ in range(80):
        bad = bytearray(cram_bytes)
        at = rng.randrange(26, len(bad))
        bad[at] ^= 1 << rng.randrange(8)
        assert not check_files([write(tmp_path / "a", bytes(bad))], deep=True).ok, at


def test_every_damaged_block_is_named_up_to_ten(tmp_path: Path) -> None:
    data = bytearray(bgzf(TEXT, block=10_000))
    edges = block_edges(bytes(data))
    for edge in edges[1:26]:
        data[edge - 6] ^= 1
    found = check_files([write(tmp_path / "a", bytes(data))], deep=True)
    blocks = [f.sentence for f in found.errors if f.code == "compression.block"]
    assert len(blocks) == 11
    assert blocks[-1] == "15 more findings of this kind (compression.block)"


@pytest.mark.usefixtures("sampled")
def test_sampled_blocks_are_checked(tmp_path: Path, large_text: bytes) -> None:
    data = bytearray(bgzf(large_text))
    # As if a copy that fills a file from several places had left one out.
    place = len(data) * 4 // 9
    data[place - 150_000 : place + 150_000] = bytes(300_000)
    found = check_files([write(tmp_path / "a", bytes(data))])
    assert "file.hole" in codes(found)
    bam = bgzf(b"BAM\x01" + bytes(8) + bytes(random.Random(SEED).randbytes(6_000_000)))
    broken = bytearray(bam)
    broken[len(bam) // 3 : len(bam) // 2] = bytes(len(bam) // 2 - len(bam) // 3)
    found = check_files([write(tmp_path / "b", bytes(broken))])
    assert "compression.chain" in codes(found)


@pytest.mark.usefixtures("sampled")
def test_a_place_that_was_never_written(tmp_path: Path, large_text: bytes) -> None:
    data = gzip.compress(large_text, 1)
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.write(data[: len(data) // 2])
        file.seek(200_000, 1)
        file.write(data[len(data) // 2 + 200_000 :])
    found = check_files([path])
    assert "file.hole" in codes(found)


@pytest.mark.usefixtures("sampled")
def test_zero_bytes_at_the_end(tmp_path: Path, large_text: bytes, bam_bytes: bytes) -> None:
    for data in (gzip.compress(large_text, 1), bgzf(large_text), bam_bytes):
        padded = data[: len(data) * 9 // 10] + bytes(len(data) // 10)
        assert "file.zeros" in codes(check_files([write(tmp_path / "a", padded)]))


def test_padding_after_complete_gzip_is_a_warning_read_whole(tmp_path: Path) -> None:
    found = check_files([write(tmp_path / "a", gzip.compress(TEXT) + bytes(10_240))])
    assert found.ok
    assert [f.code for f in found.warnings] == ["gzip.padding"]
    found = check_files([write(tmp_path / "a", gzip.compress(TEXT) + b"garbage")])
    assert codes(found) == {"compression.trailing"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("packed", [gzip.compress, bgzf])
def test_of_a_terabyte_of_padding_little_is_read(
    tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    path = Path(write(tmp_path / "a.fastq.gz", packed(TEXT)))
    os.truncate(path, 10**12)  # a hole, which takes no room and reads as zeros
    for deep in (False, True):
        found = check_files([path], deep=deep)
        assert found.ok
        assert [f.code for f in found.warnings] == ["gzip.padding"]


@pytest.mark.usefixtures("sampled")
@pytest.mark.parametrize("level", [1, 6])
def test_sampled_plain_gzip_is_seen_to_be_whole_or_cut(
    tmp_path: Path, large_text: bytes, level: int
) -> None:
    data = gzip.compress(large_text, level)
    assert check_files([write(tmp_path / "a", data)]).findings == ()
    rng = random.Random(SEED)
    cuts = [len(data) - k for k in (1, 2, 7, 8, 9, 100)]
    for cut in cuts + [rng.randrange(len(data) // 2, len(data)) for _ in range(4)]:
        found = check_files([write(tmp_path / "a", data[:cut])])
        seen = {f.code for f in found.findings}
        # Now and then no block's start is found, and the check says that it doesn't know.
        assert seen in ({"compression.cut"}, {"gzip.unknown"}), cut
        assert cut not in cuts or seen == {"compression.cut"}


def test_the_tail_of_many_members(tmp_path: Path) -> None:
    data = b"".join(gzip.compress(TEXT[i : i + 50_000]) for i in range(0, len(TEXT), 50_000))
    path = tmp_path / "a"
    for cut, verdict in [(0, TailVerdict.WHOLE), (1, TailVerdict.CUT), (900, TailVerdict.CUT)]:
        path.write_bytes(data[: len(data) - cut])
        with path.open("rb") as file:
            assert inspect_tail(file.fileno(), len(data) - cut).verdict is verdict


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3_000))
@example(b"\x1f\x8b\x08" * 1000)
def test_any_tail_gives_a_verdict(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "tail"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert inspect_tail(file.fileno(), len(data)).verdict is TailVerdict.UNKNOWN


R = b"@r\nACGT\n+\nFFFF\n"
MALFORMED = [
    (R + b"@r\nACGT\n+\nFFF\n" + R, "fastq.lengths"),
    (R + b"r\nACGT\n+\nFFFF\n" + R, "fastq.name"),
    (R + b"@r\nACGT\n-\nFFFF\n" + R, "fastq.plus"),
    (R + b"@r\nACGT\nFFFF\n" + R, "fastq.plus"),
    (R + b"@r\n+\nFFFF\n" + R, "fastq.lengths"),
    (R + b"@r\nACGT\nACGT\n+\nFFFF\nFFF\n" + R, "fastq.lengths"),
    (R + b">r\nACGT\n" + R, "fastq.name"),
    (R + b"@r\nAC\0T\n+\nFFFF\n", "fastq.binary"),
    (R + b"@r\n\n+", "fastq.cut"),
    (R + b"@r\nACGT\n+\n", "fastq.cut"),
    (R + b"@r\nACGT\n", "fastq.cut"),
    (R + b"@r", "fastq.cut"),
    (R + b"@r\nACGT\n+\nFF", "fastq.cut"),
]


@pytest.mark.parametrize(("text", "code"), MALFORMED)
def test_malformed_records_are_named(text: bytes, code: str) -> None:
    for step in (1, 3, len(text)):
        records = FastqRecords()
        for at in range(0, len(text), step):
            records.feed(text[at : at + step])
        records.finish()
        assert [p.code for p in records.problems] == [code]
        assert records.counts.records == records.problems[0].record - 1


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (R * 2, 2),
        (R + b"\n\n", 1),
        (R[:-1], 1),
        (b"@r\n\n+\n\n" + R, 2),
        (b"@r\n\n+\n", 1),
        (R.replace(b"\n", b"\r\n"), 1),
        (b"@r\nACGT\n+r\n@@@+\n" + R, 2),
        (b"@\nNNNN\n+\n!~!~\n", 1),
    ],
)
def test_odd_but_valid_records_are_accepted(text: bytes, count: int) -> None:
    for step in (1, 2, len(text)):
        records = FastqRecords()
        for at in range(0, len(text), step):
            records.feed(text[at : at + step])
        records.finish()
        assert records.problems == []
        assert records.counts.records == count


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([R, b"@x\n", b"\n", b"A", b"+\n", b"@", b"F\n"]), max_size=30))
def test_fastq_pieces_make_no_difference(parts: list[bytes]) -> None:
    whole, pieces = FastqRecords(digest_names=True), FastqRecords(digest_names=True)
    whole.feed(b"".join(parts))
    for part in parts:
        pieces.feed(part)
    for records in (whole, pieces):
        records.finish()
    assert whole.counts == pieces.counts
    assert [p.code for p in whole.problems] == [p.code for p in pieces.problems]
    assert whole.digests == pieces.digests


def test_bam_records_that_do_not_agree(tmp_path: Path, bam_bytes: bytes) -> None:
    text = gzip.decompress(bam_bytes)
    start = text.index(b"read0000000") - 36
    for offset, value, why in [
        (0, b"\x08\0\0\0", "malformed"),
        (4, b"\x09\0\0\0", "malformed"),
        (12, b"\0", "malformed"),
        (12, b"\x05", "name"),
        (20, b"\xff\xff\xff\xff", "malformed"),
        (0, b"\xff\xff\xff\x7f", "longer than 256 MiB"),
        (0, b"\xff\xff\xff\x0f", "ends inside record 1"),
    ]:
        at = start + offset
        bad = text[:at] + value + text[at + len(value) :]
        found = check_files([write(tmp_path / "a", bgzf(bad))], deep=True)
        assert codes(found) == {"bam.records"}, offset
        assert any(why in each.sentence for each in found.errors)


def test_mapped_records_in_a_file_taken_as_ubam(tmp_path: Path) -> None:
    path = str(tmp_path / "a.bam")
    header = {"SQ": [{"SN": "c", "LN": 99}]}
    rng = random.Random(SEED)
    with pysam.AlignmentFile(path, "wb", header=header) as out:
        for index in range(20_001):
            record = pysam.AlignedSegment(out.header)
            record.query_name, record.flag = f"r{index}", 4
            record.query_sequence = "".join(rng.choices("ACGT", k=100))
            if index == 20_000:
                record.flag, record.reference_id, record.reference_start = 0, 0, 1
            out.write(record)
    found = check_files([path], declared_type="UBAM", deep=True)
    assert codes(found) == {"type.mapped"}
    found = check_files([path], deep=True)
    assert (codes(found), found.files[0].file_type) == (set(), "BAM")


def test_trees_of_trouble_are_all_reported(tmp_path: Path, bam_bytes: bytes) -> None:
    paths = [
        write(tmp_path / "a.bam", bam_bytes[:-28]),
        str(tmp_path / "missing.bam"),
        write(tmp_path / "page.bam", b"<html></html>"),
        write(tmp_path / "good.bam", bam_bytes),
        str(tmp_path),
    ]
    found = check_files(paths)
    assert [f.path for f in found.errors] == [paths[0], paths[1], paths[2], paths[4]]
    assert not found.ok
    error = InputError.of(found.rejections())
    assert [error.path, *(each.path for each in error.others)] == [f.path for f in found.errors]
    assert all(path in str(error) for path in (paths[0], paths[4]))
    assert found.files[3].records == 2_000


def test_a_declared_type_that_contradicts(tmp_path: Path, bam_bytes: bytes) -> None:
    path = write(tmp_path / "a", bam_bytes)
    assert codes(check_files([path], declared_type="fastq")) == {"type.rejected"}
    with pytest.raises(ConfigError):
        check_files([path], declared_type="SAM")
    with pytest.raises(ConfigError):
        check_files([path], threads=0)


def test_progress_reaches_the_total_and_can_cancel(tmp_path: Path, bam_bytes: bytes) -> None:
    paths = [write(tmp_path / "a", bam_bytes), write(tmp_path / "b", gzip.compress(TEXT))]
    calls: list[tuple[int, int]] = []
    check_files(paths, deep=True, progress=lambda done, total: calls.append((done, total)))
    total = sum(Path(p).stat().st_size for p in paths)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)

    def stop(done: int, total: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        check_files(paths, deep=True, progress=stop)


def test_nothing_is_left_running(tmp_path: Path) -> None:
    import threading

    path = write(tmp_path / "a", bgzf(TEXT) + EOF_BLOCK)
    before = threading.active_count()
    check_files([path, path], deep=True, threads=4)
    assert threading.active_count() == before


@needs_samtools
@pytest.mark.skipif(
    not debian_files("*.bam"), reason="no test files (Debian: samtools-test, htslib-test)"
)
@pytest.mark.parametrize("deep", [False, True])
def test_no_false_alarm_on_the_files_of_samtools_and_htslib(deep: bool) -> None:
    checked = 0
    for path in debian_files("*.bam", "*.cram"):
        quick = subprocess.run([SAMTOOLS, "quickcheck", "-u", path], check=False)
        count = subprocess.run([SAMTOOLS, "view", "-c", path], capture_output=True, check=False)
        found = check_files([path], deep=deep)
        if quick.returncode == 0 and count.returncode == 0:
            assert found.ok, found.findings
            assert found.files[0].records == int(count.stdout)
            checked += 1
        elif quick.returncode != 0:
            assert not found.ok or "cram.old" in [f.code for f in found.warnings], path
    assert checked > 20


@needs_bgzip
@pytest.mark.skipif(
    not debian_files("*.fq"), reason="no test files (Debian: samtools-test, htslib-test)"
)
def test_no_false_alarm_on_the_fastq_of_samtools_and_htslib(tmp_path: Path) -> None:
    for path in debian_files("*.fq", "*.fq.expected"):
        text = path.read_bytes()
        if not text or path.name == "fastqs.fq":
            continue
        packed = subprocess.run([BGZIP, "-c", path], capture_output=True, check=True).stdout
        for data in (gzip.compress(text), packed):
            found = check_files([write(tmp_path / "a.fq.gz", data)], deep=True)
            assert found.ok, (path, found.findings)
            wrapped = "multiline" in path.name
            assert [f.code for f in found.warnings] == ["fastq.wrapped"] * wrapped
            if not wrapped:
                assert found.files[0].records == len(text.splitlines()) // 4


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["bam", "cram", "bgzf", "gzip"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=5),
    st.floats(0, 1),
    st.binary(max_size=40),
    st.booleans(),
)
def test_mangled_files_give_findings_and_never_crash(
    tmp_path_factory: pytest.TempPathFactory,
    bam_bytes: bytes,
    cram_bytes: bytes,
    kind: str,
    flips: list[tuple[float, int]],
    keep: float,
    extra: bytes,
    deep: bool,
) -> None:
    small = fastq_text(100)
    whole = {
        "bam": bam_bytes,
        "cram": cram_bytes,
        "bgzf": bgzf(small),
        "gzip": gzip.compress(small),
    }
    data = bytearray(whole[kind])
    for at, flip in flips:
        data[int(at * len(data))] ^= flip
    data = data[: int(len(data) * keep)] + extra
    path = write(tmp_path_factory.getbasetemp() / "mangled", bytes(data))
    found = check_files([path], deep=deep, threads=1)
    if keep < 0.9:
        assert not found.ok


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bam_content_gives_findings(
    tmp_path_factory: pytest.TempPathFactory, first: bytes, second: bytes
) -> None:
    data = bgzf_block(b"BAM\x01" + first) + bgzf_block(second) + EOF_BLOCK
    check_files([write(tmp_path_factory.getbasetemp() / "any", data)], threads=1)


def test_the_codec_is_one_of_the_two() -> None:
    assert deflate.CODEC.crc32(b"123456789") == 0xCBF43926


@pytest.mark.parametrize("before_edge", [1, 2, 3, 9, 10, 11, 12])
def test_a_member_that_begins_at_the_edge_of_what_is_read(tmp_path: Path, before_edge: int) -> None:
    """ISA-L believes a header with a checksum of its own only where it comes in one piece."""
    head = b"\x1f\x8b\x08\x02" + bytes(6)
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    text = fastq_text(5)
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    second = packer.compress(text) + packer.flush()
    second = head + second + struct.pack("<II", zlib.crc32(text), len(text))
    first = gzip.compress(fastq_text(200), 0)
    room = 64 * 1024 - before_edge - len(first)
    first = _padded(first, room)
    assert len(first) == 64 * 1024 - before_edge
    data = first + second
    assert gzip.decompress(data).count(b"@RUN") == 205
    found = check_files([write(tmp_path / "a", data)], deep=True)
    assert found.ok, found.errors
    assert found.files[0].records == 205


def _padded(member: bytes, room: int) -> bytes:
    """The same with a file name of `room - 1` bytes in its header, which nobody reads."""
    return member[:3] + b"\x08" + member[4:10] + b"n" * (room - 1) + b"\0" + member[10:]
