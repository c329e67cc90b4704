"""The part transport: worker threads send parts, so that bytes bypass the event loop.

The loop hands a signed request to a worker thread and waits for the reply. The worker streams the
body (`transfer`) over a connection from the pool (`pool`) or a new one (`connect`). The loop can
cancel every wait of a worker (`connection.CancelToken`). `send` makes one attempt; the caller tries
again, with a new body.

Memory: `chunk_bytes` for each of `workers` threads, for parts of any size.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio
from msgspec import field

from turboupload.http.body import PartBody
from turboupload.http.connect import connect
from turboupload.http.connection import (
    Cancelled,
    CancelToken,
    Connection,
    ErrorKind,
    TransportError,
)
from turboupload.http.pool import ConnectionPool
from turboupload.http.route import Proxy, Route
from turboupload.http.tls import client_context
from turboupload.http.transfer import (
    EXPECTATION_FAILED,
    CpuSlots,
    PartRequest,
    PartResponse,
    Transfer,
)
from turboupload.runtime.processors import processors
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.http.probe import Probe

__all__ = [
    "ErrorKind",
    "PartBody",
    "PartRequest",
    "PartResponse",
    "PartTransport",
    "TransportConfig",
    "TransportError",
]

T = TypeVar("T")

ASK_FOR_S = 60.0
"""For how long after a throttled request the server is asked before a body is sent, in seconds: a
body that is refused was sent for nothing, and asking costs a round trip."""

_TOO_MANY: Final = 429

LEAVE_TIMEOUT_S = 2.0
"""How long a cancelled `send` waits for its worker to stop, in seconds.

