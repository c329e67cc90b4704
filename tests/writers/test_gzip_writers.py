"""FASTQ as compressors write it: every tool at several levels, and every field of RFC 1952."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import EOF_BLOCK, bgzf, bgzf_block, fastq_text
from tests.writers.tools import SEED, assert_taken, needs, run
from turboupload.seqcheck.checks import alignments, check, check_files, fastqfile
from turboupload.seqcheck.inflate import stream_blocks, stream_members

TEXT = fastq_text(401)
LARGE = fastq_text(6_000)

TOOLS = {
    "gzip": [["gzip", "-c", f"-{level}"] for level in (1, 6, 9)]
    + [["gzip", "-c", "-n"], ["gzip", "-c", "--rsyncable"]],
    "pigz": [["pigz", "-c", "-p", "2", "-b", "128", f"-{level}"] for level in (0, 1, 6, 9)]
    + [["pigz", "-c", "-p", "2", "-b", "128", "-i"], ["pigz", "-c", "-C", "a comment"]],
    "bgzip": [["bgzip", "-c", "-l", str(level)] for level in (0, 1, 6, 9)],
    "igzip": [["igzip", "-c", f"-{level}"] for level in (0, 1, 2, 3)],
    "libdeflate-gzip": [["libdeflate-gzip", "-c", f"-{level}"] for level in (1, 6, 12)],
    "zopfli": [["zopfli", "-c", "--i1"]],
}


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few hundred KiB are sampled, as those of many GB are."""
    for module in (fastqfile, check):
        monkeypatch.setattr(module, "WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(alignments, "_WHOLE_BELOW_BYTES", 0)
    monkeypatch.setattr(fastqfile, "_HEAD_CONTENT_BYTES", 16 * 1024)


def _good(paths: list[Path], *warnings: str, records: int = 401) -> None:
    judged = assert_taken(paths, "FASTQ", *warnings)
    assert {facts.records for facts in judged["deep"].files} == {records}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools(tmp_path: Path, tool: str) -> None:
    needs(tool)
    text = _written(tmp_path / "reads.fastq", TEXT)
    made = []
    for number, command in enumerate(TOOLS[tool]):
        made.append(tmp_path / f"{number}.fastq.gz")
        run(*command, text, into=made[-1])
    _good(made)


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("tool", TOOLS)
def test_tools_when_sampled(tmp_path: Path, tool: str) -> None:
    needs(tool)
    text = _written(tmp_path / "reads.fastq", LARGE if tool != "zopfli" else TEXT)
    path = tmp_path / "a.fastq.gz"
    run(*TOOLS[tool][-1], text, into=path)
    assert check_files([path]).ok


def _python(level: int) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("prøve.fq", "wb", level, out, mtime=2**32 - 1) as file:
        file.write(TEXT)
    return out.getvalue()


def _flushed(mode: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = [
        packer.compress(TEXT[at : at + 10_007]) + packer.flush(mode)
        for at in range(0, len(TEXT), 10_007)
    ]
    return b"".join(pieces) + packer.flush()


def _members(size: int) -> bytes:
    return b"".join(gzip.compress(TEXT[at : at + size], 1) for at in range(0, len(TEXT), size))


def _mgzip() -> bytes:
    """Members that say in an extra field how long they are, in another way than BGZF's."""
    pieces = []
    for at in range(0, len(TEXT), 50_000):
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = packer.compress(TEXT[at : at + 50_000]) + packer.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack(
            "<H2sHI", 8, b"IG", 4, len(body) + 28
        )
        part = TEXT[at : at + 50_000]
        pieces.append(head + body + struct.pack("<II", zlib.crc32(part), len(part)))
    return b"".join(pieces)


def _with_other_subfields() -> bytes:
    """BGZF blocks with a subfield before and one after BGZF's own."""
    pieces = []
    for at in range(0, len(TEXT), 30_000):
        block = bgzf_block(TEXT[at : at + 30_000])
        extra = (
            b"XY\x03\0abc"
            + block[12:16]
            + struct.pack("<H", len(block) - 1 + 84)
            + b"ZZ\x49\0"
            + bytes(73)
        )
        pieces.append(block[:10] + struct.pack("<H", len(extra)) + extra + block[18:])
    return b"".join(pieces) + EOF_BLOCK


def _odd_blocks() -> bytes:
    rng = random.Random(SEED)
    pieces, at = [], 0
    while at < len(TEXT):
        size = rng.choice([0, 1, 2, 17, 300, 4_096, 65_280])
        pieces.append(bgzf_block(TEXT[at : at + size]))
        at += size
    return b"".join(pieces) + EOF_BLOCK


STREAMS: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "python, stored": (lambda: _python(0), ()),
    "python": (lambda: _python(6), ()),
    "python, level 9": (lambda: _python(9), ()),
    "sync flush": (lambda: _flushed(zlib.Z_SYNC_FLUSH), ()),
    "full flush": (lambda: _flushed(zlib.Z_FULL_FLUSH), ()),
    "partial flush": (lambda: _flushed(zlib.Z_PARTIAL_FLUSH), ()),
    "fixed codes": (lambda: _strategy(zlib.Z_FIXED), ()),
    "no matches": (lambda: _strategy(zlib.Z_HUFFMAN_ONLY), ()),
    "runs": (lambda: _strategy(zlib.Z_RLE), ()),
    "many members": (lambda: _members(1_000), ()),
    "members with lengths": (_mgzip, ()),
    "empty members": (
        lambda: gzip.compress(b"") * 3 + gzip.compress(TEXT) + gzip.compress(b"") * 3,
        (),
    ),
    "EOF blocks first and last": (lambda: EOF_BLOCK * 5 + bgzf(TEXT) + EOF_BLOCK, ()),
    "EOF blocks between": (lambda: bgzf(TEXT[:9_999]) + EOF_BLOCK + bgzf(TEXT[9_999:]), ()),
    "blocks of all sizes": (_odd_blocks, ()),
    "blocks of one byte": (lambda: bgzf(TEXT[:20_000], block=1) + bgzf(TEXT[20_000:]), ()),
    "blocks with other subfields": (_with_other_subfields, ()),
    "no EOF block": (lambda: bgzf(TEXT, eof=False), ("bgzf.eof",)),
    "gzip after BGZF": (lambda: bgzf(TEXT[:9_999]) + gzip.compress(TEXT[9_999:]), ("bgzf.eof",)),
    "BGZF after gzip": (lambda: gzip.compress(TEXT[:9_999]) + bgzf(TEXT[9_999:]), ()),
}


def _strategy(strategy: int) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, 31, 8, strategy)
    return packer.compress(TEXT) + packer.flush()


