"""The connection of a request: ends it without a reply, and counts its body while it is read."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable

from aiohttp import web

from turboupload.emulator.errors import ServiceError, too_large
from turboupload.emulator.wire.stats import Exchange

__all__ = ["Body", "Severed", "sever"]

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Severed(Exception):
    """The connection must end without a reply.

    Attributes:
        reset: Whether by RST.
    """

    def __init__(self, *, reset: bool) -> None:
        super().__init__("severed")
        self.reset = reset


def sever(request: web.BaseRequest, *, reset: bool) -> None:
    """End the connection without a reply, and without TLS's close_notify.

    Arguments:
        request: The request on it.
        reset: End it by RST; else the kernel decides, and sends FIN if nothing is unread.
    """
    transport = request.transport
    if transport is None:
        return
    if reset:
        descriptor = transport.get_extra_info("socket").fileno()
        # The loop's own socket object may not allow options to be set; a duplicate does.
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


class Body:
    """A request's body: read once, counted, and interrupted if a fault says so.

    Arguments:
        request: The request.
        exchange: Receives the count.
    """

    def __init__(self, request: web.BaseRequest, exchange: Exchange) -> None:
        self._request = request
        self._exchange = exchange
        self._invited = False
        self._trip: Callable[[], Awaitable[None]] | None = None
        self._trip_at = 0

    @property
    def length(self) -> int | None:
        """The announced length in bytes, or None for a chunked body."""
        return self._request.content_length

    def interrupt(self, after_bytes: int, trip: Callable[[], Awaitable[None]]) -> None:
        """Await `trip` once, after this many bytes or at the body's end."""
        self._trip_at = after_bytes
        self._trip = trip

    async def reach(self) -> None:
        """Await the interruption if it is due."""
        if self._trip is not None and self._exchange.body_bytes >= self._trip_at:
            await self._fire()

    async def _fire(self) -> None:
        trip, self._trip = self._trip, None
        if trip is not None:
            await trip()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces as they arrive."""
        self._send_continue()
        content = self._request.content
        while data := await content.readany():
            self._exchange.body_bytes += len(data)
            await self.reach()
            yield data
        self._exchange.whole_body = True
        await self._fire()

    def _send_continue(self) -> None:
        """Answer `Expect: 100-continue`, but only once the body is needed."""
        if self._invited or self._request.transport is None:
            return
        self._invited = True
        if self._request.headers.get("Expect", "").lower() == "100-continue":
            self._request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def whole(self, limit: int) -> bytes:
        """All of a small body.

        Raises:
            ServiceError: The body has more than `limit` bytes.
        """
        if (self.length or 0) > limit:
            raise too_large(f"A request's body has at most {limit} bytes")
        pieces = []
        size = 0
        async for data in self.chunks():
            size += len(data)
            if size > limit:
                raise too_large(f"A request's body has at most {limit} bytes")
            pieces.append(data)
        return b"".join(pieces)

    async def drain(self, limit: int) -> bool:
        """Read the rest of the body, at most `limit` bytes; returns whether that was all."""
        if self._request.headers.get("Expect") and not self._invited:
            # The client waits for 100-continue, gets the final answer instead, and sends nothing.
            return self._request.content.at_eof()
        content = self._request.content
        while data := await content.readany():
            self._exchange.body_bytes += len(data)
            limit -= len(data)
            if limit < 0:
                return False
        self._exchange.whole_body = True
        return True


def require_length(body: Body, most: int) -> int:
    """The announced length of a part's body.

    Raises:
        ServiceError: There is none, or it is 0 or more than `most` bytes.
    """
    if body.length is None:
        raise ServiceError("ValidationException", "payload: Content-Length is required")
    if body.length > most:
        raise ServiceError(
            "ValidationException", f"payload: a part has at most {most} bytes, not {body.length}"
        )
    if body.length == 0:
        raise ServiceError("ValidationException", "payload: a part must not be empty")
    return body.length
