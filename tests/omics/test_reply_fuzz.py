"""Replies of any shape: botocore's parser and ours make a value of them, or one of two errors."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import anyio
import botocore.parsers
import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.test_wire import READ_SET, STORE
from tests.support.bodies import Zeros
from tests.support.values import plan
from turboupload.core.filters import ImportJobFilter, ReadSetFilter, SequenceStoreFilter
from turboupload.core.imports.jobs import ImportJob
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.rate.retry import explain
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.core.upload.matching import (
    holds_these_sizes,
    open_upload_matches,
    read_set_matches,
)
from turboupload.core.upload.parts.cuts import infer_part_size
from turboupload.core.upload.parts.ledger import PartLedger
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics.attempt import ATTEMPT
from turboupload.omics.base import Page, UploadRef
from turboupload.omics.client import OmicsClient
from turboupload.omics.connection import Connection

EXAMPLES = int(os.environ.get("TURBOUPLOAD_FUZZ_EXAMPLES", "40"))
UPLOAD = UploadRef(STORE, "1234567890")
PART = Part(PartSource.SOURCE1, 1, 0, 1)
PLAN = plan(10, 6, part_size=4)


@cache
def model(operation: str) -> OperationModel:
    service = botocore.session.get_session().get_service_model("omics")
    return service.operation_model(operation)


OPERATIONS = {
    xform_name(name): name
    for name in (
        "ListReadSets", "ListMultipartReadSetUploads", "ListReadSetUploadParts",
        "CreateMultipartReadSetUpload", "UploadReadSetPart", "CompleteMultipartReadSetUpload",
        "AbortMultipartReadSetUpload", "GetReadSetMetadata", "GetReadSetImportJob",
        "ListReadSetImportJobs", "GetSequenceStore", "ListSequenceStores",
    )
}  # fmt: skip


class Client:
    """botocore's own parser on these bytes, whatever was asked."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self._status = status
        self._reply = {"status_code": status, "headers": headers, "body": body}
        place = {"region_name": "us-east-1", "endpoint_url": "https://omics.invalid"}
        self.meta = type("Meta", (), place)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        operation = OPERATIONS[name]

        async def method(**_: Any) -> Any:
            ATTEMPT.get().answered = True
            parser: Any = botocore.parsers.create_parser("rest-json")
            parsed = parser.parse(self._reply, model(operation).output_shape)
            if self._status >= 300:
                raise ClientError(parsed, operation)
            return parsed

        return method


Call = Callable[[OmicsClient], Awaitable[Any]]
DEEP = {b"many [": b"[" * 100_000, b"many {": b'{"parts":' * 5000}
"""Names for what Hypothesis had better not print."""

CALLS: dict[str, Call] = {
    "ListReadSets": lambda omics: omics.list_read_sets(STORE, ReadSetFilter()),
    "ListMultipartReadSetUploads": lambda omics: omics.list_uploads(STORE),
    "ListReadSetUploadParts": lambda omics: omics.list_parts(UPLOAD, PartSource.SOURCE1),
    "CreateMultipartReadSetUpload": lambda omics: omics.create_upload(
        STORE, READ_SET, FileType.FASTQ, "t"
    ),
    "UploadReadSetPart": lambda omics: omics.send_part(
        UPLOAD, PART, lambda: Zeros(1), lambda _: None
    ),
    "CompleteMultipartReadSetUpload": lambda omics: omics.complete_upload(
        UPLOAD, (UploadPart(PartSource.SOURCE1, 1, 1, "x"),)
    ),
    "AbortMultipartReadSetUpload": lambda omics: omics.abort_upload(UPLOAD),
    "GetReadSetMetadata": lambda omics: omics.get_read_set(STORE, "1234567890"),
    "GetReadSetImportJob": lambda omics: omics.get_import_job(STORE, "1234567890"),
    "ListReadSetImportJobs": lambda omics: omics.list_import_jobs(STORE, ImportJobFilter()),
    "GetSequenceStore": lambda omics: omics.get_sequence_store(STORE),
    "ListSequenceStores": lambda omics: omics.list_sequence_stores(SequenceStoreFilter()),
}

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "SOURCE1", "ACTIVE", "1e999", "0001-01-01T00:00:00Z", "\ud800", 1e300,
                       10**400, -1, 0, "9999-12-31T23:59:59+00:00", float("inf")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip


