"""Whom the transport trusts, and who must trust it."""

import ssl
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from tests.support.bodies import TOO_MUCH, Bytes, Zeros, put
from tests.support.https_sink import Peer, Sink, accepting, authority, server_tls, write_authority
from turboupload.http.transport import PartTransport, TransportConfig, TransportError


@pytest.fixture
def config(tmp_path: Path) -> TransportConfig:
    return TransportConfig(ca_bundle=write_authority(tmp_path), connect_timeout_s=5.0)


async def refusal(config: TransportConfig, sink: Sink, size: int = 1) -> TransportError:
    body = Zeros(size)
    async with PartTransport(config) as transport:
        with pytest.raises(TransportError) as caught:
            await transport.send(put(sink, body))
    assert caught.value.host == "localhost"
    return caught.value


async def test_the_wrong_host_name(config: TransportConfig) -> None:
    with Sink(accepting, server_tls("storage.example")) as sink:
        error = await refusal(config, sink)
    assert error.kind == "tls"
    assert "localhost" in error.message


async def test_an_unknown_authority(config: TransportConfig, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with Sink(accepting, server_tls()) as sink:
        error = await refusal(replace(config, ca_bundle=other), sink)
        assert error.kind == "tls"
        # The system's own authorities do not know this one either.
        error = await refusal(replace(config, ca_bundle=None), sink)
        assert (error.kind, "verify failed" in error.message) == ("tls", True)


async def test_an_expired_certificate(config: TransportConfig) -> None:
    with Sink(accepting, server_tls(expired=True)) as sink:
        error = await refusal(config, sink)
    assert (error.kind, "expired" in error.message) == ("tls", True)


async def test_unverified_takes_any_certificate(config: TransportConfig) -> None:
    async with PartTransport(replace(config, ca_bundle=None, verify=False)) as transport:
        with Sink(accepting, server_tls("storage.example", expired=True)) as sink:
            assert (await transport.send(put(sink, Bytes(b"x")))).status == 200


async def test_the_server_is_told_the_host_name(config: TransportConfig) -> None:
    names: list[str | None] = []
    context = server_tls()
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    async with PartTransport(config) as transport:
        with Sink(accepting, context) as sink:
            await transport.send(put(sink, Bytes(b"x")))
    assert names == ["localhost"]


async def test_tls_1_1_is_too_old(config: TransportConfig) -> None:
    context = server_tls()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Sink(accepting, context) as sink:
        assert (await refusal(config, sink)).kind == "tls"


async def test_a_server_that_speaks_no_tls(config: TransportConfig) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Sink(script) as sink:
        sink_url = sink.url.replace("http:", "https:")
        async with PartTransport(config) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.send(replace(put(sink, Bytes(b"x")), url=sink_url))
    assert caught.value.kind == "tls"


async def test_a_handshake_that_breaks_off_may_be_tried_again(config: TransportConfig) -> None:
    def script(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.reset()

    with Sink(script) as sink:
        sink_url = sink.url.replace("http:", "https:")
        async with PartTransport(config) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.send(replace(put(sink, Bytes(b"x")), url=sink_url))
    assert caught.value.kind == "connect"


async def test_a_handshake_that_does_not_end(config: TransportConfig) -> None:
    with Sink(accepting, server_tls(), handshake=False) as sink:
        error = await refusal(replace(config, connect_timeout_s=0.2), sink)
    assert (error.kind, "handshake" in error.message) == ("connect", True)


@pytest.mark.parametrize("size", [1, TOO_MUCH], ids=["small", "large"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_asks_for_a_client_certificate(
    config: TransportConfig, version: ssl.TLSVersion, size: int
) -> None:
    context = server_tls(client_authority=authority(), version=version)
    with Sink(accepting, context) as sink:
        error = await refusal(config, sink, size)
    # TLS 1.3 says so only after the handshake, when the body is on its way.
    assert error.kind == "tls"


def test_files_that_are_not_usable(config: TransportConfig, tmp_path: Path) -> None:
    missing, garbage = tmp_path / "missing.pem", tmp_path / "garbage.pem"
    garbage.write_text("not a certificate")
    for path in (missing, garbage):
        with pytest.raises(TransportError, match=str(path)) as caught:
            PartTransport(replace(config, ca_bundle=path))
        assert caught.value.kind == "tls"
