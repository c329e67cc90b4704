"""The part transport over real sockets: what arrives, what returns, and each failure's kind."""

import asyncio
import hashlib
import random
import socket
import ssl
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.bodies import KIB, MIB, TOO_MUCH, Bytes, Zeros, put
from tests.support.https_sink import (
    Peer,
    Request,
    Script,
    Sink,
    accepting,
    answering,
    black_hole,
    reply,
    server_tls,
    write_authority,
)
from turboupload.http.transport import (
    PartRequest,
    PartResponse,
    PartTransport,
    TransportConfig,
    TransportError,
)

Serve = Callable[[Script], Sink]


def over_tls13(script: Script) -> Sink:
    return Sink(script, server_tls())


def over_tls12(script: Script) -> Sink:
    return Sink(script, server_tls(version=ssl.TLSVersion.TLSv1_2))


def in_clear(script: Script) -> Sink:
    return Sink(script)


@pytest.fixture(params=[over_tls13, over_tls12, in_clear], ids=["tls1.3", "tls1.2", "clear"])
def serve(request: pytest.FixtureRequest) -> Serve:
    way: Serve = request.param
    return way


@pytest.fixture
def config(tmp_path: Path) -> TransportConfig:
    return TransportConfig(
        ca_bundle=write_authority(tmp_path),
        chunk_bytes=64 * KIB,
        connect_timeout_s=30.0,
        stall_timeout_s=30.0,
        reply_timeout_s=30.0,
    )


@pytest.fixture
async def transport(config: TransportConfig) -> AsyncIterator[PartTransport]:
    async with PartTransport(config) as transport:
        yield transport


def impatient(config: TransportConfig) -> TransportConfig:
    return replace(config, stall_timeout_s=0.5, reply_timeout_s=0.3)


# What arrives


@pytest.mark.parametrize("size", [0, 1, 64 * KIB, 64 * KIB + 1, MIB])
async def test_the_bytes_arrive_exactly(transport: PartTransport, serve: Serve, size: int) -> None:
    data = random.Random(size).randbytes(size)
    counted: list[int] = []
    with serve(accepting) as sink:
        body = Bytes(data)
        response = await transport.send(put(sink, body), on_bytes=counted.append)
    assert (response.status, response.content) == (200, b"ok")
    assert response.body_bytes_sent == sum(counted) == size
    assert sink.requests[0].body == body.hashed == data


async def test_short_reads_are_fine(transport: PartTransport, serve: Serve) -> None:
    data = random.Random(1).randbytes(300 * KIB)
    with serve(accepting) as sink:
        body = Bytes(data, at_most=1_000)
        await transport.send(put(sink, body))
    assert sink.requests[0].body == body.hashed == data


async def test_the_head_is_what_was_signed(transport: PartTransport) -> None:
    with in_clear(accepting) as sink:
        headers = [("Authorization", "AWS4 x"), ("transfer-encoding", "chunked"), ("Expect", "100")]
        await transport.send(PartRequest("PUT", sink.url, headers, Bytes(b"abc")))
    request = sink.requests[0]
    assert request.head.split("\r\n")[0] == "PUT /part?partNumber=1 HTTP/1.1"
    assert request.header("host") == f"localhost:{sink.port}"
    assert request.header("authorization") == "AWS4 x"
    assert request.header("content-length") == "3"
    assert request.header("transfer-encoding") is None
    assert request.header("expect") is None


async def test_a_host_header_that_was_given_is_kept(transport: PartTransport) -> None:
    with in_clear(accepting) as sink:
        headers = [("host", "storage-omics.us-east-1.amazonaws.com")]
        await transport.send(PartRequest("PUT", sink.url, headers, Bytes(b"abc")))
    assert sink.requests[0].header("host") == "storage-omics.us-east-1.amazonaws.com"
    assert sink.requests[0].head.lower().count("host:") == 1


async def test_the_listeners_of_transport_and_request_hear_the_same(
    config: TransportConfig, serve: Serve
) -> None:
    everyone: list[int] = []
    one: list[int] = []
    async with PartTransport(config, on_bytes=everyone.append) as transport:
        with serve(accepting) as sink:
            await transport.send(put(sink, Zeros(MIB)), on_bytes=one.append)
    assert everyone == one
    assert sum(one) == MIB


