"""The transport's pure parts: one exchange over HTTP/1.1, and the route to a URL."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.http.exchange import MAX_REPLY_BYTES, Exchange
from turboupload.http.route import Proxy, Route

HEADERS = [("Host", "localhost"), ("Content-Length", "3")]

WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
    b"2\r\nhe\r\n3;why=not\r\nllo\r\n0\r\nX-T: t\r\n\r\n",
    "informational": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:5\r\n"
    b"X-A: b\r\n\r\nhello",
    "closing": b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello",
}


def begun() -> Exchange:
    return Exchange(h11.Connection(h11.CLIENT), "PUT", "/part", HEADERS)


def sent() -> Exchange:
    exchange = begun()
    exchange.body(memoryview(b"abc"))
    exchange.end_body()
    return exchange


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


@given(name=st.sampled_from(sorted(WHOLE)), cuts=st.lists(st.integers(0, 10_000), max_size=200))
def test_how_a_reply_is_cut_up_makes_no_difference(name: str, cuts: list[int]) -> None:
    exchange = sent()
    for piece in pieces(WHOLE[name], cuts):
        assert not exchange.complete
        exchange.receive(piece)
    if name == "closing":
        assert not exchange.complete
        exchange.receive(b"")
    assert exchange.complete
    assert (exchange.status, bytes(exchange.content)) == (200, b"hello")
    assert ("x-a", "b") in exchange.headers
    assert exchange.reusable == (name != "closing")


@given(
    name=st.sampled_from(["length", "chunked", "informational"]),
    share=st.floats(0, 1, exclude_max=True),
    early=st.booleans(),
)
def test_a_reply_that_ends_early_is_never_whole(name: str, share: float, early: bool) -> None:
    exchange = begun() if early else sent()
    whole = WHOLE[name]
    if start := whole[: int(len(whole) * share)]:
        exchange.receive(start)
    assert not exchange.complete
    with pytest.raises(h11.RemoteProtocolError):
        exchange.receive(b"")


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_make_anything_but_a_reply_or_an_error(data: bytes) -> None:
    exchange = sent()
    try:
        exchange.receive(data)
    except h11.RemoteProtocolError:
        assert not exchange.complete
    assert not exchange.reusable or exchange.complete


@pytest.mark.parametrize(
    ("status", "refused"), [(200, False), (204, False), (301, True), (400, True), (503, True)]
)
def test_an_early_reply_refuses_or_not(status: int, refused: bool) -> None:
    exchange = begun()
    assert not exchange.refused
    exchange.receive(b"HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n" % status)
    assert exchange.complete
    assert exchange.refused == refused
    # The body is still to be sent: nothing else may use the connection.
    assert not exchange.reusable


def test_a_reply_body_has_a_bound() -> None:
    exchange = sent()
    exchange.receive(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(MAX_REPLY_BYTES))
    with pytest.raises(h11.RemoteProtocolError, match="longer than"):
        exchange.receive(b"x")


def test_what_follows_an_early_reply_is_not_kept() -> None:
    exchange = begun()
    exchange.receive(WHOLE["length"])
    with pytest.raises(h11.RemoteProtocolError, match="more than"):
        exchange.receive(b"x")


def test_a_body_shorter_than_announced_cannot_be_ended() -> None:
    exchange = begun()
    exchange.body(memoryview(b"ab"))
    with pytest.raises(h11.LocalProtocolError):
        exchange.end_body()


@pytest.mark.parametrize(
    ("url", "authority", "host", "target"),
    [
        ("https://a.example/x/y?p=1&q=%2F", "a.example:443", "a.example", "/x/y?p=1&q=%2F"),
        ("https://a.example", "a.example:443", "a.example", "/"),
        ("http://a.example:80/x", "a.example:80", "a.example", "/x"),
        ("https://a.example:80/x", "a.example:80", "a.example:80", "/x"),
        ("http://A.Example:8080/X#f", "a.example:8080", "a.example:8080", "/X"),
        ("https://[::1]/x", "[::1]:443", "[::1]", "/x"),
        ("https://[::1]:4433/x", "[::1]:4433", "[::1]:4433", "/x"),
    ],
)
def test_the_route_to_a_url(url: str, authority: str, host: str, target: str) -> None:
    route = Route.to(url, {})
    assert (route.authority, route.host_header, route.target(url)) == (authority, host, target)
    assert route.tls == url.startswith("https")


def test_only_a_request_in_clear_names_the_whole_url_to_a_proxy() -> None:
    proxies = dict.fromkeys(("http", "https"), Proxy("proxy.example", 3128, None))
    for scheme, target in (("http", "http://a.example:81/x?y"), ("https", "/x?y")):
        url = f"{scheme}://a.example:81/x?y"
        assert Route.to(url, proxies).target(url) == target


@pytest.mark.parametrize("url", ["", "/part", "ftp://a.example/", "https:///x", "https://a:99999/"])
def test_urls_that_lead_nowhere(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - two messages, one of them Python's own
        Route.to(url, {})


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128, None)),
        ("proxy.example:3128", Proxy("proxy.example", 3128, None)),
        ("http://proxy.example/", Proxy("proxy.example", 80, None)),
        ("http://[::1]:3128", Proxy("::1", 3128, None)),
        ("http://user@proxy.example", Proxy("proxy.example", 80, "Basic dXNlcjo=")),
        ("http://a%40b:c%3Ad@proxy.example", Proxy("proxy.example", 80, "Basic YUBiOmM6ZA==")),
    ],
)
def test_the_ways_to_write_a_proxy(url: str, proxy: Proxy) -> None:
    assert Proxy.parse(url) == proxy
