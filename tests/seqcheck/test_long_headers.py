"""Headers are read many lines at a time: that must come to what reading them one by one does."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from tests.seqcheck.preflight_samples import bgzf
from turboupload.errors import InputError
from turboupload.seqcheck import sam_header
from turboupload.seqcheck.bam import parse_bam_header
from turboupload.seqcheck.checks import check_files
from turboupload.seqcheck.headers import read_sam_header
from turboupload.seqcheck.sam_header import ReferenceSequence, parse_header

_LENGTHS = st.sampled_from([0, 1, 99, 2**31, 2**32 - 1, 2**32, 10**19 - 1])
_NAMES = st.sampled_from([b"a", b"b", b"chr1", b"SN:", b"7", b"*", b"\xff", b"a\0", b"a\rb", b""])
_USUAL_NAMES = st.sampled_from([b"a", b"k141_1", b"k141_22", b"LN:1", b"HLA-A*01:01", b"x" * 300])
_LAYOUTS = ["SL", "LS", "SLM", "MLS", "SLUM", "ULAS"]
_ODD_FIELDS = st.sampled_from(
    [
        *(
            b"LN:",
            b"LN:+1",
            b"LN:1_0",
            b"LN: 1",
            b"LN:-1",
            b"LN:007",
            b"LN:" + b"1" * 20,
            b"LN:5\r",
        ),
        *(b"SN:", b"SN:q", b"M5:", b"M5:AB\r", b"M5:cd", b"UR:x\tM5:1", b"@SQ", b"", b"\0"),
    ]
)
_ODD_LINES = st.sampled_from(
    [
        *(b"@SQ", b"@SQ\t", b"@SQX\tSN:a\tLN:1", b"@sq\tSN:a\tLN:1", b"@CO\t@SQ\tSN:c\tLN:2"),
        *(b"@RG\tID:g\tSM:s", b"@HD\tVN:1.6\tSO:unsorted", b"", b"\r", b"odd", b"\t\t"),
    ]
)


@pytest.fixture(autouse=True, scope="module")
def _small_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sam_header, "_BATCH_BYTES", 60)
        yield


def _line(layout: str, name: bytes, length: int) -> bytes:
    fields = {"S": b"SN:" + name, "L": b"LN:%d" % length, "M": b"M5:AB%d" % (length % 7)}
    return b"\t".join([b"@SQ", *(fields.get(each, b"UR:/SN:y") for each in layout)])


@st.composite
def _texts(draw: st.DrawFn) -> bytes:
    """Runs of lines of one layout, some fields and lines of which are mangled."""
    lines: list[bytes] = []
    for _ in range(draw(st.integers(0, 3))):
        layout, names = (
            draw(st.sampled_from(_LAYOUTS)),
            draw(st.sampled_from([_USUAL_NAMES, _NAMES])),
        )
        for name, length in draw(st.lists(st.tuples(names, _LENGTHS), max_size=9)):
            lines.append(_line(layout, name, length))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines)))
        if draw(st.booleans()) or at == len(lines):
            lines.insert(at, draw(_ODD_LINES))
            continue
        fields = lines[at].split(b"\t")
        fields[draw(st.integers(0, len(fields) - 1))] = draw(_ODD_FIELDS)
        lines[at] = b"\t".join(fields)
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return end.join(lines) + draw(st.sampled_from([b"", b"\n", b"\n\0\0"]))


def _one_by_one(text: bytes) -> tuple[list[tuple[bytes, int, bytes]], int]:
    """Name, length and MD5 in each @SQ line, and how many such lines lack name or length."""
    found: list[tuple[bytes, int, bytes]] = []
    bad = 0
    for line in text.rstrip(b"\0").split(b"\n"):
        if line[:4] != b"@SQ\t":
            continue
        fields = line.split(b"\t")[1:]
        names = [m[1] for each in fields if (m := re.match(rb"SN:([^\r]+)", each))]
        lengths = [m[1] for each in fields if (m := re.match(rb"LN:([0-9]{1,19})(\r|\Z)", each))]
        md5s = [each[3:].partition(b"\r")[0] for each in fields if each[:3] == b"M5:"]
        if names and lengths:
            found.append((names[0], int(lengths[0]), md5s[0] if md5s else b""))
        else:
            bad += 1
    return found, bad


def _as_objects(found: Iterable[tuple[bytes, int, bytes]]) -> list[ReferenceSequence]:
    return [
        ReferenceSequence(name.decode("utf-8", "replace"), length, md5.decode().lower() or None)
        for name, length, md5 in found
    ]


@settings(max_examples=200, deadline=None)
@given(_texts())
@example(b"@SQ\tSN:a\tLN:1\n@SQ\tLN:2\tSN:b\n@CO\t")
@example(b"@SQ\tAS:x\tSN:a\tLN:1\n@SQ\tSN:q\tSN:b\tLN:2")
@example(b"@SQ\tAS:x\tLN:1\tSN:a\n@SQ\tLN:3\tLN:2\tSN:b")
def test_a_mangled_text_says_the_same_read_one_by_one(text: bytes) -> None:
    header = parse_header(text)
    found, bad = _one_by_one(text)
    assert list(header.sequences) == _as_objects(found)
    assert len(header.sequences) == len(found)
    assert header.sequences.total_length == sum(length for _, length, _ in found)
    assert header.sequences.with_md5 == sum(md5 != b"" for _, _, md5 in found)
    lines = text.rstrip(b"\0").split(b"\n")
    if not lines[-1]:
        lines.pop()
    others = [
        f"header line {number} doesn't start with '@'"
        for number, line in enumerate(lines, 1)
        if line[:1] != b"@"
    ]
    assert header.problems[: len(others)] == tuple(others[:10])
    assert len(header.problems) == min(10, len(others) + bad)


def _entry(name: bytes, length: int, pad: int = 1) -> bytes:
    text = name + b"\0" * pad
    return struct.pack("<I", len(text)) + text + struct.pack("<I", length & 0xFFFFFFFF)


def _bam(text: bytes, entries: Sequence[bytes], count: int | None = None) -> bytes:
    start = b"BAM\1" + struct.pack("<I", len(text)) + text
    return start + struct.pack("<I", len(entries) if count is None else count) + b"".join(entries)


@st.composite
def _bams(draw: st.DrawFn) -> bytes:
    """Headers whose binary list says what their text does, or nearly so."""
    text = draw(_texts())
    listed = [(name, length) for name, length, _ in _one_by_one(text)[0]]
    change = draw(
        st.sampled_from(["none", "none", "name", "length", "swap", "drop", "add", "all", "pad"])
    )
    at = draw(st.integers(0, max(0, len(listed) - 1)))
    pads = [1] * len(listed)
    if listed:
        name, length = listed[at]
        if change == "name":
            listed[at] = draw(st.sampled_from([name + b"x", name[:-1], name[:-1] + b"~"])), length
        elif change == "length":
            listed[at] = name, length + 1
        elif change == "swap":
            listed[at], listed[0] = listed[0], listed[at]
        elif change == "drop":
            del listed[at], pads[at]
        elif change == "pad":
            pads[at] = draw(st.sampled_from([0, 2, 300]))
    if change == "add":
        listed.insert(at, (b"new", 1))
        pads.append(1)
    if change == "all":
        listed, pads = [], []
    entries = [_entry(name, length, pad) for (name, length), pad in zip(listed, pads, strict=True)]
    wrong = draw(st.sampled_from([*[None] * 8, 0, len(entries) + 1, len(entries) - 1, 2**31]))
    data = _bam(text, entries, max(wrong, 0) if wrong is not None else None)
    data += draw(st.sampled_from([b"", b"\0\0\0\0", b"\x24\0\0\0" + b"\0" * 36]))
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 4)) == 0 else data


def _walk(data: bytes) -> tuple[list[tuple[bytes, int]], int] | None:
    """The binary list, and where it ends; None where the data does so before."""
    try:
        at = 8 + struct.unpack_from("<I", data, 4)[0]
        (count,) = struct.unpack_from("<I", data, at)
        at += 4
        found: list[tuple[bytes, int]] = []
        for _ in range(count):
            end = at + 4 + struct.unpack_from("<I", data, at)[0]
            length = struct.unpack_from("<I", data, end)[0]
            found.append((data[at + 4 : end].rstrip(b"\0"), length))
            at = end + 4
    except struct.error:
        return None
    return found, at


@settings(max_examples=200, deadline=None)
@given(_bams())
@example(_bam(b"@SQ\tSN:a\0\tLN:1\n", [_entry(b"a\0", 1)]))
@example(_bam(b"@SQ\tSN:a\tLN:4294967296\n", [_entry(b"a", 0)]))
def test_a_mangled_list_is_compared_as_one_by_one(data: bytes) -> None:
    header, walked = parse_bam_header(data), _walk(data)
    event(f"{'cut' if header is None else 'alike' if header.entries is None else 'walked'}")
    if walked is None or len(data) < 12:
        assert header is None
        return
    assert header is not None
    listed, end = walked
    text = data[8 : 8 + struct.unpack_from("<I", data, 4)[0]]
    lines, _ = _one_by_one(text)
    assert (header.count, header.length) == (len(listed), end)
    names = [name for batch in header.text.sequences.batches() for name in batch.names]
    differ = bool(lines) and names != [name for name, _ in listed]
    assert (header.problem is not None) is differ
    expected = lines or [(name, length, b"") for name, length in listed]
    assert list(header.sequences) == _as_objects(expected)
    assert header.sequences.total_length == sum(length for _, length, _ in expected)


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_only_the_last_of_usual_lines_are_read_one_by_one(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def read(lines: bytes) -> sam_header.Batch:
        seen.append(lines)
        return one_by_one(lines)

    one_by_one = sam_header._one_by_one
    monkeypatch.setattr(sam_header, "_one_by_one", read)
    listed = [(b"k141_%d" % number, 10**9 - number) for number in range(200)]
    text = b"@HD\tVN:1.6\n" + b"".join(_line(layout, *each) + b"\n" for each in listed)
    header = parse_bam_header(_bam(text, list(itertools.starmap(_entry, listed))))
    assert len(seen) == 1
    assert header is not None
    assert header.entries is None
    assert header.problem is None
    assert header.sequences.with_md5 == (200 if "M" in layout else 0)


@pytest.mark.parametrize("count", [30_000, 120_000])
def test_a_header_that_is_nearly_all_of_a_file_is_read(tmp_path: Path, count: int) -> None:
    listed = [(b"k141_%d" % number, 500) for number in range(count)]
    text = b"".join(_line("SL", *each) + b"\n" for each in listed) + b"@RG\tID:g\tSM:HG002\n"
    path = tmp_path / "a.bam"
    path.write_bytes(bgzf(_bam(text, list(itertools.starmap(_entry, listed)))))
    assert read_sam_header(str(path)).samples == ("HG002",)
    facts = check_files([path]).files[0]
    assert facts.header is not None
    assert facts.header.total_length == 500 * count


def test_a_header_of_many_megabytes_is_read(tmp_path: Path) -> None:
    text = b"@RG\tID:g\tSM:HG002\n@CO\t" + b"x" * (17 * 1024 * 1024) + b"\n"
    path = tmp_path / "a.bam"
    path.write_bytes(bgzf(_bam(text, [])))
    assert read_sam_header(str(path)).samples == ("HG002",)


def test_a_header_before_the_place_where_a_file_is_cut_is_read(tmp_path: Path) -> None:
    """As of a stream, of which only the first bytes are there."""
    text = b"@RG\tID:g\tSM:HG002\n@CO\t" + b"x" * 100_000 + b"\n"
    content = _bam(text, [_entry(b"a", 1)])
    blocks = bgzf(content + bytes(50_000), block=1_000, eof=False)
    path = tmp_path / "a.bam"
    path.write_bytes(blocks[:-1])
    assert read_sam_header(str(path)).samples == ("HG002",)
    path.write_bytes(bgzf(content[:-4], block=1_000, eof=False)[:-1])
    with pytest.raises(InputError, match="the file ends inside the block"):
        read_sam_header(str(path))