# Connections


async def test_a_connection_is_used_again(transport: PartTransport, serve: Serve) -> None:
    with serve(accepting) as sink:
        for number in range(5):
            await transport.send(put(sink, Bytes(b"%d" % number)))
        assert sink.connections == 1
    assert [bytes(request.body) for request in sink.requests] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_request_finds_the_connection_made_ahead(
    transport: PartTransport, serve: Serve
) -> None:
    with serve(accepting) as sink:
        for number in range(2):
            await transport.connect_ahead(sink.url)
            assert len(sink.requests) == number
            assert (await transport.send(put(sink, Bytes(b"%d" % number)))).status == 200
        assert sink.connections == 1


async def test_why_none_was_made_ahead_is_told_by_the_request(transport: PartTransport) -> None:
    with in_clear(accepting) as sink:
        pass
    await transport.connect_ahead(sink.url)
    await transport.connect_ahead("https://[/")
    with pytest.raises(TransportError) as caught:
        await transport.send(put(sink, Bytes(b"x")))
    assert caught.value.kind == "connect"


async def test_a_dead_idle_connection_is_replaced(transport: PartTransport, serve: Serve) -> None:
    with serve(answering(reply())) as sink:
        for _ in range(3):
            sink.connection_closed.clear()
            assert (await transport.send(put(sink, Zeros(MIB)))).status == 200
            await asyncio.to_thread(sink.connection_closed.wait, 5)
    assert sink.connections == 3


async def test_an_idle_connection_with_an_unasked_reply_is_replaced(
    transport: PartTransport, serve: Serve
) -> None:
    said = threading.Event()

    def script(peer: Peer) -> None:
        answering(reply())(peer)
        peer.say(reply(408))
        said.set()
        peer.hold()

    with serve(script) as sink:
        await transport.send(put(sink, Bytes(b"1")))
        await asyncio.to_thread(said.wait, 5)
        assert (await transport.send(put(sink, Bytes(b"2")))).status == 200
    assert sink.connections == 2


async def test_an_old_idle_connection_is_replaced(config: TransportConfig) -> None:
    async with PartTransport(replace(config, max_idle_s=0.0)) as transport:
        with over_tls13(accepting) as sink:
            for _ in range(2):
                await transport.send(put(sink, Bytes(b"x")))
    assert sink.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, b"ok", "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        reply() + b"what else?",
    ],
    ids=["close", "http1.0", "surplus"],
)
async def test_some_connections_are_not_used_again(transport: PartTransport, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        answering(answer)(peer)
        peer.hold()

    with in_clear(script) as sink:
        for _ in range(2):
            assert (await transport.send(put(sink, Bytes(b"x")))).content == b"ok"
    assert sink.connections == 2


async def test_two_servers_do_not_share_connections(transport: PartTransport) -> None:
    with in_clear(accepting) as one, in_clear(accepting) as other:
        for sink in (one, other, one, other):
            await transport.send(put(sink, Bytes(b"x")))
    assert (one.connections, other.connections) == (1, 1)
    assert (len(one.requests), len(other.requests)) == (2, 2)


# Replies


@pytest.mark.parametrize("status", [200, 204, 307, 400, 429, 503])
async def test_every_status_is_returned(
    transport: PartTransport, serve: Serve, status: int
) -> None:
    answer = reply(status, b"" if status == 204 else b"why", "X-Amzn-RequestId: 42")
    with serve(answering(answer)) as sink:
        response = await transport.send(put(sink, Bytes(b"abc")))
    assert response.status == status
    assert response.content == (b"" if status == 204 else b"why")
    assert ("x-amzn-requestid", "42") in response.headers


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n"
        b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nabcdefg",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + reply(200, b"abcdefg"),
    ],
    ids=["chunked", "length", "informational"],
)
async def test_a_reply_may_come_byte_by_byte(
    transport: PartTransport, serve: Serve, answer: bytes
) -> None:
    def script(peer: Peer) -> None:
        request = peer.read_head()
        assert request is not None
        peer.read_body(request)
        for byte in answer:
            peer.say(bytes([byte]))
        peer.hold()

    with serve(script) as sink:
        assert (await transport.send(put(sink, Bytes(b"x")))).content == b"abcdefg"


