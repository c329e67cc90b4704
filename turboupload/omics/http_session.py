"""The HTTP session of the control calls: aiobotocore's, which follows no redirect.

aiohttp follows redirects unless told otherwise, and aiobotocore doesn't tell it. The service sends
none. Whoever does in its place would be handed the request again: the metadata in its body and the
session token in its headers, to whatever host, in clear text too. (botocore itself, over urllib3,
follows none either.)
"""

from __future__ import annotations

from typing import Any

from aiobotocore.httpsession import AIOHTTPSession

__all__ = ["ControlSession"]


class ControlSession(AIOHTTPSession):  # type: ignore[misc] # aiobotocore ships no types
    """`AIOHTTPSession` that returns a redirect as the reply it is."""

    async def _get_session(self, proxy_url: Any) -> _Straight:
        return _Straight(await super()._get_session(proxy_url))


class _Straight:
    """What `AIOHTTPSession.send` uses of an aiohttp session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, **options: Any) -> Any:
        return await self._session.request(method, allow_redirects=False, **options)