def meant(shape: Shape) -> st.SearchStrategy[Any]:
    """What the model means; a member of it may be junk, or missing."""
    if isinstance(shape, StructureShape):
        members = {
            member.serialization.get("name", name): oddly(member)
            for name, member in shape.members.items()
        }
        return st.fixed_dictionaries({}, optional=members)
    if isinstance(shape, ListShape):
        return st.lists(oddly(shape.member), max_size=3)
    if isinstance(shape, MapShape):
        return st.dictionaries(st.text(max_size=5), oddly(shape.value), max_size=2)
    match shape.type_name:
        case "string":
            known = list(getattr(shape, "enum", ())) or ["1234567890", "lane 1", "HG002"]
            return st.sampled_from(known) | st.text(max_size=12)
        case "integer" | "long":
            return st.integers(-1, 12) | st.integers()
        case "timestamp":
            return st.datetimes().map(datetime.isoformat) | st.floats() | st.integers()
        case _:
            return JUNK


def oddly(shape: Shape) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda dice: JUNK if dice == 0 else meant(shape))


@cache
def bodies(operation: str) -> st.SearchStrategy[bytes]:
    shape = model(operation).output_shape
    value = oddly(shape) if shape is not None else JUNK
    return (
        value.map(lambda each: json.dumps(each).encode())
        | st.binary(max_size=40)
        | st.sampled_from([b"", b"{}", b"\xff\xfe{", *DEEP])
    )


def check_value(value: Any) -> None:
    """Whatever was made of it has the types that it promises, and can be worked with."""
    for row in value.rows if isinstance(value, Page) else [value]:
        match row:
            case UploadPart():
                assert isinstance(row.size, int)
                assert row.checksum is None or row.checksum
            case MultipartUpload():
                assert row.upload_id
                open_upload_matches(READ_SET, FileType.FASTQ, row)
            case ReadSetDetails():
                assert row.read_set_id
                read_set_matches(READ_SET, FileType.FASTQ, row)
                holds_these_sizes(row, PLAN.sources, FileType.FASTQ)
            case ImportJob():
                assert row.job_id
            case str():
                assert row
    if isinstance(value, Page):
        parts = tuple(row for row in value.rows if isinstance(row, UploadPart))
        infer_part_size(parts, PLAN.sources, planned=4)
        ledger = PartLedger(PLAN)
        ledger.listed(parts)
        while ledger.take() is not None:
            pass


def connected(client: Client) -> Connection:
    """A connection that sends no part."""
    nothing: Any = None
    transport: Any = SimpleNamespace(connect_ahead=lambda url: None)
    return Connection(
        client, transport, endpoint=None, timeout_s=60.0, identity=nothing, credentials=nothing
    )


def attempt(call: Call, client: Client) -> None:
    omics = OmicsClient(connected(client))

    async def run() -> None:
        try:
            check_value(await call(omics))
        except (CallFailed, LinkFailed) as failure:
            failures.append(failure)

    failures: list[CallFailed | LinkFailed] = []
    anyio.run(run)
    for failure in failures:
        told = explain(failure)
        assert told.message.isprintable(), told.message
        assert not (isinstance(failure, LinkFailed) and failure.fault == "credentials")


@pytest.mark.parametrize("operation", CALLS)
def test_any_reply_is_a_value_or_an_error_of_ours(operation: str) -> None:

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        body=bodies(operation),
        status=st.sampled_from([200, 200, 200, 201, 204, 400, 403, 404, 429, 500, 503]),
        headers=st.sampled_from([{}, {"x-amzn-errortype": "ValidationException"},
                                 {"content-type": "text/html"}, {"x-amzn-requestid": "1"}]),
    )  # fmt: skip
    def play(body: bytes, status: int, headers: dict[str, str]) -> None:
        attempt(CALLS[operation], Client(status, headers, DEEP.get(body, body)))

    play()
