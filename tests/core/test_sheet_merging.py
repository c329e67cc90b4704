"""Several files as one source in sheets: in a cell, and by rows that are merged."""

from __future__ import annotations

import json

import pytest

from turboupload.core.imports.rows import import_rows
from turboupload.core.sheet.filenames import merged_name
from turboupload.core.sheet.model import Sheet, SheetDefaults
from turboupload.core.sheet.reading import parse_sheet

MERGE = SheetDefaults(subject_id="p", merge=True)
HEAD = "sample,subject,source1,source2\n"


def told(sheet: Sheet) -> list[str]:
    return [f"{each.severity}: {each}" for each in sheet.findings]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (HEAD + "s,p,a.gz;b.gz,c.gz; d.gz\n", (("in/a.gz", "in/b.gz"), ("in/c.gz", "in/d.gz"))),
        ("sample;subject;file\ns;p;'a;b'\n".replace("'", '"'), (("in/a", "in/b"),)),
        ('{"sample":"s","subject":"p","file":["a","b;c"]}', (("in/a", "in/b;c"),)),
        ('{"sample":"s","subject":"p","file":["b;c"]}', ("in/b;c",)),
        ('{"sample":"s","subject":"p","file":"a;b"}', (("in/a", "in/b"),)),
        (HEAD + "s,p,s3://bucket/a;c,\n", ("s3://bucket/a;c",)),
        (HEAD + "s,p,s3://bucket/a;s3://bucket/c,\n", (("s3://bucket/a", "s3://bucket/c"),)),
    ],
)
def test_a_cell_may_name_several_files(text: str, sources: tuple[object, ...]) -> None:
    sheet = parse_sheet(text, folder="in")
    assert told(sheet) == []
    assert sheet.rows[0].sources == sources


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "s,p,a;;b,\n", "nothing between two ';'"),
        (HEAD + "s,p,a;b;,\n", "nothing between two ';'"),
        (HEAD + "s,p,a;b;a,\n", "the same file is named twice"),
        (HEAD + "s,p,a;b,c;./a\n", "the same file is named twice"),
        (HEAD + "s,p,a;b,c\ns,q,d,b\n", "b is in row 2 already"),
        (HEAD + "s,p,a,s3://bucket/c\n", "local and the other in S3"),
        ('{"sample":["s"],"subject":"p","file":"a"}', "is not a text"),
        ('{"sample":"s","subject":"p","file":[]}', "is not a text"),
        ('{"sample":"s","subject":"p","file":["a",null]}', "is not a text"),
        ('{"sample":"s","subject":"p","file":["a","b\\u0000"]}', "can't be the name of a file"),
    ],
)
def test_what_a_cell_can_not_name(text: str, message: str) -> None:
    assert any(message in str(each) for each in parse_sheet(text).errors)


def test_rows_of_one_sample_are_merged_in_their_order() -> None:
    sheet = parse_sheet(
        "sample,fastq_1,fastq_2\n"
        "s,s_S1_L002_R1_001.fastq.gz,s_S1_L002_R2_001.fastq.gz\n"
        "t,t_R1.fastq.gz,t_R2.fastq.gz\n"
        "s,s_S1_L001_R1_001.fastq.gz,s_S1_L001_R2_001.fastq.gz\n",
        MERGE,
    )
    assert told(sheet) == ["note: 2 rows were merged into 1, with their files in this order"]
    assert [(row.number, row.name, row.sources) for row in sheet.rows] == [
        (
            2,
            "s_S1",
            (
                ("s_S1_L002_R1_001.fastq.gz", "s_S1_L001_R1_001.fastq.gz"),
                ("s_S1_L002_R2_001.fastq.gz", "s_S1_L001_R2_001.fastq.gz"),
            ),
        ),
        (3, "t", ("t_R1.fastq.gz", "t_R2.fastq.gz")),
    ]


def test_rows_that_name_several_files_are_merged_with_others() -> None:
    sheet = parse_sheet("sample,name,file\ns,n,a.fq.gz;b.fq.gz\ns,n,c.fq.gz\n", MERGE)
    assert [row.sources for row in sheet.rows] == [(("a.fq.gz", "b.fq.gz", "c.fq.gz"),)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("n,a.fq.gz,,x\nn,b.fq.gz,c.fq.gz,x\n", "row 3: can't be merged with row 2: one of them"),
        ("n,a.fq.gz,,x\nn,b.fq.gz,,y\n", "row 3: can't be merged with row 2: they differ in desc"),
        # Only FASTQ can be merged, so two BAMs of one name are a mistake as ever.
        ("n,a.bam,,x\nn,b.bam,,x\n", "row 3: row 2 has the same name"),
    ],
)
def test_rows_that_can_not_be_merged(rows: str, message: str) -> None:
    sheet = parse_sheet(f"name,file,file2,description\n{rows}", SheetDefaults(
        sample_id="s", subject_id="p", merge=True
    ))  # fmt: skip
    assert len(sheet.rows) == 2
    assert any(str(each).startswith(message) for each in sheet.errors), told(sheet)


def test_rows_of_other_names_stay_apart_and_that_is_said() -> None:
    sheet = parse_sheet("sample,name,file\ns,n1,a.fq.gz\ns,n2,b.fq.gz\n", MERGE)
    assert len(sheet.rows) == 2
    # Of rows that name no sample nothing is known: that is an error of its own.
    nameless = parse_sheet("name,file\nn1,a.fq.gz\nn2,b.fq.gz\n", MERGE)
    assert not any("not merged" in each for each in told(nameless))
    assert told(sheet) == [
        "warning: sample 's' in several rows that were not merged, since their names differ"
    ]


@pytest.mark.parametrize(
    ("lanes", "name"),
    [
        (
            [
                ["x/s_S1_L001_R1_001.fq.gz", "x/s_S1_L001_R2_001.fq.gz"],
                ["x/s_S1_L002_R1_001.fq.gz", "x/s_S1_L002_R2_001.fq.gz"],
            ],
            "s_S1",
        ),
        ([["pass_ab_0.fastq.gz"], ["pass_ab_1.fastq.gz"], ["pass_ab_12.fastq.gz"]], "pass_ab"),
        ([["run1/s.fq.gz"], ["run2/s.fq.gz"]], "s"),
        ([["one.fq.gz"], ["two.fq.gz"]], None),
    ],
)
def test_the_name_of_lanes_together(lanes: list[list[str]], name: str | None) -> None:
    assert merged_name(lanes) == name


def test_files_without_a_name_in_common_are_named_by_their_sample() -> None:
    sheet = parse_sheet("sample,file\ns,one.fq.gz\ns,two.fq.gz\n", MERGE)
    assert [row.name for row in sheet.rows] == ["s"]


def test_an_import_takes_one_object_a_source() -> None:
    row = {
        "sample": "s",
        "subject": "p",
        "type": "FASTQ",
        "file": ["s3://bucket/a", "s3://bucket/c"],
    }
    found, findings = import_rows(parse_sheet(json.dumps(row)).rows)
    assert found == []
    assert "several files for one source" in findings[0].message
