"""FASTQ that is unusual: named for what it is, refused never, and found the same in every way.

The witness is htslib's own reader of FASTQ (pysam.FastxFile), which reads each of them.
"""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from tests.seqcheck.preflight_samples import bgzf, fastq_text, write
from turboupload.seqcheck import fast_path, vectorized
from turboupload.seqcheck.checks import Depth, Findings, check, check_files, fastqfile
from turboupload.seqcheck.fastq import FastqRecords, read_within
from turboupload.seqcheck.formats import Kind, sniff
from turboupload.seqcheck.parallel import pool

SEED = 20_263


def _reads(first: int, last: int, end: bytes = b"\n") -> bytes:
    lines = (b"@r%d%sACGT%s+%sIIII%s" % (n, end, end, end, end) for n in range(first, last))
    return b"".join(lines)


PLAIN = _reads(0, 3)
CRLF = _reads(0, 3, b"\r\n")
EMPTY = b"@e\n\n+\n\n"
# The text, its reads, and the codes of what is odd about it.
ODD: dict[str, tuple[bytes, int, set[str]]] = {
    "CR LF": (CRLF, 3, {"fastq.crlf"}),
    "CR LF, then LF": (CRLF + _reads(3, 9), 9, {"fastq.crlf"}),
    "LF, then CR LF": (PLAIN + _reads(3, 9, b"\r\n"), 9, {"fastq.crlf"}),
    "in turns": (
        b"".join(_reads(n, n + 1, (b"\n", b"\r\n")[n % 2]) for n in range(9)),
        9,
        {"fastq.crlf"},
    ),
    "CR after bases only": (b"@a\nACGT\r\n+\nIIII\n" * 2, 2, {"fastq.crlf"}),
    "CR after qualities only": (b"@a\nACGT\n+\nIIII\r\n" * 2, 2, {"fastq.crlf"}),
    "CR after names only": (b"@a\r\nACGT\n+\nIIII\n" * 2, 2, {"fastq.crlf"}),
    "CR after + only": (b"@a\nACGT\n+\r\nIIII\n" * 2, 2, {"fastq.crlf"}),
    "CR LF without the last": (CRLF[:-2], 3, {"fastq.crlf"}),
    "CR LF without the last LF": (CRLF[:-1], 3, {"fastq.crlf"}),
    "no last line end": (PLAIN[:-1], 3, set()),
    **{
        f"{count} blank lines {where}": (text, 3, {"fastq.blank"})
        for count in (1, 2, 3, 4, 5, 8, 1000)
        for where, text in (
            ("at the end", PLAIN + b"\n" * count),
            ("between", PLAIN + b"\n" * count),
            ("at the start", b"\n" * count + PLAIN),
        )
    },
    "blank lines with CR LF": (PLAIN + b"\r\n" * 5, 3, {"fastq.blank", "fastq.crlf"}),
    "blanks at the end": (PLAIN + b"  \n\t\n ", 3, {"fastq.blank"}),
    "the end of a DOS text": (PLAIN + b"\x1a", 3, {"fastq.blank"}),
    "byte order mark": (b"\xef\xbb\xbf" + PLAIN, 3, {"fastq.bom"}),
    "byte order marks after cat": ((b"\xef\xbb\xbf" + PLAIN) * 2, 6, {"fastq.bom"}),
    "byte order mark and CR LF": (b"\xef\xbb\xbf" + CRLF, 3, {"fastq.bom", "fastq.crlf"}),
    "empty read at the end": (PLAIN + EMPTY, 4, set()),
    "empty read at the end, no last line end": (PLAIN + EMPTY[:-1], 4, set()),
    "empty read at the start": (EMPTY + PLAIN, 4, set()),
    "empty reads": (EMPTY * 5, 5, set()),
    "empty reads with CR LF": (EMPTY.replace(b"\n", b"\r\n") * 5, 5, {"fastq.crlf"}),
    "empty read without its lines": (PLAIN + b"@e\n+\n\n", 4, {"fastq.wrapped"}),
    "colour space": (b"@1_13_F3\nT1102.0300\n+\n!7&9<&77)&\n" * 3, 3, {"fastq.colour"}),
    "all ten digits": (b"@a\nACGT0123456789\n+\nIIIIIIIIIIIIII\n", 1, {"fastq.colour"}),
    "unknown bases": (b"@a\nAC..NN**--==\n+\nIIIIIIIIIIII\n", 1, set()),
    "every letter": (b"@a\nacgtnRYKMSWBDHVNuX\n+\nIIIIIIIIIIIIIIIIII\n", 1, set()),
    "odd bases": (b"@a\nA@#T\n+\nIIII\n" * 3, 3, {"fastq.bases"}),
    "blanks in bases": (b"@a\nAC T\n+\nIIII\n" * 3, 3, {"fastq.bases"}),
    "name in UTF-8": ("@prøve\nACGT\n+prøve\nIIII\n".encode() * 3, 3, {"fastq.ascii"}),
    "comment in UTF-8": ("@a 日本\nACGT\n+\nIIII\n".encode() * 3, 3, {"fastq.ascii"}),
    "qualities begin with @": (b"@a\nACGT\n+\n@III\n" * 9, 9, set()),
    "qualities begin with +": (b"@a\nACGT\n+\n+III\n" * 9, 9, set()),
    "one quality each, @": (b"@a\nA\n+\n@\n" * 9, 9, set()),
    "one quality each, +": (b"@a\nA\n+\n+\n" * 9, 9, set()),
    "names repeated": (b"@a b c\nACGT\n+a b c\nIIII\n" * 9, 9, set()),
    "another name after +": (b"@a\nACGT\n+b\nIIII\n" * 9, 9, set()),
    "tabs in names": (b"@a\tBC:Z:AC\tRX:Z:A\nACGT\n+\nIIII\n" * 9, 9, set()),
    "no names": (b"@\nACGT\n+\nIIII\n" * 9, 9, set()),
    "Illumina 1.3": (b"@a\nACGT\n+\nhh^B\n" * 9, 9, set()),
    "qualities beyond the usual": (b"@a\nACGT\n+\nI\x7f I\n" * 2, 2, {"fastq.qualities"}),
    "wrapped": (b"@a\nAC\nGT\n+\nII\nII\n" * 3, 3, {"fastq.wrapped"}),
    "wrapped, @ and + in qualities": (
        b"@a\nAC\nGT\nA\n+\n@I\n+I\n@\n" * 3,
        3,
        {"fastq.wrapped"},
    ),
    "wrapped qualities alone, one begins with @": (
        b"@a\nACGTAC\n+\nII\n@I\n+I\n" * 3,
        3,
        {"fastq.wrapped"},
    ),
    "wrapped bases alone": (b"@a\nAC\nGT\n+\nIIII\n" * 3, 3, {"fastq.wrapped"}),
    "wrapped here and there": (PLAIN + b"@a\nAC\nGT\n+\nII\nII\n" + PLAIN, 7, {"fastq.wrapped"}),
    "a long read": (
        b"@a\n" + b"ACGTA" * 500_000 + b"\n+\n" + b"@+I!I" * 500_000 + b"\n" + PLAIN,
        4,
        set(),
    ),
    "a long wrapped read": (
        b"@a\n" + b"ACGTAC\n" * 50_000 + b"+\n" + b"@+I!II\n" * 50_000 + PLAIN,
        4,
        {"fastq.wrapped"},
    ),
}

