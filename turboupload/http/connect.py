"""Opens connections: name, address, proxy and TLS within one deadline.

Each wait can be cancelled, even one for a hung resolver.
"""

import os
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, Literal

import h11

from turboupload.http.connection import CancelToken, Connection, Deadline, TransportError, reason
from turboupload.http.exchange import Exchange
from turboupload.http.route import Proxy, Route

ATTEMPT_DELAY_S = 0.25
"""Seconds before the next address is tried in parallel (RFC 8305, section 5)."""

Address = tuple[socket.AddressFamily, tuple[Any, ...]]

Step = Literal["resolve", "connect", "tls"]
OnStep = Callable[[Step, list[Address]], None]
"""Told of each step that is done, with the addresses that a name has."""


def _untold(step: Step, addresses: list[Address]) -> None:
    """There is no listener."""


def connect(
    route: Route,
    tls: ssl.SSLContext,
    cancel_token: CancelToken,
    timeout_s: float,
    on_step: OnStep = _untold,
) -> Connection:
    """Resolves, connects, tunnels and shakes hands, within `timeout_s` seconds in total.

    With a proxy, name and connection are the proxy's, and the tunnel belongs to the step "tls".

    Raises:
        TransportError: Of kind "dns", "connect", "proxy" or "tls".
        Cancelled: The token was cancelled.
    """
    deadline = Deadline(timeout_s)
    if route.proxy is None:
        sock = _reach(route.host, route.port, cancel_token, deadline, on_step)
    else:
        sock = _reach_through(route.proxy, route, cancel_token, deadline, on_step)
    if route.tls:
        sock = _secure(sock, route.host, tls, cancel_token, deadline)
        on_step("tls", [])
    return Connection(sock, route)


def _reach(
    host: str, port: int, cancel_token: CancelToken, deadline: Deadline, on_step: OnStep
) -> socket.socket:
    addresses = _resolve(host, port, cancel_token, deadline)
    on_step("resolve", addresses)
    sock = _race(host, addresses, cancel_token, deadline)
    on_step("connect", [])
    return sock


def _resolve(host: str, port: int, cancel_token: CancelToken, deadline: Deadline) -> list[Address]:
    """Looks a name up in a thread of its own, which a hung resolver may block."""
    found: list[Address] = []
    failure: list[str] = []

    def look_up(done: socket.socket) -> None:
        with done:  # closing the socket wakes the waiting side
            try:
                answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend((family, address) for family, _, _, _, address in answers)
            except (OSError, UnicodeError) as error:
                failure.append(getattr(error, "strerror", None) or str(error))

    ours, theirs = socket.socketpair()
    with ours:
        try:
            Thread(target=look_up, args=(theirs,), name="turboupload-dns", daemon=True).start()
        except RuntimeError:  # no thread could be started, so nothing else would close it
            theirs.close()
            raise
        if not cancel_token.wait({ours.fileno(): select.POLLIN}, deadline.left_s):
            raise TransportError("dns", "the name was not resolved in time", host)
    if not found:
        raise TransportError("dns", failure[0] if failure else "the name has no address", host)
    return found


def _race(
    host: str, addresses: list[Address], cancel_token: CancelToken, deadline: Deadline
) -> socket.socket:
    """Returns the first connection that succeeds; each address has a head start over the next."""
    untried = list(addresses)
    attempts: dict[int, socket.socket] = {}
    failure, cause = "no address answered in time", None
    try:
        while (untried or attempts) and deadline.left_s > 0:
            if untried:
                try:
                    sock = _attempt(*untried.pop(0))
                except OSError as error:
                    failure, cause = reason(error), error
                    continue
                attempts[sock.fileno()] = sock
            patience_s = min(ATTEMPT_DELAY_S, deadline.left_s) if untried else deadline.left_s
            for descriptor in cancel_token.wait(
                dict.fromkeys(attempts, select.POLLOUT), patience_s
            ):
                sock = attempts.pop(descriptor)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    return sock
                sock.close()
                failure = os.strerror(code)
        raise TransportError("connect", failure, host) from cause
    finally:
        for sock in attempts.values():
            sock.close()


def _attempt(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    with _closed_on_error(sock):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(BlockingIOError):  # under way
            sock.connect(address)
    return sock


def _reach_through(
    proxy: Proxy, route: Route, cancel_token: CancelToken, deadline: Deadline, on_step: OnStep
) -> socket.socket:
    try:
        sock = _reach(proxy.host, proxy.port, cancel_token, deadline, on_step)
        if route.tls:
            with _closed_on_error(sock):
                _tunnel(Connection(sock, route), proxy, cancel_token, deadline)
    except (TransportError, h11.RemoteProtocolError) as error:
        cause = error.message if isinstance(error, TransportError) else str(error)
        message = f"proxy {proxy.host}:{proxy.port}: {cause}"
        raise TransportError("proxy", message, route.host) from error
    return sock


def _tunnel(
    connection: Connection, proxy: Proxy, cancel_token: CancelToken, deadline: Deadline
) -> None:
    authority = connection.route.authority
    headers = [("Host", authority)]
    if proxy.authorization is not None:
        headers.append(("Proxy-Authorization", proxy.authorization))
    exchange = Exchange(connection.http, "CONNECT", authority, headers)
    exchange.end_body()
    head = memoryview(exchange.head)
    while head := head[connection.send_now(head) :]:
        connection.await_room(cancel_token, deadline.left_s)
    while exchange.status is None:
        exchange.receive(connection.receive(cancel_token, deadline.left_s))
    if exchange.refused:
        raise TransportError("proxy", f"it refused the tunnel with status {exchange.status}")


def _secure(
    sock: socket.socket,
    host: str,
    tls: ssl.SSLContext,
    cancel_token: CancelToken,
    deadline: Deadline,
) -> ssl.SSLSocket:
    try:
        with _closed_on_error(sock):
            # A missing close_notify stays an error: without it, a reply cut short looks whole.
            secured = tls.wrap_socket(
                sock,
                server_hostname=host,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
        with _closed_on_error(secured):
            while events := _handshake_needs(secured):
                if not cancel_token.wait({secured.fileno(): events}, deadline.left_s):
                    raise TransportError("connect", "the TLS handshake did not end in time", host)
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError) as error:
        raise TransportError("connect", reason(error), host) from error
    except ssl.SSLError as error:
        raise TransportError("tls", reason(error), host) from error
    except OSError as error:
        raise TransportError("connect", reason(error), host) from error
    return secured


def _handshake_needs(secured: ssl.SSLSocket) -> int:
    """Continues the handshake; returns 0 when done, else the poll event that it waits for."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return select.POLLIN
    except ssl.SSLWantWriteError:
        return select.POLLOUT
    return 0


@contextmanager
def _closed_on_error(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        sock.close()
        raise
