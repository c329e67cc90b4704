"""Answers requests on a job's socket: one line of JSON in, one out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Final

from turboupload.jobs.listener import is_own_peer, peer_uid

__all__ = ["MOST_BYTES", "Server"]

MOST_BYTES: Final = 64 * 1024
"""A longer line is none of ours."""

READ_S: Final = 5.0
"""How long a peer may take to say what it wants, in seconds."""

MOST_PEERS: Final = 16


class Server:
    """Serves on the running event loop, from `start` to `stop`.

    Args:
        answer: Takes a request, and returns the answer without the line's end.
    """

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._peers: set[asyncio.Task[None]] = set()

    async def start(self, listener: socket.socket | None) -> None:
        """Begins to serve.

        Args:
            listener: Listens, and doesn't block; None serves no requests.
        """
        if listener is not None:
            self._server = await asyncio.start_unix_server(
                self._accept, sock=listener, limit=MOST_BYTES
            )

    def stop(self) -> None:
        """Ends, with the requests that are still being answered."""
        if self._server is not None:
            self._server.close()
        for task in self._peers:
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._peers) >= MOST_PEERS:
            writer.close()
            return
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._peers.add(task)
        task.add_done_callback(self._peers.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if is_own_peer(peer_uid(writer.get_extra_info("socket"))):
                async with asyncio.timeout(READ_S):
                    line = await reader.readline()
                    writer.write(self._answer(line) + b"\n")
                    await writer.drain()
        except (OSError, ValueError):
            pass  # it went away, took too long (TimeoutError), or wrote no line
        finally:
            with contextlib.suppress(OSError):
                writer.close()
