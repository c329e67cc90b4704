"""A request's route: the server, a proxy if there is one, and the request target.

Pure: URLs in, values out.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from turboupload.value import Value

DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(Value, frozen=True):
    """An HTTP proxy, reached without TLS.

    Attributes:
        host: Name or address.
        port: TCP port.
        authorization: The Proxy-Authorization value; None if the proxy needs none.
    """

    host: str
    port: int
    authorization: str | None

    @classmethod
    def parse(cls, url: str) -> Self:
        """Parses ``http://user:password@host:port``; the scheme is optional.

        Raises:
            ValueError: When the URL is of another scheme, has no host or a bad port. The message
                has no password in it.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            msg = f"proxy {parts.hostname or '?'}: only http://host:port proxies are supported"
            raise ValueError(msg)
        return cls(parts.hostname, parts.port or DEFAULT_PORTS["http"], _basic(parts))


class Route(Value, frozen=True):
    """Server and proxy; requests share a connection if their routes are equal.

    Attributes:
        host: The server's name or address.
        port: The server's TCP port.
        tls: Whether the server uses TLS.
        proxy: The proxy, or None.
    """

    host: str
    port: int
    tls: bool
    proxy: Proxy | None = None

    @classmethod
    def to(cls, url: str, proxies: Mapping[str, Proxy]) -> Self:
        """The route to a URL.

        Args:
            url: An absolute http or https URL.
            proxies: URL scheme to proxy.

        Raises:
            ValueError: The URL can't be used.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            msg = f"not an absolute http or https URL: {url}"
            raise ValueError(msg)
        return cls(
            host=parts.hostname,
            port=parts.port or DEFAULT_PORTS[parts.scheme],
            tls=parts.scheme == "https",
            proxy=proxies.get(parts.scheme),
        )

    @property
    def authority(self) -> str:
        """``host:port``, as CONNECT needs it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def host_header(self) -> str:
        """The Host header's value, without the scheme's default port."""
        default = DEFAULT_PORTS["https" if self.tls else "http"]
        return self.authority.removesuffix(f":{default}")

    def target(self, url: str) -> str:
        """The request target: path and query, or the whole URL for a proxy without a tunnel."""
        parts = urlsplit(url)
        origin_form = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self.proxy is not None and not self.tls:
            return f"http://{self.host_header}{origin_form}"
        return origin_form


def _basic(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(credentials.encode()).decode()