async def test_a_reply_may_end_with_the_connection(transport: PartTransport, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        answering(b"HTTP/1.1 200 OK\r\n\r\nabcdefg")(peer)
        if isinstance(peer.sock, ssl.SSLSocket):
            peer.say_goodbye()

    with serve(script) as sink:
        assert (await transport.send(put(sink, Bytes(b"x")))).content == b"abcdefg"


async def failure(transport: PartTransport, sink: Sink, body: Bytes | Zeros) -> TransportError:
    with pytest.raises(TransportError) as caught:
        await transport.send(put(sink, body))
    assert caught.value.host == "localhost"
    return caught.value


async def test_a_reply_over_tls_that_was_cut_short_is_lost(transport: PartTransport) -> None:
    with over_tls13(answering(b"HTTP/1.1 200 OK\r\n\r\nabcdefg")) as sink:
        assert (await failure(transport, sink, Bytes(b"x"))).kind == "lost"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "lost"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "lost"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad_reply"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "bad_reply"),
        (reply(200, bytes(MIB + 1)), "bad_reply"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2 * MIB), "bad_reply"),
    ],
    ids=[
        "nothing",
        "half a head",
        "short body",
        "short chunk",
        "no HTTP",
        "two lengths",
        "no chunk size",
        "huge head",
        "huge body",
        "endless body",
    ],
)
async def test_replies_that_are_none(
    transport: PartTransport, serve: Serve, answer: bytes, kind: str
) -> None:
    with serve(answering(answer)) as sink:
        error = await failure(transport, sink, Bytes(b"x"))
    assert error.kind == kind
    assert error.body_bytes_sent == 1


# Early replies


def refusing(then: Callable[[Peer], None]) -> Script:
    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        peer.say(reply(403, b"<denied/>", "X-Amzn-ErrorType: AccessDeniedException"))
        then(peer)

    return script


def reading_on(peer: Peer) -> None:
    while peer.sock.recv(MIB):
        pass


@pytest.mark.parametrize("then", [Peer.hold, Peer.cut, reading_on], ids=["hold", "cut", "read"])
async def test_an_early_refusal_is_what_the_caller_gets(
    transport: PartTransport, serve: Serve, then: Callable[[Peer], None]
) -> None:
    # A refusal is looked for every 50 ms where the server reads on: seconds' worth of body, so that
    # no machine is through with it by then.
    size = 4096 * MIB
    body = Zeros(size)
    with serve(refusing(then)) as sink:
        response = await transport.send(put(sink, body))
    assert response.status == 403
    assert response.content == b"<denied/>"
    assert ("x-amzn-errortype", "AccessDeniedException") in response.headers
    assert response.body_bytes_sent < size
    assert body.reads < size / (64 * KIB)


