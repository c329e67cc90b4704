from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import bgzf, codes, fastq_text, write
from turboupload.seqcheck.checks import check_files, fastqfile, find_pairs
from turboupload.seqcheck.checks.names import series
from turboupload.seqcheck.fastq import mate_of, template

R1, R2 = fastq_text(5_000, mate=1), fastq_text(5_000, mate=2)
Pack = Callable[[bytes], bytes]


def _gzip(text: bytes) -> bytes:
    return gzip.compress(text, 1)


packed = pytest.mark.parametrize("pack", [_gzip, bgzf])


def _records(text: bytes) -> list[bytes]:
    lines = text.splitlines(keepends=True)
    return [b"".join(lines[i : i + 4]) for i in range(0, len(lines), 4)]


def _pair(folder: Path, first: bytes, second: bytes) -> list[str]:
    return [write(folder / "s_R1.fastq.gz", first), write(folder / "s_R2.fastq.gz", second)]


@packed
@pytest.mark.parametrize("deep", [False, True])
def test_a_good_pair(tmp_path: Path, pack: Pack, deep: bool) -> None:
    found = check_files(_pair(tmp_path, pack(R1), pack(R2)), deep=deep)
    assert found.ok, found.findings
    assert found.pairs[0].agreed_at == ("everywhere",)


def test_a_pair_in_different_compressions(tmp_path: Path) -> None:
    assert check_files(_pair(tmp_path, gzip.compress(R1), bgzf(R2, block=9_999))).ok


@pytest.mark.parametrize("style", [b"/%d", b".%d", b"_%d"])
def test_mates_named_by_suffix(tmp_path: Path, style: bytes) -> None:
    texts = [
        b"".join(b"@read%d%s\nAC\n+\nFF\n" % (i, style % mate) for i in range(20))
        for mate in (1, 2)
    ]
    found = check_files(_pair(tmp_path, gzip.compress(texts[0]), gzip.compress(texts[1])))
    assert found.ok, found.findings


def test_names_that_are_equal_in_both_files(tmp_path: Path) -> None:
    text = b"".join(b"@SRR1.%d %d length=2\nAC\n+\nFF\n" % (i, i) for i in range(1, 30))
    other = text.replace(b"\nAC\n", b"\nGT\n")
    assert check_files(_pair(tmp_path, gzip.compress(text), gzip.compress(other))).ok


def test_files_whose_names_alone_say_that_they_are_swapped(tmp_path: Path) -> None:
    text = b"".join(b"@SRR1.%d %d length=2\nAC\n+\nFF\n" % (i, i) for i in range(1, 30))
    first, second = _pair(
        tmp_path, gzip.compress(text), gzip.compress(text.replace(b"\nAC\n", b"\nGT\n"))
    )
    found = check_files([second, first])
    assert found.ok
    assert [f.code for f in found.warnings] == ["pair.order"]
    assert check_files([first, second]).findings == ()


@packed
def test_a_missing_read(tmp_path: Path, pack: Pack) -> None:
    records = _records(R2)
    for index in (0, 2_500, 4_999):
        second = b"".join(records[:index] + records[index + 1 :])
        found = check_files(_pair(tmp_path, pack(R1), pack(second)))
        expected = {"pair.names"} if index == 0 else {"pair.counts", "pair.names"}
        assert codes(found) == expected - ({"pair.names"} if index == 4_999 else set())


@packed
def test_two_reads_in_another_order(tmp_path: Path, pack: Pack) -> None:
    records = _records(R2)
    for index in (5, 2_500, 4_998):
        swapped = [*records]
        swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
        found = check_files(_pair(tmp_path, pack(R1), pack(b"".join(swapped))))
        assert codes(found) == {"pair.names"}, index


@packed
def test_swapped_files(tmp_path: Path, pack: Pack) -> None:
    found = check_files(_pair(tmp_path, pack(R2), pack(R1)))
    assert codes(found) == {"pair.swapped"}


def test_two_files_of_one_mate(tmp_path: Path) -> None:
    other = fastq_text(5_000, mate=1, seed=1).replace(b"\nA", b"\nT")
    assert codes(check_files(_pair(tmp_path, bgzf(R1), bgzf(other)))) == {"pair.mate"}


def _named(names: list[bytes], seed: int) -> bytes:
    rng = random.Random(seed)
    reads = ["".join(rng.choices("ACGT", k=30)).encode() for _ in names]
    return b"".join(
        b"@%s\n%s\n+\n%s\n" % (n, r, b"F" * 30) for n, r in zip(names, reads, strict=True)
    )


