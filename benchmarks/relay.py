"""A relay between client and sink that behaves like a long, narrow link."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

__all__ = ["Relay"]

CHUNK = 64 * 1024
QUEUE_CHUNKS = 64
"""What a link holds in flight, in chunks: 4 MiB, more than 25 MB/s at 40 ms need."""


class Relay:
    """Forwards TCP connections in a thread of its own, for as long as the context lasts.

    Args:
        port: Where the sink listens.
        bytes_per_s: Cap of each connection towards the sink, in bytes a second.
        round_trip_s: Delay of a byte there and back, in seconds.

    Attributes:
        connections: How many were made.
    """

    def __init__(self, port: int, *, bytes_per_s: float, round_trip_s: float) -> None:
        self._sink_port = port
        self._rate = bytes_per_s
        self._delay = round_trip_s / 2
        self.connections = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ended: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._ended is not None
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=CHUNK)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, sink = await asyncio.open_connection("127.0.0.1", self._sink_port, limit=CHUNK)
        with contextlib.suppress(OSError):
            await asyncio.gather(
                self._forward(reader, sink, self._rate), self._forward(there, writer, None)
            )
        sink.close()
        writer.close()

    async def _forward(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, rate: float | None
    ) -> None:
        """Takes bytes at the rate, and hands each on after the delay."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE_CHUNKS)

        async def take() -> None:
            free_at = loop.time()
            while data := await source.read(CHUNK):
                if rate is not None:
                    free_at = max(free_at, loop.time()) + len(data) / rate
                    await asyncio.sleep(max(0.0, free_at - loop.time()))
                await queue.put((loop.time() + self._delay, data))
            await queue.put((loop.time() + self._delay, b""))

        async def hand_on() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    with contextlib.suppress(OSError):
                        target.write_eof()
                    return
                target.write(data)
                await target.drain()

        await asyncio.gather(take(), hand_on())
