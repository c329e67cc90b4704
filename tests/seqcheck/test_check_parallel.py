"""A deep check that is shared out to processes finds what one alone finds."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gzip
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.seqcheck.preflight_samples import (
    bgzf,
    block_edges,
    codes,
    fastq_text,
    write,
)
from tests.support import samples
from turboupload.runtime.processors import processors
from turboupload.seqcheck import inflate
from turboupload.seqcheck.bam import BamRecords
from turboupload.seqcheck.checks import Findings, alignments, check_files, fastqfile
from turboupload.seqcheck.fastq import FastqRecords
from turboupload.seqcheck.parallel import pool, ranges
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.seqcheck.parallel.worker import Worker

SEED = 20_252


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every file large enough to be shared out, in ranges or texts of a few blocks."""
    monkeypatch.setattr(fastqfile, "SHARED_FROM_BYTES", 0)
    monkeypatch.setattr(alignments, "SHARED_FROM_BYTES", 0)
    monkeypatch.setattr(pool, "_RANGE_BYTES", 40_000)
    monkeypatch.setattr(pool, "BUFFER_BYTES", 50_000)
    monkeypatch.setattr(inflate, "_PIECE_BYTES", 17_000)
    monkeypatch.setattr(fastqfile, "processors", lambda: 2)
    monkeypatch.setattr(alignments, "processors", lambda: 2)


@pytest.fixture(scope="module")
def text() -> bytes:
    return fastq_text(4_000)


@pytest.fixture(scope="module")
def bam(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return samples.bam(tmp_path_factory.mktemp("bam") / "a.bam", reads=10_000).path.read_bytes()


def plain(data: bytes) -> bytes:
    """The text as one gzip member, as most tools write it."""
    return gzip.compress(data, 1, mtime=0)


def told(found: Findings) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "sample": found.sample,
        "files": [each.as_dict() for each in found.files],
        "pairs": [each.as_dict() for each in found.pairs],
        "findings": [each.as_dict() for each in found.findings],
        "facts": [dataclasses.asdict(each) for each in found.files],
    }


