"""A relay between client and sink that behaves like the links people have.

Slow for each connection, slow in all, far away, or broken: it forwards bytes as they are, later, at
a pace, or no longer. It knows nothing of TLS.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import uvloop

__all__ = ["Link", "Relay"]

BUFFER_BYTES = 256 * 1024
"""The kernel's share at the client's end, so that "sent" means that it is nearly on the link."""

PACE_S = 0.002
"""A reader that is ahead of its pace by more than this stops reading until its time has come."""

MARK_S = 0.1
START_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Link:
    """What the link is like, from the client to the sink.

    Attributes:
        bytes_per_s: Cap of each connection.
        total_bytes_per_s: Cap of all together.
        round_trip_s: Delay of a byte there and back, in seconds; making a connection costs one.
        window_bytes: Bytes of a connection that may be unacknowledged, as a TCP window: with a
            round trip of 0.2 s and 4 MiB it is the window that limits.
        drop_after_bytes: Connections are reset after so many bytes.
        stall_after_bytes: Connections stay open and take no more after so many bytes.
        every: Only each so many-th connection is reset or stalls.
    """

    bytes_per_s: float | None = None
    total_bytes_per_s: float | None = None
    round_trip_s: float = 0.0
    window_bytes: int | None = None
    drop_after_bytes: int | None = None
    stall_after_bytes: int | None = None
    every: int = 1


class Relay:
    """Forwards connections in a thread of its own, for as long as the context lasts.

    Args:
        port: Where the sink listens.
        link: What the way there is like.

    Attributes:
        port: Where the relay listens.
        connections: How many were made.
        forwarded: Bytes handed on to the sink.
        sink_port: Where it hands on to.
        faults: Connections that were reset or that stalled.
        marks: At most every 0.1 s, when something moved: the monotonic clock, in seconds, and the
            bytes handed on to the sink until then.
        open: Both ends of every connection, as long as they last; the loop's thread's alone.
    """

    def __init__(self, port: int, link: Link) -> None:
        self.link = link
        self.connections = 0
        self.forwarded = 0
        self.faults = 0
        self.marks: list[tuple[float, int]] = []
        self.port = 0
        self.open: set[asyncio.Transport] = set()
        self.sink_port = port
        self._total = _Pace(link.total_bytes_per_s)
        self._loop = uvloop.new_event_loop()
        self._ended = asyncio.Event()
        self._emptied = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_TIMEOUT_S):
            raise RuntimeError("the relay does not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(START_TIMEOUT_S)

    @property
    def endpoint_url(self) -> str:
        return f"https://localhost:{self.port}"

    def forget(self) -> None:
        """Counts from here; nothing may be under way."""
        self.connections = self.forwarded = self.faults = 0
        self.marks = []

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        listener.bind(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        server = await self._loop.create_server(self._accepted, sock=listener, backlog=1024)
        self._ready.set()
        await self._ended.wait()
        server.close()
        for transport in self.open:
            transport.abort()
        if self.open:
            await self._emptied.wait()

    def _accepted(self) -> _Client:
        self.connections += 1
        link = self.link
        faulty = self.connections % link.every == 0
        there = _Half(
            self,
            paces=(_Pace(link.bytes_per_s), self._total),
            delay_s=link.round_trip_s / 2,
            window_bytes=link.window_bytes,
            drop_after=link.drop_after_bytes if faulty else None,
            stall_after=link.stall_after_bytes if faulty else None,
        )
        back = _Half(None, paces=(), delay_s=link.round_trip_s / 2)
        return _Client(self, there, back)

    def closed(self, transport: asyncio.Transport) -> None:
        """Notes that an end is gone."""
        self.open.discard(transport)
        if not self.open and self._ended.is_set():
            self._emptied.set()

    def count(self, size: int) -> None:
        """Notes that so many bytes were handed on."""
        self.forwarded += size
        now = time.monotonic()
        if not self.marks or now - self.marks[-1][0] >= MARK_S:
            self.marks.append((now, self.forwarded))


class _Pace:
    """When the next bytes may go, at so many a second; not faster for having rested."""

    def __init__(self, bytes_per_s: float | None) -> None:
        self._rate = bytes_per_s
        self._free_at = 0.0

    def due(self, size: int, now: float) -> float:
        if self._rate is None:
            return now
        self._free_at = max(self._free_at, now) + size / self._rate
        return self._free_at


class _Half:
    """One direction of a connection: what was read waits here until it is due."""

    def __init__(
        self,
        relay: Relay | None,
        *,
        paces: tuple[_Pace, ...],
        delay_s: float,
        window_bytes: int | None = None,
        drop_after: int | None = None,
        stall_after: int | None = None,
    ) -> None:
        self._relay = relay
        self._paces = paces
        self._delay_s = delay_s
        self._window = window_bytes
        self._drop_after = drop_after
        self._stall_after = stall_after
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._reasons: set[str] = set()
        self._taken = 0
        self._unacknowledged = 0
        # The handshake of TCP itself is the kernel's here: its round trip is paid with the first
        # bytes.
        self._greeting_s = 2 * delay_s if relay is not None else 0.0
        self._last_due = 0.0
        self.source: asyncio.Transport | None = None
        self.target: asyncio.Transport | None = None

    def take(self, data: bytes) -> None:
        """Bytes were read."""
        self._taken += len(data)
        if self._drop_after is not None and self._taken > self._drop_after:
            self._drop()
            return
        if self._stall_after is not None and self._taken > self._stall_after:
            self._fault()
            self.hold("stalled")
            return
        now = self._loop.time()
        due = max((pace.due(len(data), now) for pace in self._paces), default=now)
        if due > now + PACE_S:
            self.hold("pace")
            self._loop.call_at(due, self.let, "pace")
        self._unacknowledged += len(data)
        if self._window is not None and self._unacknowledged >= self._window:
            self.hold("window")
        due += self._delay_s + self._greeting_s
        self._greeting_s = 0.0
        self._put(due, data)

    def end(self) -> None:
        """The source has said all it has to say."""
        self._put(self._loop.time() + self._delay_s, None)

    def hold(self, reason: str) -> None:
        """Stops reading, for one of several reasons."""
        if not self._reasons and self.source is not None and not self.source.is_closing():
            self.source.pause_reading()
        self._reasons.add(reason)

    def let(self, reason: str) -> None:
        """That reason is gone; reads again when there is no other."""
        self._reasons.discard(reason)
        if not self._reasons and self.source is not None and not self.source.is_closing():
            self.source.resume_reading()

    def _put(self, due: float, data: bytes | None) -> None:
        self._last_due = max(self._last_due, due)
        self._queue.append((self._last_due, data))
        if self.target is not None and self._timer is None:
            self.hand_on()

    def hand_on(self) -> None:
        """Hands on what is due, and comes back for the rest."""
        self._timer = None
        now = self._loop.time() + 0.0005
        while self._queue and self._queue[0][0] <= now:
            self._hand_on_one(self._queue.popleft()[1])
        if self._queue:
            self._timer = self._loop.call_at(self._queue[0][0], self.hand_on)

    def _hand_on_one(self, data: bytes | None) -> None:
        target = self.target
        if target is None or target.is_closing():
            return
        if data is None:
            target.write_eof()
            return
        target.write(data)
        if self._relay is not None:
            self._relay.count(len(data))
        if self._window is not None:
            self._loop.call_later(self._delay_s, self._acknowledge, len(data))

    def _acknowledge(self, size: int) -> None:
        self._unacknowledged -= size
        if self._window is not None and self._unacknowledged < self._window:
            self.let("window")

    def _drop(self) -> None:
        self._fault()
        for transport in (self.source, self.target):
            if transport is not None and not transport.is_closing():
                sock = transport.get_extra_info("socket")
                # A reset, as a firewall that has forgotten a connection sends it.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                transport.abort()

    def _fault(self) -> None:
        if self._relay is not None:
            self._relay.faults += 1


class _End(asyncio.Protocol):
    """One end of a connection: reads into one half, and is written to by the other."""

    def __init__(self, relay: Relay, reads: _Half, writes: _Half) -> None:
        self._relay = relay
        self._transport: asyncio.Transport | None = None
        self._reads = reads
        self._writes = writes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do what asyncio's do, and are none of its classes.
        self._transport = cast(asyncio.Transport, transport)
        self._relay.open.add(self._transport)
        self._reads.source = self._writes.target = self._transport
        self._writes.hand_on()

    def data_received(self, data: bytes) -> None:
        self._reads.take(data)

    def eof_received(self) -> bool:
        self._reads.end()
        return True

    def pause_writing(self) -> None:
        self._writes.hold("target")

    def resume_writing(self) -> None:
        self._writes.let("target")

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._relay.closed(self._transport)
        other = self._reads.target
        if other is not None and not other.is_closing():
            other.close()


class _Client(_End):
    """The client's end; it has the sink called."""

    def __init__(self, relay: Relay, there: _Half, back: _Half) -> None:
        super().__init__(relay, there, back)
        self._call: asyncio.Future[Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        call = loop.create_connection(
            lambda: _End(self._relay, self._writes, self._reads),
            "127.0.0.1",
            self._relay.sink_port,
        )
        self._call = asyncio.ensure_future(call)

    def connection_lost(self, error: Exception | None) -> None:
        if self._call is not None:
            self._call.cancel()
        super().connection_lost(error)
