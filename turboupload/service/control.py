"""The HTTP session of the control calls: aiobotocore's, without two habits of aiohttp's.

It follows no redirect. aiohttp follows redirects unless told otherwise, and aiobotocore doesn't
tell it. The service sends none. Whoever does in its place would be handed the request again: the
metadata in its body and the session token in its headers, to whatever host, in clear text too.
(botocore itself, over urllib3, follows none either.)

It closes connections at once. aiohttp lets a connection that is given up, a cancelled call's for
one, wait for the server's part of TLS's farewell, 30 s long, and for the rest of a request to be
read. A server that hangs would keep it open longer than the client that it belongs to.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.client_proto import ResponseHandler

__all__ = ["ControlSession"]


class ControlSession(AIOHTTPSession):  # type: ignore[misc] # aiobotocore ships no types
    """`AIOHTTPSession` that returns a redirect as the reply it is, and closes at once."""

    async def _get_session(self, proxy_url: Any) -> _Straight:
        session = await super()._get_session(proxy_url)
        session.connector._factory = partial(_Prompt, asyncio.get_running_loop())
        return _Straight(session)


class _Prompt(ResponseHandler):
    """aiohttp's end of a connection, which is closed when it says so."""

    def close(self) -> None:
        """Closes it without a word; what is closed here has nothing more to send."""
        if self.transport is not None:
            self.transport.abort()
        super().close()


class _Straight:
    """What `AIOHTTPSession.send` uses of an aiohttp session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> Any:
        return await self._session.request(method, allow_redirects=False, **options)
