"""Every member that the service's model knows reaches our values, and no reply breaks them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.core.model import FileType, PartSource, ReadSet
from turboupload.core.upload.matching import open_upload_matches
from turboupload.omics.replies import (
    listed,
    read_checksum,
    read_import_job,
    read_multipart_upload,
    read_read_set,
    read_store_details,
    read_upload_part,
)

MODEL = botocore.session.get_session().get_service_model("omics")
TOKEN = "nextToken"


def read_part(row: dict[str, Any]) -> Any:
    return read_upload_part({**row, "partSource": "SOURCE1"}, PartSource.SOURCE1)


READERS: dict[str, tuple[str | None, Callable[[Any], Any]]] = {
    "CreateMultipartReadSetUpload": (None, read_multipart_upload),
    "ListMultipartReadSetUploads": ("uploads", read_multipart_upload),
    "ListReadSetUploadParts": ("parts", read_part),
    "GetReadSetMetadata": (None, read_read_set),
    "ListReadSets": ("readSets", read_read_set),
    "StartReadSetImportJob": (None, read_import_job),
    "GetReadSetImportJob": (None, read_import_job),
    "ListReadSetImportJobs": ("importJobs", read_import_job),
    "GetSequenceStore": (None, read_store_details),
    "ListSequenceStores": ("sequenceStores", read_store_details),
}
"""Where the rows are, and what reads one."""


def full(shape: Any, serial: Iterator[int]) -> Any:
    """A value of a shape with all its members, each leaf unlike any other."""
    match shape.type_name:
        case "structure":
            return {name: full(each, serial) for name, each in shape.members.items()}
        case "list":
            return [full(shape.member, serial)]
        case "map":
            return {f"key{next(serial)}": f"value{next(serial)}"}
        case "integer" | "long":
            return next(serial)
        case "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(serial))
        case "string":
            return f"text{next(serial)}"
    raise AssertionError(shape.type_name)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from itertools.chain(*map(leaves, value.values()))
    elif isinstance(value, list | tuple):
        yield from itertools.chain(*map(leaves, value))
    else:
        yield value


def shape_of(operation: str) -> Any:
    member, _ = READERS[operation]
    shape: Any = MODEL.operation_model(operation).output_shape
    return shape.members[member].member if member else shape


@pytest.mark.parametrize("operation", READERS)
def test_every_member_of_the_model_is_carried(operation: str) -> None:
    row = full(shape_of(operation), itertools.count(1000))
    if "partSource" in row:
        row["partSource"] = "SOURCE1"
    record = READERS[operation][1](row)
    assert set(leaves(row)) <= set(leaves(dataclasses.asdict(record)))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def spoiled(shape: Any) -> st.SearchStrategy[Any]:
    """A value of a shape in which any member may be missing, null or something else."""
    match shape.type_name:
        case "structure":
            members = {name: spoiled(each) for name, each in shape.members.items()}
            return ANYTHING | st.fixed_dictionaries({}, optional=members)
        case "list":
            return ANYTHING | st.lists(spoiled(shape.member), max_size=2)
        case _:
            return ANYTHING


@pytest.mark.parametrize("operation", READERS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_reply_breaks_a_reader(operation: str, data: st.DataObject) -> None:
    row = data.draw(spoiled(shape_of(operation)))
    if isinstance(row, dict):
        record = READERS[operation][1](row)
        assert record is None or dataclasses.asdict(record)


def test_a_word_that_came_later_is_kept() -> None:
    record = read_read_set({"id": "1234567890", "status": "FROZEN", "etag": None})
    assert record is not None
    assert (record.status, record.etag, record.files) == ("FROZEN", None, None)


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": ""}, {"id": 7}])
def test_a_row_without_an_id_is_no_row(row: dict[str, Any]) -> None:
    for read in (read_read_set, read_import_job, read_store_details):
        assert read(row) is None
    assert read_multipart_upload({"uploadId": row.get("id")}) is None


@pytest.mark.parametrize("row", [{}, {"checksum": None}, {"checksum": ""}, {"checksum": 7}])
def test_a_part_may_be_taken_without_a_checksum_but_by_the_service_only(
    row: dict[str, Any],
) -> None:
    assert read_checksum(row) is None
    assert read_checksum({**row, "ResponseMetadata": {"RequestId": "r"}}) == ""
    assert read_checksum({"checksum": "x", "ResponseMetadata": {}}) == "x"


@pytest.mark.parametrize("key", ["aws:omics:sampleId", "AWS:omics:subjectId", "Aws:x"])
def test_tags_of_the_services_own_are_kept_apart(key: str) -> None:
    tags = {"project": "giab", "awsome": "1", key: "HG002"}
    described = {"name": "n", "sampleId": "s", "subjectId": "u", "tags": tags}
    upload = {"uploadId": "1", "sourceFileType": "FASTQ", **described}
    own, added = {"project": "giab", "awsome": "1"}, {key: "HG002"}
    open_upload = read_multipart_upload(upload)
    job = read_import_job({"id": "1", "sources": [described]})
    assert open_upload is not None
    assert job is not None
    for each in (open_upload, job.sources[0]):
        assert (dict(each.tags), dict(each.service_tags)) == (own, added)
    ours = ReadSet(sources=["x"], name="n", sample_id="s", subject_id="u", tags=own)
    assert open_upload_matches(ours, FileType.FASTQ, open_upload)
    other = replace(ours, tags={"project": "other"})
    assert not open_upload_matches(other, FileType.FASTQ, open_upload)


@pytest.mark.parametrize(
    ("reply", "rows"),
    [
        ({"uploads": [{"uploadId": "1"}]}, [{"uploadId": "1"}]),
        ({"uploads": []}, []),
        ({"uploads": None}, []),
        ({}, None),
        ({"uploads": "none"}, None),
        ({"ResponseMetadata": {"RequestId": "1"}}, []),
        ({"ResponseMetadata": {"RequestId": "1"}, "uploads": "none"}, None),
        ({"ResponseMetadata": {"RequestId": ""}}, None),
        ({"ResponseMetadata": {}}, None),
    ],
)
def test_a_page_without_its_list_is_empty_where_the_service_sent_it(
    reply: dict[str, Any], rows: Any
) -> None:
    assert listed(reply, "uploads") == rows
