"""Assembles, starts and stops the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from turboupload.emulator.config import EmulatorConfig
from turboupload.emulator.operations.ingest import Ingest
from turboupload.emulator.operations.stores import default_store
from turboupload.emulator.storage.blobs import BlobFolder
from turboupload.emulator.storage.database import Database
from turboupload.emulator.storage.listing import Pager
from turboupload.emulator.storage.lock import RootLock
from turboupload.emulator.storage.memory import keep_freed_memory
from turboupload.emulator.storage.state import State
from turboupload.emulator.wire.admin import PREFIX, Admin
from turboupload.emulator.wire.faults import Faults
from turboupload.emulator.wire.protocol import JsonServer
from turboupload.emulator.wire.quotas import Quotas
from turboupload.emulator.wire.server import Front
from turboupload.emulator.wire.sigv4 import Verifier
from turboupload.emulator.wire.stats import Stats
from turboupload.emulator.wire.tls import CA_BUNDLE, server_context
from turboupload.emulator.world import Worlds

__all__ = ["Ready", "running", "serve", "temporary_root"]

BACKLOG = 256
THREADS = 16
INGEST_THREADS = 4
SHUTDOWN_TIMEOUT_S = 1.0
READ_BUFFER_BYTES = 512 * 1024
MAX_HEADER_BYTES = 16 * 1024
# aiohttp itself logs only requests that aren't HTTP; these are answered with 400.
_silent = logging.getLogger(f"{__name__}.http")
_silent.setLevel(logging.CRITICAL)

_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - reachable under these names


@dataclass(frozen=True, slots=True)
class Ready:
    """The address of a running emulator.

    Attributes:
        endpoint_url: The URL for clients.
        store_id: The default store.
        ca_bundle: With TLS, the certificate authority that clients must trust.
    """

    endpoint_url: str
    store_id: str
    ca_bundle: Path | None


@contextmanager
def temporary_root() -> Iterator[Path]:
    """A temporary data folder, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="turboupload-emulator-") as folder:
        yield Path(folder)


async def serve(
    config: EmulatorConfig,
    announce: Callable[[Ready], None],
    *,
    clock: Callable[[], float] = time.time,
    tick: Callable[[], float] = time.monotonic,
) -> None:
    """Run until SIGINT or SIGTERM.

    Arguments:
        config: The configuration.
        announce: Called once, when requests are answered.
        clock: Seconds since the epoch.
        tick: Seconds of a monotonic clock, for the quotas.

    Raises:
        RootBusy: Another emulator uses the root.
        RootOutdated: Another version of the emulator made it.
        OSError: The root can't be used or the address can't be listened on.
    """
    keep_freed_memory()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with running(config, stop, clock=clock, tick=tick) as ready:
        announce(ready)
        await stop.wait()


@asynccontextmanager
async def running(
    config: EmulatorConfig,
    stop: asyncio.Event,
    *,
    clock: Callable[[], float] = time.time,
    tick: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Ready]:
    """An emulator that runs as long as the block.

    Arguments:
        config: The configuration.
        stop: Set where it can't go on, so that the block ends, and raises why.
        clock: Seconds since the epoch.
        tick: Seconds of a monotonic clock, for the quotas.

    Raises:
        RootBusy: Another emulator uses the root.
        RootOutdated: Another version of the emulator made it.
        OSError: The root can't be used or the address can't be listened on.
    """
    config.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        lock = RootLock(config.root)
        stack.callback(lock.release)
        state, wake = _open_state(config, clock)
        stack.callback(state.database.close)
        pool = stack.enter_context(ThreadPoolExecutor(THREADS, "emulator"))
        ingest_pool = stack.enter_context(ThreadPoolExecutor(INGEST_THREADS, "ingest"))
        faults, stats = Faults(), Stats()
        faults.add(config.faults)
        front = Front(
            state,
            verifier=Verifier(
                access_key=config.access_key,
                secret_key=config.secret_key,
                region=config.region,
                clock=clock,
            ),
            quotas=Quotas(mode=config.quotas, tps=config.quota_tps, clock=tick),
            faults=faults,
            stats=stats,
            pool=pool,
        )
        ingest = Ingest(state, ingest_pool)
        wake.append(ingest.wake)
        working = asyncio.create_task(ingest.run())
        # Without ingest the emulator is useless: stop it with the error.
        working.add_done_callback(lambda _: stop.set())
        stack.push_async_callback(_ended, working)
        stack.callback(ingest.stop)
        endpoint_url = await _listen(
            config, front, Admin(faults, stats, state.worlds, state.wake_ingest), stack
        )
        stack.callback(front.close)
        ca_bundle = config.root / "tls" / CA_BUNDLE if config.tls else None
        yield Ready(endpoint_url, default_store(state), ca_bundle)


def _open_state(
    config: EmulatorConfig, clock: Callable[[], float]
) -> tuple[State, list[Callable[[], None]]]:
    """A root's data, without the remains of a crash, and the hook for the ingest."""
    power = config.durability == "power"
    database = Database(
        config.root / "emulator.sqlite3", synchronous="FULL" if power else "NORMAL", clock=clock
    )
    worlds = Worlds(config.world)
    blobs = BlobFolder(config.root, sync=power)
    with database.transaction() as rows:
        blobs.sweep(_named_blobs(rows))
    wake: list[Callable[[], None]] = []

    def wake_ingest() -> None:
        for each in wake:
            each()

    state = State(
        config=config,
        worlds=worlds,
        database=database,
        blobs=blobs,
        pager=Pager(secret=database.secret("pages"), worlds=worlds, clock=clock),
        part_secret=database.secret("parts"),
        clock=clock,
        wake_ingest=wake_ingest,
    )
    return state, wake


def _named_blobs(rows: sqlite3.Connection) -> set[str]:
    found = rows.execute("SELECT blob FROM parts UNION SELECT blob FROM read_set_blobs")
    return {row["blob"] for row in found}


async def _listen(
    config: EmulatorConfig, front: Front, admin: Admin, stack: contextlib.AsyncExitStack
) -> str:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        is_admin = request.raw_path.startswith(PREFIX)
        return await (admin.handle(request) if is_admin else front.handle(request))

    server = JsonServer(
        handle,
        access_log=None,
        logger=_silent,
        # A body is stored unchanged; don't let a small compressed one become large.
        auto_decompress=False,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    )
    runner = web.ServerRunner(
        server, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S, access_log=None
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    context = server_context(config.root / "tls", config.host) if config.tls else None
    listener = _bind(config.host, config.port)
    await web.SockSite(runner, listener, ssl_context=context).start()
    port = listener.getsockname()[1]
    name = _LOOPBACK_OF.get(config.host, config.host)
    if ":" in name:
        name = f"[{name}]"
    return f"{'https' if config.tls else 'http'}://{name}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    """One listening socket: a name with several addresses must not take several free ports."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server((address[0], port), family=family, backlog=BACKLOG)


async def _ended(task: asyncio.Task[None]) -> None:
    """Wait for a task's end, and raise its exception."""
    await task
