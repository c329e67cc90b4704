"""A connection whose every wait can be ended from another thread.

The socket does not block. Every wait polls it together with a `CancelToken`, so a worker thread
that waits for a silent peer leaves as soon as it is cancelled.
"""

import array
import fcntl
import math
import select
import socket
import ssl
import struct
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

import h11

from turboupload.http.route import Route

ErrorKind = Literal["dns", "connect", "proxy", "tls", "stalled", "lost", "bad_reply", "read"]

RECEIVE_BYTES = 32 * 1024
"""More than a TLS record (16 KiB), so that OpenSSL never holds back bytes that poll cannot see."""

_JUDGED_CERTIFICATE = frozenset(
    {
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_ACCESS_DENIED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    }
)
"""Alerts with which a server cpu_slots our certificate down; in TLS 1.3, after the handshake."""


class TransportError(Exception):
    """A request that ended without a reply.

    Attributes:
        kind: What failed. "dns": the name has no address. "connect": no address took the
            connection, or the handshake was not finished, in time. "proxy": the proxy could not be
            reached or refused the tunnel. "tls": one side does not trust the other, or they have
            no protocol in common; trying again does not help. "stalled": the peer neither took
            nor gave a byte for too long. "lost": the connection broke. "bad_reply": the reply is
            not HTTP or is too large. "read": the body ended before its length.
        message: What happened, for a person.
        host: The server's name or address; empty when it is not about one.
        body_bytes_sent: How many bytes of the body the kernel had taken.
    """

    def __init__(
        self, kind: ErrorKind, message: str, host: str = "", body_bytes_sent: int = 0
    ) -> None:
        super().__init__(kind, message, host, body_bytes_sent)
        self.kind = kind
        self.message = message
        self.host = host
        self.body_bytes_sent = body_bytes_sent

    def __str__(self) -> str:
        where = f"{self.host}: " if self.host else ""
        return f"{where}{self.message} ({self.kind}, {self.body_bytes_sent} body bytes sent)"


class Cancelled(Exception):
    """The token was cancelled: the worker leaves."""


class CancelToken:
    """Ends the waits of one worker thread.

    The worker thread waits; the thread that made the token cancels and closes it.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def cancel(self) -> None:
        """End the wait under way and every later one; once it is closed, do nothing."""
        if self._writer.fileno() == -1:
            return  # the worker left a moment ago: nobody waits any more
        with suppress(BlockingIOError):  # cancelled many times already
            self._writer.send(b"\0")

    def close(self) -> None:
        """Give the two descriptors back."""
        self._reader.close()
        self._writer.close()

    def wait(self, events: Mapping[int, int], timeout_s: float) -> dict[int, int]:
        """Wait for poll events, or for the cancellation.

        Args:
            events: File descriptor to the poll events of interest.
            timeout_s: At most so many seconds; not more than 0 looks without waiting.

        Returns:
            The descriptors that are ready and their events; empty after the time-out.

        Raises:
            Cancelled: The token was cancelled, now or before, or is closed.
        """
        if self._reader.fileno() == -1:
            raise Cancelled
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        for descriptor, mask in events.items():
            poll.register(descriptor, mask)
        ready = dict(poll.poll(max(0, math.ceil(timeout_s * 1000))))
        if self._reader.fileno() in ready:
            raise Cancelled
        return ready


class Deadline:
    """A moment that several waits share, `timeout_s` seconds from now."""

    def __init__(self, timeout_s: float) -> None:
        self._at = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until then, negative after it."""
        return self._at - time.monotonic()


class Connection:
    """A connected socket and its HTTP/1.1 state.

    Attributes:
        route: Where it leads.
        http: The protocol state; idle between exchanges.
        idle_since: When it was last put aside, in seconds of the monotonic clock.
    """

    def __init__(self, sock: socket.socket, route: Route) -> None:
        self._sock = sock
        self.route = route
        self.http = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0

    def send_now(self, data: memoryview) -> int:
        """Give the kernel as many bytes as it has room for; TLS wants the others again, first.

        Returns:
            How many it took. Over TLS, 0 may hide some that went out.

        Raises:
            TransportError: "lost" or "tls".
        """
        try:
            return self._sock.send(data)
        except (ssl.SSLWantWriteError, BlockingIOError):
            return 0
        except OSError as error:
            raise self._broken(error) from error

    def await_room(self, cancel_token: CancelToken, timeout_s: float) -> bool:
        """Wait for room in the kernel, or for the peer.

        Returns:
            Whether the peer's bytes, or its end, may have come.

        Raises:
            TransportError: "stalled" after `timeout_s` seconds.
            Cancelled: The token was cancelled.
        """
        descriptor = self._sock.fileno()
        ready = cancel_token.wait({descriptor: select.POLLIN | select.POLLOUT}, timeout_s)
        if not ready:
            message = f"the server took no byte for {timeout_s:g} s"
            raise TransportError("stalled", message, self.route.host)
        return bool(ready[descriptor] & select.POLLIN)

    def readable(self, cancel_token: CancelToken) -> bool:
        """Whether the peer's bytes, or its end, may have come; does not wait."""
        return bool(cancel_token.wait({self._sock.fileno(): select.POLLIN}, 0))

    def receive_now(self) -> bytes | None:
        """The bytes that have arrived, empty for the peer's end, None when there are none.

        Raises:
            TransportError: "lost" or "tls".
        """
        try:
            return self._sock.recv(RECEIVE_BYTES)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            return None
        except OSError as error:
            raise self._broken(error) from error

    def receive(self, cancel_token: CancelToken, timeout_s: float) -> bytes:
        """The next bytes, empty for the peer's end.

        Raises:
            TransportError: "stalled" after `timeout_s` seconds, "lost" or "tls".
            Cancelled: The token was cancelled.
        """
        deadline = Deadline(timeout_s)
        while (data := self.receive_now()) is None:
            if not cancel_token.wait({self._sock.fileno(): select.POLLIN}, deadline.left_s):
                raise TransportError("stalled", "the server sent no reply in time", self.route.host)
        return data

    def is_alive(self) -> bool:
        """Whether an idle connection may be used again.

        A TLS 1.3 session ticket makes the socket readable and is no end; a reply that nobody asked
        for is one (a server's 408 before it closes, say).
        """
        try:
            return self.receive_now() is None
        except TransportError:
            return False

    def queued_bytes(self) -> int:
        """How many bytes the kernel has taken, and the peer hasn't acknowledged yet."""
        count = array.array("i", [0])
        try:
            fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, count)
        except (OSError, ValueError):
            return 0  # closed a moment ago, or a system that doesn't tell
        return count[0]

    def close(self) -> None:
        """Close the socket; what the kernel still holds may still go out."""
        self._sock.close()

    def drop(self) -> None:
        """Close the socket, and have the kernel drop what it holds.

        A slow link would have to carry minutes' worth of a part that nobody wants any more.
        """
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _broken(self, error: OSError) -> TransportError:
        judged = isinstance(error, ssl.SSLError) and error.reason in _JUDGED_CERTIFICATE
        return TransportError("tls" if judged else "lost", reason(error), self.route.host)


def reason(error: OSError) -> str:
    """What went wrong, without the numbers and source lines that OpenSSL adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the server broke off the TLS connection"
    return error.strerror or str(error)
