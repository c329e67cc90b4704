from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.model import FileType
from turboupload.core.sheet.model import Sheet, SheetDefaults, SheetFinding, SheetRow
from turboupload.core.sheet.reading import parse_sheet

SUBJECT = SheetDefaults(subject_id="p")


def told(sheet: Sheet) -> list[str]:
    return [f"{each.severity}: {each}" for each in sheet.findings]


def test_our_own_columns() -> None:
    sheet = parse_sheet(
        "sample,subject,name,type,source1,source2,reference,generated_from,description,tag:Run Id\n"
        "s,p,n,fastq,a_1.fq.gz,a_2.fq.gz,arn:aws:omics:x,run 7,all of it,42\n",
        folder="in",
    )
    assert told(sheet) == []
    assert sheet.rows == (
        SheetRow(
            number=2,
            sources=("in/a_1.fq.gz", "in/a_2.fq.gz"),
            file_type=FileType.FASTQ,
            name="n",
            sample_id="s",
            subject_id="p",
            reference_arn="arn:aws:omics:x",
            generated_from="run 7",
            description="all of it",
            tags={"Run Id": "42"},
        ),
    )


@pytest.mark.parametrize(
    "header", ["Sample ID,SUBJECT_ID,Source 1", "sample-id , Subject,FILE", "sampleId,patient,bam"]
)
def test_names_of_columns_are_tolerant(header: str) -> None:
    sheet = parse_sheet(f"{header}\ns,p,x.bam\n")
    assert told(sheet) == []
    assert (sheet.rows[0].sample_id, sheet.rows[0].subject_id) == ("s", "p")
    assert sheet.rows[0].sources == ("x.bam",)


@pytest.mark.parametrize(
    "text",
    [
        "sample;subject;file\ns;p;a,b.bam\n",
        "sep=;\r\nsample;subject;file\r\ns;p;a,b.bam\r\n",
        "sample\tsubject\tfile\ns\tp\ta,b.bam\n",
        '\ufeffsample,subject,file\n"s",p,"a,b.bam"\n',
        'sample,subject,file\rs,p,"a,b.bam"\r',
        '{"sampleId": "s", "subjectId": "p", "sourceFiles": {"source1": "a,b.bam"}}',
        '[{"sample": "s", "subject": "p", "source1": "a,b.bam"}]',
    ],
)
def test_dialects(text: str) -> None:
    sheet = parse_sheet(text)
    assert told(sheet) == []
    assert [(r.sample_id, r.subject_id, r.sources) for r in sheet.rows] == [
        ("s", "p", ("a,b.bam",))
    ]


def test_a_sheet_of_nf_core_as_it_is() -> None:
    sheet = parse_sheet(
        "sample,fastq_1,fastq_2,strandedness\n"
        "A,run1/A_S1_L001_R1_001.fastq.gz,run1/A_S1_L001_R2_001.fastq.gz,auto\n"
        "A,run1/A_S1_L002_R1_001.fastq.gz,run1/A_S1_L002_R2_001.fastq.gz,auto\n"
        "A,run2/A_S1_L001_R1_001.fastq.gz,run2/A_S1_L001_R2_001.fastq.gz,auto\n"
        "A,A_S1_L001_R1_001.fastq.gz,A_S1_L001_R2_001.fastq.gz,auto\n"
        "B,B_1.fq.gz,,auto\n",
        SUBJECT,
    )
    assert [row.name for row in sheet.rows] == [
        "A_S1_L001",
        "A_S1_L002",
        "A_S1_L001_run2",
        "A_S1_L001_3",
        "B_1",
    ]
    assert told(sheet) == [
        "note: sample 'A' in several rows: each row becomes a read set with a name of its own",
        "warning: row 1, strandedness: this column is not used",
        "note: row 4: 'A_S1_L001' is taken by another row of this sample",
        "note: row 5: 'A_S1_L001' is taken by another row of this sample",
    ]


def test_lines_are_counted_as_an_editor_does() -> None:
    sheet = parse_sheet(
        '# a comment with a "quote\n'
        "\n"
        "sample,subject,file,description\n"
        's,p,a.bam,"two\n'
        '# lines"\n'
        "  # another\n"
        ",,,\n"
        "s,p,b.bam,\n"
        "s,p,,\n"
    )
    assert [row.number for row in sheet.rows] == [4, 8]
    assert told(sheet)[1:] == [
        "error: row 4, description: description has U+000A LINE FEED at "
        "position 4, which the service does not take",
        "error: row 9, file: no file is named",
    ]


