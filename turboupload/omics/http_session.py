"""The HTTP session of the control calls: aiobotocore's, with three defaults changed.

It follows no redirect. aiohttp follows redirects unless told otherwise, and aiobotocore doesn't
tell it. The service sends none. A server that answers in its place could redirect the request, with
the metadata in its body and the session token in its headers, to any host, even in clear text.
(botocore itself, over urllib3, follows none either.)

It closes connections at once. When a call is cancelled, aiohttp keeps its connection for up to 30
s: it waits for the server's TLS close_notify, and until the rest of the request was read. A hanging
server would keep it open longer than its client lives.

It trusts by the part transport's TLS context. To load the authorities once more takes 20 ms.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from aiohttp.client_proto import ResponseHandler

from turboupload.http.route import Proxy

__all__ = ["ControlSession"]


class ControlSession(AIOHTTPSession):  # type: ignore[misc] # aiobotocore ships no types
    """An `AIOHTTPSession` that returns a redirect as a reply, and closes at once.

    It sends a proxy's user and password in the same bytes as the part transport does: botocore
    accepts ASCII only, and aiohttp writes Latin-1.

    Args:
        tls: Gives the TLS context, when the first request is sent.
        args: As `AIOHTTPSession` takes them.
        proxies: By scheme; they are reached without TLS.
        more: As `AIOHTTPSession` takes it.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *args: Any,
        proxies: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        self._tls = tls
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

    def _build_ssl_contexts(self, proxy_url: Any) -> tuple[ssl.SSLContext, None]:
        return self._tls(), None

    async def _get_session(self, proxy_url: Any) -> _SessionWithoutRedirects:
        session = await super()._get_session(proxy_url)
        session.connector._factory = partial(_ClosesAtOnce, asyncio.get_running_loop())
        return _SessionWithoutRedirects(session, self._authorizations.get(proxy_url or ""))


class _ClosesAtOnce(ResponseHandler):
    """aiohttp's connection handler, which closes its socket at once."""

    def close(self) -> None:
        """Aborts the connection; it has nothing more to send."""
        if self.transport is not None:
            self.transport.abort()
        super().close()


class _SessionWithoutRedirects:
    """The part of an aiohttp session that `AIOHTTPSession.send` uses."""

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
            # aiohttp doesn't report which name has no address: with a proxy it can only be the
            # proxy's.
            raise aiohttp.ClientProxyConnectionError(*error.args) from error
