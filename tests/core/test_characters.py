"""The characters that the service takes are those of its own model's pattern."""

from __future__ import annotations

import unicodedata

import botocore.session
import pytest

from turboupload.core.characters import character_fault
from turboupload.core.fields import text_fault
from turboupload.core.sheet.columns import field_of
from turboupload.emulator.validate import _matcher

TEXTS = ("SampleId", "SubjectId", "ReadSetName", "ReadSetDescription", "GeneratedFrom")


def test_every_character_is_judged_as_by_the_models_pattern() -> None:
    model = botocore.session.Session().get_service_model("omics")
    patterns = {model.shape_for(name).metadata["pattern"] for name in TEXTS}
    (pattern,) = {*patterns, model.shape_for("SequenceStoreName").metadata["pattern"]}
    takes = _matcher(pattern)
    every = map(chr, range(0x110000))
    unlike = {each for each in every if takes(each) is bool(character_fault(each))}
    # What this Python's Unicode has not assigned, a newer one may have.
    assert {unicodedata.category(each) for each in unlike} == {"Cn"}
    assert not unlike & {"\ufffe", "\uffff", "\ufdd0", "\ufdef", "\U0010ffff"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("S2\u200b", "U+200B ZERO WIDTH SPACE at position 3"),
        ("\ufeffS2", "U+FEFF ZERO WIDTH NO-BREAK SPACE at position 1"),
        ("a\u00adb", "U+00AD SOFT HYPHEN at position 2"),
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE at position 2"),
        ("a\tb", "U+0009 TAB at position 2"),
        ("a\x85", "U+0085 (a control character) at position 2"),
        ("\udce4", "U+DCE4 (half a character, or a byte that is not UTF-8) at position 1"),
        ("\ue000", "U+E000 (a character for private use) at position 1"),
        ("\uffff", "U+FFFF (not assigned by Unicode) at position 1"),
    ],
)
def test_a_character_that_nobody_sees_is_named(text: str, fault: str) -> None:
    assert character_fault(text) == fault
    assert (
        text_fault("sample_id", text) == f"sample id has {fault}, which the service does not take"
    )


@pytest.mark.parametrize(
    "text", ["a b", "a\u00a0b", "a\u2028b", "Zürich", "a\u0301", "患者", "🧬|$", "\U0003fffd"]
)
def test_what_people_see_is_taken(text: str) -> None:
    assert text_fault("description", text) is None


def test_a_column_is_known_with_marks_in_its_name() -> None:
    assert field_of("\ufeffsample\u200b") == "sample_id"
    assert field_of("tag:a\u200b") == "tag:a\u200b"