@pytest.mark.parametrize("deep", [False, True])
def test_two_files_that_both_say_mate_1(tmp_path: Path, deep: bool) -> None:
    """10x and its like: index reads, barcodes, files that were named anew."""
    names = [b"A:1:%d 1:N:0:ACGT" % n for n in range(600)]
    barcodes = b"".join(b"@%s\nACGTACGT\n+\nFFFFFFFF\n" % name for name in names)
    for other in (_named(names, 2), barcodes):
        found = check_files(_pair(tmp_path, bgzf(_named(names, 1)), bgzf(other)), deep=deep)
        assert found.ok, found.errors
        assert [f.code for f in found.warnings] == ["pair.mate"]
        assert found.pairs[0].agreed_at == ("everywhere",)


@pytest.mark.parametrize("deep", [False, True])
def test_the_same_reads_twice_are_an_error(tmp_path: Path, deep: bool) -> None:
    trimmed = b"".join(
        line[:60] + b"\n" if number % 2 else line
        for number, line in enumerate(R1.splitlines(keepends=True))
    )
    for other in (gzip.compress(R1, 1), bgzf(R1, block=1_000), bgzf(trimmed)):
        found = check_files(_pair(tmp_path, bgzf(R1), other), deep=deep)
        assert codes(found) == {"pair.mate"}


def test_index_reads_and_third_reads_beside_mates(tmp_path: Path) -> None:
    names = [b"A:1:%d 1:N:0:ACGT" % n for n in range(60)]
    paths = {
        mark: write(tmp_path / f"S_L001_{mark}_001.fastq.gz", bgzf(_named(names, seed)))
        for seed, mark in enumerate(("R1", "R2", "R3", "I1", "I2"))
    }
    for beside in ("R3", "I1", "I2"):
        found = check_files([paths["R1"], paths[beside]])
        assert (found.findings, found.pairs) == ((), ())
    found = check_files(list(paths.values()))
    assert found.ok
    assert [(p.first, p.second) for p in found.pairs] == [(paths["R1"], paths["R2"])]


