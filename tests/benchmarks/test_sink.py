"""The sink counts what it read of a body, not what was announced."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator

import pytest

from benchmarks.sink import MissingTool, Sink

PART = "/sequencestore/1234567890/upload/1000000001/part?partSource=SOURCE1&partNumber=1"
BOUND_S = 10.0


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    try:
        with Sink() as running:
            yield running
    except MissingTool as error:
        pytest.skip(f"missing: {error}")


def _connect(sink: Sink, *, port: int | None = None) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(sink.ca))
    return http.client.HTTPSConnection(
        "localhost", port or sink.port, timeout=BOUND_S, context=context
    )


def _ask(connection: http.client.HTTPSConnection, method: str, path: str, body: bytes = b"") -> int:
    connection.request(method, path, body)
    reply = connection.getresponse()
    reply.read()
    return reply.status


def test_the_bytes_of_each_part_are_counted(sink: Sink) -> None:
    sink.forget()
    connection = _connect(sink)
    assert _ask(connection, "PUT", PART, bytes(1_000_001)) == 200
    assert _ask(connection, "PUT", PART, bytes(7)) == 200
    assert _ask(connection, "POST", "/sequencestore/1234567890/uploads", b"{}") == 200
    connection.close()
    received = sink.received(at_least=1_000_008, requests=3)
    assert received.part_bytes == 1_000_008
    assert (received.parts, received.requests, received.connections) == (2, 3, 1)


def test_a_body_that_breaks_off_does_not_count(sink: Sink) -> None:
    sink.forget()
    context = ssl.create_default_context(cafile=str(sink.ca))
    with (
        socket.create_connection(("127.0.0.1", sink.port), BOUND_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        head = f"PUT {PART} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
        tls.sendall(head.encode() + bytes(1000))
    connection = _connect(sink)
    assert _ask(connection, "PUT", PART, bytes(10)) == 200
    connection.close()
    assert sink.received(at_least=10).part_bytes == 10


def test_every_upload_has_an_id_of_its_own(sink: Sink) -> None:
    connection = _connect(sink)
    ids = []
    for _ in range(2):
        connection.request("POST", "/sequencestore/1234567890/upload", b"{}")
        ids.append(json.loads(connection.getresponse().read())["uploadId"])
    connection.close()
    assert len(set(ids)) == 2
    assert all(each.isdigit() and 10 <= len(each) <= 36 for each in ids)


def test_more_than_the_quota_is_throttled(sink: Sink) -> None:
    sink.forget()
    connection = _connect(sink, port=sink.quota_port)
    statuses = [_ask(connection, "PUT", PART, b"x") for _ in range(20)]
    connection.close()
    assert statuses.count(200) >= 10
    assert 429 in statuses
    assert sink.received(requests=20).throttled == statuses.count(429)


def test_s3_clients_find_their_way(sink: Sink) -> None:
    connection = _connect(sink)
    assert _ask(connection, "POST", "/bucket/key?uploads") == 200
    assert _ask(connection, "PUT", "/bucket/key?partNumber=1&uploadId=upload", b"x") == 200
    assert _ask(connection, "POST", "/bucket/key?uploadId=upload", b"<x/>") == 200
    assert _ask(connection, "GET", "/elsewhere") == 404
    connection.close()
