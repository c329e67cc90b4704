"""Refuses requests that aren't HTTP in the service's form: aiohttp's own answer is plain text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from turboupload.emulator.errors import ServiceError
from turboupload.emulator.wire.reply import error_reply
from turboupload.emulator.world import World

__all__ = ["JsonServer"]


class JsonServer(web.Server):
    """An `aiohttp.web.Server` that answers every request in the service's form.

    Arguments:
        handler: Answers a request.
        options: The options of `aiohttp.web.Server`.
    """

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **options: Any
    ) -> None:
        super().__init__(handler, **options)
        self._options = options

    def __call__(self) -> web.RequestHandler:
        """A new connection's protocol."""
        return _Protocol(self, loop=asyncio.get_running_loop(), **self._options)


class _Protocol(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that can't be parsed; other errors are answered before this."""
        super().handle_error(request, status, exc, message)  # logs it, and refuses a second reply
        if status >= 500:
            error = ServiceError("InternalServerException", "Internal error")
        else:
            text = " ".join((message or "the request is no HTTP/1.1").split())
            error = ServiceError("MalformedHttpRequestException", text[:200], status=status)
        reply = error_reply(error, World())
        reply.force_close()
        return reply