@pytest.mark.parametrize("pack", [gzip.compress, bgzf])
@pytest.mark.parametrize("count", [1, 7, 63, 64, 65, 512, 10_240, 200_000])
def test_zero_bytes_after_the_data(
    tmp_path: Path, pack: Callable[[bytes], bytes], count: int
) -> None:
    path = _written(tmp_path / "a.fastq.gz", pack(TEXT) + bytes(count))
    run("gzip", "-t", path)
    for deep in (False, True):
        found = check_files([path], deep=deep)
        assert found.ok
        assert [f.code for f in found.findings] == ["gzip.padding"]


@pytest.mark.parametrize("name", STREAMS)
def test_streams(tmp_path: Path, name: str) -> None:
    make, warnings = STREAMS[name]
    path = tmp_path / "a.fastq.gz"
    path.write_bytes(make())
    run("gzip", "-t", path)
    _good([path], *warnings)
    for deep in (False, True):
        assert {f.code for f in check_files([path], deep=deep).warnings} == set(warnings)


FLAGS = {"FTEXT": 1, "FHCRC": 2, "FEXTRA": 4, "FNAME": 8, "FCOMMENT": 16}


def _header(flags: int, length: int, *, xfl: int = 0, system: int = 3, mtime: int = 0) -> bytes:
    rng = random.Random(flags * 100_003 + length)
    head = struct.pack("<4BIBB", 31, 139, 8, flags, mtime, xfl, system)
    if flags & FLAGS["FEXTRA"]:
        extra = rng.randbytes(min(length, 65_535))
        head += struct.pack("<H", len(extra)) + extra
    for flag in ("FNAME", "FCOMMENT"):
        if flags & FLAGS[flag]:
            head += rng.randbytes(length).replace(b"\0", b"\1") + b"\0"
    if flags & FLAGS["FHCRC"]:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head


