from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.seqcheck.preflight_samples import bgzf
from tests.support import run_folders, samples
from turboupload.core.folders.naming import NamePattern
from turboupload.core.model import paths_of
from turboupload.core.sheet.model import SheetDefaults
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.sheet.writing import write_sheet
from turboupload.errors import InputError
from turboupload.files.run_folders import propose_sheet
from turboupload.files.sheets import read_sheet

FASTQ = gzip.compress(b"@a\nA\n+\n#\n")


def bam(path: Path, header: str) -> None:
    text = header.encode()
    path.write_bytes(
        bgzf(b"BAM\1" + len(text).to_bytes(4, "little") + text + (0).to_bytes(4, "little"))
    )


def mates(pattern: str) -> tuple[str, str]:
    return pattern.format(1), pattern.format(2)


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
    ):  # fmt: skip
        (tmp_path / f"{name}.fastq.gz").write_bytes(FASTQ)
    assert rows(tmp_path) == [
        ("A", "A_S1_L001", ("A_S1_L001_R1_001.fastq.gz", "A_S1_L001_R2_001.fastq.gz")),
        ("A", "A_S1_L002", ("A_S1_L002_R1_001.fastq.gz", "A_S1_L002_R2_001.fastq.gz")),
        ("B-2", "B-2_S2", ("B-2_S2_R1_001.fastq.gz", "B-2_S2_R2_001.fastq.gz")),
    ]
    told = [str(each) for each in propose_sheet(str(tmp_path)).findings]
    assert told == [
        "left out, index reads (I1, I2) and UMIs: A_S1_L001_I1_001.fastq.gz",
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
    assert any(each.startswith("note: left out, of no type that can be up") for each in told)
    assert any("text.bam is text" in each and each.endswith("left out") for each in told)
    assert "warning: left out, empty: empty.fq.gz" in told


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
    assert any("no reference, and BAM and CRAM need one" in each for each in told)


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
    (tmp_path / "run42").mkdir()
    with pytest.raises(InputError, match="no such folder") as caught:
        propose_sheet(str(tmp_path / "run_42"))
    assert caught.value.hint == f"check the path: did you mean {tmp_path / 'run42'}?"


@pytest.mark.parametrize("recursive", [True, False])
def test_no_folders_in_it(tmp_path: Path, recursive: bool) -> None:
    with pytest.raises(InputError, match="no sequencing files") as caught:
        propose_sheet(str(tmp_path), recursive=recursive)
    assert caught.value.hint is None


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


Row = tuple[str | None, str | None, tuple[str, ...]]

ILLUMINA = "Illumina run 230801_A00123_0045_AHGV7DSX7, flow cell HGV7DSX7"
BY_READ = "Illumina run A00123:45, flow cell HGV7DSX7"
ONT = "Oxford Nanopore run 20250603_1201_3E_PAA12345_e05460c6, flow cell PAA12345"
PASS = "fastq_pass/barcode0{0}/PAA12345_pass_barcode0{0}_e05460c6_d11637af_{1}.fastq.gz"
CALLS = "Data/Intensities/BaseCalls/{}_L001_R{{}}_001.fastq.gz"
MOVIE = run_folders.MOVIE

UNDERSTOOD: dict[Callable[[Path], Path], tuple[list[Row], str | None, dict[str, int]]] = {
    run_folders.bcl_convert: (
        [
            ("A_1", "A-1_S1_L001_HGV7DSX7", mates("A-1_S1_L001_R{}_001.fastq.gz")),
            ("A_1", "A-1_S1_L002_HGV7DSX7", mates("A-1_S1_L002_R{}_001.fastq.gz")),
            ("B", "B_S2_L001_HGV7DSX7", mates("B_S2_L001_R{}_001.fastq.gz")),
        ],
        ILLUMINA,
        {"index-reads": 3, "undetermined": 3, "checksums": 1, "other": 4},
    ),
    run_folders.bcl2fastq: (
        [
            ("P_002", "kidney_S2_L001_HGV7DSX7", mates(CALLS.format("kidney_S2"))),
            ("P_001", "liver_S1_L001_HGV7DSX7", mates(CALLS.format("liver_S1"))),
        ],
        ILLUMINA,
        {"bcl": 2, "other": 3},
    ),
    run_folders.dragen_ora: (
        [("B", "B_S2_L001_HGV7DSX7", mates("B_S2_L001_R{}_001.fastq.gz"))],
        ILLUMINA,
        {"ora": 2, "other": 1},
    ),
    run_folders.three_reads: (
        [("B", "B_S2_L001_HGV7DSX7", mates("B_S2_L001_R{}_001.fastq.gz"))],
        BY_READ,
        {"three-reads": 3, "index-reads": 1},
    ),
    run_folders.tenx: (
        [
            (
                "gex1",
                "gex1_S1_L001_HFLC5BBXX",
                mates("fastq_path/HFLC5BBXX/gex1/gex1_S1_L001_R{}_001.fastq.gz"),
            )
        ],
        "Illumina run A00123:45, flow cell HFLC5BBXX",
        {"three-reads": 3, "index-reads": 3},
    ),
    run_folders.minknow: (
        [
            *[("HG002", f"HG002_PAA12345_e05460c6_{n}", (PASS.format(1, n),)) for n in range(3)],
            ("HG003", "HG003_PAA12345_e05460c6_0", (PASS.format(2, 0),)),
            (None, "barcode03_PAA12345_e05460c6_0", (PASS.format(3, 0),)),
        ],
        ONT,
        {"unclassified": 1, "failed-reads": 6, "signal": 1, "checksums": 1, "other": 2},
    ),
    run_folders.minknow_bam: (
        [
            (
                "HG005",
                f"HG005_PAA99999_0a1b2c3d_{n}",
                (f"bam_pass/PAA99999_pass_0a1b2c3d_4e5f6a7b_{n}.bam",),
            )
            for n in range(2)
        ],
        "Oxford Nanopore run 20250603_1201_3E_PAA99999_0a1b2c3d, flow cell PAA99999",
        {"signal": 1, "index": 2, "other": 1},
    ),
    run_folders.dorado: (
        [
            ("HG002", "HG002_0a1b2c3d", ("SQK-NBD114-24_barcode01.bam",)),
            (None, "barcode02_0a1b2c3d", ("SQK-NBD114-24_barcode02.bam",)),
        ],
        "Oxford Nanopore run 0a1b2c3d",
        {"unclassified": 1},
    ),
    run_folders.revio: (
        [
            (
                sample,
                f"{sample}_{barcode}_{MOVIE}",
                (f"1_A01/hifi_reads/{MOVIE}.hifi_reads.{barcode}.bam",),
            )
            for sample, barcode in (("HG002", "bc2001"), ("HG003", "bc2002"))
        ],
        f"PacBio run r84001_20220722_134701, movie {MOVIE}",
        {"unclassified": 1, "failed-reads": 3, "index": 6, "other": 2},
    ),
    run_folders.pacbio_without_sample: (
        [
            (
                None,
                "reads_m84001_230101_101010_s2",
                ("1_B01/hifi_reads/m84001_230101_101010_s2.hifi_reads.default.bam",),
            )
        ],
        "PacBio run r84001_20230101_101010, movie m84001_230101_101010_s2",
        {},
    ),
    run_folders.plain: (
        [
            ("mates", "mates", mates("mates_{}.fq.gz")),
            *[(f"x_rep_{n}", f"x_rep_{n}", (f"x_rep_{n}.fq.gz",)) for n in (1, 2, 3)],
            *[(f"y_{n}", f"y_{n}", (f"y_{n}.fq.gz",)) for n in (1, 2, 3)],
            ("z", "z", mates("z_R{}.fastq.gz")),
        ],
        None,
        {"not-gzipped": 1, "no-first-read": 1, "not-utf8": 1, "index-reads": 1, "checksums": 1},
    ),
}


def test_every_kind_of_folder_is_in_the_table() -> None:
    assert set(UNDERSTOOD) == set(run_folders.KINDS)


@pytest.mark.parametrize("kind", run_folders.KINDS, ids=lambda kind: kind.__name__)
def test_what_is_found_in_a_run(kind: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = kind(tmp_path)
    expected, origin, left_out = UNDERSTOOD[kind]
    sheet = propose_sheet(str(folder))
    assert rows(folder) == expected
    assert {row.generated_from for row in sheet.rows} == {origin}
    assert {each.code: len(each.paths) for each in sheet.left_out} == left_out
    # Whatever is in a folder is in a row or among what was left out.
    told = {path for each in sheet.left_out for path in each.paths}
    told |= {path for row in sheet.rows for path in row.paths}
    cycles = [Path(each) for each in told if Path(each).is_dir()]
    assert not {
        str(each)
        for each in folder.rglob("*")
        if each.is_file() and str(each) not in told and not any(c in each.parents for c in cycles)
    }


def test_what_is_not_certain_is_asked(tmp_path: Path) -> None:
    def told(kind: Callable[[Path], Path]) -> list[str]:
        sheet = propose_sheet(str(kind(tmp_path)))
        return [f"{each}; {each.hint}" for each in sheet.findings if each.severity == "warning"]

    (asked,) = told(run_folders.three_reads)
    assert "R2 may be a UMI or a cell barcode and R3 the mate: 3 files" in asked
    assert "such as --mates R1,R3" in asked
    (asked,) = told(run_folders.minknow)
    assert "nothing says whose reads 1 row has, such as fastq_pass/barcode03/" in asked
    assert "--sample" in asked
    (ora,) = told(run_folders.dragen_ora)
    assert "compressed by DRAGEN ORA" in ora
    assert "`orad`" in ora
    counted, *_ = told(run_folders.plain)
    assert "y_1.fq.gz: these are taken for files of their own" in counted


@pytest.mark.parametrize(("given", "second"), [(("R1", "R3"), "R3"), (("R1", "R2"), "R2")])
def test_mates_that_are_named_are_a_pair(
    given: tuple[str, str], second: str, tmp_path: Path
) -> None:
    folder = run_folders.three_reads(tmp_path)
    sheet = propose_sheet(str(folder), mates=given)
    assert [Path(each).name for each in sheet.rows[0].paths] == [
        "A_S1_L001_R1_001.fastq.gz",
        f"A_S1_L001_{second}_001.fastq.gz",
    ]
    assert [each.code for each in sheet.left_out] == ["not-mates", "index-reads"]
    assert len(sheet.rows) == 2


def test_a_second_run_of_the_same_samples_has_other_names(tmp_path: Path) -> None:
    first = run_folders.bcl_convert(tmp_path / "one")
    second = run_folders.bcl_convert(tmp_path / "two")
    for info in second.rglob("RunInfo.xml"):
        info.write_text(info.read_text().replace("HGV7DSX7", "HGXXXDSX7"))
    names = [{row.name for row in propose_sheet(str(each)).rows} for each in (first, second)]
    assert names[0].isdisjoint(names[1])
    # A flow cell of Oxford Nanopore may be washed: its next run has another name all the same.
    again = run_folders.minknow(tmp_path / "ont").rename(
        tmp_path / "ont" / "Group" / "pool7" / "20250604_0900_3E_PAA12345_ffff0000"
    )
    for path in list(again.rglob("*e05460c6*")):
        path.rename(path.with_name(path.name.replace("e05460c6", "ffff0000")))
    washed = {row.name for row in propose_sheet(str(again)).rows}
    assert washed.isdisjoint({row[1] for row in UNDERSTOOD[run_folders.minknow][0]})


def test_names_by_a_pattern(tmp_path: Path) -> None:
    pattern = NamePattern.parse("{sample}-{lane}_{flowcell}")
    sheet = propose_sheet(
        str(run_folders.bcl_convert(tmp_path)), defaults=SheetDefaults(name_pattern=pattern)
    )
    assert [row.name for row in sheet.rows] == [
        "A_1-L001_HGV7DSX7", "A_1-L002_HGV7DSX7", "B-L001_HGV7DSX7",
    ]  # fmt: skip


def test_the_same_reads_in_two_forms(tmp_path: Path) -> None:
    run = run_folders.minknow(tmp_path)
    stem = "PAA12345_pass_barcode01_e05460c6_d11637af_0"
    run_folders.bam(run / "bam_pass" / "barcode01" / f"{stem}.bam")
    told = [str(each) for each in propose_sheet(str(run)).findings]
    assert any("the same reads as FASTQ and as BAM" in each for each in told)


def test_a_part_of_a_run_knows_its_run(tmp_path: Path) -> None:
    run = run_folders.minknow(tmp_path)
    (row, *_) = propose_sheet(str(run / "fastq_pass" / "barcode01")).rows
    assert (row.sample_id, row.generated_from) == ("HG002", ONT)
    calls = run_folders.bcl2fastq(tmp_path) / "Data" / "Intensities" / "BaseCalls"
    (row, *_) = propose_sheet(str(calls), recursive=True).rows
    assert (row.sample_id, row.generated_from) == ("P_002", ILLUMINA)


def test_a_list_of_fastqs_is_as_good_as_a_folder(tmp_path: Path) -> None:
    folder = run_folders.bcl_convert(tmp_path)
    path = folder / "Reports" / "fastq_list.csv"
    moved = propose_sheet(str(path))
    assert "6 files are not where the list says" in str(moved.findings[0])
    path.write_text(path.read_text().replace("/staging/out/", f"{folder}/"))
    found = propose_sheet(str(path))
    assert found.rows == propose_sheet(str(folder)).rows
    assert [str(each) for each in found.findings] == [
        "sample 'A_1' in several rows: each row becomes a read set with a name of its own",
        "rows of no sample (Undetermined) are left out: 1",
        "the subject of 3 rows is its sample",
    ]
    batch = read_sheet(path, SheetDefaults(subject_id="p"))
    assert [row.name for row in batch.rows] == [row.name for row in found.rows]
    assert not batch.errors


def test_documents_of_others_say_nothing(tmp_path: Path) -> None:
    """A sample sheet beyond the run, one in another encoding, and names of people's own."""
    folder = run_folders.bcl_convert(tmp_path / "runs")
    (tmp_path / "SampleSheet.csv").write_text("[Data]\nSample_ID,Sample_Name\nwrong,mates\nw,C\n")
    for path in folder.glob("Reports/*.csv"):
        path.unlink()
    run_folders.fastq(folder / "C_S3_L001_R1_001.fastq.gz")
    samples_found = {row.sample_id for row in propose_sheet(str(folder)).rows}
    assert samples_found == {"A-1", "B", "C"}
    plain = run_folders.plain(tmp_path)
    assert {row.sample_id for row in propose_sheet(str(plain)).rows} >= {"mates"}
    assert not any(row.sample_id == "wrong" for row in propose_sheet(str(plain)).rows)
    run = run_folders.minknow(tmp_path)
    (document,) = run.glob("sample_sheet_*.csv")
    document.write_bytes(document.read_bytes().replace(b"HG002", b"M\xfcller"))
    sheet = propose_sheet(str(run))
    assert {row.sample_id for row in sheet.rows} == {None}
    assert any(f"{document} is not UTF-8, and nothing" in str(each) for each in sheet.findings)


def test_a_name_that_is_another_samples_id_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "SampleSheet.csv").write_text("[Data]\nSample_ID,Sample_Name\nA,B\nC,A\n")
    for name in ("A_S2", "B_S1"):
        run_folders.fastq(tmp_path / f"{name}_L001_R1_001.fastq.gz")
    sheet = propose_sheet(str(tmp_path))
    assert [(Path(row.paths[0]).name[0], row.sample_id) for row in sheet.rows] == [
        ("A", None), ("B", "A"),
    ]  # fmt: skip
    assert any("nothing says whose reads" in str(each) for each in sheet.findings)


def test_samples_without_files_are_told(tmp_path: Path) -> None:
    folder = run_folders.bcl_convert(tmp_path)
    for path in folder.glob("B_S2_*"):
        path.unlink()
    told = [str(each) for each in propose_sheet(str(folder)).findings]
    assert "the run's sample sheet names samples without a row here: B" in told
    part = propose_sheet(str(run_folders.bcl_convert(tmp_path / "whole"))).findings
    assert not any("without a row" in str(each) for each in part)


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


def merged(folder: Path, *, recursive: bool = False) -> dict[str | None, list[list[str]]]:
    """The files of each source by the row's name, with `merge`."""
    sheet = propose_sheet(str(folder), recursive=recursive, defaults=SheetDefaults(merge=True))
    assert not parse_sheet(write_sheet(sheet.rows, "csv"), SheetDefaults(subject_id="p")).errors
    return {
        row.name: [[Path(path).name for path in paths_of(each)] for each in row.sources]
        for row in sheet.rows
    }


def test_lanes_and_chunks_of_a_run_become_one(tmp_path: Path) -> None:
    lanes = [f"A-1_S1_L00{lane}_R{{}}_001.fastq.gz" for lane in (1, 2)]
    assert merged(run_folders.bcl_convert(tmp_path)) == {
        "A-1_S1_HGV7DSX7": [[each.format(mate) for each in lanes] for mate in (1, 2)],
        "B_S2_HGV7DSX7": [[f"B_S2_L001_R{mate}_001.fastq.gz"] for mate in (1, 2)],
    }
    run = run_folders.minknow(tmp_path)
    stem = "PAA12345_pass_barcode01_e05460c6_d11637af_{}.fastq.gz"
    run_folders.fastq(run / "fastq_pass" / "barcode01" / stem.format(10))
    (run / "fastq_pass" / "barcode03" / stem.replace("01", "03").format(0)).unlink()
    found = merged(run)
    # In the order of their numbers.
    assert found["HG002_PAA12345_e05460c6"] == [[stem.format(n) for n in (0, 1, 2, 10)]]
    assert list(found) == ["HG002_PAA12345_e05460c6", "HG003_PAA12345_e05460c6"]
    # BAMs can't be merged, and neither are replicates, or runs.
    assert list(merged(run_folders.minknow_bam(tmp_path))) == [
        "HG005_PAA99999_0a1b2c3d_0", "HG005_PAA99999_0a1b2c3d_1",
    ]  # fmt: skip
    plain = merged(run_folders.plain(tmp_path))
    assert [name for name in plain if str(name).startswith("x_rep")] == [
        "x_rep_1", "x_rep_2", "x_rep_3",
    ]  # fmt: skip
    other = run_folders.bcl_convert(tmp_path / "both" / "two")
    (other / "Reports" / "RunInfo.xml").write_text(
        run_folders.RUN_INFO.replace("HGV7DSX7", "HGXXXDSX7")
    )
    run_folders.bcl_convert(tmp_path / "both" / "one")
    assert set(merged(tmp_path / "both", recursive=True)) == {
        "A-1_S1_HGV7DSX7", "A-1_S1_HGXXXDSX7", "B_S2_HGV7DSX7", "B_S2_HGXXXDSX7",
    }  # fmt: skip


def test_copies_are_not_merged_with_what_they_are_copies_of(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "backup"):
        folder.mkdir(exist_ok=True)
        for lane in "12":
            for read in "12":
                run_folders.fastq(folder / f"S_S1_L00{lane}_R{read}_001.fastq.gz")
    found = merged(tmp_path, recursive=True)
    assert len(found) == 4
    assert all(len(files) == 1 for sources in found.values() for files in sources)
    sheet = propose_sheet(str(tmp_path), recursive=True, defaults=SheetDefaults(merge=True))
    assert any("may be copies of the same reads" in str(each) for each in sheet.findings)


def test_what_can_not_be_merged_keeps_names_of_its_own(tmp_path: Path) -> None:
    folder = run_folders.bcl_convert(tmp_path)
    (folder / "A-1_S1_L002_R2_001.fastq.gz").unlink()
    assert list(merged(folder)) == ["A-1_S1_L001_HGV7DSX7", "A-1_S1_L002_HGV7DSX7", "B_S2_HGV7DSX7"]


def test_a_folder_deeper_than_pythons_stack_is_looked_through(tmp_path: Path) -> None:
    folders = [tmp_path]
    for _ in range(sys.getrecursionlimit()):
        folders.append(folders[-1] / "d")
        folders[-1].mkdir()
    reads = samples.fastq(folders[-1] / "x.fastq.gz", reads=3).path
    try:
        found = propose_sheet(str(tmp_path), recursive=True)
        assert [row.sources for row in found.rows] == [(str(reads),)]
    finally:
        # What removes the folder of a test goes down by recursion.
        reads.unlink()
        for folder in reversed(folders[1:]):
            folder.rmdir()
