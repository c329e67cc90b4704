"""The subject that follows from a sample."""

from __future__ import annotations

import pytest

from turboupload.core.sheet.model import SheetDefaults
from turboupload.core.sheet.reading import parse_sheet
from turboupload.core.subjects import SubjectRule


@pytest.mark.parametrize(
    ("rule", "sample", "subject"),
    [
        ("sample", "HG002", "HG002"),
        (r"NA\d+", "NA12878_tumour", "NA12878"),
        (r"^(\w+?)-", "P7-normal", "P7"),
        (r"^(?:.*)$", "P7", "P7"),
    ],
)
def test_a_subject_is_found_in_its_sample(rule: str, sample: str, subject: str) -> None:
    assert SubjectRule.parse(rule).subject_of(sample) == subject


@pytest.mark.parametrize("rule", [r"NA\d+", r"^(x)?HG", r"$"])
def test_a_sample_without_one_is_named(rule: str) -> None:
    with pytest.raises(ValueError, match="finds no subject in sample 'HG002'"):
        SubjectRule.parse(rule).subject_of("HG002")


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="neither `sample` nor a regular expression"):
        SubjectRule.parse("(")


SHEET = "sample,fastq_1,fastq_2\nP7-tumour,a_1.fq.gz,a_2.fq.gz\nP8-tumour,b_1.fq.gz,b_2.fq.gz\n"


def test_a_sheet_of_nf_core_is_taken_as_it_is() -> None:
    rule = SubjectRule.parse(r"^P\d+")
    sheet = parse_sheet(SHEET, defaults=SheetDefaults(subject_from=rule))
    assert [row.subject_id for row in sheet.rows] == ["P7", "P8"]
    assert not sheet.errors
    (note,) = [each.message for each in sheet.findings if each.severity == "note"]
    assert note == "the subject of 2 rows is what '^P\\\\d+' finds in its sample"


def test_what_a_sheet_gives_goes_before_the_rule() -> None:
    text = "sample,subject,fastq_1\ns1,given,a.fq.gz\ns2,,b.fq.gz\n"
    defaults = SheetDefaults(subject_from=SubjectRule())
    assert [row.subject_id for row in parse_sheet(text, defaults=defaults).rows] == ["given", "s2"]


def test_a_row_whose_sample_has_no_subject_is_found() -> None:
    rule = SubjectRule.parse(r"^P7")
    (error,) = parse_sheet(SHEET, defaults=SheetDefaults(subject_from=rule)).errors
    assert (error.row, error.message) == (3, "'^P7' finds no subject in sample 'P8-tumour'")


def test_without_a_rule_the_way_on_is_named() -> None:
    (error,) = parse_sheet(SHEET, defaults=SheetDefaults()).errors
    assert "--subject-from sample" in (error.hint or "")