def _member(head: bytes, text: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(text) + packer.flush()
    return head + body + struct.pack("<II", zlib.crc32(text), len(text))


def _of_all_headers(length: int) -> list[bytes]:
    return [_header(flags, length) for flags in range(32)]


@pytest.mark.parametrize("length", [0, 1, 20, 3_000, 40_000, 100_000])
def test_every_header_field(tmp_path: Path, length: int) -> None:
    """All fields there are, each with each, also longer than what is read in one go."""
    heads = _of_all_headers(length)
    if length == 0:
        heads += [
            _header(0, 0, xfl=x, system=s, mtime=m)
            for x in (2, 4, 77, 255)
            for s in (0, 11, 255)
            for m in (1, 2**32 - 1)
        ]
    made = []
    for number, head in enumerate(heads):
        made.append(tmp_path / f"{number}.fastq.gz")
        made[-1].write_bytes(_member(head, TEXT))
    run("gzip", "-t", *made)
    _good(made)


@pytest.mark.parametrize("length", [1, 3_000, 40_000])
def test_every_header_field_of_later_members(tmp_path: Path, length: int) -> None:
    parts = [TEXT[n * len(TEXT) // 32 : (n + 1) * len(TEXT) // 32] for n in range(32)]
    members = [
        _member(head, part) for head, part in zip(_of_all_headers(length), parts, strict=True)
    ]
    path = tmp_path / "a.fastq.gz"
    for first in (b"", bgzf(b"")):
        path.write_bytes(first + b"".join(members))
        _good([path], "bgzf.eof")


def test_a_header_that_falls_anywhere_between_two_reads(tmp_path: Path) -> None:
    """What is read in one go ends at every byte of a header, and of the one before."""
    heads = [_header(flags, 9) for flags in (2, 4, 8, 16, 28, 30)]
    path = tmp_path / "a.gz"
    for head in heads:
        for before in range(len(head) + 2):
            stored = 32 * 1024 - before - len(gzip.compress(b"", 0, mtime=0))
            packer = zlib.compressobj(0, zlib.DEFLATED, -15)
            body = packer.compress(b"x" * (stored - 5)) + packer.flush()
            text = b"x" * (stored - 5)
            member = _header(0, 0) + body + struct.pack("<II", zlib.crc32(text), len(text))
            data = member + _member(head, b"y" * 1_000)
            path.write_bytes(data)
            with path.open("rb") as file:
                for pieces in (
                    stream_members(file.fileno(), len(data)),
                    stream_blocks(file.fileno(), len(data), threads=1, strict=False),
                ):
                    read = list(pieces)
                    assert not [piece.damages for piece in read if piece.damages]
                    assert b"".join(piece.data for piece in read) == text + b"y" * 1_000


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("pack", [lambda text: gzip.compress(text, 6), bgzf])
@pytest.mark.parametrize("count", [64, 1_000, 100_000, 3_000_000])
def test_quick_and_deep_agree_about_zero_bytes(
    tmp_path: Path, pack: Callable[[bytes], bytes], count: int
) -> None:
    """Padding is none of the data; zero bytes in place of data are a damage."""
    data = pack(LARGE)
    path = tmp_path / "a.fastq.gz"
    path.write_bytes(data + bytes(count))
    for deep in (False, True):
        found = check_files([path], deep=deep)
        assert found.ok, found.errors
        assert {f.code for f in found.warnings} == {"gzip.padding"}
    for cut in (1, 9, 100, len(data) // 10):
        path.write_bytes(data[:-cut] + bytes(count + cut))
        quick, deep_found = check_files([path]), check_files([path], deep=True)
        # A cut that takes off zero bytes alone, or an EOF block, is none.
        whole = not data[-cut:].strip(b"\0") or EOF_BLOCK.endswith(data[-cut:])
        assert deep_found.ok is whole
        assert quick.ok is whole or {f.code for f in quick.warnings} == {"gzip.padding"}


@pytest.mark.usefixtures("as_if_large")
@pytest.mark.parametrize("pack", [lambda text: gzip.compress(text, 6), bgzf])
def test_what_follows_the_data_and_is_no_gzip_is_an_error(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """`gzip -t` exits with 2, and htslib and Python stop there: who reads on may lose reads."""
    path = tmp_path / "a.fastq.gz"
    another = bytes(512) + pack(TEXT)
    for rest in (b"x", b"some text\n", bytes(600) + b"x", another):
        path.write_bytes(pack(LARGE) + rest)
        assert {f.code for f in check_files([path], deep=True).errors} == {"compression.trailing"}
        quick = {f.code for f in check_files([path]).findings}
        # A member at the end is taken for the last of several.
        assert quick & {"compression.trailing", "gzip.unknown"} or rest is another