every = pytest.mark.parametrize(("text", "reads", "codes"), ODD.values(), ids=ODD.keys())


def _told(pieces: list[bytes], **options: Any) -> dict[str, Any]:
    records = FastqRecords(digest_names=True, **options)
    for piece in pieces:
        records.feed(piece)
    records.finish()
    return {
        "counts": structs.asdict(records.counts),
        "problems": records.problems,
        "oddities": records.oddities,
        "digests": records.digests,
    }


@every
def test_it_is_taken_and_named(text: bytes, reads: int, codes: set[str]) -> None:
    for step in (1, 3, 1_000, 120 * 1024, len(text)):
        if len(text) // step > 10_000:
            continue
        told = _told([text[at : at + step] for at in range(0, len(text), step)])
        assert told["problems"] == []
        assert set(told["oddities"]) == codes
        assert told["counts"]["records"] == reads


@every
def test_the_witness_reads_it(tmp_path: Path, text: bytes, reads: int, codes: set[str]) -> None:
    with pysam.FastxFile(write(tmp_path / "a.gz", gzip.compress(text, 1))) as file:
        assert sum(1 for _ in file) == reads


@every
@pytest.mark.parametrize("pack", [lambda text: gzip.compress(text, 1), bgzf])
def test_quick_and_deep_say_the_same(
    tmp_path: Path, text: bytes, reads: int, codes: set[str], pack: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / "a.fastq.gz", pack(text))
    assert sniff(path).kind is Kind.FASTQ
    quick, deep = check_files([path]), check_files([path], deep=True)
    assert quick == deep
    assert quick.ok
    assert {f.code for f in quick.warnings} == codes
    assert quick.files[0].records == reads
    assert all(f.advice for f in quick.warnings)