def test_everything_is_found_at_once() -> None:
    sheet = parse_sheet(
        "sample,subject,type,source1,source2,reference,tag:aws:x,tag:x,,fastq_1,sample,lane\n"
        "s,p,vcf,a.vcf,,ref,,,7\n"
        ",p,,a_1.fq.gz,https://x/y\n"
        "s,p,BAM,a.bam,b.bam,,1,\n"
        "s,p,,a.bam,,,,,,c.fq.gz,,\n"
        "s,p,,s3://x,,,,,,,,,more\n"
        "s,p,,d.fq,./d.fq,,,,,,,\n"
        "s,p,,e.fq,s3://bucket/key,,,,,,t,\n"
        f"s,p,,f.fq,,,,{'x' * 257},,,,\n"
    )
    errors = [str(each) for each in sheet.errors]
    assert errors == [
        "row 1, sample: two columns have this name",
        "row 2, reference: 'ref' is not the ARN of a reference",
        "row 2, type: 'vcf' is not a file type of the service",
        "row 3, source2: 'https://x/y' can't be read",
        "row 3, sample: there is no sample",
        "row 4: tag 'aws:x': keys that begin with aws: are reserved by AWS",
        "row 4, source2: only FASTQ comes in pairs, not BAM",
        "row 5, fastq_1: another column says 'a.bam' for the same thing, and this one 'c.fq.gz'",
        "row 5: a.bam is in row 4 already",
        "row 6: has 13 fields, and the header 12",
        "row 6, source1: 's3://x' is not an S3 URI",
        "row 7, source2: the same file is named twice",
        "row 8, sample: another column says 's' for the same thing, and this one 't'",
        "row 8, source2: one file is local and the other in S3",
        "row 9: tag 'x': keys have 1 to 128 characters, values at most 256",
    ]


def test_what_is_missing_in_all_rows_is_said_once() -> None:
    sheet = parse_sheet("file\na.bam\nb.bam\n")
    assert told(sheet) == [
        "error: row 1: there is no column 'sample'",
        "error: row 1: there is no column 'subject'",
    ]
    assert told(parse_sheet("a,b\n1,2\n")) == [
        "error: row 1: no column names the files; the first line has 'a', 'b'"
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "the sheet is empty"),
        ("# nothing\n\n", "the sheet is empty"),
        ("[]", "the sheet is empty"),
        ("sample,subject,file\n", "the sheet has a header and no rows"),
        (
            'sample,subject,file\ns,p,"a\nb\n',
            "row 2: a quote opens here and is never closed; all that follows was not read",
        ),
        ('sample,subject,file\ns,p,"a"b\n', "row 2: text follows a closing quote"),
        ("{}\n{", "row 2: is not a JSON object: Expecting property name enclosed in double quotes "
         "(column 2)"),
        ('{"a": 1, "a": 1}', "row 1: is not a JSON object: 'a' is in it twice"),
        ("[\n1]", "row 2: is not a JSON object"),
        ("[{}", "row 1: the array is not closed"),
        ("[" * 100_000, "row 1: is not a JSON object: nested too deep"),
        ('{"sample": ["a"]}', "row 1, sample: is not a text"),
    ],
)  # fmt: skip
def test_text_that_is_no_sheet(text: str, finding: str) -> None:
    assert finding in [str(each) for each in parse_sheet(text).errors]


def test_a_row_that_is_cut_short_is_told() -> None:
    sheet = parse_sheet("subject,sample,fastq_1,fastq_2\np,s,a_1.fq\n")
    assert told(sheet) == [
        "warning: row 2: has only 3 fields, and the header 4; the missing ones are taken as empty"
    ]


def test_the_same_twice() -> None:
    sheet = parse_sheet(
        "sample,subject,name,file\ns,p,n,a.bam\ns,p,n,b.bam\ns,q,n,x/../a.bam\ns,q,n,s3://buc/a.bam\n"
    )
    assert [str(each) for each in sheet.errors] == [
        "row 3: row 2 has the same name, sample and subject ('n')",
        "row 4: x/../a.bam is in row 2 already",
        "row 5: row 4 has the same name, sample and subject ('n')",
    ]


