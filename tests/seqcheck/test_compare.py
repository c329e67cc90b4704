from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from tests.seqcheck import compare
from tests.seqcheck.compare import Row
from tests.seqcheck.preflight_samples import bgzf, fastq_text, write
from tests.support import samples

TEXT = fastq_text(40)


def test_a_folder_of_good_and_of_damaged_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "good.fastq.gz", gzip.compress(TEXT))
    write(tmp_path / "blocks.fastq.gz", bgzf(TEXT))
    write(tmp_path / "cut.fastq.gz", gzip.compress(TEXT)[:-9])
    write(tmp_path / "notes.txt", b"some words\n")
    samples.cram(tmp_path / "a.cram")
    bam = samples.bam(tmp_path / "a.bam").path
    write(tmp_path / "cut.bam", bam.read_bytes()[:-1_000])
    monkeypatch.setattr(sys, "argv", ["compare", str(tmp_path)])
    assert compare.main() == 0
    told = capsys.readouterr().out.splitlines()
    said = {Path(line.split()[-1]).name: line.split()[:4] for line in told[1:-1]}
    assert said["good.fastq.gz"] == said["blocks.fastq.gz"] == said["a.bam"] == ["ok"] * 4
    assert said["cut.fastq.gz"] == ["refused", "refused", "damaged", "damaged"]
    assert said["cut.bam"] == ["refused", "refused", "damaged", "damaged"]
    assert said["a.cram"] == ["ok", "ok", "ok", "-"]
    assert said["notes.txt"] == ["other", "other", "-", "-"]
    assert told[-1].endswith(", 0 disagreements")


@pytest.mark.parametrize(
    ("quick", "deep", "readers", "disagree"),
    [
        ((), (), {"gzip": None, "htslib": None}, False),
        (("fastq.form",), ("fastq.form",), {"gzip": None, "htslib": None}, True),
        (("fastq.cut",), ("fastq.cut",), {"gzip": None, "htslib": "truncated"}, False),
        ((), ("compression.block",), {"gzip": None, "htslib": None}, True),
        (("file.zeros",), (), {"gzip": None, "htslib": None}, True),
        ((), (), {"gzip": "crc error", "htslib": None}, True),
        (("service.size",), ("service.size",), {"htslib": None}, False),
        (("type.rejected",), ("type.rejected",), {}, False),
    ],
)
def test_where_they_disagree(
    quick: tuple[str, ...], deep: tuple[str, ...], readers: dict[str, str | None], disagree: bool
) -> None:
    row = Row(Path("a"), "FASTQ", quick, deep, readers)
    assert (row.disagreement is not None) is disagree
