"""What is no HTTP, or no request of this service, is refused in the service's form."""

from __future__ import annotations

import json
import os
import socket
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator.wire import Wire, signed_headers

PATIENCE_S = 10.0
PATH = b"/sequencestore/1234567890/uploads"
TOO_LONG = b"a" * 40_000


def exchange(wire: Wire, data: bytes, *, hang_up: bool = False) -> bytes:
    """Everything that comes back for these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", wire.emulator.port), PATIENCE_S) as connection:
        connection.sendall(data)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


def check_refused(answer: bytes) -> tuple[int, str]:
    """The status and the error of an answer that is a refusal in the service's form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    status = int(lines[0].split()[1])
    assert 400 <= status < 500, answer
    assert headers["content-type"] == "application/json"
    assert headers["x-amzn-requestid"]
    assert json.loads(body[: int(headers["content-length"])])["message"]
    return status, headers["x-amzn-errortype"]


@pytest.mark.parametrize(
    "data",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + TOO_LONG + b"\r\n\r\n",
        b"GET /" + TOO_LONG + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: x\r\n" % each for each in range(300)) + b"\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_http(wire: Wire, data: bytes) -> None:
    assert check_refused(exchange(wire, data)) == (400, "MalformedHttpRequestException")


@pytest.mark.parametrize(
    "authorization",
    [
        b"",
        b"Basic bG9jYWw6bG9jYWw=",
        b"AWS4-HMAC-SHA256",
        b"AWS4-HMAC-SHA256 Credential=x, SignedHeaders=, Signature=",
        b"AWS4-HMAC-SHA256 Credential=local/1/us-east-1/omics/aws4_request, "
        b"SignedHeaders=host, Signature=00",
        b"AWS4-HMAC-SHA256 Credential=\xff\xfe/1/2/3/4, SignedHeaders=host, Signature=\xff",
        b"AWS4-ECDSA-P256-SHA256 Credential=local/x, SignedHeaders=host, Signature=00",
    ],
)
@pytest.mark.parametrize(
    "date", [b"", b"X-Amz-Date: \xff\r\n", b"X-Amz-Date: 20200101T000000Z\r\n"]
)
def test_what_is_not_signed(wire: Wire, authorization: bytes, date: bytes) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n%s" % (PATH, date)
    if authorization:
        head += b"Authorization: %s\r\n" % authorization
    status, _ = check_refused(exchange(wire, head + b"Connection: close\r\n\r\n"))
    assert status == 403


TOKEN = st.binary(max_size=12)
SEEDS = st.sampled_from(
    [b"GET ", b"POST ", PATH, b" HTTP/1.1\r\n", b"Host: a\r\n", b"Content-Length: 3\r\n", b"\r\n",
     b"Transfer-Encoding: chunked\r\n", b"Authorization: AWS4-HMAC-SHA256 Credential=", b"/..%2f..",
     b"Expect: 100-continue\r\n", b"\x00", b"\xff", b": ", b", ", b"?partNumber=1"]
)  # fmt: skip


@settings(max_examples=int(os.environ.get("TURBOUPLOAD_FUZZ_EXAMPLES", "300")), deadline=None)
@given(pieces=st.lists(SEEDS | TOKEN, max_size=14))
def test_any_bytes_are_refused_or_not_answered_and_break_nothing(
    wire: Wire, pieces: list[bytes]
) -> None:
    try:
        answer = exchange(wire, b"".join(pieces), hang_up=True)
    except ConnectionError:
        return  # the server hung up on bytes that it did not want
    if answer and not answer.startswith(b"HTTP/1.1 100 "):
        check_refused(answer)


IDS = ["..", "../..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "1234567890%00", "/etc/passwd",
       "1234567890%2f..%2f..", "12345678901%0a", "١٢٣٤٥٦٧٨٩٠", "%ff%fe", "1" * 37, "1" * 3000,
       "-1", "1234567890;rm", "C:%5cx"]  # fmt: skip
PLACES = [
    ("PUT", "/sequencestore/{}/upload/1234567890/part?partSource=SOURCE1&partNumber=1"),
    ("PUT", "/sequencestore/1234567890/upload/{}/part?partSource=SOURCE1&partNumber=1"),
    ("PUT", "/sequencestore/1234567890/upload/1234567890/part?partSource={}&partNumber=1"),
    ("PUT", "/sequencestore/1234567890/upload/1234567890/part?partSource=SOURCE1&partNumber={}"),
    ("POST", "/sequencestore/1234567890/upload/{}/complete"),
    ("DELETE", "/sequencestore/1234567890/upload/{}/abort"),
    ("GET", "/sequencestore/1234567890/readset/{}/metadata"),
    ("GET", "/sequencestore/1234567890/readset/{}?partNumber=1&file=SOURCE1"),
    ("GET", "/sequencestore/1234567890/readset/1234567890?partNumber=1&file={}"),
    ("GET", "/sequencestore/{}"),
]


@pytest.mark.parametrize(("method", "place"), PLACES)
def test_no_id_is_a_path(wire: Wire, method: str, place: str) -> None:
    """Signed rightly, and sent as they are: http.client and urllib3 would tidy them up."""
    for each in IDS:
        path = place.format(quote(each, safe="/%"))
        url = f"{wire.emulator.endpoint_url}{path}"
        body = b"x" if method == "PUT" else b""
        unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"} if method == "PUT" else {}
        headers = signed_headers(method, url, body, unsigned)
        headers |= {"Host": f"127.0.0.1:{wire.emulator.port}", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        data = f"{method} {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode() + body
        status, error = check_refused(exchange(wire, data))
        assert status in (400, 403, 404), (each, status)
        assert error != "InternalServerException"