def both(path: str | Path, *more: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a check finds alone, and shared."""
    alone = pytest.MonkeyPatch()
    with alone.context() as patch:
        patch.setattr(fastqfile, "SHARED_FROM_BYTES", 1 << 60)
        patch.setattr(alignments, "SHARED_FROM_BYTES", 1 << 60)
        expected = told(check_files([path, *more], deep=True))
    return expected, told(check_files([path, *more], deep=True))


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("block", [700, 65_280, None])
def test_a_good_fastq(tmp_path: Path, text: bytes, block: int | None) -> None:
    data = plain(text) if block is None else bgzf(text, block=block)
    expected, found = both(write(tmp_path / "a", data))
    assert found == expected
    assert found["files"][0]["records"] == 4_000
    assert found["findings"] == []


@pytest.mark.usefixtures("shared")
def test_most_of_it_is_taken_from_other_processes(
    tmp_path: Path, text: bytes, bam: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    for kind in (FastqRecords, BamRecords):

        def count(self: Any, found: RangeResult, absorb: Any = kind.absorb) -> None:
            taken.append(found.records)
            absorb(self, found)

        monkeypatch.setattr(kind, "absorb", count)
    for data, least in ((bgzf(text, block=5_000), 1_500), (plain(text), 1_500), (bam, 5_000)):
        taken.clear()
        assert check_files([write(tmp_path / "a", data)], deep=True).ok
        assert sum(taken) >= least


@pytest.mark.usefixtures("shared")
def test_a_good_bam(tmp_path: Path, bam: bytes) -> None:
    expected, found = both(write(tmp_path / "a", bam))
    assert found == expected
    assert found["files"][0]["records"] == 10_000


@pytest.mark.usefixtures("shared")
def test_records_that_cross_blocks(tmp_path: Path, bam: bytes) -> None:
    """As Picard writes them; htslib starts a block with a record."""
    data = bgzf(gzip.decompress(bam), block=9_999)
    expected, found = both(write(tmp_path / "a", data))
    assert found == expected
    assert found["files"][0]["records"] == 10_000


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("kind", ["fastq", "bam", "plain", "members"])
def test_damaged_at_random(tmp_path: Path, text: bytes, bam: bytes, kind: str) -> None:
    blocks = bgzf(text)
    data = {"fastq": blocks, "bam": bam, "plain": plain(text), "members": plain(b"") + blocks}[kind]
    edges = block_edges(blocks) if data is not bam else block_edges(bam)
    rng = random.Random(SEED)
    for _ in range(8):
        bad = bytearray(data)
        match rng.randrange(3):
            case 0:
                bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
            case 1:
                del bad[rng.choice(edges[1:-1]) :]
            case _:
                del bad[rng.randrange(1, len(bad)) :]
        expected, found = both(write(tmp_path / "a", bytes(bad)))
        assert found == expected


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    "wrong",
    [b"@r\nACGT\n+\nFFF\n", b"@r\nACGT\nFFFF\n", b"FFFF\n", b"@\xff\nA\n+\n", b"@r\0"],
)
def test_malformed_at_random_places(tmp_path: Path, text: bytes, wrong: bytes) -> None:
    rng = random.Random(SEED)
    starts = [0, *(text.index(b"\n@RUN", rng.randrange(len(text) - 999)) + 1 for _ in range(2))]
    for at in starts:
        bad = text[:at] + wrong + text[at:]
        for data in (bgzf(bad, block=9_000), plain(bad)):
            expected, found = both(write(tmp_path / "a", data))
            assert found == expected
            assert not found["ok"]


@pytest.mark.usefixtures("shared")
def test_qualities_that_look_like_names(tmp_path: Path) -> None:
    """Any line of these may be taken for a record's first; the true phase decides."""
    text = b"".join(b"@%d\n@@@@@@\n+\n@@@@@@\n" % n for n in range(20_000))
    text = text.replace(b"\n@@@@@@\n+", b"\nACGTAC\n+")
    for data in (bgzf(text, block=3_000), plain(text)):
        expected, found = both(write(tmp_path / "a", data))
        assert found == expected
        assert found["files"][0]["records"] == 20_000


@pytest.mark.usefixtures("shared")
def test_windows_line_ends_and_mixed_members(tmp_path: Path, text: bytes) -> None:
    half = text.index(b"@RUN:1:1104")
    for data in (
        bgzf(text.replace(b"\n", b"\r\n")),
        plain(text.replace(b"\n", b"\r\n")),
        plain(text[:half]) + plain(text[half:]),
        plain(text) + bytes(300),
        bgzf(text[:half]) + gzip.compress(text[half:], 1),
        gzip.compress(text[:half], 1) + bgzf(text[half:]),
        bgzf(text[:half]) + bgzf(text[half:]),
    ):
        expected, found = both(write(tmp_path / "a", data))
        assert found == expected
        assert found["files"][0]["records"] == 4_000


@pytest.mark.usefixtures("shared")
def test_gzip_after_a_few_blocks(tmp_path: Path, text: bytes) -> None:
    """The first names, which are read here, end within the gzip member."""
    few = text.index(b"@RUN:1:1101:100 ")
    expected, found = both(write(tmp_path / "a", bgzf(text[:few]) + plain(text[few:])))
    assert found == expected
    assert found["files"][0]["records"] == 4_000


def test_an_interrupt_while_processes_are_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = Worker.start, list[Worker]()

    def interrupted(descriptor: int) -> Worker:
        if started:
            raise KeyboardInterrupt
        started.append(start(descriptor))
        return started[0]

    monkeypatch.setattr(Worker, "start", interrupted)
    with Path(write(tmp_path / "a", bgzf(b"x"))).open("rb") as file:
        ranges_of = pool.check_ranges(file.fileno(), 1, 0, workers=2, sequences=None, names=False)
        with pytest.raises(KeyboardInterrupt):
            next(ranges_of)
    left = _workers_of(os.getpid())
    started[0].end()
    assert left == []


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("packed", [lambda text: bgzf(text, block=7_000), plain])
def test_pairs_are_compared_everywhere(
    tmp_path: Path, text: bytes, packed: Callable[[bytes], bytes]
) -> None:
    first = write(tmp_path / "a_1.fq.gz", packed(text))
    mate = fastq_text(4_000, mate=2)
    good = write(tmp_path / "a_2.fq.gz", bgzf(mate))
    found = check_files([first, good], deep=True)
    assert found.findings == ()
    assert found.pairs[0].agreed_at == ("everywhere",)
    other = mate.replace(b":2777 ", b":2778 ")
    assert codes(check_files([first, write(tmp_path / "b_2.gz", bgzf(other))], deep=True)) == {
        "pair.names"
    }
    short = mate[: mate.index(b"@RUN:1:1108:3700 ")]
    assert codes(check_files([first, write(tmp_path / "c_2.gz", bgzf(short))], deep=True)) == {
        "pair.counts"
    }


def test_ranges_stay_small_however_well_they_compress(tmp_path: Path) -> None:
    data = bgzf((b"@r\n" + b"A" * 996 + b"\n+\n" + b"F" * 996 + b"\n") * 10_000)
    path = write(tmp_path / "a", data)
    with Path(path).open("rb") as file:
        found = list(
            pool.check_ranges(file.fileno(), len(data), 0, workers=1, sequences=None, names=False)
        )
    assert sum(each.length for each, _ in found) == len(data)
    results = [result for _, result in found]
    assert all(result is not None and result.bases < 5 << 20 for result in results)
    assert len(results) >= 3


@pytest.mark.usefixtures("shared")
def test_where_no_process_can_be_started(
    tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    for data in (bgzf(text), plain(text)):
        path = write(tmp_path / "a", data)
        found = check_files([path], deep=True)
        assert found.ok
        assert found.files[0].records == 4_000


@pytest.mark.usefixtures("shared")
def test_where_memory_is_shared_as_a_file(
    tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on systems without memfd."""
    monkeypatch.delattr(os, "memfd_create")
    expected, found = both(write(tmp_path / "a", plain(text)))
    assert found == expected


@pytest.mark.usefixtures("shared")
def test_where_there_is_no_room_for_shared_memory(
    tmp_path: Path, text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "memfd_create", fail)
    expected, found = both(write(tmp_path / "a", plain(text)))
    assert found == expected
    assert found["ok"]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("packed", [lambda text: bgzf(text, block=3_000), plain])
def test_a_process_that_dies_is_replaced_by_us(
    tmp_path: Path,
    text: bytes,
    monkeypatch: pytest.MonkeyPatch,
    packed: Callable[[bytes], bytes],
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **more: Any) -> Any:
        started.append(popen(*arguments, **more))
        if len(started) == 2:
            started[1].kill()
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(fastqfile, "processors", lambda: 3)
    found = check_files([write(tmp_path / "a", packed(text))], deep=True, threads=3)
    assert len(started) >= 2
    assert found.ok, found.findings
    assert found.files[0].records == 4_000
    assert all(process.returncode is not None for process in started)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("packed", [lambda text: bgzf(text, block=5_000), plain])
def test_a_callback_that_raises_ends_the_processes(
    tmp_path: Path, text: bytes, packed: Callable[[bytes], bytes]
) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise RuntimeError("enough")

    path = write(tmp_path / "a", packed(text))
    with pytest.raises(RuntimeError, match="enough"):
        check_files([path, path], deep=True, progress=stop)
    assert _workers_of(os.getpid()) == []


def _workers_of(pid: int) -> list[int]:
    """The processes that check ranges for the process `pid`."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(each) for each in children.read_text().split()]
    return [each for each in found if b"parallel.worker" in _command(each)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(processors() < 2, reason="one processor shares nothing out")
@pytest.mark.parametrize("packed", [lambda text: bgzf(text, eof=False), plain])
def test_an_interrupt_ends_a_long_check_at_once(
    tmp_path: Path, text: bytes, packed: Callable[[bytes], bytes]
) -> None:
    block = packed(text)
    path = tmp_path / "large.fastq.gz"
    with path.open("wb") as file:
        while file.tell() < 150 * 1024 * 1024:
            file.write(block * 20)
    with subprocess.Popen(
        [sys.executable, "-m", "turboupload", "check", "--deep", "--json", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        end = time.monotonic() + 30
        while not (workers_of := _workers_of(process.pid)):
            assert time.monotonic() < end
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - began
    assert process.returncode == 130
    assert '"outcome": "interrupted"' in out.splitlines()[-1]
    assert "Traceback" not in err
    assert took < 5.0
    assert not any(_command(pid) for pid in workers_of)


@pytest.mark.parametrize("sequences", [None, 1])
def test_a_range_of_anything_gives_no_result_or_a_true_one(
    tmp_path: Path, sequences: int | None
) -> None:
    rng = random.Random(SEED)
    for size in (0, 1, 20, 40, 5_000):
        data = bgzf(rng.randbytes(size), eof=False)
        path = write(tmp_path / "a", data)
        with Path(path).open("rb") as file:
            found = ranges.check_range(file.fileno(), 0, len(data), sequences=sequences, names=True)
        assert found is None


@pytest.mark.usefixtures("shared")
def test_zeros_between_records_where_a_range_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inflate, "_GROUP_BLOCKS", 1)
    monkeypatch.setattr(pool, "_RANGE_BYTES", 1)

    def record(number: int) -> bytes:
        name = b"r%d\0" % number
        fixed = struct.pack("<iiBBHHHiiii", 0, number, len(name), 60, 4680, 0, 0, 50, -1, -1, 0)
        body = fixed + name + bytes(75)
        return struct.pack("<i", len(body)) + body

    text = b"@SQ\tSN:a\tLN:1000000\n"
    header = b"BAM\1" + struct.pack("<i", len(text)) + text + struct.pack("<ii", 1, 2) + b"a\0"
    first = header + struct.pack("<i", 1_000_000) + b"".join(map(record, range(200)))
    second = first[-60:] + bytes(4) + b"".join(map(record, range(200)))
    data = bgzf(first[:-60], eof=False) + bgzf(second)
    expected, found = both(write(tmp_path / "a.bam", data))
    assert found == expected
    assert "bam.records" in {finding["code"] for finding in found["findings"]}


@pytest.mark.usefixtures("shared")
def test_reads_too_long_to_be_made_out_are_read_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once ranges come to nothing, no more of them are given to other processes."""
    monkeypatch.setattr(pool, "check_ranges", counted := Counted(pool.check_ranges))
    # The first thousand names are read here in any case.
    data = bgzf(fastq_text(1_200) + fastq_text(6, length=1_500_000))
    found = check_files([write(tmp_path / "a", data)], deep=True)
    assert found.files[0].records == 1_206
    assert 4 <= counted.taken < len(data) // 40_000 // 2


class Counted:
    """`check_ranges`, and how many of its results were taken."""

    def __init__(self, check: Callable[..., Generator[Any, None, None]]) -> None:
        self._check = check
        self.taken = 0

    def __call__(self, *arguments: Any, **options: Any) -> Generator[Any, None, None]:
        for each in self._check(*arguments, **options):
            self.taken += 1
            yield each
