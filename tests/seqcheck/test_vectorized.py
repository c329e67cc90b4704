"""What checks many records at once says the same as what checks them one by one, or nothing."""

from __future__ import annotations

import importlib.abc
import itertools
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysam
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from tests.seqcheck.preflight_samples import (
    SAMTOOLS,
    bgzf,
    codes,
    fastq_text,
    needs_samtools,
    write,
)
from turboupload.seqcheck import fast_path, vectorized
from turboupload.seqcheck.bam import BamRecords
from turboupload.seqcheck.checks import check_files
from turboupload.seqcheck.fastq import FastqRecords
from turboupload.seqcheck.parallel import ranges

SEED = 20_254
SEQUENCES = 2

NAMES = st.one_of(
    st.from_regex(rb"\A@[A-Z0-9:]{0,12}( [12]:N:0:[ACGT]*)?\Z"),
    st.from_regex(rb"\A@[a-z.]{0,6}[/._][12]( .*)?\Z").filter(lambda name: b"\n" not in name),
    st.sampled_from(
        [b"@", b"@ ", b"@ a", b"@/1", b"@1", b"@a\tb", b"@a/1\tb", b"a", b"", b"@\x7f"]
    ),
)
BASES = st.one_of(st.text("ACGTN", max_size=20), st.text("ACGTNacgtn.*=-", max_size=5)).map(
    str.encode
)
ODD = st.sampled_from(
    [None] * 12 + [b"\n", b"\r", b" ", b"\t", b"+", b"@", b"\0", b"\x7f", b"\xff"]
)
ENDS = st.sampled_from([b"\n"] * 9 + [b"\r\n"])


@st.composite
def fastq(draw: st.DrawFn) -> bytes:
    """A FASTQ, most often whole and in form, and often with one thing about it that is not."""
    records = []
    end = draw(ENDS)
    for _ in range(draw(st.integers(1, 12))):
        bases = draw(BASES)
        qualities = bytes(draw(st.sampled_from(b"!#+,5@FIJ~")) for _ in bases)
        plus = draw(st.sampled_from([b"+", b"+", b"+r 1"]))
        records.append(end.join([draw(NAMES), bases, plus, qualities]) + end)
    text = b"".join(records)
    odd = draw(ODD)
    if odd is not None:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + odd + text[at + draw(st.integers(0, 2)) :]
    return text


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def fastq_told(pieces: list[bytes], **options: Any) -> dict[str, Any]:
    records = FastqRecords(keep_first_names=False, **options)
    for piece in pieces:
        records.feed(piece)
    # It is right only there.
    rest = records.rest if records.usual else None
    records.finish()
    return {
        "counts": structs.asdict(records.counts),
        "problems": records.problems,
        "lost": records.lost,
        "digests": records.digests,
        "templates": records.templates,
        "oddities": records.oddities,
        "rest": rest,
    }


@given(
    fastq(), st.lists(st.integers(0, 2_000), max_size=4), st.sampled_from(["", "digest", "keep"])
)
@example(
    b"@1 \x80\nAAAAA\n+\n!!!!!\n@\nAAA\n+\n!!!\n@2 1:N:0:A\nAAA\n+\n!!!\n@\n\n+r 1\n", [20], ""
)  # One of the two is in the middle of a record, and walks line by line.
def test_fastq_is_found_the_same(text: bytes, cuts: list[int], names: str) -> None:
    options = {"digest_names": names == "digest", "keep_templates": names == "keep"}
    pieces = pieces_of(text, cuts)
    ours = fastq_told(pieces, vectorized=vectorized, **options)
    plain = fastq_told(pieces, **options)
    rests = {each.pop("rest") for each in (ours, plain)} - {None}
    assert len(rests) <= 1
    assert ours == plain


def test_ordinary_fastq_needs_nothing_else() -> None:
    text = fastq_text(500)
    found = vectorized.fastq_records(text + b"@next\nAC", templates=True)
    assert found is not None
    assert (found.records, found.bases, found.shortest, found.longest) == (500, 50_000, 100, 100)
    assert found.tail == b"@next\nAC"
    assert found.templates.split(b"\n")[-1] == b"@RUN:1:1101:499"


