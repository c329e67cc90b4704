"""Files that become one source: what their names say, and what would break readers between two."""

from __future__ import annotations

import gzip
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import bgzf, codes, fastq_text, write
from tests.support import samples
from turboupload.errors import InputError
from turboupload.seqcheck.checks import check_files, fastqfile
from turboupload.seqcheck.checks.merging import check_lanes, split_mates

Pack = Callable[[bytes], bytes]


def lane(number: int, mate: int = 1, *, reads: int = 40) -> bytes:
    """The text of one lane of a sample."""
    text = fastq_text(reads, mate=mate)
    return b"".join(
        b"@L%d:" % number + line[1:] if at % 4 == 0 else line
        for at, line in enumerate(text.splitlines(keepends=True))
    )


def _gzip(text: bytes) -> bytes:
    return gzip.compress(text, 1, mtime=0)


packed = pytest.mark.parametrize("pack", [_gzip, bgzf])
in_parts = pytest.mark.parametrize("how", ["whole", "quick", "deep"])


@pytest.mark.parametrize(
    ("names", "sources"),
    [
        ("a_L001_R1 a_L002_R1", ["a_L001_R1 a_L002_R1"]),
        ("a_L001_R1 a_L001_R2 a_L002_R1 a_L002_R2", ["a_L001_R1 a_L002_R1", "a_L001_R2 a_L002_R2"]),
        ("a_L002_R1 a_L001_R1 a_L001_R2 a_L002_R2", ["a_L002_R1 a_L001_R1", "a_L002_R2 a_L001_R2"]),
        ("a_R1_001 a_R2_001 a_R1_002 a_R2_002", ["a_R1_001 a_R1_002", "a_R2_001 a_R2_002"]),
        ("x/a_1 y/a_2 y/a_1 x/a_2", ["x/a_1 y/a_1", "x/a_2 y/a_2"]),
        ("SRR1_1 SRR1_2 SRR2_1 SRR2_2", ["SRR1_1 SRR2_1", "SRR1_2 SRR2_2"]),
        # Chunks that are numbered on are no mates.
        ("pass_ab_0 pass_ab_1 pass_ab_10 pass_ab_2", ["pass_ab_0 pass_ab_1 pass_ab_10 pass_ab_2"]),
        ("pass_ab_0 pass_ab_2", ["pass_ab_0 pass_ab_2"]),
        ("p_0 p_1 p_2 q_0 q_1 q_2", ["p_0 p_1 p_2 q_0 q_1 q_2"]),
        ("one two", ["one two"]),
        # Replicates, and a sample with UMIs.
        (
            "WT_R3_S5_L001_R1 WT_R3_S5_L001_R2 WT_R3_S5_L002_R1 WT_R3_S5_L002_R2",
            ["WT_R3_S5_L001_R1 WT_R3_S5_L002_R1", "WT_R3_S5_L001_R2 WT_R3_S5_L002_R2"],
        ),
        ("P-UMI_L001_R1 P-UMI_L002_R1", ["P-UMI_L001_R1 P-UMI_L002_R1"]),
        ("a_R1 a_R2", ["a_R1", "a_R2"]),
        ("a_R1", ["a_R1"]),
    ],
)
def test_the_names_say_what_is_r1_and_what_r2(names: str, sources: list[str]) -> None:
    found = split_mates(f"{name}.fastq.gz" for name in names.split())
    assert [" ".join(files).replace(".fastq.gz", "") for files in found] == sources
    check_lanes(found)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a_L001_R1 a_L002_R1 a_L002_R2", "has no mate"),
        ("a_L001_R1 a_L002_R2", "is R2 by its name"),
        ("SRR1_1 SRR2_2", "is R2 by its name"),
        ("a_L001_R1 a_L002_I1", "index reads"),
        ("a_L001_R1 a_L001_R3", "third read"),
        ("a_R1_L001_R1 a_R1_L001_I1", "index reads"),
    ],
)
def test_names_that_say_nothing_certain_are_refused(names: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        split_mates(f"{name}.fastq.gz" for name in names.split())
    assert caught.value.path is not None
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["a_L001_R1 a_L002_R1", "a_L002_R2 a_L001_R2"], "not the mate of a_L001_R1"),
        (["a_L001_R1 a_L002_R1", "a_L001_R2 b_L002_R2"], "not the mate of a_L002_R1"),
        (["a_L001_R2 a_L002_R2", "a_L001_R1 a_L002_R1"], "not the mate of a_L001_R2"),
        (["x/a_R1 y/a_R1", "y/a_R2 x/a_R2"], "not the mate of x/a_R1"),
        (["a_L001_R1 a_L001_R2"], "is R2 by its name"),
        (["a_L001_R1 a_L001_R2", "b_L001_R1 b_L001_R2"], "is R2 by its name"),
        (["x/a_R1 y/a_R1", "x/a_R2 y/a_R2"], ""),
        (["r1/a_L001_R1 r1/a_L002_R1", "r2/a_L001_R2 r2/a_L002_R2"], ""),
        (["a_R1", "any"], ""),  # a pair of two files is judged by what it holds
        (["part_1 part_2"], ""),
    ],
)
def test_lanes_that_are_not_mates_are_refused(sources: list[str], message: str) -> None:
    files = [[f"{name}.fastq.gz" for name in each.split(" ")] for each in sources]
    if not message:
        check_lanes(files)
        return
    with pytest.raises(InputError, match=message):
        check_lanes(files)


