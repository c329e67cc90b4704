from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from turboupload.core.model import FileType
from turboupload.core.sheet.model import SheetRow
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.sheet.writing import SheetFormat, unwritable, write_sheet

TEXT = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(list("#,;\"'|:= {[")),
    min_size=1,
    max_size=12,
).filter(lambda text: text == text.strip())
PATH = TEXT.map(lambda text: f"f/{text}.bam") | TEXT.map(lambda text: f"f\n/{text}\t.bam")
KEY = TEXT.filter(lambda text: not text.lower().startswith("aws:"))
BODIES = st.builds(
    SheetRow,
    number=st.just(0),
    sources=PATH.map(lambda path: (path,))
    | st.lists(PATH, min_size=2, max_size=3, unique=True).map(lambda paths: (tuple(paths),)),
    file_type=st.sampled_from([None, *FileType]),
    name=TEXT,
    sample_id=TEXT,
    subject_id=TEXT,
    reference_arn=st.none() | TEXT.map(lambda text: f"arn:{text}"),
    generated_from=st.none() | TEXT,
    description=st.none() | TEXT,
    tags=st.dictionaries(KEY, TEXT, max_size=3),
)


@given(
    bodies=st.lists(BODIES, min_size=1, max_size=4, unique_by=lambda row: (row.sources, row.name)),
    form=st.sampled_from(["csv", "tsv", "jsonl"]),
)
def test_what_we_write_we_read(bodies: list[SheetRow], form: SheetFormat) -> None:
    assume(not any(unwritable(path, form) for row in bodies for path in row.paths))
    sheet = parse_sheet(write_sheet(bodies, form))
    twice = ("already", "same name")
    assert [e for e in sheet.errors if not any(word in e.message for word in twice)] == []
    assert any(";" in path for row in bodies for path in row.paths) <= (form == "jsonl")
    fields = [name for name in SheetRow.__dataclass_fields__ if name != "number"]
    assert [[getattr(row, name) for name in fields] for row in sheet.rows] == [
        [getattr(row, name) for name in fields] for row in bodies
    ]


def test_a_sheet_for_people() -> None:
    rows = [
        SheetRow(number=2, sources=("a_1.fq", "a_2.fq"), name="a", sample_id="s", subject_id="p"),
        SheetRow(number=3, sources=("#b,c.bam",), file_type=FileType.BAM, tags={"Run": "7"}),
    ]
    assert write_sheet(rows, "csv") == (
        "sample,subject,name,type,source1,source2,tag:Run\n"
        "s,p,a,,a_1.fq,a_2.fq,\n"
        ',,,BAM,"#b,c.bam",,7\n'
    )
    assert [json.loads(line) for line in write_sheet(rows, "jsonl").splitlines()] == [
        {"sample": "s", "subject": "p", "name": "a", "source1": "a_1.fq", "source2": "a_2.fq"},
        {"type": "BAM", "source1": "#b,c.bam", "tag:Run": "7"},
    ]


@pytest.mark.parametrize(
    ("path", "form", "why"),
    [
        ("a.bam", "csv", None),
        ("a.bam ", "jsonl", None),
        ("a.bam ", "csv", "begins or ends with a space, which only JSON lines keep"),
        ("a\udcff.bam", "jsonl", "has a name that is not UTF-8"),
    ],
)
def test_paths_that_a_sheet_can_not_hold(path: str, form: SheetFormat, why: str | None) -> None:
    assert unwritable(path, form) == why
