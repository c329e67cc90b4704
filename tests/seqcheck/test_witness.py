"""A deep check decodes a CRAM's records, where htslib is at hand."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import random
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import SAMTOOLS, bgzf, codes, needs_samtools, write
from tests.support import samples
from turboupload.seqcheck import sam_text
from turboupload.seqcheck.checks import check_files

SEED = 21_001
needs_pysam = pytest.mark.skipif(
    importlib.util.find_spec("pysam") is None, reason="pysam is not installed (extra: preflight)"
)


@pytest.fixture
def old_cram(tmp_path: Path) -> bytes:
    """A CRAM 2.1, which has no checksums, and whose reference is gone."""
    made = samples.cram(tmp_path / "a.cram", reads=2_000).path
    reference = tmp_path / "a.fa"
    target = tmp_path / "old.cram"
    options = ["-T", str(reference), "-O", "cram,version=2.1", "-o", str(target)]
    command = [SAMTOOLS, "view", *options, str(made)]
    subprocess.run(command, check=True, capture_output=True)
    reference.unlink()
    return target.read_bytes()


def flipped(data: bytes, rng: random.Random) -> bytes:
    bad = bytearray(data)
    bad[rng.randrange(len(data) // 4, len(data) - 100)] ^= 1 << rng.randrange(8)
    return bytes(bad)


@needs_samtools
@needs_pysam
def test_damage_that_no_checksum_shows(tmp_path: Path, old_cram: bytes) -> None:
    good = check_files([write(tmp_path / "good", old_cram)], deep=True)
    assert good.ok
    assert "cram.undecoded" not in {finding.code for finding in good.findings}
    rng = random.Random(SEED)
    found = [
        codes(check_files([write(tmp_path / "bad", flipped(old_cram, rng))], deep=True))
        for _ in range(12)
    ]
    assert sum(bool(each & {"cram.records", "cram.block"}) for each in found) >= 4


@needs_samtools
def test_without_htslib_it_is_said(
    tmp_path: Path, old_cram: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = check_files([write(tmp_path / "a", old_cram)], deep=True)
    assert found.ok
    assert "cram.undecoded" in {finding.code for finding in found.findings}
    assert check_files([tmp_path / "a"]).ok


def _killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sam_text, "_VIEW", "import os; os.kill(os.getpid(), 9)")


def _broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pysam.py").write_text("raise ImportError('libcurl.so.4: cannot open')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def _full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)


@needs_pysam
@pytest.mark.parametrize(
    ("fail", "why"),
    [
        (_killed, "samtools was ended by SIGKILL, perhaps for lack of memory"),
        (_broken, "pysam can't be loaded: libcurl.so.4: cannot open"),
        (_full, "samtools can't be started: No space left on device"),
    ],
)
def test_where_samtools_itself_fails_no_file_is_called_damaged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fail: Callable[[pytest.MonkeyPatch, Path], None],
    why: str,
) -> None:
    cram = samples.cram(tmp_path / "a.cram").path
    text = b"@HD\tVN:1.6\n@SQ\tSN:a\n"
    odd = bgzf(b"BAM\1" + len(text).to_bytes(4, "little") + text + bytes(4))
    bam = write(tmp_path / "odd.bam", odd)
    fail(monkeypatch, tmp_path)
    found = check_files([cram], deep=True)
    assert found.ok, found.errors
    assert found.files[0].records == 500
    assert {each.code: each.advice for each in found.findings}["cram.undecoded"] == why
    for deep in (False, True):
        found = check_files([bam], deep=deep)
        assert found.ok, found.errors
        assert "header.line" in {each.code for each in found.warnings}


@needs_pysam
def test_a_callback_that_raises_ends_the_decoding(tmp_path: Path) -> None:
    path = samples.cram(tmp_path / "a.cram", reads=2_000).path

    def stop(done: int, total: int) -> None:
        raise RuntimeError("enough")

    before = threading.active_count()
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RuntimeError, match="enough"):
        check_files([path], deep=True, progress=stop)
    assert threading.active_count() == before
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files
    commands: list[bytes] = []
    for each in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in each.read_text().split():
                commands.append(Path(f"/proc/{pid}/cmdline").read_bytes())
    assert not any(b"pysam" in command for command in commands)
