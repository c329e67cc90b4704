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
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.client_proto import ResponseHandler

from turboupload.http.route import Proxy

__all__ = ["ControlSession"]


class ControlSession(AIOHTTPSession):  # type: ignore[misc] # aiobotocore ships no types
    """`AIOHTTPSession` that returns a redirect as the reply it is, and closes at once.

    A proxy is told user and password in the same bytes as by the part transport: botocore takes
    ASCII only, and aiohttp writes Latin-1.
    """

    def __init__(self, *args: Any, proxies: Mapping[str, str] | None = None, **more: Any) -> None:
        self._authorizations: dict[str, str] = {}
        plain = {scheme: self._without_password(url) for scheme, url in (proxies or {}).items()}
        super().__init__(*args, proxies=plain, **more)

    def _without_password(self, url: str) -> str:
        proxy = Proxy.parse(url)
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        plain = f"http://{host}:{proxy.port}"
        if proxy.authorization is not None:
            self._authorizations[plain] = proxy.authorization
        return plain

    async def _get_session(self, proxy_url: Any) -> _Straight:
        session = await super()._get_session(proxy_url)
        session.connector._factory = partial(_Prompt, asyncio.get_running_loop())
        return _Straight(session, self._authorizations.get(proxy_url or ""))


class _Prompt(ResponseHandler):
    """aiohttp's end of a connection, which is closed when it says so."""

    def close(self) -> None:
        """Closes it without a word; what is closed here has nothing more to send."""
        if self.transport is not None:
            self.transport.abort()
        super().close()


class _Straight:
    """What `AIOHTTPSession.send` uses of an aiohttp session."""

    def __init__(self, session: Any, authorization: str | None) -> None:
        self._session = session
        self._authorization = authorization

    async def request(self, method: str, **options: Any) -> Any:
        if self._authorization is not None:
            options["proxy_headers"] = {
                **(options.get("proxy_headers") or {}),
                "Proxy-Authorization": self._authorization,
            }
        try:
            return await self._session.request(method, allow_redirects=False, **options)
        except aiohttp.ClientConnectorError as error:
            if not options.get("proxy") or isinstance(error, aiohttp.ClientSSLError):
                raise
            # Whose name has no address, aiohttp doesn't tell: with a proxy it can only be its.
            raise aiohttp.ClientProxyConnectionError(*error.args) from error
