"""What names and documents of runs say, and what they don't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import run_folders
from turboupload import limits
from turboupload.core.folders.documents import (
    read_fastq_list,
    read_illumina_sheet,
    read_minknow_sheet,
)
from turboupload.core.folders.left_out import REASONS
from turboupload.core.folders.names import aside, instrument_file, read_mark
from turboupload.core.folders.naming import PLACEHOLDERS, NamePattern
from turboupload.core.folders.runs import (
    illumina_run,
    named_run,
    nanopore_run_of_group,
    run_info,
    run_of_read,
)


@pytest.mark.parametrize(
    ("path", "barcode", "chunk", "short", "left_out"),
    [
        ("r/fastq_pass/FAX1_pass_0a1b2c3d_4e5f6a7b_12.fastq.gz", None, 12, "FAX1_0a1b2c3d", None),
        ("r/fastq_pass/barcode01/FAX1_pass_barcode01_0a1b2c3d_4e5f6a7b_0.fastq.gz", "barcode01", 0,
         "FAX1_0a1b2c3d", None),
        ("r/fastq_pass/HG002/FAX1_pass_HG002_0a1b2c3d_0.fastq.gz", "HG002", 0, "FAX1_0a1b2c3d",
         None),
        ("r/fastq_pass/my_sample/FAX1_pass_my_sample_0a1b2c3d_4e5f6a7b_0.fastq.gz", "my_sample", 0,
         "FAX1_0a1b2c3d", None),
        ("FAX1_pass_my_sample_0a1b2c3d_4e5f6a7b_3.fastq.gz", "my_sample", 3, "FAX1_0a1b2c3d", None),
        ("r/fastq_fail/FAX1_fail_0a1b2c3d_4e5f6a7b_0.fastq.gz", None, 0, "FAX1_0a1b2c3d",
         "failed-reads"),
        ("r/fastq_pass/unclassified/FAX1_pass_unclassified_0a1b2c3d_4e5f6a7b_0.fastq.gz",
         "unclassified", 0, "FAX1_0a1b2c3d", "unclassified"),
        ("r/fastq_fail/unclassified/any.fastq.gz", "unclassified", None, None, "failed-reads"),
        ("r/bam_pass/barcode01/PAO25751_bam_pass_0d85015e_9bf5b3eb_0.bam", "barcode01", 0,
         "PAO25751_0d85015e", None),
        ("r/fastq_pass/barcode05/merged.fastq.gz", "barcode05", None, None, None),
        ("SQK-RBK114-96_barcode07.bam", "barcode07", None, None, None),
        ("unclassified.bam", "unclassified", None, None, "unclassified"),
        ("m84001_220722_134701_s1.hifi_reads.bc2001.bam", "bc2001", None,
         "m84001_220722_134701_s1", None),
        ("m84001_220722_134701_s1.hifi_reads.bam", None, None, "m84001_220722_134701_s1", None),
        ("m84001_220722_134701_s1.fail_reads.bc2001.bam", "bc2001", None,
         "m84001_220722_134701_s1", "failed-reads"),
        ("m84001_220722_134701_s1.hifi_reads.unassigned.bam", None, None,
         "m84001_220722_134701_s1", "unclassified"),
        ("m64011_190830_220126.scraps.bam", None, None, "m64011_190830_220126", "failed-reads"),
        ("m54329U_200319_002813.ccs.bc1001--bc1001.bam", "bc1001--bc1001", None,
         "m54329U_200319_002813", None),
    ],
)  # fmt: skip
def test_what_instruments_names_say(
    path: str, barcode: str | None, chunk: int | None, short: str | None, left_out: str | None
) -> None:
    found = instrument_file(path)
    assert found is not None
    assert (found.barcode, found.chunk, found.left_out) == (barcode, chunk, left_out)
    assert (found.run.short if found.run else None) == short


@pytest.mark.parametrize(
    "path", ["A_S1_L001_R1_001.fastq.gz", "pass/A_1.fastq.gz", "m1.bam", "HG002_pass.bam", "a.cram"]
)
def test_names_of_no_instrument(path: str) -> None:
    assert instrument_file(path) is None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a.pod5", "signal"), ("a.FAST5", "signal"), ("A_R1_001.fastq.ora", "ora"),
        ("L001_1.cbcl", "bcl"), ("s_1_1101.bcl.gz", "bcl"), ("a.bam.bai", "index"),
        ("a.bam.pbi", "index"), ("a.cram.crai", "index"), ("a.fq.gz.md5", "checksums"),
        ("md5sum.txt", "checksums"), ("MD5.txt", "checksums"), ("checksums.txt", "checksums"),
        ("sha256sums.txt", "checksums"), ("checksums.md5.txt", "checksums"),
        ("output_hash_PAA1_20250603_1201_e0.csv", "checksums"), ("a.fastq.gz", None),
        ("summary.txt", None), ("a.bam", None),
    ],
)  # fmt: skip
def test_files_that_hold_no_reads(path: str, code: str | None) -> None:
    assert aside(f"run/{path}") == code
    assert code is None or code in REASONS


@pytest.mark.parametrize(
    ("name", "run", "flowcell"),
    [
        ("230801_A00123_0045_AHGV7DSX7", "230801_A00123_0045_AHGV7DSX7", "HGV7DSX7"),
        ("20230801_LH00123_0012_A22ABCDLT3", "20230801_LH00123_0012_A22ABCDLT3", "22ABCDLT3"),
        ("180430_M00001_0123_000000000-ABCDE", "180430_M00001_0123_000000000-ABCDE",
         "000000000-ABCDE"),
        ("20250603_1201_3E_PAA12345_e05460c6", "20250603_1201_3E_PAA12345_e05460c6", "PAA12345"),
        ("20180430_FS10000123_12_BNS417-05-25-12", "20180430_FS10000123_12_BNS417-05-25-12",
         "BNS417-05-25-12"),
        ("20230101_results_1_final", None, None),
        ("20230101_RUN1_1_COMPLETED", None, None),
        ("2023_results", None, None),
        ("project_1_2_fastq", None, None),
    ],
)  # fmt: skip
def test_runs_by_the_names_of_their_folders(
    name: str, run: str | None, flowcell: str | None
) -> None:
    found = named_run(["sample", name, "data"])
    assert ((found.run, found.flowcell) if found else (None, None)) == (run, flowcell)


def test_runs_by_what_is_written() -> None:
    found = run_info(run_folders.RUN_INFO)
    assert found == illumina_run(run_folders.ILLUMINA_RUN, run_folders.FLOWCELL)
    assert run_info("<RunInfo/>") is None
    by_read = run_of_read("@A00123:45:HGV7DSX7:1:1101:1000:2000 1:N:0:A")
    assert by_read == illumina_run("A00123:45", "HGV7DSX7")
    assert run_of_read("@SRR1.1 1 length=5") is None
    one = "0a1b2c3d-0000-4000-8000-0123456789ab_dna_r10.4.1@v5_barcode01"
    by_group = nanopore_run_of_group([one, one])
    assert by_group is not None
    assert by_group.short == "0a1b2c3d"
    assert nanopore_run_of_group([one, one.replace("0a1b", "ffff")]) is None
    assert nanopore_run_of_group(["lane1"]) is None


def test_where_data_come_from_always_fits() -> None:
    run = illumina_run("2" * 120, "F" * 60)
    assert len(run.words) <= limits.TEXT_LENGTHS["generated_from"]
    assert "F" not in run.words


@pytest.mark.parametrize(
    ("sheet", "called", "sample"),
    [
        (run_folders.SHEET_V1, "liver", "P_001"),
        (run_folders.SHEET_V1, "P_002", "P_002"),
        (run_folders.SHEET_V2, "A-1", "A_1"),
        (run_folders.SHEET_V2, "B", "B"),
        (run_folders.SHEET_V2, "C", None),
        # One name for two samples says nothing.
        ("[Data]\nSample_ID,Sample_Name\n1,liver\n2,liver\n", "liver", None),
        ("[Data]\nSample_ID\nA_1\nA.1\n", "A-1", None),
        ("[Data]\nSample_ID\nA_1\nA-1\n", "A-1", "A-1"),
        # Only what Illumina's software replaces is put back.
        (run_folders.SHEET_V2, "A.1", None),
        ("no sheet at all", "A", None),
        ("[Data]\n", "A", None),
    ],
)
def test_samples_of_illuminas_sheets(sheet: str, called: str, sample: str | None) -> None:
    assert read_illumina_sheet(sheet).sample_of(called) == sample
    assert read_illumina_sheet(sheet.replace("\n", "\r\n")).sample_of(called) == sample


def test_samples_of_minknows_sheets() -> None:
    head = "flow_cell_id,sample_id,barcode,alias"
    found = read_minknow_sheet(f"{head}\nF,pool,barcode01,HG002\nF,pool,barcode02,barcode02\n")
    assert [found.sample_of(each) for each in ("barcode01", "barcode02", "HG002", None)] == [
        "HG002", None, "HG002", None,
    ]  # fmt: skip
    assert read_minknow_sheet("sample_id,kit\nHG005,SQK\n").sample_of(None) == "HG005"
    assert read_minknow_sheet("sample_id,kit\nno_sample,SQK\n").sample_of(None) is None
    twice = f"{head}\nF,pool,barcode01,A\nF,pool,barcode01,B\n"
    assert read_minknow_sheet(twice).sample_of("barcode01") is None


@given(st.text(max_size=200))
def test_no_document_is_a_trouble(text: str) -> None:
    read_illumina_sheet(text)
    read_illumina_sheet(f"[Data]\n{text}")
    read_fastq_list(text)
    read_minknow_sheet(text)
    run_info(text)
    run_of_read(text)
    instrument_file(text)
    read_mark(text)


@pytest.mark.parametrize(
    ("pattern", "values", "name"),
    [
        ("{sample}_{run}", {"sample": "A", "run": "R"}, "A_R"),
        ("{sample}_{run}", {"sample": "A", "run": None}, "A"),
        ("{run}-{sample}", {"sample": "A"}, "A"),
        ("lab7.{sample}.{lane}", {"sample": "A", "lane": "L001"}, "lab7.A.L001"),
        ("{barcode}", {"name": "fallback"}, "fallback"),
    ],
)
def test_names_by_patterns(pattern: str, values: dict[str, str | None], name: str) -> None:
    assert NamePattern.parse(pattern).name(values) == name


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{smaple}", "stands for nothing"),
        ("all", "names every read set alike"),
        ("{sample", "names every read set alike"),
        ("{sample}}", "brace"),
    ],
)
def test_patterns_that_make_no_sense(pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        NamePattern.parse(pattern)
    assert told != "stands for nothing" or all(each in str(caught.value) for each in PLACEHOLDERS)


@pytest.mark.parametrize(
    ("path", "mark"),
    [
        ("r/A_S1_L001_R3_001.fastq.gz", ("r/A_S1_L001\0_001", "R3")),
        ("A_R1.fq.gz", ("A\0", "R1")),
        ("A_I1_001.fastq.gz", ("A\0_001", "I1")),
        ("A_UMI.fastq.gz", ("A\0", "UMI")),
        ("A_R3_1.fq.gz", None),
        ("A_1.fq.gz", None),
    ],
)
def test_marks_of_reads(path: str, mark: tuple[str, str] | None) -> None:
    assert read_mark(path) == mark
