"""The HTTP session of the control calls: aiobotocore's, which follows no redirect.

aiohttp follows redirects unless told otherwise, and aiobotocore doesn't tell it. The service sends
none. Whoever does in its place would be handed the request again: the metadata in its body and the
session token in its headers, to whatever host, in clear text too. (botocore itself, over urllib3,
follows none either.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession

from turboupload.http.route import Proxy

__all__ = ["ControlSession"]


class ControlSession(AIOHTTPSession):  # type: ignore[misc] # aiobotocore ships no types
    """`AIOHTTPSession` that returns a redirect as the reply it is.

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
        return _Straight(
            await super()._get_session(proxy_url), self._authorizations.get(proxy_url or "")
        )


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