@pytest.fixture
def _as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (fastqfile, check):
        monkeypatch.setattr(module, "WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(fastqfile, "_HEAD_CONTENT_BYTES", 16 * 1024)


def _summary(found: Findings) -> tuple[bool, int | None, list[tuple[str, str]]]:
    return found.ok, found.files[0].records, [(f.code, f.sentence) for f in found.findings]


ORDINARY = fastq_text(3_000)
# What can stand before more reads, with a line end where it has none.
BEFORE = {
    name: odd if odd[0].endswith(b"\n") else (odd[0] + b"\n", *odd[1:])
    for name, odd in ODD.items()
    if name != "empty read at the end, no last line end"
}


@pytest.mark.parametrize("name", [n for n in BEFORE if "long" not in n and "1000" not in n])
def test_processes_and_numpy_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The odd reads stand between ordinary ones, where nobody expects them."""
    odd, reads, codes = BEFORE[name]
    text = ORDINARY + odd + ORDINARY + odd
    for data in (gzip.compress(text, 1), bgzf(text, block=9_000)):
        path = write(tmp_path / "a.fastq.gz", data)
        alone = check_files([path], deep=True)
        assert alone.ok, alone.findings
        assert {f.code for f in alone.warnings} == codes
        assert alone.files[0].records == 6_000 + 2 * reads
        with monkeypatch.context() as patch:
            patch.setattr(fast_path, "_PAYS_FROM_BYTES", 0)
            assert _summary(check_files([path], deep=True)) == _summary(alone)
        if name in SHARED_OUT:
            with monkeypatch.context() as patch:
                patch.setattr(fastqfile, "SHARED_FROM_BYTES", 0)
                patch.setattr(pool, "_RANGE_BYTES", 50_000)
                assert _summary(check_files([path], deep=True, threads=2)) == _summary(alone)


SHARED_OUT = ("LF, then CR LF", "wrapped", "byte order mark", "4 blank lines between")


@pytest.mark.usefixtures("_as_if_large")
@pytest.mark.parametrize("name", BEFORE)
def test_sampled_it_is_not_refused(tmp_path: Path, name: str) -> None:
    odd, _, codes = BEFORE[name]
    several = odd * (1 + 150_000 // len(odd))
    for data in (
        gzip.compress(odd, 1),
        bgzf(ORDINARY + odd),
        gzip.compress(ORDINARY + several, 1),
        bgzf(several + ORDINARY),
    ):
        found = check_files([write(tmp_path / "a.fastq.gz", data)])
        assert found.ok, found.errors
        # Of wrapped and of long reads nothing may be made out, which is no damage.
        assert {f.code for f in found.warnings} <= codes | {"fastq.form"}, found.warnings


# More than the first names that are kept, after which numpy is asked.
MANY_SHORT = fastq_text(1_010, length=1)


def _mangled(rng: random.Random) -> bytes:
    text = b"".join(rng.choice(list(ODD.values()))[0][-400:] for _ in range(3))
    at = rng.randrange(len(text))
    return text[:at] + rng.choice([b"\n", b"\r", b"@", b"+", b"\r\n", b"", b"A\n"]) + text[at + 1 :]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 2_000), max_size=5))
def test_any_text_is_found_the_same_with_numpy(seed: int, cuts: list[int]) -> None:
    text = MANY_SHORT + _mangled(random.Random(seed))
    edges = sorted({0, len(text), *(len(text) - cut % len(text) for cut in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    assert _told(pieces) == _told(pieces, vectorized=vectorized)
    whole = _told([text])
    assert whole["counts"] == _told(pieces)["counts"]
    assert whole["problems"] == _told(pieces)["problems"]


def test_reads_of_all_lengths_are_made_out_anywhere() -> None:
    """Nanopore reads: a short one may stand beside one of more than what is looked at."""
    rng = random.Random(SEED)
    lengths = [300, 200_000, 80, 100_000, 5, 700_000, 1, 40, 90_000, 20]
    text = b"".join(fastq_text(1, length=n, seed=n) for n in lengths)
    for _ in range(200):
        at = rng.randrange(len(text))
        records = read_within(text[at:], ended=True)
        assert records is None or not records.problems
        assert records is not None or text[at:].count(b"\n") < 6


@pytest.mark.usefixtures("_as_if_large")
@pytest.mark.parametrize(
    "wrong", [b"@x\nACGT\n+\nIII\n", b"@x\nACGT\nIIII\n", b"x\nACGT\n+\nIIII\n", b"@x\n\0\n+\n\0\n"]
)
def test_sampled_records_that_are_wrong_are_found(tmp_path: Path, wrong: bytes) -> None:
    text = ORDINARY + wrong.join(fastq_text(1, seed=n) for n in range(700)) + ORDINARY
    path = write(tmp_path / "a.fastq.gz", bgzf(text))
    assert not check_files([path]).ok
    assert not check_files([path], deep=True).ok


def test_the_whole_of_a_file_that_was_read_says_how_much(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fastq.gz", gzip.compress(PLAIN + b"\n\n" + PLAIN + b"\n"))
    found = check_files([path])
    assert found.files[0].depth is Depth.WHOLE
    assert found.warnings[0].sentence.endswith("(first: record 4, 3 times in what was read)")
