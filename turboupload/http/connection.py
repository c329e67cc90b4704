"""A connection whose waits another thread can cancel.

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
"""More than a TLS record (16 KiB), so that OpenSSL never buffers bytes that poll can't see."""

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
"""Alerts with which a server rejects our certificate; in TLS 1.3, after the handshake."""


class TransportError(Exception):
    """A request that ended without a reply.

    Attributes:
        kind: What failed. "dns": the name has no address. "connect": no address took the
            connection, or the handshake was not finished, in time. "proxy": the proxy could not be
            reached or refused the tunnel. "tls": one side doesn't trust the other, or they share no
            protocol; a retry doesn't help. "stalled": the peer neither received nor sent a byte for
            too long. "lost": the connection broke. "bad_reply": the reply is not HTTP or is too
            large. "read": the body ended before its length.
        message: What happened, in words.
        host: The server's name or address; empty if the failure isn't about a host.
        body_bytes_sent: How many bytes of the body the kernel had accepted.
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
    """The token was cancelled: the worker must stop."""


class CancelToken:
    """Cancels the waits of one worker thread.

    The worker thread waits; the thread that made the token cancels and closes it.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)

    def cancel(self) -> None:
        """Ends the current wait and every later one; does nothing once the token is closed."""
        if self._writer.fileno() == -1:
            return  # the worker has just finished: nothing waits any more
        with suppress(BlockingIOError):  # the pipe is full of earlier cancellations
            self._writer.send(b"\0")

    def close(self) -> None:
        """Closes the two descriptors."""
        self._reader.close()
        self._writer.close()

    def wait(self, events: Mapping[int, int], timeout_s: float) -> dict[int, int]:
        """Waits for poll events, or for the cancellation.

        Args:
            events: File descriptor to the poll events of interest.
            timeout_s: The longest wait in seconds; 0 or less polls without waiting.

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
    """A deadline that several waits share, `timeout_s` seconds from now."""

    def __init__(self, timeout_s: float) -> None:
        self._at = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, negative after it."""
        return self._at - time.monotonic()


class Connection:
    """A connected socket and its HTTP/1.1 state.

    Attributes:
        route: Its route.
        http: The protocol state; idle between exchanges.
        idle_since: When it last became idle, in seconds of the monotonic clock.
    """

    def __init__(self, sock: socket.socket, route: Route) -> None:
        self._sock = sock
        self.route = route
        self.http = h11.Connection(h11.CLIENT)
        self.idle_since = 0.0

    @property
    def tls(self) -> str | None:
        """Protocol and cipher, in words; None without TLS."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return None
        cipher = self._sock.cipher()
        return ", ".join(filter(None, [self._sock.version(), cipher and cipher[0]]))

    def send_now(self, data: memoryview) -> int:
        """Sends as many bytes as the kernel accepts; TLS needs the rest again in the next call.

        Returns:
            How many bytes it accepted. Over TLS, some may have gone out although the result is 0.

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
        """Waits until the kernel has room, or the peer sends.

        Returns:
            Whether bytes from the peer, or its end, may have arrived.

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
        """Whether bytes from the peer, or its end, may have arrived; doesn't wait."""
        return self.await_bytes(cancel_token, 0)

    def await_bytes(self, cancel_token: CancelToken, timeout_s: float) -> bool:
        """Waits until bytes from the peer, or its end, may have arrived; False after the time-out.

        Raises:
            Cancelled: The token was cancelled.
        """
        return bool(cancel_token.wait({self._sock.fileno(): select.POLLIN}, timeout_s))

    def receive_now(self) -> bytes | None:
        """The bytes that have arrived; empty at the peer's end, None if there are none yet.

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
        """Waits for the next bytes; empty at the peer's end.

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

        A TLS 1.3 session ticket makes the socket readable, but leaves it usable; a reply without a
        request (such as a 408 before the server closes) doesn't.
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
        """Closes the socket; bytes in the kernel's buffer may still go out."""
        self._sock.close()

    def drop(self) -> None:
        """Close the socket, and have the kernel drop what it holds.

        A slow link would have to carry minutes' worth of a part that is no longer wanted.
        """
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _broken(self, error: OSError) -> TransportError:
        judged = isinstance(error, ssl.SSLError) and error.reason in _JUDGED_CERTIFICATE
        return TransportError("tls" if judged else "lost", reason(error), self.route.host)


def reason(error: OSError) -> str:
    """The error's text, without the numbers and source lines that OpenSSL adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the server broke off the TLS connection"
    return error.strerror or str(error)
