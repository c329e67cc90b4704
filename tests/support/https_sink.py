"""A small server whose every connection does what the test's script says, over real sockets.

A script is a function of a `Peer`, run in the connection's own thread. It returns when it is done
with the connection, which is then closed.
"""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Self

import trustme

Script = Callable[["Peer"], None]

RECEIVE_BYTES = 64 * 1024
PATIENCE_S = 10.0
"""No script waits longer than this for its client, in seconds."""


@dataclass
class Request:
    """What one request said, and its body as far as it has come."""

    head: str
    body: bytearray = field(default_factory=bytearray)

    @property
    def target(self) -> str:
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


class Peer:
    """The server's end of one connection."""

    def __init__(self, sink: "Sink", sock: socket.socket) -> None:
        self.sink = sink
        self.sock = sock
        self._left = b""

    def read_head(self) -> Request | None:
        """The next request's head, None when the client has gone."""
        data = self._left
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(RECEIVE_BYTES)
            if not more:
                return None
            data += more
        head, _, self._left = data.partition(b"\r\n\r\n")
        request = Request(head.decode())
        self.sink.requests.append(request)
        self.sink.head_read.set()
        return request

    def read_body(self, request: Request, *, keep: bool = True) -> None:
        left = int(request.header("content-length") or 0)
        while left:
            data = self._left or self.sock.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the client went away in mid-body")
            self._left = data[left:]
            if keep:
                request.body += data[:left]
            left -= min(left, len(data))
        self.sink.body_read.set()

    def skip(self, count: int) -> None:
        """Read so many bytes at least, and forget them."""
        while count > 0:
            data = self.sock.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionError("the client went away")
            count -= len(data)

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def hold(self) -> None:
        """Neither read nor write until the sink closes."""
        self.sink.closing.wait(PATIENCE_S)

    def cut(self) -> None:
        """Close the TCP connection without TLS's close_notify; an RST if bytes were left unread."""
        self.sock.close()

    def reset(self) -> None:
        """Break the connection off with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def say_goodbye(self) -> None:
        """TLS's close_notify."""
        assert isinstance(self.sock, ssl.SSLSocket)
        with suppress(OSError):  # the client need not answer it
            self.sock.unwrap()


class Sink:
    """Listens on a free loopback port and runs the script for each connection.

    Args:
        script: What a connection does.
        tls: The server's context; None speaks in clear text.
        handshake: False accepts connections and never answers the client's hello.

    Attributes:
        requests: Every request, in the order of their heads.
        connections: How many connections were accepted.
        failures: What went wrong in scripts and handshakes; a broken connection is no failure.
    """

    def __init__(
        self, script: Script, tls: ssl.SSLContext | None = None, *, handshake: bool = True
    ) -> None:
        self._script = script
        self._tls = tls
        self._handshake = handshake
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.connections = 0
        self.failures: list[BaseException] = []
        self.accepted = threading.Event()
        self.head_read = threading.Event()
        self.body_read = threading.Event()
        self.connection_closed = threading.Event()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://localhost:{self.port}/part?partNumber=1"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for sock in [self._listener, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        threads = list(self._threads)
        for thread in threads:
            thread.join(PATIENCE_S)
        self._listener.close()
        assert not any(thread.is_alive() for thread in threads), "a script did not end"
        assert not self.failures, self.failures

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="sink", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            self._start(self._serve, sock)
            self.accepted.set()

    def _serve(self, sock: socket.socket) -> None:
        raw = sock
        try:
            sock.settimeout(PATIENCE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self._handshake:
                self.closing.wait(PATIENCE_S)
                return
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._open.add(sock)
            self._script(Peer(self, sock))
        except OSError:
            pass  # the client's doing; the test looks at what the client says of it
        except BaseException as error:
            if not self.closing.is_set():
                self.failures.append(error)
        finally:
            self._open -= {raw, sock}
            sock.close()
            raw.close()
            self.connection_closed.set()


@cache
def authority() -> trustme.CA:
    """The authority behind every certificate here; one for the whole run, as keys take time."""
    return trustme.CA()


def server_tls(
    host: str = "localhost",
    *,
    expired: bool = False,
    client_authority: trustme.CA | None = None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """A server's context, of one TLS version, with a certificate for the host name."""
    until = datetime.now(UTC) - timedelta(days=1) if expired else None
    since = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(host, not_after=until, not_before=since).configure_cert(context)
    context.minimum_version = context.maximum_version = version
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        client_authority.configure_trust(context)
    return context


def write_authority(folder: Path) -> Path:
    path = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(path))
    return path


def reply(status: int = 200, content: bytes = b"ok", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


def accepting(peer: Peer) -> None:
    """Read requests to their ends and answer 200, for as long as the client likes."""
    while request := peer.read_head():
        peer.read_body(request)
        peer.say(reply())


def answering(data: bytes) -> Script:
    """Read each request to its end and answer with these bytes, then close."""

    def script(peer: Peer) -> None:
        if request := peer.read_head():
            peer.read_body(request)
            peer.say(data)

    return script


def tunnelling(expected_authorization: str | None = None) -> Script:
    """An HTTP proxy that knows CONNECT, and asks for credentials if told to."""

    def script(peer: Peer) -> None:
        request = peer.read_head()
        assert request is not None
        if request.header("proxy-authorization") != expected_authorization:
            peer.say(reply(407, b"who are you?"))
            return
        host, _, port = request.head.split()[1].rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as onward:
            peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(onward, peer.sock), daemon=True)
            back.start()
            _pump(peer.sock, onward)
            back.join(PATIENCE_S)

    return script


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that neither takes nor refuses connections: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        try:
            yield address[1]
        finally:
            for filler in fillers:
                filler.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(RECEIVE_BYTES):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
