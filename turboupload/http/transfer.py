"""One request on one connection: reads, hashes and sends chunks, and polls for an early reply.

Runs in a worker thread. A chunk is read into one small buffer, hashed and encrypted while it is in
the processor's cache; each of these calls releases the interpreter lock. A worker holds a CPU slot
while it uses the processor, and none while it waits for the disk.
"""

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import TracebackType

import h11

from turboupload.http.body import PartBody
from turboupload.http.connection import CancelToken, Connection, Deadline, ErrorKind, TransportError
from turboupload.http.exchange import Exchange
from turboupload.http.route import Route
from turboupload.value import Value

POLL_INTERVAL_S = 0.05
"""How often to poll for an early reply, in seconds, while the server accepts all bytes.

A wait for room in the kernel polls, too. A poll costs a system call and the interpreter lock.
"""

ASK_S = 1.0
"""How long a server may take to answer `Expect: 100-continue`, in seconds, before the body is sent
all the same: many never answer it (RFC 9110, section 10.1.1)."""

PACE_S = 0.5
"""How long a chunk waits for the bandwidth cap before it asks again, in seconds."""

EXPECTATION_FAILED = 417
"""The status of a server that doesn't support `Expect: 100-continue`."""

_TRANSPORT_HEADERS = frozenset({"connection", "content-length", "expect", "transfer-encoding"})
"""Headers about the transfer of the body, which the transport sets itself.

SigV4 signs none of them except Content-Length, whose value is the same.
"""


class PartRequest(Value, frozen=True):
    """A signed request.

    Attributes:
        method: The request method.
        url: The absolute URL, percent-encoded.
        headers: Names and values. Host is added if it is missing; Content-Length is the body's
            size.
        body: The body.
    """

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: PartBody


