"""Ids that a spreadsheet may have changed are questioned, in every sheet."""

from __future__ import annotations

import pytest

from turboupload.core.sheet.model import SheetDefaults
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.sheet.spreadsheets import odd_id


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("03/11/2025", "a date"), ("3/11/25", "a date"), ("11.03.2025", "a date"),
        ("2025-03-11", "a date"), ("11-Mar", "a date"), ("1-Sep-25", "a date"),
        ("Mar-11", "a date"), ("03. Mrz", "a date"), ("1.20E+10", "a rounded number"),
        ("1,2E+10", "a rounded number"), ("2E-05", "a rounded number"),
        ("#N/A", "an error value"), ("#REF!", "an error value"), ("#####", "an error value"),
        ("2E10", None), ("12E3", None), ("MARCH1", None), ("NA12878", None), ("12.5", None),
        ("3-11", None), ("S1_2025-03-11", None), ("#7", None),
    ],
)  # fmt: skip
def test_what_spreadsheets_make(value: str, what: str | None) -> None:
    assert odd_id(value) == what


@pytest.mark.parametrize(
    "text",
    [
        "sample,subject,file\n03/11/2025,1.20E+10,a.bam\n",
        '{"sample": "03/11/2025", "subject": 1.20E+10, "file": "a.bam"}\n',
    ],
)
def test_an_id_is_questioned_and_may_be_meant(text: str) -> None:
    found = parse_sheet(text)
    assert [str(each) for each in found.errors] == [
        f"row {found.rows[0].number}, sample: '03/11/2025' is a date, as a spreadsheet makes it of "
        "an id",
        f"row {found.rows[0].number}, subject: '1.20E+10' is a rounded number, as a spreadsheet "
        "makes it of an id",
    ]
    assert "--odd-ids" in str(found.errors[0].hint)
    assert not parse_sheet(text, SheetDefaults(odd_ids=True)).errors
