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
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import SAMTOOLS, codes, needs_samtools, write
from tests.support import samples
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


@needs_pysam
def test_where_samtools_cannot_be_started_the_rest_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = samples.cram(tmp_path / "a.cram").path

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    found = check_files([path], deep=True)
    assert found.ok
    assert found.files[0].records == 500
    told = {finding.code: finding.advice for finding in found.findings}
    assert told["cram.undecoded"] == "samtools can't be started: No space left on device"


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