@pytest.mark.parametrize(
    "names",
    [
        "WT_R3_S5_L001_R{}_001",
        "WT.R4.R{}",
        "KO_R3_{}",
        "KO-I1_read{}",
        "Pt12-UMI_S3_L001_R{}_001",
    ],
)
def test_replicates_are_no_third_reads(tmp_path: Path, names: str) -> None:
    """The mark of the mate is the last one: it says what is compared."""
    paths = [
        write(tmp_path / f"{names.format(mate)}.fastq.gz", bgzf(_named([b"a", b"b"][:reads], mate)))
        for mate, reads in ((1, 2), (2, 1))
    ]
    assert codes(check_files(paths)) == {"pair.counts"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (b"HWUSI-EAS100R:6:73:941:%d#0/1", b"HWUSI-EAS100R:6:73:941:%d#0/2"),
        (b"HWI-ST1:6:73:%d#ACGT/1", b"HWI-ST1:6:73:%d#ACGT/3"),
        (b"SRR1.%d %d length=30", b"SRR1.%d %d length=30"),
        (b"SRR1.%d.1 %d length=30", b"SRR1.%d.2 %d length=30"),
        (b"SRR1.%d HWI:1:2 length=30", b"SRR1.%d HWI:1:3 length=30"),
        (b"ERR1.%d/1", b"ERR1.%d/2"),
        (b"r%d_1", b"r%d_2"),
        (b"r%d", b"r%d/2"),
        (b"V300L1C001R%07d/1", b"V300L1C001R%07d/2"),
        (b"1_13_%d_F3", b"1_13_%d_R3"),
        (b"%d 1:N:0:1", b"%d 2:Y:18:1"),
        (b"r%d\tBC:Z:AC", b"r%d\tBC:Z:GT"),
        (b"m54006_1/%d/ccs", b"m54006_1/%d/ccs"),
        (b"a1b2-%d runid=1 ch=1", b"a1b2-%d runid=1 ch=2"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_names_of_every_house(tmp_path: Path, first: bytes, second: bytes, deep: bool) -> None:
    def text(form: bytes, seed: int, numbers: range) -> bytes:
        count = form.count(b"%")
        return _named([form % ((n,) * count) for n in numbers], seed)

    one = text(first, 1, range(10, 400))
    found = check_files(
        _pair(tmp_path, bgzf(one), bgzf(text(second, 2, range(10, 400)))), deep=deep
    )
    assert found.findings == ()
    for wrong, code in ((range(11, 401), "pair.names"), (range(10, 390), "pair.counts")):
        bad = check_files(_pair(tmp_path, bgzf(one), bgzf(text(second, 2, wrong))), deep=deep)
        assert codes(bad) == {code}


def test_files_of_different_samples(tmp_path: Path) -> None:
    other = fastq_text(5_000, mate=2, seed=7)
    assert codes(check_files(_pair(tmp_path, bgzf(R1), bgzf(other)))) == {"pair.names"}


def test_the_same_file_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a_R1.fastq.gz", bgzf(R1))
    copy = write(tmp_path / "a_R2.fastq.gz", bgzf(R1))
    link = tmp_path / "b_R2.fastq.gz"
    os.link(path, link)
    for other, sentence in [(path, "same file"), (str(link), "same file"), (copy, "same content")]:
        found = check_files([path, other])
        assert codes(found) == {"pair.same"}, other
        assert len(found.errors) == 1
        assert sentence in found.errors[0].sentence


@pytest.fixture(scope="module")
def large() -> tuple[bytes, bytes]:
    rng = random.Random(5)
    first = fastq_text(40_000, mate=1)
    # Second reads compress otherwise, so that one read lies at other places of the two files.
    second = b"".join(
        record.replace(b"F", b",") if rng.random() < 0.3 else record
        for record in _records(fastq_text(40_000, mate=2))
    )
    return first, second


@pytest.fixture
def _sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastqfile, "WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(fastqfile, "_HEAD_CONTENT_BYTES", 64 * 1024)


@pytest.mark.usefixtures("_sampled")
def test_sampled_pairs_agree_at_places(tmp_path: Path, large: tuple[bytes, bytes]) -> None:
    found = check_files(_pair(tmp_path, bgzf(large[0]), bgzf(large[1], block=50_000)))
    assert found.ok, found.findings
    assert found.pairs[0].agreed_at == ("start", "25%", "50%", "75%", "end")
    found = check_files(_pair(tmp_path, gzip.compress(large[0], 1), gzip.compress(large[1], 1)))
    assert found.ok
    assert found.pairs[0].agreed_at == ("start",)


@pytest.mark.usefixtures("_sampled")
def test_sampled_pairs_that_part_ways(tmp_path: Path, large: tuple[bytes, bytes]) -> None:
    records = _records(large[1])
    cut = b"".join(records[:39_000])
    found = check_files(_pair(tmp_path, bgzf(large[0]), bgzf(cut)))
    assert codes(found) == {"pair.names"}
    assert "the end" in found.errors[0].sentence
    # Every other read of the second half is missing: no run of 100 names can agree there.
    thin = b"".join(records[:20_500] + records[20_500:39_990:2] + records[39_990:])
    assert codes(check_files(_pair(tmp_path, bgzf(large[0]), bgzf(thin)))) == {"pair.names"}


@pytest.mark.usefixtures("_sampled")
def test_sampled_pairs_whose_last_line_has_no_end(
    tmp_path: Path, large: tuple[bytes, bytes]
) -> None:
    first, second = large
    for pair in ((first, second[:-1]), (first[:-1], second), (first, second + b"\n\n")):
        found = check_files(_pair(tmp_path, *map(bgzf, pair)))
        assert found.ok, found.errors
        assert "end" in found.pairs[0].agreed_at
    cut = b"".join(_records(second)[:39_999])[:-1]
    assert codes(check_files(_pair(tmp_path, bgzf(first), bgzf(cut)))) == {"pair.names"}


@pytest.mark.usefixtures("_sampled")
@pytest.mark.parametrize("appended", [10, 900])
def test_sampled_pairs_of_which_one_ends_in_plain_gzip(
    tmp_path: Path, large: tuple[bytes, bytes], appended: int
) -> None:
    """Its last records can't be read from the end of the file on."""
    records = _records(large[1])
    last = gzip.compress(b"".join(records[-appended:]), 1)
    mixed = bgzf(b"".join(records[:-appended])) + last
    for pair in ((bgzf(large[0]), mixed), (mixed, bgzf(large[0]))):
        found = check_files(_pair(tmp_path, *pair))
        assert "pair.names" not in codes(found), found.errors
        assert "end" not in found.pairs[0].agreed_at


def test_two_files_are_a_pair_unless_told_or_named_otherwise(tmp_path: Path) -> None:
    other = gzip.compress(fastq_text(9, mate=1, seed=9))
    a, b = (
        write(tmp_path / "a_R1.fastq.gz", gzip.compress(R1)),
        write(tmp_path / "b_R1.fastq.gz", other),
    )
    assert check_files([a, b]).ok
    assert not check_files([a, b], as_pair=True).ok
    c, d = write(tmp_path / "c.fq.gz", gzip.compress(R1)), write(tmp_path / "d.fq.gz", other)
    assert not check_files([c, d]).ok
    assert check_files([c, d], as_pair=False).ok


def test_many_files_are_paired_by_name(tmp_path: Path) -> None:
    paths = []
    for lane in (2, 1):
        for mate in (2, 1):
            text = fastq_text(50, mate=mate, seed=lane)
            path = tmp_path / f"S1_L00{lane}_R{mate}_001.fastq.gz"
            paths.append(write(path, gzip.compress(text)))
    found = check_files(paths)
    assert found.ok
    assert [(p.first, p.second) for p in found.pairs] == [
        (paths[1], paths[0]),
        (paths[3], paths[2]),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("S1_R1_001.fastq.gz", "S1_R2_001.fastq.gz"),
        ("S1_L002_R1_001.fastq.gz", "S1_L002_R2_001.fastq.gz"),
        ("S_1_R1.fq.gz", "S_1_R2.fq.gz"),
        ("s_1.fastq.gz", "s_2.fastq.gz"),
        ("s.1.fastq.gz", "s.2.fastq.gz"),
        ("s-1.fq", "s-2.fq"),
        ("s_R1.fastq.gz", "s_R2.fastq.gz"),
        ("s.r1.trimmed.fastq.gz", "s.r2.trimmed.fastq.gz"),
        ("s_read1.fastq.bgz", "s_read2.fastq.bgz"),
        ("s_R1_val_1.fq.gz", "s_R2_val_2.fq.gz"),
        ("x/s_1_val_1.fq.gz", "x/s_2_val_2.fq.gz"),
    ],
)
def test_names_that_make_a_pair(first: str, second: str) -> None:
    assert find_pairs([first, second]).pairs == ((first, second),)
    assert find_pairs([second, first]).pairs == ((first, second),)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a_R1.fastq.gz", "b_R2.fastq.gz"),
        ("s_L001_R1.fastq.gz", "s_L002_R2.fastq.gz"),
        ("s_R1_001.fastq.gz", "s_R2_002.fastq.gz"),
        ("s_R1.fastq.gz", "s_R1.fq.gz"),
        ("x/s_R1.fastq.gz", "y/s_R2.fastq.gz"),
        ("S1.fastq.gz", "S2.fastq.gz"),
        ("s_R1.fastq.gz", "s_I1.fastq.gz"),
        ("s_rep_1.fastq.gz", "s_rep_2.fastq.gz"),
        ("s_rep_1_1.fastq.gz", "s_rep_2_1.fastq.gz"),
        ("s.techrep.1.fastq.gz", "s.techrep.2.fastq.gz"),
        ("FAX1_pass_0a1b2c3d_4e5f6a7b_1.fastq.gz", "FAX1_pass_0a1b2c3d_4e5f6a7b_2.fastq.gz"),
    ],
)
def test_names_that_make_no_pair(first: str, second: str) -> None:
    assert find_pairs([first, second]).pairs == ()
    assert find_pairs([first, second]).singles == (first, second)


