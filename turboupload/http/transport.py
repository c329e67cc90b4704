"""The part transport: how a part's bytes leave the machine without passing through the event loop.

The loop hands a prepared request to a worker thread and waits for the reply. The worker streams the
body over a connection (`transfer`) that it takes from the pool (`pool`) or makes (`connect`). The
loop can end every wait of a worker (`connection.CancelToken`). `send` makes one attempt; the caller
tries again, with a new body.

Memory: `chunk_bytes` for each of `workers` threads, however large the parts.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from turboupload.http.body import PartBody
from turboupload.http.connect import connect
from turboupload.http.connection import CancelToken, Connection, ErrorKind, TransportError
from turboupload.http.pool import ConnectionPool
from turboupload.http.route import Proxy, Route
from turboupload.http.tls import client_context
from turboupload.http.transfer import CpuSlots, PartRequest, PartResponse, Transfer
from turboupload.processors import processors

__all__ = [
    "ErrorKind",
    "PartBody",
    "PartRequest",
    "PartResponse",
    "PartTransport",
    "TransportConfig",
    "TransportError",
]

LEAVE_TIMEOUT_S = 2.0
"""How long a cancelled `send` waits for its worker to leave, in seconds.

Only a read of the file that hangs in the operating system can take that long.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportConfig:
    """How the transport behaves.

    Attributes:
        ca_bundle: PEM file or hashed directory of the only authorities to trust; None trusts the
            operating system's.
        verify: False accepts any certificate. Only for a server one has made up oneself.
        proxies: URL scheme ("http", "https") to proxy URL, ``http://user:password@host:port``.
            Those that ``NO_PROXY`` exempts are already taken out.
        workers: How many requests are under way at most; the others wait for a worker.
        chunk_bytes: How much is read, hashed and sent at a time, in bytes. Larger spends more
            memory and leaves the processor's cache; smaller spends more system calls.
        niceness: By how much the worker threads stand back for other threads, the event loop's
            first of all, as in nice(1); on Linux only.
        connect_timeout_s: For name, connection, tunnel and handshake together, in seconds.
        stall_timeout_s: How long the server may take no byte of the body, in seconds.
        reply_timeout_s: How long the reply may take once the body is out, in seconds.
        max_idle_s: How long a connection may lie idle and be used again, in seconds. Servers close
            idle connections without a word, and the first request after that is lost.
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
        config: How it behaves.
        on_bytes: Told, in a worker thread, how many body bytes the kernel has just taken.
        pace: Asked, in a worker thread, before each chunk of so many bytes, how many seconds to
            wait first. None does not wait.

    Raises:
        TransportError: Of kind "tls" for a certificate file that can't be used; of kind "proxy" for
            such a proxy URL.
    """

    def __init__(
        self,
        config: TransportConfig,
        *,
        on_bytes: Callable[[int], None] | None = None,
        pace: Callable[[int], float] | None = None,
    ) -> None:
        self._config = config
        self._on_bytes = on_bytes
        self._pace = pace
        self._tls = client_context(ca_bundle=config.ca_bundle, verify=config.verify)
        self._proxies = _parsed(config.proxies)
        self._pool = ConnectionPool(limit=config.workers, max_idle_s=config.max_idle_s)
        self._cpu_slots = CpuSlots(processors())
        self._own = _ThreadsOwn(config.chunk_bytes)
        self._free_workers = asyncio.Semaphore(config.workers)
        self._threads = _Workers(
            config.workers,
            thread_name_prefix="turboupload-part",
            initializer=_yield_to_the_loop,
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
        """Close the idle connections and the threads; no `send` may be under way."""
        self._pool.close()
        self._threads.shutdown(wait=False)

    async def send(
        self, request: PartRequest, *, on_bytes: Callable[[int], None] | None = None
    ) -> PartResponse:
        """Send a request, once, and return the reply, whatever its status.

        A cancelled `send` ends within moments, and when it has ended its worker no longer reads the
        body, sends, or calls back.

        Args:
            request: What to send. Its body is used up.
            on_bytes: As the transport's, for this request alone.

        Raises:
            TransportError: When there is no reply.
            OSError: And whatever else the body's `readinto` raises, unchanged.
        """
        async with self._free_workers:
            cancel_token = CancelToken()
            listeners = [listener for listener in (self._on_bytes, on_bytes) if listener]
            try:
                work = asyncio.get_running_loop().run_in_executor(
                    self._threads, self._work, request, cancel_token, listeners
                )
            except BaseException:
                # No thread could be started. The work is queued all the same, and whoever takes
                # it up later must leave at once.
                cancel_token.close()
                raise
            work.add_done_callback(partial(_has_left, cancel_token))
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

        cancel_token.wait({}, 0)
        connection = self._connection(Route.to(request.url, self._proxies), cancel_token)
        reusable = False
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
            )
            response = transfer.run()
            reusable = transfer.reusable
            return response
        finally:
            if reusable:
                self._pool.put(connection)
            else:
                connection.close()

    def _connection(self, route: Route, cancel_token: CancelToken) -> Connection:
        idle = self._pool.take(route)
        if idle is not None:
            return idle
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


class _ThreadsOwn(threading.local):
    """What each worker thread has for itself, made when it first asks."""

    def __init__(self, chunk_bytes: int) -> None:
        self.buffer = memoryview(bytearray(chunk_bytes))


def _has_left(cancel_token: CancelToken, work: asyncio.Future[PartResponse]) -> None:
    cancel_token.close()  # not earlier: the worker might still wait on it
    if not work.cancelled():
        work.exception()  # looked at, so that asyncio does not report a cancelled send's


def _parsed(proxies: Mapping[str, str]) -> dict[str, Proxy]:
    try:
        return {scheme: Proxy.parse(url) for scheme, url in proxies.items() if url}
    except ValueError as error:
        raise TransportError("proxy", str(error)) from error


def _yield_to_the_loop(niceness: int) -> None:
    if niceness and sys.platform == "linux":  # elsewhere it would be the whole process
        with suppress(OSError):  # a sandbox may forbid it, and all goes on without
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