@pytest.fixture(name="deep")
def _deep(how: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    if how == "quick":
        monkeypatch.setattr(fastqfile, "WHOLE_BELOW_BYTES", 0)
        monkeypatch.setattr("turboupload.seqcheck.checks.check.WHOLE_BELOW_BYTES", 0)
        monkeypatch.setattr(fastqfile, "_HEAD_CONTENT_BYTES", 64 * 1024)
    return how == "deep"


@packed
@in_parts
def test_good_lanes_have_no_findings(tmp_path: Path, pack: Pack, how: str, deep: bool) -> None:
    reads = 6000 if how == "quick" else 40
    sources = [
        [
            write(
                tmp_path / f"s_L00{number}_R{mate}.fastq.gz", pack(lane(number, mate, reads=reads))
            )
            for number in (1, 2)
        ]
        for mate in (1, 2)
    ]
    found = check_files(sources, deep=deep)
    assert found.ok
    assert found.warnings == ()
    assert [(pair.first[-9:-9] or pair.first, pair.second) for pair in found.pairs] == list(
        zip(*sources, strict=True)
    )
    assert all(pair.agreed_at for pair in found.pairs)


@packed
@in_parts
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda pack, text: pack(text) + bytes(300), "gzip.padding"),
        (lambda pack, text: pack(text) + bytes(7), "gzip.padding"),
        (lambda pack, text: pack(text[:-1]), "fastq.newline"),
    ],
)
def test_what_breaks_readers_between_files_is_an_error_there_alone(
    tmp_path: Path,
    pack: Pack,
    how: str,
    deep: bool,
    spoil: Callable[[Pack, bytes], bytes],
    code: str,
) -> None:
    reads = 6000 if how == "quick" else 40
    bad = write(tmp_path / "a.fastq.gz", spoil(pack, lane(1, reads=reads)))
    good = write(tmp_path / "b.fastq.gz", pack(lane(2, reads=reads)))
    found = check_files([[bad, good]], deep=deep)
    assert [(each.code, each.path) for each in found.errors] == [(code, bad)]
    assert found.errors[0].advice is not None
    assert check_files([[good, bad]], deep=deep).ok
    assert check_files([bad], deep=deep).ok


@in_parts
def test_garbage_before_the_next_file_is_found_where_it_can_be(
    tmp_path: Path, how: str, deep: bool
) -> None:
    reads = 6000 if how == "quick" else 40
    bad = write(tmp_path / "a.fastq.gz", _gzip(lane(1, reads=reads)) + b"garbage" * 9)
    good = write(tmp_path / "b.fastq.gz", _gzip(lane(2, reads=reads)))
    found = check_files([[bad, good]], deep=deep)
    # The end of plain gzip alone doesn't show it: that is said, and --deep finds it.
    told = {each.code for each in found.findings if each.path == bad}
    assert told == ({"gzip.unknown"} if how == "quick" else {"compression.trailing"})


def test_other_files_can_not_be_merged(tmp_path: Path) -> None:
    one = write(tmp_path / "one.fastq.gz", _gzip(lane(1)))
    two = write(tmp_path / "two.fastq.gz", _gzip(lane(2)))
    plain = write(tmp_path / "plain.fastq", lane(3))
    copy = write(tmp_path / "copy.fastq.gz", _gzip(lane(1)))
    mate = write(tmp_path / "mate.fastq.gz", _gzip(lane(3, 2)))
    none = write(tmp_path / "none.fastq.gz", _gzip(b""))
    same_reads = write(tmp_path / "same.fastq.gz", bgzf(lane(1)))
    first_bgzf = write(tmp_path / "first.fastq.gz", bgzf(lane(4)))
    link = str(tmp_path / "link.fastq.gz")
    os.link(one, link)
    bam = str(samples.bam(tmp_path / "x.bam").path)
    refused: list[tuple[list[str], str, str | None]] = [
        ([one, plain], "type.rejected", plain),
        ([one, write(tmp_path / "empty.fastq.gz", b"")], "type.rejected", None),
        ([one, none], "type.rejected", none),
        ([one, one], "pair.same", one),
        ([one, link], "pair.same", link),
        ([one, copy], "merge.same", copy),
        ([one, same_reads], "merge.reads", same_reads),
        ([one, mate], "merge.mate", mate),
        ([one, bam], "merge.type", bam),
    ]
    for files, code, at in refused:
        found = check_files([files])
        assert code in codes(found), (files, found.findings)
        assert not found.ok
        assert at in (None, *(each.path for each in found.errors))
    mixed = check_files([[first_bgzf, one, two]])
    assert mixed.ok
    assert [(each.code, each.path) for each in mixed.warnings] == [("merge.mixed", one)]
    assert check_files([[one, first_bgzf]]).findings == ()


def test_lanes_of_a_pair_are_compared_one_by_one(tmp_path: Path) -> None:
    def write_lane(number: int, mate: int, holds: int) -> str:
        name = f"s_L00{number}_R{mate}.fastq.gz"
        return write(tmp_path / name, _gzip(lane(holds, mate)))

    first = [write_lane(number, 1, number) for number in (1, 2, 3)]
    second = [write_lane(number, 2, holds) for number, holds in ((1, 1), (2, 3), (3, 2))]
    found = check_files([first, second])
    assert [(each.code, each.path) for each in found.errors] == [
        ("pair.names", second[1]),
        ("pair.names", second[2]),
    ]


def test_there_may_be_more_files_than_descriptors(tmp_path: Path) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    paths = [write(tmp_path / f"c_{n}.fastq.gz", _gzip(lane(n, reads=1))) for n in range(60)]
    resource.setrlimit(
        resource.RLIMIT_NOFILE,
        (max(map(int, os.listdir("/proc/self/fd"))) + 20, most),  # noqa: PTH208 - as many strings
    )
    try:
        found = check_files([paths])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    assert found.ok, found.errors
