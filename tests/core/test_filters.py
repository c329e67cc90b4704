"""Filters and import sources say what is wrong with them before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.imports.jobs import ImportJob, ImportSource
from turboupload.core.model import FileType
from turboupload.errors import ConfigError, InputError

EARLIER, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "wrong", "words"),
    [
        (ReadSetFilter, {"status": "FROZEN"}, "is not a word of the service"),
        (ReadSetFilter, {"creation_type": "upload"}, "is not a word of the service"),
        (ReadSetFilter, {"name": ""}, "1 to 127 characters, not 0"),
        (ReadSetFilter, {"sample_id": "x" * 128}, "1 to 127 characters, not 128"),
        (ReadSetFilter, {"reference_arn": "GRCh38"}, "is not an ARN"),
        (ReadSetFilter, {"created_after": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 # the point
        (ReadSetFilter, {"created_after": LATER, "created_before": EARLIER}, "nothing was created"),
        (ImportJobFilter, {"status": "DONE"}, "is not a word of the service"),
        (ImportJobFilter, {"created_after": LATER, "created_before": LATER}, "nothing was created"),
        (SequenceStoreFilter, {"status": "GONE"}, "is not a word of the service"),
        (SequenceStoreFilter, {"updated_after": LATER, "updated_before": EARLIER}, "updated"),
    ],
)
def test_a_filter_that_makes_no_sense(kind: Any, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kind(**wrong)


def test_a_filter_that_does() -> None:
    assert ReadSetFilter(reference_arn="").reference_arn == ""
    assert ReadSetFilter(created_after=EARLIER, created_before=LATER)


def source(**more: Any) -> ImportSource:
    said = {"source1": "s3://bucket/key", "file_type": "FASTQ", "subject_id": "u", "sample_id": "s"}
    return ImportSource(**{**said, **more})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"source1": "bucket/key"}, "S3 URI"),
        ({"source1": "s3://B/key"}, "S3 URI"),
        ({"source1": "s3://bucket/"}, "S3 URI"),
        ({"source2": "reads.fastq.gz"}, "S3 URI"),
        ({"source2": "s3://bucket/key"}, "the same file was given twice"),
        ({"source2": "s3://bucket/two", "file_type": "BAM"}, "only FASTQ comes in pairs"),
        ({"file_type": "VCF"}, "is not a file type"),
        ({"subject_id": ""}, "subject id must have"),
        ({"sample_id": None}, "sample id must have"),
        ({"name": "a\nb"}, "name has U\\+000A LINE FEED at position 2"),
        ({"reference_arn": "GRCh38"}, "is not the ARN of a reference"),
        ({"tags": {"aws:x": "y"}}, "reserved by AWS"),
        ({"tags": {str(n): "" for n in range(51)}}, "at most 50 tags"),
    ],
)
def test_an_import_source_that_cannot_be(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        source(**wrong)
    assert caught.value.path


def test_an_import_source_that_can_be() -> None:
    made = source(file_type="UBAM", tags={"a": "b"})
    assert made.file_type is FileType.UBAM
    assert (made.name, made.reference_arn, dict(made.tags)) == (None, None, {"a": "b"})


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("SUBMITTED", False),
        ("IN_PROGRESS", False),
        ("CANCELLING", False),
        ("A_NEW_WORD", False),
        (None, False),
        ("CANCELLED", True),
        ("FAILED", True),
        ("COMPLETED", True),
        ("COMPLETED_WITH_FAILURES", True),
    ],
)
def test_a_job_that_ended(status: str | None, ended: bool) -> None:
    assert ImportJob(job_id="1234567890", status=status).ended is ended
