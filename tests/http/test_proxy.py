"""The transport through an HTTP proxy."""

import base64
import random
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

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
from turboupload.http.transport import PartTransport, TransportConfig, TransportError

BASIC = "Basic " + base64.b64encode(b"lab:p@ss").decode()


@pytest.fixture
def config(tmp_path: Path) -> TransportConfig:
    return TransportConfig(ca_bundle=write_authority(tmp_path), connect_timeout_s=5.0)


def through(config: TransportConfig, proxy: Sink, credentials: str = "") -> TransportConfig:
    url = f"http://{credentials}localhost:{proxy.port}"
    return replace(config, proxies={"https": url, "http": url})


@pytest.mark.parametrize(
    ("credentials", "expected"), [("", None), ("lab:p%40ss@", BASIC)], ids=["open", "basic"]
)
async def test_https_goes_through_a_tunnel(
    config: TransportConfig, credentials: str, expected: str | None
) -> None:
    data = random.Random(7).randbytes(MIB)
    with Sink(accepting, server_tls()) as sink, Sink(tunnelling(expected)) as proxy:
        async with PartTransport(through(config, proxy, credentials)) as transport:
            for _ in range(2):
                assert (await transport.send(put(sink, Bytes(data)))).status == 200
    assert proxy.requests[0].head.split("\r\n")[0] == f"CONNECT localhost:{sink.port} HTTP/1.1"
    assert proxy.requests[0].header("host") == f"localhost:{sink.port}"
    assert [request.body for request in sink.requests] == [data, data]
    # The tunnel is used again, and the proxy's password stays with the proxy.
    assert (proxy.connections, sink.connections) == (1, 1)
    assert sink.requests[0].header("proxy-authorization") is None


async def test_http_is_asked_of_the_proxy(config: TransportConfig) -> None:
    with Sink(accepting) as proxy:
        async with PartTransport(through(config, proxy, "lab:p%40ss@")) as transport:
            request = put(proxy, Bytes(b"abc"))
            url = "http://storage.example/part?partNumber=1"
            assert (await transport.send(replace(request, url=url))).status == 200
    request_line = proxy.requests[0].head.split("\r\n")[0]
    assert request_line == "PUT http://storage.example/part?partNumber=1 HTTP/1.1"
    assert proxy.requests[0].header("host") == "storage.example"
    assert proxy.requests[0].header("proxy-authorization") == BASIC


async def test_a_scheme_without_a_proxy_goes_straight(config: TransportConfig) -> None:
    with Sink(accepting) as sink, Sink(accepting) as proxy:
        only_https = replace(config, proxies={"https": f"http://localhost:{proxy.port}"})
        async with PartTransport(only_https) as transport:
            await transport.send(put(sink, Bytes(b"abc")))
    assert (sink.connections, proxy.connections) == (1, 0)


async def failure(config: TransportConfig) -> TransportError:
    with Sink(accepting, server_tls()) as sink:
        async with PartTransport(config) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.send(put(sink, Bytes(b"x")))
        assert sink.connections == 0
    return caught.value


async def test_a_proxy_that_wants_other_credentials(config: TransportConfig) -> None:
    with Sink(tunnelling(BASIC)) as proxy:
        error = await failure(through(config, proxy, "lab:secret@"))
    assert error.kind == "proxy"
    assert "407" in error.message
    assert "secret" not in str(error)


async def test_a_proxy_that_refuses_the_connection(config: TransportConfig) -> None:
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
async def test_a_proxy_that_makes_no_tunnel(config: TransportConfig, answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.say(answer)

    with Sink(script) as proxy:
        assert (await failure(through(config, proxy))).kind == "proxy"


async def test_a_proxy_that_never_answers(config: TransportConfig) -> None:
    def script(peer: Peer) -> None:
        peer.read_head()
        peer.hold()

    with Sink(script) as proxy:
        impatient = replace(through(config, proxy), connect_timeout_s=0.2)
        assert (await failure(impatient)).kind == "proxy"


async def test_the_host_name_is_checked_through_the_tunnel(config: TransportConfig) -> None:
    with Sink(accepting, server_tls("other.example")) as sink, Sink(tunnelling()) as proxy:
        async with PartTransport(through(config, proxy)) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.send(put(sink, Bytes(b"x")))
    assert caught.value.kind == "tls"


@pytest.mark.parametrize("url", ["https://proxy.example:3128", "socks5://proxy.example", "http://"])
def test_a_proxy_of_another_kind_is_refused_at_the_start(config: TransportConfig, url: str) -> None:
    with pytest.raises(TransportError, match="only http") as caught:
        PartTransport(replace(config, proxies={"https": url}))
    assert caught.value.kind == "proxy"
