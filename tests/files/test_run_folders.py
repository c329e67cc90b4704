from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import bgzf
from tests.support import samples
from turboupload.core.sheet.model import SheetDefaults
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.sheet.writing import write_sheet
from turboupload.errors import InputError
from turboupload.files.run_folders import propose_sheet

FASTQ = gzip.compress(b"@a\nA\n+\n#\n")


def bam(path: Path, header: str) -> None:
    text = header.encode()
    path.write_bytes(
        bgzf(b"BAM\1" + len(text).to_bytes(4, "little") + text + (0).to_bytes(4, "little"))
    )


def rows(
    folder: Path, *, recursive: bool = False
) -> list[tuple[str | None, str | None, tuple[str, ...]]]:
    return [
        (
            row.sample_id,
            row.name,
            tuple(os.path.relpath(source, folder) for source in row.paths),
        )
        for row in propose_sheet(str(folder), recursive=recursive).rows
    ]


def test_pairs_and_lanes_of_illumina(tmp_path: Path) -> None:
    for name in (
        "A_S1_L001_R1_001", "A_S1_L001_R2_001", "A_S1_L002_R1_001", "A_S1_L002_R2_001",
        "A_S1_L001_I1_001", "B-2_S2_R1_001", "B-2_S2_R2_001", "Undetermined_S0_L001_R1_001",
        "A_S1_L001_R3_001",
    ):  # fmt: skip
        (tmp_path / f"{name}.fastq.gz").write_bytes(FASTQ)
    assert rows(tmp_path) == [
        ("A", "A_S1_L001", ("A_S1_L001_R1_001.fastq.gz", "A_S1_L001_R2_001.fastq.gz")),
        ("A", "A_S1_L002", ("A_S1_L002_R1_001.fastq.gz", "A_S1_L002_R2_001.fastq.gz")),
        ("B-2", "B-2_S2", ("B-2_S2_R1_001.fastq.gz", "B-2_S2_R2_001.fastq.gz")),
    ]
    told = [str(each) for each in propose_sheet(str(tmp_path)).findings]
    assert told == [
        "left out, index reads (I1, I2): A_S1_L001_I1_001.fastq.gz",
        "left out, reads beyond R2: A_S1_L001_R3_001.fastq.gz",
        "left out, reads of no sample (Undetermined): Undetermined_S0_L001_R1_001.fastq.gz",
        "the subject of each row is its sample",
        "sample 'A' in several rows: each row becomes a read set with a name of its own",
    ]


def test_other_names_and_what_is_left_out(tmp_path: Path) -> None:
    for name in ("C_L001_1.fq.gz", "C_L001_2.fq.gz", "D_R2.fastq.gz", "E_2.fq.gz", "F_1.fq.gz"):
        (tmp_path / name).write_bytes(FASTQ)
    (tmp_path / "G.fastq").write_text("@a")
    (tmp_path / "empty.fq.gz").touch()
    (tmp_path / ".hidden.fq.gz").write_bytes(FASTQ)
    (tmp_path / "gone.fq.gz").symlink_to("nowhere")
    (tmp_path / "README").touch()
    (tmp_path / "text.bam").write_text("no BAM")
    (tmp_path / "README.md").write_text("x")
    assert rows(tmp_path) == [
        ("C", "C_L001", ("C_L001_1.fq.gz", "C_L001_2.fq.gz")),
        ("E_2", "E_2", ("E_2.fq.gz",)),
        ("F_1", "F_1", ("F_1.fq.gz",)),
    ]
    told = [f"{e.severity}: {e}" for e in propose_sheet(str(tmp_path)).findings]
    assert f"warning: {tmp_path}/E_2.fq.gz looks like an R2, and its R1 is not here" in told
    assert f"warning: {tmp_path}/F_1.fq.gz looks like an R1, and its R2 is not here" in told
    assert "warning: left out, R2 without an R1: D_R2.fastq.gz" in told
    assert "warning: left out, not gzipped, as HealthOmics wants FASTQ: G.fastq" in told
    assert "warning: left out, no files that can be read: gone.fq.gz" in told
    assert "note: left out, of no type that can be uploaded: README.md" in told
    assert any("text.bam is text" in each and each.endswith("left out") for each in told)
    assert any(each.startswith("warning: left out, empty: 2 files, such as ") for each in told)