def test_names_lose_the_same_with_numpy() -> None:
    ends = [b"%c%c" % (mark, digit) for mark in b"/._:-FRr" for digit in b"01234"]
    names = [b"@r%d%s" % (n, end) for n, end in enumerate(ends)] + [
        b"@",
        b"@1",
        b"@/1",
        b"@a/1 b/2",
    ]
    text = b"".join(b"%s\nA\n+\nF\n" % name for name in names)
    found = vectorized.fastq_records(text, templates=True)
    assert found is not None
    alone = FastqRecords(keep_templates=True)
    alone.feed(text)
    assert found.templates == alone.templates


def bam_record(
    rng: random.Random, *, flag: int = 0, cigar: list[tuple[int, int]] | None = None
) -> bytes:
    name = b"r%d\0" % rng.randrange(1_000)
    length = rng.randrange(40)
    operations = [(0, length)] if cigar is None else cigar
    fixed = struct.pack(
        "<iiBBHHHiiii",
        rng.randrange(-1, SEQUENCES),
        rng.randrange(1_000),
        len(name),
        60,
        4_680,
        len(operations),
        flag,
        length,
        rng.randrange(-1, SEQUENCES),
        0,
        0,
    )
    codes_ = struct.pack(f"<{len(operations)}I", *(n << 4 | op for op, n in operations))
    body = fixed + name + codes_ + rng.randbytes((length + 1) // 2) + bytes(length) + b"NMC\1"
    return struct.pack("<i", len(body)) + body


def bam_told(pieces: list[bytes], **options: Any) -> dict[str, Any]:
    records = BamRecords.after_header(SEQUENCES, **options)
    for piece in pieces:
        records.feed(piece)
    rest = records.rest if not records.lost else None
    records.finish()
    return {
        "counts": structs.asdict(records.counts),
        "problem": records.problem,
        "rest": rest,
    }


@given(
    st.integers(0, 1 << 32),
    st.lists(st.sampled_from([0, 4, 16, 256, 2048, 2052]), min_size=1, max_size=12),
    st.none() | st.tuples(st.integers(0, 10_000), st.integers(0, 255)),
    st.lists(st.integers(0, 2_000), max_size=4),
)
def test_bam_is_found_the_same(
    seed: int, flags: list[int], damage: tuple[int, int] | None, cuts: list[int]
) -> None:
    rng = random.Random(seed)
    data = bytearray(b"".join(bam_record(rng, flag=flag) for flag in flags))
    if damage is not None:
        data[damage[0] % len(data)] = damage[1]
    pieces = pieces_of(bytes(data), cuts)
    assert bam_told(pieces, vectorized=vectorized) == bam_told(pieces)


def test_ordinary_bam_needs_nothing_else() -> None:
    rng = random.Random(SEED)
    data = b"".join(bam_record(rng, flag=flag) for flag in (0, 4, 256, 2048))
    found = vectorized.bam_records(data + b"\x30\0\0", SEQUENCES)
    assert found is not None
    assert (found.records, found.reads, found.mapped) == (4, 2, 3)
    assert found.tail == b"\x30\0\0"


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.parametrize(
    ("flag", "cigar", "good"),
    [
        (0, [(0, 10)], True),
        (0, [(4, 2), (0, 5), (1, 3)], True),
        (0, [(5, 90), (7, 6), (2, 4), (8, 4), (3, 100), (6, 1)], True),
        (0, [], True),
        (0, [(0, 9)], False),
        (0, [(0, 10), (1, 1)], False),
        (16, [(2, 10)], False),
        (4, [(0, 9)], True),
        (0, [(0, 1), (1, 1)] * 5, True),
        (0, [(0, 1), (2, 7)] * 100, False),
        (0, [(4, 5), *[(2, 3), (7, 0)] * 100, (0, 5)], True),
        (0, [(9, 3), (0, 10)], True),
    ],
)
@needs_samtools
def test_a_cigar_stands_for_as_many_bases_as_there_are(
    tmp_path: Path, one_by_one: bool, flag: int, cigar: list[tuple[int, int]], good: bool
) -> None:
    """samtools is the judge: it refuses what we refuse, and nothing else."""
    path = str(tmp_path / "a.bam")
    with pysam.AlignmentFile(path, "wb", header={"SQ": [{"SN": "chr1", "LN": 1_000}]}) as out:
        record = pysam.AlignedSegment(out.header)
        record.query_name, record.query_sequence, record.flag = "r", "ACGTACGTAC", flag
        record.reference_id, record.reference_start, record.cigartuples = 0, 0, cigar or None
        out.write(record)
    view = subprocess.run([SAMTOOLS, "view", path], capture_output=True, check=False)
    assert (view.returncode == 0) is good, view.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_path, "_PAYS_FROM_BYTES", 1 << 60 if one_by_one else 0)
        found = check_files([path], deep=True)
    assert codes(found) == (set() if good else {"bam.records"})
    if not good:
        assert "bases, but its CIGAR stands for" in found.errors[0].sentence


