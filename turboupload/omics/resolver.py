"""Resolves names for the calls that aiobotocore makes itself.

aiohttp's connection time-out starts when the address is known, and the loop's own look-up can't be
cancelled: a hanging resolver would block the call, and then the process. Here the look-up has a
thread of its own, and the call waits no longer than a connection may take. `http.connect` looks up
names for parts.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["Resolver"]


class Resolver(AbstractResolver):
    """The system's resolver, with a time-out.

    Args:
        timeout_s: How long a look-up may take, in seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Looks a name up.

        Raises:
            OSError: The name has no address, or wasn't resolved in time.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[ResolveResult]] = loop.create_future()

        def look_up() -> None:
            try:
                tell = partial(_set_result, found, _addresses(host, port, family))
            except (OSError, UnicodeError) as error:
                tell = partial(_fail, found, error)
            with suppress(RuntimeError):  # the loop was closed while the resolver hung
                loop.call_soon_threadsafe(tell)

        Thread(target=look_up, name="turboupload-dns", daemon=True).start()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await found
        except TimeoutError:
            raise OSError(None, "the name was not resolved in time") from None

    async def close(self) -> None:
        """Does nothing: there is nothing to close."""


def _addresses(host: str, port: int, family: int) -> list[ResolveResult]:
    answers = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            host=_address(address),
            port=port,
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, address in answers
    ]


def _address(address: tuple[Any, ...]) -> str:
    """The address as text; a link-local one of IPv6 with its zone."""
    zone = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{zone}" if zone and "%" not in address[0] else str(address[0])


def _set_result(found: asyncio.Future[list[ResolveResult]], addresses: list[ResolveResult]) -> None:
    if not found.done():
        found.set_result(addresses)


def _fail(found: asyncio.Future[list[ResolveResult]], error: Exception) -> None:
    if not found.done():
        found.set_exception(error)