def test_defaults_hold_where_a_row_says_nothing() -> None:
    defaults = SheetDefaults(
        sample_id="d", subject_id="e", file_type=FileType.BAM, tags={"a": "1", "b": "1"}
    )
    sheet = parse_sheet("sample,file,type,tag:b\ns,x.cram,CRAM,2\n,y.bam,,\n", defaults)
    first, second = sheet.rows
    assert (first.sample_id, first.subject_id, first.file_type) == ("s", "e", FileType.CRAM)
    assert first.tags == {"a": "1", "b": "2"}
    assert (second.sample_id, second.file_type) == ("d", FileType.BAM)
    assert second.tags == {"a": "1", "b": "1"}
    bad = parse_sheet("sample,file\ns,a\n", SheetDefaults(subject_id="x" * 128))
    assert [str(each) for each in bad.errors] == [
        "the default for all rows: subject id must have 1 to 127 characters, not 128"
    ]


def test_names_that_a_file_can_not_lend() -> None:
    sheet = parse_sheet(f"sample,file\ns,{'x' * 128}.bam\n", SUBJECT)
    assert sheet.errors == (
        SheetFinding(
            2,
            None,
            "made of the file's name, the name must have 1 to 127 characters, not 128",
            "add a column `name`",
        ),
    )


@pytest.mark.parametrize("same", [False, True])
def test_ten_thousand_rows(same: bool) -> None:
    rows = "".join(
        f"s{0 if same else i},p,{i}/a_1.fq.gz,{i}/a_2.fq.gz,x\n".replace(
            f"{i}/", "x/" if same else ""
        )
        for i in range(10_000)
    )
    began = time.process_time()
    sheet = parse_sheet(f"sample,subject,fastq_1,fastq_2,tag:a\n{rows}")
    assert len(sheet.rows) == 10_000
    assert time.process_time() - began < 2.0


_CELL = st.sampled_from(
    ["sample", "subject", "name", "file", "fastq_2", "type", "tag:x", "s3://b/k", "a.bam", "BAM",
     '"', "\n", "\r\n", ",", ";", "\t", "#", "sep=;", "{", "}", "[", "]", ":", '"sample"', "\0",
     '"tags"', "\\ud800", "1e999", "null", " ", "\ufeff", "ä"]
)  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "[{}]", "{}\n{}", '{"name": null}'])
def test_objects_that_say_nothing_are_no_sheet(text: str) -> None:
    sheet = parse_sheet(text)
    assert sheet.rows == ()
    assert [each.message for each in sheet.findings] == ["no row says anything"]


@given(text=st.one_of(st.text(), st.lists(_CELL).map("".join)))
def test_rubbish_raises_nothing(text: str) -> None:
    sheet = parse_sheet(text)
    assert sheet.rows or sheet.findings
    lines = text.count("\n") + text.count("\r") + 1
    assert all(0 <= each.row <= lines for each in (*sheet.findings,))
    assert all(1 <= row.number <= lines and 1 <= len(row.sources) <= 2 for row in sheet.rows)


@pytest.mark.parametrize(
    "text",
    [
        "[Header],,\r\nIEMFileVersion,4\r\n[Data]\r\n",
        '"[Header]";;\n',
        "\ufeff\n,,,\n# made by hand\n[BCLConvert_Settings]\n",
        "FCID,Lane,SampleID,Index\nX,1,s,ACGT\n",
    ],
)
def test_illuminas_own_sheet_is_recognised(text: str) -> None:
    (said,) = told(parse_sheet(text))
    assert said.endswith("this is Illumina's sample sheet, which names no files")


def test_what_only_looks_like_one_is_read() -> None:
    assert parse_sheet('[{"sample": "s", "subject": "u", "file": "[Data].bam"}]').findings == ()
    assert "columns" in told(parse_sheet("lane,sample,subject\n1,s,u\n"))[0] or True


def test_paths_are_expanded_before_the_folder_comes() -> None:
    homes = {"~/a.bam": "/home/me/a.bam"}
    sheet = parse_sheet(
        "sample,subject,file\ns,u,~/a.bam\nt,u,b.bam\n",
        folder="run",
        expand=lambda path: homes.get(path, path),
    )
    assert [row.sources for row in sheet.rows] == [("/home/me/a.bam",), ("run/b.bam",)]
