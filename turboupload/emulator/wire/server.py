"""Handles one request, from its first byte to the last byte of its reply."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from turboupload.emulator.config import MAX_PART_BYTES
from turboupload.emulator.errors import ServiceError
from turboupload.emulator.operations.readsets import Download, open_download
from turboupload.emulator.operations.service import OPERATIONS
from turboupload.emulator.operations.uploads import keep_part, require_open_upload
from turboupload.emulator.storage.blobs import IncomingBlob, Tampering, read_spans
from turboupload.emulator.storage.state import State
from turboupload.emulator.validate import Params, parse_body, validated
from turboupload.emulator.wire.connection import Body, Severed, require_length, sever
from turboupload.emulator.wire.faults import Action, Faults
from turboupload.emulator.wire.quotas import Quotas
from turboupload.emulator.wire.reply import error_reply, request_id, success_reply
from turboupload.emulator.wire.routes import Route, find_route
from turboupload.emulator.wire.sigv4 import SignedRequest, Verifier
from turboupload.emulator.wire.stats import Exchange, PartPlace, Stats

__all__ = ["Front"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_CONTROL_BODY_BYTES = 8 * 1024 * 1024
"""Enough for a Complete of 20,000 parts."""
WRITE_BYTES = 1024 * 1024
"""A part is hashed and written in pieces of about this size; at most two are in memory."""
DRAIN_BYTES = MAX_PART_BYTES + WRITE_BYTES
DRAIN_TIMEOUT_S = 10.0
_GONE = (aiohttp.ClientError, ConnectionError, web.RequestPayloadError)


class _RawReply(Exception):
    """A fault's raw reply, which the service itself would not send."""

    def __init__(self, action: Action) -> None:
        super().__init__(action.type)
        self.action = action