def test_samples_of_headers(tmp_path: Path) -> None:
    bam(tmp_path / "one.bam", "@SQ\tSN:1\tLN:9\n@RG\tID:a\tSM:HG002\n@RG\tID:b\tSM:HG002\n")
    bam(tmp_path / "two.bam", "@SQ\tSN:1\tLN:9\n@RG\tID:a\tSM:X\n@RG\tID:b\tSM:Y\n")
    bam(tmp_path / "none.bam", "@HD\tVN:1.6\n")
    (tmp_path / "cut.bam").write_bytes((tmp_path / "one.bam").read_bytes()[:60])
    samples.cram(tmp_path / "z.cram")
    found = {Path(row.paths[0]).name: row for row in propose_sheet(str(tmp_path)).rows}
    assert found["one.bam"].sample_id == "HG002"
    assert found["two.bam"].sample_id == "two"
    assert found["none.bam"].file_type == "UBAM"
    assert found["z.cram"].file_type == "CRAM"
    told = [str(each) for each in propose_sheet(str(tmp_path)).findings]
    assert any("two.bam holds several samples (X, Y)" in each for each in told)
    assert any("have no reference, and BAM and CRAM need one" in each for each in told)


def test_folders_in_it(tmp_path: Path) -> None:
    for name in ("run1", "run2", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "A.fq.gz").write_bytes(FASTQ)
    (tmp_path / "run1" / "round").symlink_to(tmp_path)
    with pytest.raises(InputError, match="no sequencing files") as caught:
        propose_sheet(str(tmp_path))
    assert caught.value.hint == "add --recursive to look into its folders"
    assert rows(tmp_path, recursive=True) == [
        ("A", "A", ("run1/A.fq.gz",)),
        ("A", "A_run2", ("run2/A.fq.gz",)),
    ]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be looked through"):
        propose_sheet(str(tmp_path / "none"))


def test_defaults_and_the_way_back(tmp_path: Path) -> None:
    samples.bam(tmp_path / "a.bam")
    (tmp_path / "b.fq.gz").write_bytes(FASTQ)
    defaults = SheetDefaults(
        sample_id="s", subject_id="p", reference_arn="arn:aws:omics:r", tags={"k": "v"}
    )
    sheet = propose_sheet(str(tmp_path), defaults=defaults)
    assert [row.reference_arn for row in sheet.rows] == ["arn:aws:omics:r", None]
    again = parse_sheet(write_sheet(sheet.rows, "csv"))
    assert again.rows == sheet.rows
    assert again.findings == ()


def test_lanes_are_merged_where_that_is_asked_for(tmp_path: Path) -> None:
    for name in (
        "A_S1_L001_R1_001", "A_S1_L001_R2_001", "A_S1_L002_R1_001", "A_S1_L002_R2_001",
        "B_S2_L001_R1_001", "B_S2_L002_R1_001", "B_S2_L002_R2_001",
    ):  # fmt: skip
        (tmp_path / f"{name}.fastq.gz").write_bytes(FASTQ)
    sheet = propose_sheet(str(tmp_path), defaults=SheetDefaults(merge=True))
    assert [(row.name, row.sources) for row in sheet.rows] == [
        (
            "A_S1",
            tuple(
                tuple(f"{tmp_path}/A_S1_L00{lane}_R{mate}_001.fastq.gz" for lane in (1, 2))
                for mate in (1, 2)
            ),
        ),
        # A lane whose R2 is missing makes no pair; its person decides.
        ("B_S2_L001", (f"{tmp_path}/B_S2_L001_R1_001.fastq.gz",)),
        (
            "B_S2_L002",
            tuple(f"{tmp_path}/B_S2_L002_R{mate}_001.fastq.gz" for mate in (1, 2)),
        ),
    ]
    assert sheet.errors == ()
    told = [str(each) for each in sheet.findings]
    assert "2 rows were merged into 1, with their files in this order" in told
    assert any("can't be merged with" in each for each in told)
    assert parse_sheet(write_sheet(sheet.rows, "csv")).rows == sheet.rows
