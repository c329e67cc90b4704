"""The lane through an HTTP proxy."""

import base64
import random
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.bodies import MIB, Bytes, put
from tests.support.https_sink import (
    Peer,
    Sink,
    accepting,
    reply,
    server_tls,
    tunnelling,
    write_authority,
)
from turboupload.http.transport import Lane, LaneConfig, LaneError

BASIC = "Basic " + base64.b64encode(b"lab:p@ss").decode()


@pytest.fixture
def config(tmp_path: Path) -> LaneConfig:
    return LaneConfig(ca_bundle=write_authority(tmp_path), connect_timeout_s=5.0)


def through(config: LaneConfig, proxy: Sink, credentials: str = "") -> LaneConfig:
    url = f"http://{credentials}localhost:{proxy.port}"
    return replace(config, proxies={"https": url, "http": url})


@pytest.mark.parametrize(
    ("credentials", "expected"), [("", None), ("lab:p%40ss@", BASIC)], ids=["open", "basic"]
)
async def test_https_goes_through_a_tunnel(
    config: LaneConfig, credentials: str, expected: str | None
) -> None:
    data = random.Random(7).randbytes(MIB)
    with Sink(accepting, server_tls()) as sink, Sink(tunnelling(expected)) as proxy:
        async with Lane(through(config, proxy, credentials)) as lane:
            for _ in range(2):
                assert (await lane.send(put(sink, Bytes(data)))).status == 200
    assert proxy.requests[0].head.split("\r\n")[0] == f"CONNECT localhost:{sink.port} HTTP/1.1"
    assert proxy.requests[0].header("host") == f"localhost:{sink.port}"
    assert [request.body for request in sink.requests] == [data, data]
    # The tunnel is used again, and the proxy's password stays with the proxy.
    assert (proxy.connections, sink.connections) == (1, 1)
    assert sink.requests[0].header("proxy-authorization") is None


async def test_http_is_asked_of_the_proxy(config: LaneConfig) -> None:
    with Sink(accepting) as proxy:
        async with Lane(through(config, proxy, "lab:p%40ss@")) as lane:
            request = put(proxy, Bytes(b"abc"))
            url = "http://storage.example/part?partNumber=1"
            assert (await lane.send(replace(request, url=url))).status == 200
    request_line = proxy.requests[0].head.split("\r\n")[0]
    assert request_line == "PUT http://storage.example/part?partNumber=1 HTTP/1.1"
    assert proxy.requests[0].header("host") == "storage.example"
    assert proxy.requests[0].header("proxy-authorization") == BASIC


async def test_a_scheme_without_a_proxy_goes_straight(config: LaneConfig) -> None:
    with Sink(accepting) as sink, Sink(accepting) as proxy:
        only_https = replace(config, proxies={"https": f"http://localhost:{proxy.port}"})
        async with Lane(only_https) as lane:
            await lane.send(put(sink, Bytes(b"abc")))
    assert (sink.connections, proxy.connections) == (1, 0)


async def failure(config: LaneConfig) -> LaneError:
    with Sink(accepting, server_tls()) as sink:
        async with Lane(config) as lane:
            with pytest.raises(LaneError) as caught:
                await lane.send(put(sink, Bytes(b"x")))
        assert sink.connections == 0
    return caught.value


async def test_a_proxy_that_wants_other_credentials(config: LaneConfig) -> None:
    with Sink(tunnelling(BASIC)) as proxy:
        error = await failure(through(config, proxy, "lab:secret@"))
    assert error.kind == "proxy"
    assert "407" in error.message
    assert "secret" not in str(error)


async def test_a_proxy_that_refuses_the_connection(config: LaneConfig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await failure(replace(config, proxies={"https": f"localhost:{port}"}))
    assert error.kind == "proxy"
    assert f"localhost:{port}" in error.message


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH\r\n\r\n", reply(502), reply(302)],
    ids=["nothing", "no HTTP", "502", "302"],
)
async def test_a_proxy_that_makes_no_tunnel(config: LaneConfig, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.say(answer)

    with Sink(script) as proxy:
        assert (await failure(through(config, proxy))).kind == "proxy"


async def test_a_proxy_that_never_answers(config: LaneConfig) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.hold()

    with Sink(script) as proxy:
        impatient = replace(through(config, proxy), connect_timeout_s=0.2)
        assert (await failure(impatient)).kind == "proxy"


async def test_the_host_name_is_checked_through_the_tunnel(config: LaneConfig) -> None:
    with Sink(accepting, server_tls("other.example")) as sink, Sink(tunnelling()) as proxy:
        async with Lane(through(config, proxy)) as lane:
            with pytest.raises(LaneError) as caught:
                await lane.send(put(sink, Bytes(b"x")))
    assert caught.value.kind == "tls"


@pytest.mark.parametrize("url", ["https://proxy.example:3128", "socks5://proxy.example", "http://"])
def test_a_proxy_of_another_kind_is_refused_at_the_start(config: LaneConfig, url: str) -> None:
    with pytest.raises(LaneError, match="only http") as caught:
        Lane(replace(config, proxies={"https": url}))
    assert caught.value.kind == "proxy"