Only a file read that hangs in the operating system can take that long.
"""


class TransportConfig(Value, frozen=True, kw_only=True):
    """The transport's configuration.

    Attributes:
        ca_bundle: PEM file or hashed directory of the only authorities to trust; None trusts the
            operating system's.
        verify: False accepts any certificate; for test servers only.
        proxies: URL scheme ("http", "https") to proxy URL, ``http://user:password@host:port``. The
            caller has applied ``NO_PROXY`` already.
        workers: How many requests run at the same time; others wait for a worker.
        chunk_bytes: How much is read, hashed and sent at a time, in bytes. Larger chunks take more
            memory and don't fit the processor's cache; smaller ones take more system calls.
        niceness: The worker threads' nice value, as in nice(1), so that the event loop's thread
            runs first; on Linux only.
        connect_timeout_s: For name, connection, tunnel and handshake together, in seconds.
        stall_timeout_s: How long the server may accept no byte of the body, in seconds.
        reply_timeout_s: How long the reply may take after the body was sent, in seconds.
        max_idle_s: How long an idle connection may be used again, in seconds. Servers close idle
            connections silently, and the next request on one is lost.
    """

    ca_bundle: str | Path | None = None
    verify: bool = True
    proxies: Mapping[str, str] = field(default_factory=dict)
    workers: int = 64
    chunk_bytes: int = 512 * 1024
    niceness: int = 5
    connect_timeout_s: float = 10.0
    stall_timeout_s: float = 60.0
    reply_timeout_s: float = 60.0
    max_idle_s: float = 20.0


class PartTransport:
    """Sends requests with large bodies from worker threads. An async context manager.

    Args:
        config: The configuration.
        tls: As `client_context` makes it of the configuration; None makes it here.
        on_bytes: Called in a worker thread with the number of body bytes that the kernel has just
            accepted.
        pace: Called in a worker thread with each chunk's size in bytes before it is sent; returns
            how many seconds to wait. None never waits.

    Raises:
        TransportError: Of kind "tls" if a certificate file can't be used; of kind "proxy" if a
            proxy URL can't.
    """

    def __init__(
        self,
        config: TransportConfig,
        *,
        tls: ssl.SSLContext | None = None,
        on_bytes: Callable[[int], None] | None = None,
        pace: Callable[[int], float] | None = None,
    ) -> None:
        self._config = config
        self._on_bytes = on_bytes
        self._pace = pace
        self._tls = tls or client_context(ca_bundle=config.ca_bundle, verify=config.verify)
        self._proxies = _parsed(config.proxies)
        self._pool = ConnectionPool(limit=config.workers, max_idle_s=config.max_idle_s)
        self._cpu_slots = CpuSlots(processors())
        self._own = _ThreadBuffer(config.chunk_bytes)
        self._in_use: set[Connection] = set()
        self._dropped_bytes = 0
        self._dropping = threading.Lock()
        self._asks_until = -inf
        self._silent = False  # this server, or a proxy, doesn't answer `Expect`
        self._ahead: asyncio.Task[None] | None = None
        self._free_workers = asyncio.Semaphore(config.workers)
        self._threads = _Workers(
            config.workers,
            thread_name_prefix="turboupload-part",
            initializer=_lower_priority,
            initargs=(config.niceness,),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the idle connections and ends the threads; no `send` may be running."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait([self._ahead])
        self._pool.close()
        self._threads.shutdown(wait=False)

    def queued_bytes(self) -> int:
        """How many bytes the kernel has taken, and the peer hasn't acknowledged yet."""
        return sum(connection.queued_bytes() for connection in tuple(self._in_use))

    def dropped_bytes(self) -> int:
        """How many bytes the kernel had taken, and still held when their connection was closed."""
        return self._dropped_bytes

    async def probe(self, url: str, timeout_s: float) -> Probe:
        """Connects to where a request to this URL would go, and sends no request.

        Args:
            url: An absolute http or https URL.
            timeout_s: How long it may take, in seconds.
        """
        from turboupload.http.probe import probe  # only `doctor` asks

        route = Route.to(url, self._proxies)

        def connect_only(cancel_token: CancelToken) -> Probe:
            return probe(route, self._tls, cancel_token, timeout_s)

        return await self._in_worker(connect_only)

    def connect_ahead(self, url: str) -> Awaitable[None]:
        """Begins to connect to where a request to this URL will go, so that it needn't wait.

        It finds the connection if that is there by then, and otherwise makes its own. Why there is
        none is for the request to find out.

        Returns:
            What ends with that, whether or not it worked; nobody has to wait for it.
        """
        if self._ahead is None or self._ahead.done():
            self._ahead = asyncio.ensure_future(self._connect_ahead(url))
        return self._ahead

    async def _connect_ahead(self, url: str) -> None:
        def connect_only(cancel_token: CancelToken) -> None:
            route = Route.to(url, self._proxies)
            if not self._pool.has(route):
                self._pool.put(self._connect(route, cancel_token))

        with suppress(Exception):
            await self._in_worker(connect_only)

    async def send(
        self, request: PartRequest, *, on_bytes: Callable[[int], None] | None = None
    ) -> PartResponse:
        """Sends a request once, and returns the reply with any status.

        A cancelled `send` ends within moments; after that its worker no longer reads the body,
        sends or calls back.

        Args:
            request: The request; its body is consumed.
            on_bytes: Like the transport's, for this request alone.

        Raises:
            TransportError: There is no reply.
            OSError: The body's `readinto` failed; any other exception of it is passed on, too.
        """
        listeners = [listener for listener in (self._on_bytes, on_bytes) if listener]
        return await self._in_worker(
            lambda cancel_token: self._work(request, cancel_token, listeners)
        )

    async def _in_worker(self, do: Callable[[CancelToken], T]) -> T:
        async with self._free_workers:
            cancel_token = CancelToken()
            try:
                work = asyncio.get_running_loop().run_in_executor(self._threads, do, cancel_token)
            except BaseException:
                # No thread could be started, but the work is queued: a thread that takes it later
                # must return at once.
                cancel_token.close()
                raise
            work.add_done_callback(partial(_release, cancel_token))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                cancel_token.cancel()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([work], timeout=LEAVE_TIMEOUT_S)
                raise

    def _work(
        self,
        request: PartRequest,
        cancel_token: CancelToken,
        listeners: list[Callable[[int], None]],
    ) -> PartResponse:
        def on_bytes(count: int) -> None:
            for listener in listeners:
                listener(count)

        asks = not self._silent and time.monotonic() < self._asks_until
        response = self._exchange(request, cancel_token, on_bytes, asks=asks)
        if asks and response.status == EXPECTATION_FAILED:
            self._silent = True
            response = self._exchange(request, cancel_token, on_bytes, asks=False)
        if response.status == _TOO_MANY:
            self._asks_until = time.monotonic() + ASK_FOR_S
        return response

    def _exchange(
        self,
        request: PartRequest,
        cancel_token: CancelToken,
        on_bytes: Callable[[int], None],
        *,
        asks: bool,
    ) -> PartResponse:
        cancel_token.wait({}, 0)
        connection = self._connection(Route.to(request.url, self._proxies), cancel_token)
        reusable = False
        self._in_use.add(connection)
        try:
            transfer = Transfer(
                connection,
                request,
                cancel_token,
                self._cpu_slots,
                self._own.buffer,
                stall_timeout_s=self._config.stall_timeout_s,
                reply_timeout_s=self._config.reply_timeout_s,
                on_bytes=on_bytes,
                pace=self._pace,
                asks=asks,
            )
            try:
                response = transfer.run()
            finally:
                self._silent |= transfer.silent
            reusable = transfer.reusable
            return response
        except Cancelled:
            self._count_dropped(connection)
            connection.drop()
            raise
        finally:
            if not reusable:
                self._count_dropped(connection)
            self._in_use.discard(connection)
            if reusable:
                connection.http.start_next_cycle()
                self._pool.put(connection)
            else:
                connection.close()

    def _count_dropped(self, connection: Connection) -> None:
        with self._dropping:
            self._dropped_bytes += connection.queued_bytes()

    def _connection(self, route: Route, cancel_token: CancelToken) -> Connection:
        idle = self._pool.take(route)
        if idle is not None:
            return idle
        return self._connect(route, cancel_token)

    def _connect(self, route: Route, cancel_token: CancelToken) -> Connection:
        return connect(route, self._tls, cancel_token, self._config.connect_timeout_s)


class _Workers(ThreadPoolExecutor):
    """As many threads as may be started: where that are fewer, those do the work."""

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            # The work is queued by now, and one of the others takes it.
            if not self._threads:
                raise


class _ThreadBuffer(threading.local):
    """The worker thread's own buffer, made on first use."""

    def __init__(self, chunk_bytes: int) -> None:
        self.buffer = memoryview(bytearray(chunk_bytes))


def _release(cancel_token: CancelToken, work: asyncio.Future[Any]) -> None:
    cancel_token.close()  # not earlier: the worker may still wait on it
    if not work.cancelled():
        work.exception()  # fetched, so that asyncio doesn't report it for a cancelled send


def _parsed(proxies: Mapping[str, str]) -> dict[str, Proxy]:
    try:
        return {scheme: Proxy.parse(url) for scheme, url in proxies.items() if url}
    except ValueError as error:
        raise TransportError("proxy", str(error)) from error


def _lower_priority(niceness: int) -> None:
    if niceness and sys.platform == "linux":  # elsewhere it would apply to the whole process
        with suppress(OSError):  # a sandbox may forbid it; it isn't needed
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
