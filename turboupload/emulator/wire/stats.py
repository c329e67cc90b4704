"""Counts of received requests and bytes, so that a test knows what was really sent.

Only the event loop's thread uses them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Exchange", "Stats"]

PartPlace = tuple[str, str, int]


@dataclass(slots=True)
class Exchange:
    """One request, from its first header to its last byte.

    Attributes:
        operation: The operation's name, or `Unknown`.
        part: (upload id, source, part number) if the request carries a part.
        body_bytes: Bytes of body received so far.
        whole_body: Whether all of the body was received.
        applied: Whether the operation took effect, even if the reply was lost.
        error: The code of its error; `Dropped` if it got no answer, `ReplyLost` if it was applied
            and got no answer.
    """

    operation: str
    part: PartPlace | None = None
    body_bytes: int = 0
    whole_body: bool = False
    applied: bool = False
    error: str | None = None


@dataclass(slots=True)
class _OperationCount:
    requests: int = 0
    body_bytes: int = 0
    successes: int = 0
    errors: int = 0
    error_codes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _PartCount:
    attempts: int = 0
    received: int = 0
    body_bytes: int = 0
    stored: int = 0


class Stats:
    """Counts of finished exchanges, and the running exchanges."""

    def __init__(self) -> None:
        self._operations: dict[str, _OperationCount] = {}
        self._parts: dict[PartPlace, _PartCount] = {}
        self._under_way: dict[int, Exchange] = {}
        self._draining = 0
        self._drained = asyncio.Event()
        self._drained.set()

    def reset(self) -> None:
        """Reset all counts to zero."""
        self._operations.clear()
        self._parts.clear()

    def begin(self, exchange: Exchange) -> None:
        """Register a running exchange."""
        self._under_way[id(exchange)] = exchange

    def record(self, exchange: Exchange) -> None:
        """Count one finished exchange."""
        self._under_way.pop(id(exchange), None)
        count = self._operations.setdefault(exchange.operation, _OperationCount())
        count.requests += 1
        count.body_bytes += exchange.body_bytes
        if exchange.error is None:
            count.successes += 1
        else:
            count.errors += 1
            count.error_codes[exchange.error] += 1
        if exchange.part is not None:
            part = self._parts.setdefault(exchange.part, _PartCount())
            part.attempts += 1
            part.received += exchange.whole_body
            part.body_bytes += exchange.body_bytes
            part.stored += exchange.applied

    @contextmanager
    def draining(self, exchange: Exchange) -> Iterator[None]:
        """Count body bytes received after an exchange was recorded."""
        counted = exchange.body_bytes
        self._draining += 1
        self._drained.clear()
        try:
            yield
        finally:
            self._add_drained(exchange, exchange.body_bytes - counted)
            self._draining -= 1
            if not self._draining:
                self._drained.set()

    async def drained(self) -> None:
        """Wait until the rest of every early-answered body has been counted."""
        await self._drained.wait()

    def _add_drained(self, exchange: Exchange, body_bytes: int) -> None:
        count = self._operations.get(exchange.operation)
        if count is not None:
            count.body_bytes += body_bytes
        part = self._parts.get(exchange.part) if exchange.part is not None else None
        if part is not None and body_bytes:
            part.body_bytes += body_bytes
            part.received += exchange.whole_body

    def as_json(self) -> dict[str, Any]:
        """All counts, as `GET /_emulator/stats` sends them."""
        counts = self._operations.values()
        return {
            "requests": sum(count.requests for count in counts),
            "bodyBytes": sum(count.body_bytes for count in counts),
            "successes": sum(count.successes for count in counts),
            "errors": sum(count.errors for count in counts),
            "operations": {
                name: {
                    "requests": count.requests,
                    "bodyBytes": count.body_bytes,
                    "successes": count.successes,
                    "errors": count.errors,
                    "errorCodes": dict(count.error_codes),
                }
                for name, count in sorted(self._operations.items())
            },
            "underWay": [
                {
                    "operation": exchange.operation,
                    "partNumber": exchange.part[2] if exchange.part else None,
                    "bodyBytes": exchange.body_bytes,
                    "applied": exchange.applied,
                }
                for exchange in self._under_way.values()
            ],
            "parts": [
                {
                    "uploadId": upload_id,
                    "partSource": source,
                    "partNumber": number,
                    "attempts": count.attempts,
                    "received": count.received,
                    "stored": count.stored,
                    "bodyBytes": count.body_bytes,
                }
                for (upload_id, source, number), count in sorted(self._parts.items())
            ],
        }