class PartResponse(Value, frozen=True):
    """A reply with any status. Redirects are not followed.

    Attributes:
        status: The final status.
        headers: Names (lower case) and values, in their order.
        content: The whole body, at most 1 MiB.
        body_bytes_sent: How many bytes of the request body the kernel accepted: all, unless an
            early reply had the status 300 or higher.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    content: bytes
    body_bytes_sent: int


class CpuSlots:
    """Lets `count` threads use a processor at a time, in order of arrival.

    A semaphore that is much faster than `threading.Semaphore`, which is written in Python.
    """

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def __enter__(self) -> None:
        self._free.get()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._free.put(None)


class Transfer:
    """Sends one request and receives its reply.

    Args:
        connection: An idle connection on the request's route.
        request: The request.
        cancel_token: Cancels every wait of this transfer.
        cpu_slots: The worker holds one while a chunk is hashed, encrypted and copied into the
            kernel. With one for each processor, the event loop competes with at most that many
            threads.
        buffer: Holds one chunk of the body at a time; no other thread uses it meanwhile.
        stall_timeout_s: How long the server may accept no byte, in seconds.
        reply_timeout_s: How long the whole reply may take after the body was sent, in seconds.
        on_bytes: Called with the number of body bytes that the kernel has just accepted.
        pace: Called with each chunk's size in bytes before it is sent; returns how many seconds to
            wait. Where that is long it is called again with 0 and says how long yet, as the cap may
            have changed.
        asks: Ask whether the body is wanted before it is sent.

    Attributes:
        silent: Whether it asked, and the server did not answer that.
    """

    def __init__(
        self,
        connection: Connection,
        request: PartRequest,
        cancel_token: CancelToken,
        cpu_slots: CpuSlots,
        buffer: memoryview,
        *,
        stall_timeout_s: float,
        reply_timeout_s: float,
        on_bytes: Callable[[int], None],
        pace: Callable[[int], float] | None,
        asks: bool = False,
    ) -> None:
        self._connection = connection
        self._body = request.body
        self._cancel_token = cancel_token
        self._cpu_slots = cpu_slots
        self._buffer = buffer
        self._stall_timeout_s = stall_timeout_s
        self._reply_timeout_s = reply_timeout_s
        self._on_bytes = on_bytes
        self._pace = pace
        self._asks = asks
        self.silent = False
        self._sent = 0
        self._next_poll = Deadline(POLL_INTERVAL_S)
        route = connection.route
        headers = _headers(request, route) + ([("Expect", "100-continue")] if asks else [])
        self._exchange = Exchange(
            connection.http, request.method, route.target(request.url), headers
        )

    @property
    def reusable(self) -> bool:
        """Whether the connection can be used for another request."""
        return self._exchange.reusable

    def run(self) -> PartResponse:
        """Sends the request and returns the reply.

        Raises:
            TransportError: Of kind "stalled", "lost", "tls", "bad_reply" or "read".
            Cancelled: The token was cancelled.
        """
        try:
            self._send_request()
            deadline = Deadline(self._reply_timeout_s)
            while not self._exchange.complete:
                self._take(self._connection.receive(self._cancel_token, deadline.left_s))
        except TransportError as error:
            error.body_bytes_sent = self._sent
            raise
        if self.silent and self._exchange.status == EXPECTATION_FAILED:
            # The body was begun, so the caller must open it again to send it.
            message = "it refused to say beforehand whether it wants the body"
            raise TransportError("bad_reply", message, self._connection.route.host, self._sent)
        return PartResponse(
            status=self._exchange.status or 0,
            headers=self._exchange.headers,
            content=bytes(self._exchange.content),
            body_bytes_sent=self._sent,
        )

    def _send_request(self) -> None:
        try:
            self._send(memoryview(self._exchange.head), lambda _: None)
            if self._asks:
                self._ask()
            self._send_body()
        except TransportError as error:
            # A server that refuses the part may close right after its reply, which is what counts.
            if error.kind != "lost" or not self._was_refused():
                raise

    def _ask(self) -> None:
        """Waits until the server wants the body or refuses it, or doesn't say for too long."""
        deadline = Deadline(ASK_S)
        while not (self._exchange.invited or self._exchange.refused):
            try:
                if not self._connection.await_bytes(self._cancel_token, deadline.left_s):
                    self.silent = True
                    return
                self._look_for_reply()
            except TransportError:
                self.silent = True  # some close the connection on `Expect`
                raise

    def _send_body(self) -> None:
        left = len(self._body)
        while left and not self._exchange.refused:
            chunk = self._next_chunk(left)
            # The read may have taken long: meanwhile the part may have been refused or cancelled.
            if self._next_poll.left_s <= 0:
                self._next_poll = Deadline(POLL_INTERVAL_S)
                if self._connection.readable(self._cancel_token):
                    self._look_for_reply()
            self._exchange.body(chunk)
            self._send(chunk, self._count, first=self._body.hash_chunk)
            left -= len(chunk)
        if not self._exchange.refused:
            self._exchange.end_body()

    def _next_chunk(self, left: int) -> memoryview:
        size = min(left, len(self._buffer))
        if self._pace is not None:
            delay_s = self._pace(size)
            while delay_s > 0:
                self._cancel_token.wait({}, min(delay_s, PACE_S))
                delay_s = self._pace(0) if delay_s > PACE_S else 0.0
        count = self._body.readinto(self._buffer[:size])
        if count == 0:
            message = f"the body ended {left} bytes before its length"
            raise TransportError("read", message, self._connection.route.host)
        return self._buffer[:count]

    def _send(
        self,
        data: memoryview,
        on_taken: Callable[[int], None],
        first: Callable[[memoryview], None] | None = None,
    ) -> None:
        while data and not self._exchange.refused:
            with self._cpu_slots:
                if first is not None:
                    first(data)
                    first = None
                taken = self._connection.send_now(data)
            if taken:
                on_taken(taken)
                data = data[taken:]
            elif self._connection.await_room(self._cancel_token, self._stall_timeout_s):
                self._look_for_reply()

    def _count(self, taken: int) -> None:
        self._sent += taken
        self._on_bytes(taken)

    def _look_for_reply(self) -> None:
        """Takes bytes that arrive while the body is sent; they may be only a session ticket."""
        data = self._connection.receive_now()
        if data is None:
            return
        self._take(data)
        if not data and not self._exchange.refused:
            message = "the server closed the connection before the body's end"
            raise TransportError("lost", message, self._connection.route.host)

    def _was_refused(self) -> bool:
        """Whether a complete refusal arrived before the connection broke."""
        try:
            while not self._exchange.complete:
                data = self._connection.receive_now()
                if data is None:
                    return False
                self._take(data)
        except TransportError as error:
            if error.kind == "tls":
                raise
            return False
        return self._exchange.refused

    def _take(self, data: bytes) -> None:
        try:
            self._exchange.receive(data)
        except h11.RemoteProtocolError as error:
            kind: ErrorKind = "bad_reply" if data else "lost"
            raise TransportError(kind, str(error), self._connection.route.host) from error


def _headers(request: PartRequest, route: Route) -> list[tuple[str, str]]:
    headers = [
        (name, value) for name, value in request.headers if name.lower() not in _TRANSPORT_HEADERS
    ]
    if all(name.lower() != "host" for name, _ in headers):
        headers.insert(0, ("Host", route.host_header))
    headers.append(("Content-Length", str(len(request.body))))
    if route.proxy is not None and not route.tls and route.proxy.authorization is not None:
        headers.append(("Proxy-Authorization", route.proxy.authorization))
    return headers
