"""Results of rows: what is written can be read again, by anyone."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields

from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rows import RowResult, as_csv, as_json

TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)
ROWS = st.lists(
    st.builds(
        RowResult,
        row=st.integers(2, 10_000),
        name=TEXT,
        sample=st.none() | TEXT,
        status=st.sampled_from(["waiting", "active", "failed"]),
        read_set_id=st.none() | st.just("1234567890"),
        bytes=st.none() | st.integers(0, 10**15),
        message=TEXT,
        what_to_do=TEXT,
    ),
    max_size=5,
)


@given(ROWS)
def test_json_holds_every_field(rows: list[RowResult]) -> None:
    assert json.loads(as_json(rows)) == [asdict(row) for row in rows]


@given(ROWS)
def test_csv_holds_every_field_as_text(rows: list[RowResult]) -> None:
    read = list(csv.DictReader(io.StringIO(as_csv(rows), newline="")))
    assert read == [
        {key: "" if value is None else str(value) for key, value in asdict(row).items()}
        for row in rows
    ]


def test_no_rows_are_a_header_and_an_empty_list() -> None:
    assert as_csv([]) == f"{','.join(each.name for each in fields(RowResult))}\r\n"
    # Readers of earlier versions find the columns where they were.
    assert as_csv([]).startswith("row,name,sample,status,read_set_id,bytes,message,what_to_do,")
    assert json.loads(as_json([])) == []