def test_lanes_samples_and_singles_are_kept_apart() -> None:
    names = [f"S_{s}_L00{n}_R{m}.fq.gz" for s in (1, 2) for n in (1, 2) for m in (1, 2)]
    found = find_pairs(["lone_R1.fq.gz", *names, names[0], Path("other.fq.gz")])
    assert found.pairs == tuple(zip(names[0::2], names[1::2], strict=True))
    assert found.singles == ("lone_R1.fq.gz", "other.fq.gz")


def test_numbers_that_count_on_are_no_mates() -> None:
    assert find_pairs(["s_1.fq.gz", "s_2.fq.gz", "s_3.fq.gz"]).pairs == ()
    assert series(["s_1.fq.gz", "s_2.fq.gz", "s_3.fq.gz", "t_1.fq.gz"]) == [
        "s_1.fq.gz",
        "s_2.fq.gz",
    ]
    # Replicates with mates are pairs all the same, and another sample's numbers don't count.
    mates = [f"s_rep_{replicate}_{mate}.fq.gz" for replicate in (1, 2, 3) for mate in (1, 2)]
    found = find_pairs([*mates, "t_1.fq.gz", "t_2.fq.gz"])
    pairs = zip([*mates[0::2], "t_1.fq.gz"], [*mates[1::2], "t_2.fq.gz"], strict=True)
    assert found.pairs == tuple(pairs)


def test_names_of_records() -> None:
    assert template(b"@A:1:2 1:N:0:AC") == template(b"@A:1:2 2:N:0:AC") == b"A:1:2"
    assert template(b"@A/1") == template(b"@A/2\tBC:Z:A") == b"A"
    assert template(b"@") == b""
    assert [mate_of(n) for n in (b"@A 1:N:0:A", b"@A 2:Y:18:A", b"@A/2", b"@A.1", b"@")] == [
        1,
        2,
        2,
        None,
        None,
    ]