def test_numpy_is_loaded_for_large_files_only() -> None:
    assert fast_path.load_vectorized(fast_path._PAYS_FROM_BYTES - 1) is None
    assert fast_path.load_vectorized(fast_path._PAYS_FROM_BYTES) is vectorized


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    fast_path._load.cache_clear()
    monkeypatch.delattr("turboupload.seqcheck.vectorized")
    monkeypatch.delitem(sys.modules, "turboupload.seqcheck.vectorized")
    yield
    fast_path._load.cache_clear()


@pytest.mark.usefixtures("not_loaded")
def test_without_numpy_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert fast_path.load_vectorized(fast_path._PAYS_FROM_BYTES) is None


@pytest.mark.usefixtures("not_loaded")
def test_a_numpy_that_was_not_built_for_this_processor_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refuses(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "numpy":
                raise RuntimeError("NumPy was built with baseline optimizations (X86_V2)")

    for name in [name for name in sys.modules if name.split(".")[0] == "numpy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    assert fast_path.load_vectorized(fast_path._PAYS_FROM_BYTES) is None


class Refusing:
    """Answers as if all were unusual."""

    def __init__(self) -> None:
        self.asked = 0

    def lines(self, data: bytes | memoryview) -> int:
        raise NotImplementedError

    def bam_records(self, data: bytes, sequences: int) -> None:
        raise NotImplementedError

    def fastq_records(self, text: bytes, *, templates: bool) -> None:
        self.asked += 1


def test_what_is_unusual_throughout_is_not_looked_at_twice() -> None:
    refusing = Refusing()
    records = FastqRecords(vectorized=refusing, keep_first_names=False)
    for _ in range(50):
        records.feed(b"@a\tb\nACGT\n+\nFFFF\n")
    assert records.counts.records == 50
    assert refusing.asked == 4


def test_reads_longer_than_a_piece_are_not_looked_at_twice() -> None:
    refusing = Refusing()
    records = FastqRecords(vectorized=refusing, keep_first_names=False)
    text = fastq_text(3, length=400_000)
    for at in range(0, len(text), 100_000):
        records.feed(text[at : at + 100_000])
    records.finish()
    assert records.counts.records == 3
    assert refusing.asked < 3


def test_a_record_that_says_it_is_gigabytes_long_is_not_waited_for() -> None:
    record = bytearray(bam_record(random.Random(SEED)))
    struct.pack_into("<i", record, 0, 0x7FFFFFF0)
    records = BamRecords.after_header(SEQUENCES)
    records.feed(bytes(record))
    assert records.problem == "record 1 is longer than 256 MiB"


@pytest.mark.parametrize("names", [True, False])
@pytest.mark.parametrize("sequences", [None, SEQUENCES])
def test_a_range_gives_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequences: int | None, names: bool
) -> None:
    rng = random.Random(SEED)
    text = fastq_text(20_000)
    records = b"".join(bam_record(rng) for _ in range(40_000))
    data = bgzf(text[77:] if sequences is None else records[13:], eof=False)
    path = write(tmp_path / "a", data)
    results = []
    for least in (0, 1 << 60):
        monkeypatch.setattr(fast_path, "_PAYS_FROM_BYTES", least)
        with Path(path).open("rb") as file:
            results.append(
                ranges.check_range(file.fileno(), 0, len(data), sequences=sequences, names=names)
            )
    assert results[0] is not None
    assert results[0].records > 19_000
    assert bool(results[0].templates) is (names and sequences is None)
    assert results[0] == results[1]


def test_reads_longer_than_a_group_are_made_out(tmp_path: Path) -> None:
    text = fastq_text(8, length=300_000)
    data = bgzf(text, eof=False)
    path = write(tmp_path / "a", data)
    with Path(path).open("rb") as file:
        found = ranges.check_range(file.fileno(), 0, len(data), sequences=None, names=True)
    assert found is not None
    assert found.records == text.count(b"\n") // 4
    assert found.head == b""
