"""Every constraint of the model, each broken over the wire, each answered by the member's name."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.omics import refusal_of, wait_for
from tests.emulator.wire import Wire, signed_headers
from turboupload.emulator.model import operation_model
from turboupload.emulator.operations.service import OPERATIONS
from turboupload.emulator.validate import parse_body, validated

ARN = "arn:aws:omics:us-east-1:000000000000:sequenceStore/1234567890"
ENCODED_ARN = ARN.replace(":", "%3A").replace("/", "%2F")
UPLOAD = "/sequencestore/{store}/upload/1234567890"
DETAILS = {"sourceFileType": "FASTQ", "subjectId": "u", "sampleId": "a", "name": "n"}
PART = {"partNumber": 1, "partSource": "SOURCE1", "checksum": "c"}
SOURCE = {
    "sourceFiles": {"source1": "s3://bucket/key"},
    "sourceFileType": "FASTQ",
    "subjectId": "u",
    "sampleId": "a",
}
ROLE = "arn:aws:iam::000000000000:role/import"


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


def violations() -> list[tuple[str, str, str, Any, str]]:
    """(method, path and query, body, the member that must be named)."""
    cases: list[tuple[str, str, Any, str]] = []
    create = ("POST", "/sequencestore/{store}/upload")
    for name in ("sourceFileType", "subjectId", "sampleId", "name"):
        cases.append((*create, without(DETAILS, name), name))
        cases.append((*create, {**DETAILS, name: None}, name))
    for name in ("subjectId", "sampleId", "name", "generatedFrom", "clientToken"):
        for value in ("", "x" * 128, "tab\there", "line\nbreak", 7, ["x"]):
            cases.append((*create, {**DETAILS, name: value}, name))
    cases += [
        (*create, {**DETAILS, "sourceFileType": "VCF"}, "sourceFileType"),
        (*create, {**DETAILS, "sourceFileType": "fastq"}, "sourceFileType"),
        (*create, {**DETAILS, "description": "x" * 256}, "description"),
        (*create, {**DETAILS, "referenceArn": "not an arn"}, "referenceArn"),
        (*create, {**DETAILS, "referenceArn": "arn:" + "x" * 124}, "referenceArn"),
        (*create, {**DETAILS, "tags": ["x"]}, "tags"),
        (*create, {**DETAILS, "tags": {"": "v"}}, "tags"),
        (*create, {**DETAILS, "tags": {"k" * 129: "v"}}, "tags"),
        (*create, {**DETAILS, "tags": {"k": "v" * 257}}, "tags"),
        (*create, {**DETAILS, "tags": {"k": 1}}, "tags"),
        (*create, {**DETAILS, "tags": {"aws:k": "v"}}, "tags"),
        (*create, {**DETAILS, "tags": {str(n): "v" for n in range(51)}}, "tags"),
    ]
    for bad in ("123456789", "1" * 37, "12345678x0", "..%2F..%2Fetc", "%2E%2E", "a" * 10):
        cases += [
            ("POST", f"/sequencestore/{bad}/upload", DETAILS, "sequenceStoreId"),
            ("GET", f"/sequencestore/{bad}", None, "id"),
            ("DELETE", f"/sequencestore/{bad}", None, "id"),
            ("GET", f"/sequencestore/{{store}}/readset/{bad}/metadata", None, "id"),
            ("GET", f"/sequencestore/{{store}}/readset/{bad}?partNumber=1", None, "id"),
            ("GET", f"/sequencestore/{{store}}/importjob/{bad}", None, "id"),
            ("DELETE", f"/sequencestore/{{store}}/upload/{bad}/abort", None, "uploadId"),
            ("POST", f"/sequencestore/{{store}}/upload/{bad}/parts", {"partSource": "SOURCE1"},
             "uploadId"),
            ("POST", f"/sequencestore/{{store}}/upload/{bad}/complete", {"parts": [PART]},
             "uploadId"),
            ("PUT", f"/sequencestore/{{store}}/upload/{bad}/part?partSource=SOURCE1&partNumber=1",
             b"x", "uploadId"),
        ]  # fmt: skip
    for query, member in (
        ("partSource=SOURCE1", "partNumber"),
        ("partNumber=1", "partSource"),
        ("partSource=SOURCE3&partNumber=1", "partSource"),
        ("partSource=source1&partNumber=1", "partSource"),
        ("partSource=..%2F..&partNumber=1", "partSource"),
        *((f"partSource=SOURCE1&partNumber={number}", "partNumber")
          for number in ("0", "10001", "-1", "1.5", "x", "", "1%00", "99999999999999999999")),
    ):  # fmt: skip
        cases.append(("PUT", f"{UPLOAD}/part?{query}", b"x", member))
    cases += [
        ("POST", f"{UPLOAD}/parts", {}, "partSource"),
        ("POST", f"{UPLOAD}/parts", {"partSource": "INDEX"}, "partSource"),
        ("POST", f"{UPLOAD}/parts", {"partSource": "SOURCE1", "filter": "x"}, "filter"),
        ("POST", f"{UPLOAD}/parts",
         {"partSource": "SOURCE1", "filter": {"createdAfter": "yesterday"}}, "filter.createdAfter"),
        ("POST", f"{UPLOAD}/parts",
         {"partSource": "SOURCE1", "filter": {"createdBefore": 1}}, "filter.createdBefore"),
        ("POST", f"{UPLOAD}/complete", {}, "parts"),
        ("POST", f"{UPLOAD}/complete", {"parts": {}}, "parts"),
        ("POST", f"{UPLOAD}/complete", {"parts": ["x"]}, "parts.1.member"),
    ]  # fmt: skip
    for name, values in (
        ("partNumber", (None, 0, 10001, "1", 1.5, True)),
        ("partSource", (None, "SOURCE3", 1)),
        ("checksum", (None, "", "x" * 101, 1)),
    ):
        for broken in values:
            bad_part = {**PART, name: broken}
            cases.append(
                (
                    "POST",
                    f"{UPLOAD}/complete",
                    {"parts": [PART, bad_part]},
                    f"parts.2.member.{name}",
                )
            )
    for path, body in (
        ("/sequencestores", None),
        ("/sequencestore/{store}/uploads", None),
        ("/sequencestore/{store}/readsets", None),
        ("/sequencestore/{store}/importjobs", None),
        (f"{UPLOAD}/parts", {"partSource": "SOURCE1"}),
    ):
        for value in ("0", "101", "x", "-1"):
            cases.append(("POST", f"{path}?maxResults={value}", body, "maxResults"))
        for value in ("", "x" * 6145):
            cases.append(("POST", f"{path}?nextToken={value}", body, "nextToken"))
    cases += [
        ("POST", "/sequencestore/{store}/readsets", {"filter": {"status": "X"}}, "filter.status"),
        ("POST", "/sequencestore/{store}/readsets", {"filter": {"creationType": "X"}},
         "filter.creationType"),
        ("POST", "/sequencestore/{store}/readsets", {"filter": {"name": ""}}, "filter.name"),
        ("POST", "/sequencestore/{store}/importjobs", {"filter": {"status": "X"}}, "filter.status"),
        ("POST", "/sequencestores", {"filter": {"status": "X"}}, "filter.status"),
        ("GET", "/sequencestore/{store}/readset/1234567890", None, "partNumber"),
        ("GET", "/sequencestore/{store}/readset/1234567890?partNumber=0", None, "partNumber"),
        ("GET", "/sequencestore/{store}/readset/1234567890?partNumber=10001", None, "partNumber"),
        ("GET", "/sequencestore/{store}/readset/1234567890?partNumber=1&file=X", None, "file"),
        ("POST", "/sequencestore/{store}/readset/batch/delete", {}, "ids"),
        ("POST", "/sequencestore/{store}/readset/batch/delete", {"ids": []}, "ids"),
        ("POST", "/sequencestore/{store}/readset/batch/delete", {"ids": ["1" * 10] * 101}, "ids"),
        ("POST", "/sequencestore/{store}/readset/batch/delete", {"ids": ["../x"]}, "ids.1.member"),
        ("POST", "/sequencestore", {}, "name"),
        ("POST", "/sequencestore", {"name": "x" * 128}, "name"),
        ("POST", "/sequencestore", {"name": "x", "eTagAlgorithmFamily": "CRC"},
         "eTagAlgorithmFamily"),
        ("POST", "/sequencestore", {"name": "x", "sseConfig": {}}, "sseConfig.type"),
        ("POST", "/sequencestore", {"name": "x", "sseConfig": {"type": "AES"}}, "sseConfig.type"),
        ("POST", "/sequencestore", {"name": "x", "fallbackLocation": "/tmp"}, "fallbackLocation"),
        ("POST", f"/tags/{ENCODED_ARN}", {}, "tags"),
        ("POST", f"/tags/{ENCODED_ARN}", {"tags": {"k": None}}, "tags"),
        ("POST", "/tags/nothing", {"tags": {}}, "resourceArn"),
        ("GET", "/tags/arn%3A" + "x" * 150, None, "resourceArn"),
        ("DELETE", f"/tags/{ENCODED_ARN}", None, "tagKeys"),
        ("DELETE", f"/tags/{ENCODED_ARN}?tagKeys=" + "k" * 129, None, "tagKeys.1.member"),
    ]  # fmt: skip
    job = {"roleArn": ROLE, "sources": [SOURCE]}
    for name in ("roleArn", "sources"):
        cases.append(("POST", "/sequencestore/{store}/importjob", without(job, name), name))
    for name in ("sourceFiles", "sourceFileType", "subjectId", "sampleId"):
        cases.append(
            ("POST", "/sequencestore/{store}/importjob",
             {**job, "sources": [SOURCE, without(SOURCE, name)]}, f"sources.2.member.{name}")
        )  # fmt: skip
    cases += [
        ("POST", "/sequencestore/{store}/importjob", {**job, "roleArn": "arn:short"}, "roleArn"),
        ("POST", "/sequencestore/{store}/importjob", {**job, "sources": []}, "sources"),
        ("POST", "/sequencestore/{store}/importjob", {**job, "sources": [SOURCE] * 101}, "sources"),
        ("POST", "/sequencestore/{store}/importjob",
         {**job, "sources": [{**SOURCE, "sourceFiles": {"source1": "/etc/passwd"}}]},
         "sources.1.member.sourceFiles.source1"),
    ]  # fmt: skip
    return [
        (f"{number:03d}-{method}-{member}", method, path, body, member)
        for number, (method, path, body, member) in enumerate(cases)
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "member"),
    [pytest.param(*case[1:], id=case[0]) for case in violations()],
)
def test_a_violation_names_the_member(
    wire: Wire, store: str, method: str, path: str, body: Any, member: str
) -> None:
    path, _, query = path.replace("{store}", store).partition("?")
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"} if isinstance(body, bytes) else None
    url = path + (f"?{query}" if query else "")
    reply = wire.call(method, url, body, headers=headers)
    assert (reply.status, reply.error) == (400, "ValidationException"), reply
    assert f"'{member}" in reply.message
    assert reply.headers["x-amzn-RequestId"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"{'a': 1}", b'{"a": NaN}', b"[" * 100_000]
)
def test_a_body_that_is_no_json_object(wire: Wire, store: str, body: bytes) -> None:
    reply = wire.call("POST", f"/sequencestore/{store}/upload", body)
    assert (reply.status, reply.error) == (400, "ValidationException")


def test_null_members_and_unknown_ones_are_ignored(wire: Wire, store: str) -> None:
    reply = wire.create(store)
    assert reply.status == 200
    body = {**DETAILS, "tags": None, "description": None, "noSuchMember": [1, 2]}
    reply = wire.call("POST", f"/sequencestore/{store}/upload", body)
    assert reply.status == 200
    assert "noSuchMember" not in reply.json


@pytest.mark.parametrize("name", ["étude ✓", "東京 サンプル", "a|b", "x" * 127, "🧬", "  spaced  "])
def test_names_of_any_script_are_welcome(wire: Wire, store: str, name: str) -> None:
    reply = wire.create(store, name=name)
    assert reply.status == 200
    assert reply.json["name"] == name


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/sequencestore/1234567890/nothing"),
        ("PATCH", "/sequencestore/1234567890/uploads"),
        ("GET", "//sequencestore/1234567890"),
        ("GET", "/sequencestore/1234567890/"),
        ("POST", "/runs"),
    ],
)
def test_a_path_without_an_operation(wire: Wire, method: str, path: str) -> None:
    reply = wire.call(method, path)
    assert (reply.status, reply.error) == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    "path",
    [
        "/sequencestore/../sequencestore/1234567890",
        "/sequencestore/1234567890/readset/../../../etc/passwd",
        "/sequencestore/1234567890/readset/./1234567890/metadata",
        "/../../etc/passwd",
    ],
)
def test_a_path_with_dots_is_not_walked(wire: Wire, path: str) -> None:
    # urllib3 would resolve the dots before it sends them.
    connection = http.client.HTTPConnection("127.0.0.1", wire.emulator.port, timeout=10)
    connection.request("GET", path, headers=signed_headers("GET", wire.url(path)))
    reply = connection.getresponse()
    assert (reply.status, reply.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
    connection.close()


def test_half_a_character_is_no_character(wire: Wire, store: str) -> None:
    # A lone surrogate is JSON, and no text.
    half = "\ud800"
    reply = wire.create(store, name=half)
    assert (reply.status, reply.error) == (400, "ValidationException")
    reply = wire.create(store, tags={"k": half})
    assert (reply.status, reply.json["tags"]) == (200, {"k": half})
    source = {**SOURCE, "sourceFiles": {"source1": f"s3://bucket/{half}"}}
    job = {"roleArn": ROLE, "sources": [source]}
    reply = wire.call("POST", f"/sequencestore/{store}/importjob", job)
    assert reply.status == 200
    path = f"/sequencestore/{store}/importjob/{reply.json['id']}"
    wait_for(
        lambda: wire.call("GET", path).json["status"] == "COMPLETED_WITH_FAILURES",
        "the end of the job",
    )


def test_oversized_bodies_and_headers_are_refused(wire: Wire, store: str) -> None:
    path = f"/sequencestore/{store}/upload"
    big = json.dumps({**DETAILS, "description": "x" * (9 * 2**20)}).encode()
    reply = wire.call("POST", path, big)
    assert (reply.status, reply.error) == (413, "RequestEntityTooLargeException")
    assert wire.call("POST", path, DETAILS, headers={"X-Big": "x" * 20_000}).status == 400
    many = {f"X-Many-{number}": "x" for number in range(300)}
    assert wire.call("POST", path, DETAILS, headers=many).status == 400
    assert wire.call("POST", path + "?" + "x" * 20_000, DETAILS).status == 400
    assert wire.create(store).status == 200


def test_a_part_without_content_length_is_refused(wire: Wire, store: str) -> None:
    upload = wire.open_upload(store)
    reply = wire.put_part(
        store, upload, b"4\r\nabcd\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}
    )
    assert (reply.status, reply.error) == (400, "ValidationException")
    assert "Content-Length" in reply.message


def test_a_compressed_control_body_is_not_unpacked(wire: Wire, store: str) -> None:
    import gzip

    body = gzip.compress(json.dumps(DETAILS).encode())
    reply = wire.call(
        "POST", f"/sequencestore/{store}/upload", body, headers={"Content-Encoding": "gzip"}
    )
    assert (reply.status, reply.error) == (400, "ValidationException")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


@given(body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    refusal = refusal_of(lambda: parse_body(body))
    assert refusal is None or refusal.code == "ValidationException"
    if refusal is None:
        assert isinstance(parse_body(body), dict)


@given(data=st.data(), operation=st.sampled_from(sorted(OPERATIONS)))
def test_any_input_is_valid_or_refused(data: st.DataObject, operation: str) -> None:
    shape = operation_model(operation).input_shape
    assert shape is not None
    values = JSON | st.sampled_from(["1234567890", "SOURCE1", "FASTQ", "x"])
    names = st.sampled_from(sorted(shape.members)) | st.text(max_size=9)
    locations = {
        name: member.serialization.get("location") for name, member in shape.members.items()
    }
    labels = {
        name: data.draw(st.text(max_size=40) | st.just("1234567890"))
        for name, location in locations.items()
        if location == "uri"
    }
    query = data.draw(st.lists(st.tuples(names, st.text(max_size=20)), max_size=4))
    body = data.draw(st.dictionaries(names, values, max_size=6))
    refusal = refusal_of(lambda: validated(operation, labels, query, body))
    assert refusal is None or (refusal.code, refusal.status) == ("ValidationException", 400)
    if refusal is None:
        assert set(validated(operation, labels, query, body)) <= set(shape.members)