async def test_a_refusal_in_the_middle_stops_the_body(
    transport: PartTransport, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        peer.skip(8 * MIB)
        peer.say(reply(503, b"slow down"))
        reading_on(peer)

    with serve(script) as sink:
        response = await transport.send(put(sink, Zeros(4096 * MIB)))
        assert (response.status, response.content) == (503, b"slow down")
        assert 8 * MIB <= response.body_bytes_sent < 4096 * MIB
        # The connection is in the middle of a body, and no use any more.
        await transport.send(put(sink, Zeros(4096 * MIB)))
        assert sink.connections == 2


def throttling(then: Callable[[Peer, Request], None]) -> Script:
    """Refuses the first request, and lets `then` answer each of the others."""

    def script(peer: Peer) -> None:
        while request := peer.read_head():
            if len(peer.sink.requests) == 1:
                peer.read_body(request, keep=False)
                peer.say(reply(429))
            else:
                then(peer, request)

    return script


def inviting(peer: Peer, request: Request) -> None:
    peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
    peer.read_body(request)
    peer.say(reply())


def asked(sink: Sink) -> list[bool]:
    return [each.header("expect") == "100-continue" for each in sink.requests]


async def test_once_throttled_it_asks_before_it_sends(
    transport: PartTransport, serve: Serve
) -> None:
    with serve(throttling(inviting)) as sink:
        assert (await transport.send(put(sink, Bytes(b"abc")))).status == 429
        for _ in range(2):
            response = await transport.send(put(sink, Bytes(b"abc")))
            assert (response.status, response.body_bytes_sent) == (200, 3)
        assert [bytes(each.body) for each in sink.requests[1:]] == [b"abc", b"abc"]
        assert (asked(sink), sink.connections) == ([False, True, True], 1)


async def test_what_is_refused_when_it_asks_costs_no_byte(
    transport: PartTransport, serve: Serve
) -> None:
    def refuse(peer: Peer, request: Request) -> None:
        peer.say(reply(429, b"slow down"))
        peer.hold()

    body = Zeros(64 * MIB)
    with serve(throttling(refuse)) as sink:
        await transport.send(put(sink, Bytes(b"abc")))
        response = await transport.send(put(sink, body))
    assert (response.status, response.content) == (429, b"slow down")
    assert (response.body_bytes_sent, body.reads) == (0, 0)


async def test_a_server_that_does_not_answer_the_question_gets_the_body_and_is_asked_once(
    transport: PartTransport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turboupload.http.transfer.ASK_S", 0.05)

    def ignore(peer: Peer, request: Request) -> None:
        peer.read_body(request)
        peer.say(reply())

    with serve(throttling(ignore)) as sink:
        for status in (429, 200, 200):
            assert (await transport.send(put(sink, Bytes(b"abc")))).status == status
        assert asked(sink) == [False, True, False]


async def test_a_proxy_that_takes_no_question_is_not_asked_again(
    transport: PartTransport, serve: Serve
) -> None:
    def refuse_the_question(peer: Peer, request: Request) -> None:
        if request.header("expect"):
            peer.say(reply(417))
            return peer.hold()
        peer.read_body(request)
        return peer.say(reply())

    with serve(throttling(refuse_the_question)) as sink:
        for status in (429, 200, 200):
            assert (await transport.send(put(sink, Bytes(b"abc")))).status == status
        assert asked(sink) == [False, True, False, False]
        assert [bytes(each.body) for each in sink.requests[2:]] == [b"abc", b"abc"]


async def test_a_question_that_is_refused_late_is_one_more_attempt(
    transport: PartTransport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turboupload.http.transfer.ASK_S", 0.05)

    def refuse_late(peer: Peer, request: Request) -> None:
        peer.read_body(request)
        peer.say(reply(417 if request.header("expect") else 200))

    with serve(throttling(refuse_late)) as sink:
        await transport.send(put(sink, Bytes(b"abc")))
        with pytest.raises(TransportError, match="whether it wants the body") as failed:
            await transport.send(put(sink, Bytes(b"abc")))
        assert (failed.value.kind, failed.value.body_bytes_sent) == ("bad_reply", 3)
        assert (await transport.send(put(sink, Bytes(b"abc")))).status == 200
        assert asked(sink) == [False, True, False]


async def test_who_closes_on_the_question_is_not_asked_again(
    transport: PartTransport, serve: Serve
) -> None:
    def close_on_it(peer: Peer, request: Request) -> None:
        if request.header("expect"):
            return peer.cut()
        peer.read_body(request)
        return peer.say(reply())

    with serve(throttling(close_on_it)) as sink:
        await transport.send(put(sink, Bytes(b"abc")))
        with pytest.raises(TransportError) as failed:
            await transport.send(put(sink, Bytes(b"abc")))
        assert (failed.value.kind, failed.value.body_bytes_sent) == ("lost", 0)
        assert (await transport.send(put(sink, Bytes(b"abc")))).status == 200
        assert asked(sink) == [False, True, False]


async def test_an_invitation_that_comes_late_or_twice_changes_nothing(
    transport: PartTransport, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turboupload.http.transfer.ASK_S", 0.05)

    def late(peer: Peer, request: Request) -> None:
        peer.read_body(request)
        peer.say(b"HTTP/1.1 100 Continue\r\n\r\n" * 2)
        peer.say(reply())

    with serve(throttling(late)) as sink:
        for status in (429, 200, 200):
            assert (await transport.send(put(sink, Bytes(b"abc")))).status == status
        assert [bytes(each.body) for each in sink.requests[1:]] == [b"abc", b"abc"]


async def test_an_early_success_does_not_stop_the_body(
    transport: PartTransport, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        while request := peer.read_head():
            peer.say(reply())
            peer.read_body(request, keep=False)

    with serve(script) as sink:
        for _ in range(2):
            response = await transport.send(put(sink, Zeros(8 * MIB)))
            assert (response.status, response.body_bytes_sent) == (200, 8 * MIB)
        assert sink.connections == 1


async def test_an_early_success_without_a_reader_is_no_success(
    transport: PartTransport, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        peer.say(reply())
        peer.cut()

    with serve(script) as sink:
        assert (await failure(transport, sink, Zeros(TOO_MUCH))).kind == "lost"


async def test_a_server_that_hangs_up_one_way_is_not_waited_for(transport: PartTransport) -> None:
    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        peer.say(reply())
        peer.sock.shutdown(socket.SHUT_WR)
        peer.hold()

    with in_clear(script) as sink:
        async with asyncio.timeout(10):
            assert (await failure(transport, sink, Zeros(TOO_MUCH))).kind == "lost"


# Broken connections


@pytest.mark.parametrize("how", [Peer.reset, Peer.cut], ids=["reset", "cut"])
async def test_a_connection_broken_in_mid_body_is_lost(
    transport: PartTransport, serve: Serve, how: Callable[[Peer], None]
) -> None:
    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        peer.skip(MIB)
        how(peer)

    with serve(script) as sink:
        error = await failure(transport, sink, Zeros(TOO_MUCH))
    assert error.kind == "lost"
    assert 0 < error.body_bytes_sent < TOO_MUCH
    assert "localhost" in str(error)


async def test_a_server_that_stops_reading_has_stalled(
    config: TransportConfig, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.hold()

    async with PartTransport(impatient(config)) as transport:
        with serve(script) as sink:
            error = await failure(transport, sink, Zeros(TOO_MUCH))
    assert error.kind == "stalled"
    assert 0 < error.body_bytes_sent < TOO_MUCH


async def test_a_server_that_never_replies_has_stalled(
    config: TransportConfig, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        request = peer.read_head()
        assert request is not None
        peer.read_body(request)
        peer.say(b"HTTP/1.1 200 OK\r\n")
        peer.hold()

    async with PartTransport(impatient(config)) as transport:
        with serve(script) as sink:
            error = await failure(transport, sink, Zeros(MIB))
    assert (error.kind, error.body_bytes_sent) == ("stalled", MIB)


async def test_slow_is_not_stalled(config: TransportConfig, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        for _ in range(4):
            peer.sink.closing.wait(0.2)  # it is the slowness that is tested
            peer.skip(4 * MIB)
        peer.say(reply(503))
        reading_on(peer)

    async with PartTransport(impatient(config)) as transport:
        with serve(script) as sink:
            assert (await transport.send(put(sink, Zeros(TOO_MUCH)))).status == 503


# Before the connection


async def test_a_name_that_is_none(transport: PartTransport) -> None:
    # RFC 6761 keeps .invalid from ever having an address.
    request = PartRequest("PUT", "https://nowhere.invalid/part", [], Bytes(b"x"))
    with pytest.raises(TransportError) as caught:
        await transport.send(request)
    assert (caught.value.kind, caught.value.host) == ("dns", "nowhere.invalid")


async def test_a_label_that_is_too_long_is_no_name(transport: PartTransport) -> None:
    request = PartRequest("PUT", f"https://{'x' * 64}.invalid/part", [], Bytes(b"x"))
    with pytest.raises(TransportError) as caught:
        await transport.send(request)
    assert caught.value.kind == "dns"


async def test_a_resolver_that_hangs(
    config: TransportConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10) and [])
    async with PartTransport(replace(config, connect_timeout_s=0.2)) as transport:
        with pytest.raises(TransportError, match="in time") as caught:
            await transport.send(PartRequest("PUT", "https://localhost/part", [], Bytes(b"x")))
    answer.set()
    assert caught.value.kind == "dns"


async def test_a_port_where_nobody_listens(transport: PartTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    body = Bytes(b"x")
    with pytest.raises(TransportError, match="refused") as caught:
        await transport.send(PartRequest("PUT", f"https://localhost:{port}/part", [], body))
    assert caught.value.kind == "connect"
    assert body.reads == 0


async def test_an_address_that_does_not_answer(config: TransportConfig) -> None:
    async with PartTransport(replace(config, connect_timeout_s=0.2)) as transport:
        with black_hole() as port, pytest.raises(TransportError, match="in time") as caught:
            await transport.send(PartRequest("PUT", f"http://127.0.0.1:{port}/", [], Bytes(b"x")))
    assert caught.value.kind == "connect"


async def test_the_next_address_is_tried_beside_one_that_does_not_answer(
    transport: PartTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with black_hole() as silent, in_clear(accepting) as sink:
        answers = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (1, silent, sink.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
        assert (await transport.send(put(sink, Bytes(b"x")))).status == 200


async def test_a_url_that_is_none_is_the_callers_mistake(transport: PartTransport) -> None:
    with pytest.raises(ValueError, match="not an absolute"):
        await transport.send(PartRequest("PUT", "ftp://localhost/", [], Bytes(b"x")))


# Bodies


async def test_a_read_error_passes_through_unchanged(
    transport: PartTransport, serve: Serve
) -> None:
    problem = OSError(5, "Input/output error", "/data/sample.bam")

    class Broken(Zeros):
        def readinto(self, buffer: memoryview) -> int:
            if self.reads == 3:
                raise problem
            return super().readinto(buffer)

    with serve(accepting) as sink:
        with pytest.raises(OSError, match="Input/output") as caught:
            await transport.send(put(sink, Broken(MIB)))
        assert caught.value is problem
        # The half-sent request's connection is not used again.
        assert (await transport.send(put(sink, Bytes(b"x")))).status == 200
        assert sink.connections == 2


async def test_a_body_that_ends_early(transport: PartTransport, serve: Serve) -> None:
    class Short(Zeros):
        def __len__(self) -> int:
            return super().__len__() + 10

    with serve(accepting) as sink:
        error = await failure(transport, sink, Short(MIB))
        await asyncio.to_thread(sink.connection_closed.wait, 5)
    assert (error.kind, error.body_bytes_sent) == ("read", MIB)
    assert "10 bytes" in error.message


# Pace and many at once


async def test_the_pace_is_kept(config: TransportConfig, serve: Serve) -> None:
    asked: list[int] = []

    def pace(count: int) -> float:
        asked.append(count)
        return 0.03

    loop = asyncio.get_running_loop()
    async with PartTransport(config, pace=pace) as transport:
        with serve(accepting) as sink:
            start = loop.time()
            await transport.send(put(sink, Zeros(10 * 64 * KIB - 1)))
            took_s = loop.time() - start
    assert asked == [64 * KIB] * 9 + [64 * KIB - 1]
    assert took_s >= 0.3


async def test_no_more_at_once_than_there_are_workers(config: TransportConfig) -> None:
    gate = threading.Event()

    def script(peer: Peer) -> None:
        gate.wait(5)
        accepting(peer)

    async with PartTransport(replace(config, workers=2)) as transport:
        with in_clear(script) as sink:
            async with asyncio.TaskGroup() as tasks:
                sends = [
                    tasks.create_task(transport.send(put(sink, Bytes(b"x")))) for _ in range(6)
                ]
                await asyncio.to_thread(sink.accepted.wait, 5)
                gate.set()
            assert [send.result().status for send in sends] == [200] * 6
            assert sink.connections == 2


async def test_sixty_four_parts_in_flight_fit_into_their_chunks(config: TransportConfig) -> None:
    parts, part_bytes = 64, 4 * MIB
    together = threading.Barrier(parts)
    digests: set[str] = set()

    def script(peer: Peer) -> None:
        assert peer.read_head() is not None
        together.wait(30)
        digest = hashlib.sha256()
        left = part_bytes
        buffer = bytearray(16 * KIB)
        while left:
            count = peer.sock.recv_into(buffer)
            assert count
            digest.update(memoryview(buffer)[:count])
            left -= count
        digests.add(digest.hexdigest())
        peer.say(reply())

    async with PartTransport(config) as transport:
        with over_tls13(script) as sink:
            tracemalloc.start()
            try:
                responses: list[PartResponse] = await asyncio.gather(
                    *(transport.send(put(sink, Zeros(part_bytes))) for _ in range(parts))
                )
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert {response.body_bytes_sent for response in responses} == {part_bytes}
    assert digests == {hashlib.sha256(bytes(part_bytes)).hexdigest()}
    # A chunk each; the rest is what receiving takes on both sides.
    assert peak < parts * 256 * KIB