class Front:
    """Answers requests: signature, quota, validation, operation, reply.

    Runs on the event loop; slow work is done in threads.

    Arguments:
        state: The data.
        verifier: Verifies signatures.
        quotas: The token buckets.
        faults: The fault rules.
        stats: Counts what happens.
        pool: Threads for the disk, the hashes and the database.
    """

    def __init__(
        self,
        state: State,
        *,
        verifier: Verifier,
        quotas: Quotas,
        faults: Faults,
        stats: Stats,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._state = state
        self._verifier = verifier
        self._quotas = quotas
        self._faults = faults
        self._stats = stats
        self._pool = pool
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all intended waits."""
        self._closing.set()

    async def _run(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request in any case."""
        exchange = Exchange("Unknown")
        body = Body(request, exchange)
        try:
            return await self._answer(request, body, exchange)
        except ServiceError as error:
            exchange.error = error.code
            reply = error_reply(error, self._state.world)
        except _RawReply as raw:
            exchange.error = raw.action.code or f"HTTP {raw.action.status}"
            return await self._raw_reply(request, body, exchange, raw.action)
        except Severed as severed:
            exchange.error = "ReplyLost" if exchange.applied else "Dropped"
            self._stats.record(exchange)
            sever(request, reset=severed.reset)
            return web.Response()
        except _GONE:
            exchange.error = "Disconnected"
            self._stats.record(exchange)
            return web.Response()
        except Exception:
            _log.exception("%s failed", exchange.operation)
            exchange.error = "InternalServerException"
            reply = error_reply(
                ServiceError("InternalServerException", "Internal error"), self._state.world
            )
        return await self._reply_early(request, body, exchange, reply)

    async def _answer(
        self, request: web.BaseRequest, body: Body, exchange: Exchange
    ) -> web.StreamResponse:
        raw_path, _, raw_query = request.raw_path.partition("?")
        signed = SignedRequest(request.method, raw_path, raw_query, tuple(request.headers.items()))
        if not signed.values("authorization"):
            raise ServiceError(
                "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        route = find_route(request.method, raw_path)
        query = _query(raw_query)
        exchange.operation = route.operation
        exchange.part = _part_place(route, query)
        self._stats.begin(exchange)
        action = self._faults.draw(route.operation, exchange.part)
        if action is not None:
            self._prepare(body, action)
            await body.reach()
        is_part = route.operation == "UploadReadSetPart"
        signature = self._verifier.begin(signed, unsigned_body=is_part)
        self._quotas.take(route.operation)
        if is_part:
            params = validated(route.operation, route.labels, query, {})
            require_length(body, MAX_PART_BYTES)
            await self._run(require_open_upload, self._state, params)
            tampering = None if action is None else action.tampering
            output: Params | Download = await self._receive_part(
                body, params, signature.verify_body, tampering
            )
        else:
            data = await body.whole(MAX_CONTROL_BODY_BYTES)
            signature.verify_body(hashlib.sha256(data).hexdigest())
            if route.operation == "CompleteMultipartReadSetUpload":
                await self._pause(self._state.world.complete_takes_s)
            output = await self._run(self._perform, route, query, data)
        exchange.applied = True
        await self._before_reply(action)
        self._stats.record(exchange)
        if isinstance(output, Download):
            return await self._send(request, exchange, output)
        return success_reply(route.operation, output, self._state.world)

    def _perform(
        self, route: Route, query: list[tuple[str, str]], data: bytes
    ) -> Params | Download:
        params = validated(route.operation, route.labels, query, parse_body(data))
        if route.operation == "GetReadSet":
            return open_download(self._state, params)
        perform = OPERATIONS[route.operation].perform
        assert perform is not None
        return perform(self._state, params)

    def _prepare(self, body: Body, action: Action) -> None:
        """Arm `action` on the body, if it happens while the body is read."""

        async def stall() -> None:
            await self._pause(action.seconds)

        async def drop() -> None:
            raise Severed(reset=action.reset)

        async def fail() -> None:
            if action.code is None:
                raise _RawReply(action)
            raise ServiceError(action.code, action.message, status=action.status)

        trips = {"stall": stall, "drop": drop, "error": fail}
        if action.type in trips:
            body.interrupt(action.after_bytes, trips[action.type])

    async def _before_reply(self, action: Action | None) -> None:
        if action is None:
            return
        if action.type == "delay":
            await self._pause(action.seconds)
        elif action.type == "lose_reply":
            raise Severed(reset=action.reset)

    async def _pause(self, seconds: float) -> None:
        """Wait; if the emulator stops meanwhile, end the connection."""
        if not seconds:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
        raise Severed(reset=False)

    async def _receive_part(
        self,
        body: Body,
        params: Params,
        verify_body: Callable[[str], None],
        tampering: Tampering | None,
    ) -> Params:
        incoming = await self._run(self._state.blobs.receive, tampering)
        try:
            await self._store_chunks(body, incoming)
            verify_body(await self._run(lambda: incoming.received_sha256))
            return await self._run(keep_part, self._state, params, incoming)
        except BaseException:
            # A cancelled task must not leave the file behind.
            await asyncio.shield(self._run(incoming.discard))
            raise

    async def _store_chunks(self, body: Body, incoming: IncomingBlob) -> None:
        """Hash and write one piece in a thread while the next one is received."""
        batch: list[bytes] = []
        size = 0
        writing: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        try:
            async with aclosing(body.chunks()) as chunks:
                async for data in chunks:
                    batch.append(data)
                    size += len(data)
                    if size < WRITE_BYTES:
                        continue
                    if writing is not None:
                        await writing
                    writing = loop.run_in_executor(self._pool, incoming.write, batch)
                    batch, size = [], 0
        finally:
            if writing is not None:
                await asyncio.shield(writing)
        await self._run(incoming.write, batch)

    async def _send(
        self, request: web.BaseRequest, exchange: Exchange, download: Download
    ) -> web.StreamResponse:
        reply = web.StreamResponse(headers=request_id())
        reply.content_type = "application/octet-stream"
        reply.content_length = download.length
        pieces: Iterator[bytes] = read_spans(
            self._state.blobs, download.blobs, offset=download.offset, length=download.length
        )
        await reply.prepare(request)
        try:
            while data := await self._run(next, pieces, b""):
                await reply.write(data)
            await reply.write_eof()
        except _GONE:
            pass  # The client has its data, or will ask again.
        except OSError:
            # The status was sent already: end the connection to show that the reply is incomplete.
            _log.exception("%s failed in mid-reply", exchange.operation)
            sever(request, reset=True)
        return reply

    async def _reply_early(
        self,
        request: web.BaseRequest,
        body: Body,
        exchange: Exchange,
        reply: web.Response,
    ) -> web.StreamResponse:
        """Send an error while the body may still arrive, then read the rest of it.

        Otherwise a client that is still sending would find its connection reset, and never read the
        error. `World.early_errors` can change this.
        """
        self._stats.record(exchange)
        early = self._state.world.early_errors
        if early == "close":
            return await _sent_and_closed(request, reply)
        if body.length is not None and body.length - exchange.body_bytes > DRAIN_BYTES:
            reply.force_close()
        with self._stats.draining(exchange):
            try:
                if early == "late":
                    await self._drain(body, reply)
                await reply.prepare(request)
                await reply.write_eof()
                await self._drain(body, reply)
            except (TimeoutError, *_GONE):
                reply.force_close()
        return reply

    async def _drain(self, body: Body, reply: web.Response) -> None:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            if not await body.drain(DRAIN_BYTES):
                reply.force_close()

    async def _raw_reply(
        self, request: web.BaseRequest, body: Body, exchange: Exchange, action: Action
    ) -> web.StreamResponse:
        payload = action.body.encode()
        reply = web.Response(
            status=action.status, body=payload, headers={"Content-Type": action.content_type}
        )
        if action.truncate_to is None:
            return await self._reply_early(request, body, exchange, reply)
        self._stats.record(exchange)
        cut = web.StreamResponse(
            status=action.status, headers={"Content-Type": action.content_type}
        )
        cut.content_length = len(payload)
        await cut.prepare(request)
        await cut.write(payload[: action.truncate_to])
        if request.transport is not None:
            # A plain close, so that the reply arrives before the end of the connection.
            request.transport.close()
        return cut


async def _sent_and_closed(request: web.BaseRequest, reply: web.Response) -> web.Response:
    """Send an answer and close the connection, even if bytes still arrive.

    If they do, the kernel resets the connection, and the client may never read the answer.
    """
    reply.force_close()
    try:
        await reply.prepare(request)
        await reply.write_eof()
    except _GONE:
        pass  # The client didn't read at all.
    if request.transport is not None:
        request.transport.close()
    return reply


def _query(raw_query: str) -> list[tuple[str, str]]:
    pairs = (piece.partition("=") for piece in raw_query.split("&") if piece)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _part_place(route: Route, query: list[tuple[str, str]]) -> PartPlace | None:
    if route.operation != "UploadReadSetPart":
        return None
    values = dict(query)
    number = values.get("partNumber", "")
    return (
        route.labels.get("uploadId", ""),
        values.get("partSource", ""),
        int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0,
    )
