"""Which uploads may be becoming read sets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from turboupload.core.making import filter_for, may_be_made_of
from turboupload.core.records import MultipartUpload, ReadSetDetails

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
OPENED = NOW - timedelta(days=8)
UPLOAD = MultipartUpload(
    upload_id="1",
    store_id="2",
    name="n",
    sample_id="s",
    subject_id="u",
    file_type="FASTQ",
    created_at=OPENED,
)
RECORD = ReadSetDetails(
    read_set_id="3",
    name="n",
    sample_id="s",
    subject_id="u",
    file_type="FASTQ",
    creation_type="UPLOAD",
    status="PROCESSING_UPLOAD",
    created_at=NOW - timedelta(days=1),
)


@pytest.mark.parametrize(
    ("differs", "expected"),
    [
        ({}, True),
        ({"name": "n2"}, False),
        ({"sample_id": "s2"}, False),
        ({"subject_id": "u2"}, False),
        ({"file_type": "BAM"}, False),
        ({"creation_type": "IMPORT"}, False),
        # What a reply leaves out contradicts nothing.
        (dict.fromkeys(("name", "sample_id", "subject_id", "file_type", "creation_type")), True),
        ({"status": None}, True),
        ({"created_at": None}, True),
        # The clocks of two hosts of the service.
        ({"created_at": OPENED - timedelta(seconds=30)}, True),
        ({"created_at": OPENED - timedelta(seconds=90)}, False),
        ({"status": "UPLOAD_FAILED"}, False),
        ({"status": "DELETED"}, False),
        ({"status": "A_NEW_WORD"}, True),
        # It doesn't need the parts any more.
        ({"status": "ACTIVE"}, False),
        ({"status": "ARCHIVED"}, False),
    ],
)
def test_a_read_set_may_be_made_of_an_upload(differs: dict[str, Any], expected: bool) -> None:
    assert may_be_made_of(UPLOAD, replace(RECORD, **differs)) is expected


def test_what_is_not_known_of_an_upload_contradicts_nothing() -> None:
    assert may_be_made_of(MultipartUpload(upload_id="1", store_id="2"), RECORD)


def test_a_text_that_no_filter_takes_is_not_asked_for() -> None:
    asked = filter_for(replace(UPLOAD, name="n" * 200, sample_id=None))
    assert (asked.name, asked.sample_id, asked.subject_id) == (None, None, "u")
