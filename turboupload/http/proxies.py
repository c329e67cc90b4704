"""Finds the proxy for an endpoint in the environment's variables.

Control calls and parts both use this, so that they take the same proxy. It accepts two things that
Python's urllib doesn't: a password may hold any character, even those that URLs require to be
encoded; and NO_PROXY may hold networks (10.0.0.0/8) and `*.suffix`, as in curl and Go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from turboupload.errors import ConfigError
from turboupload.http.route import DEFAULT_PORTS

__all__ = ["proxy_for", "proxy_variable"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def proxy_for(url: str, variables: Mapping[str, str]) -> str | None:
    """The proxy for an endpoint: ``http://user:password@host:port``.

    Args:
        url: The endpoint, http or https.
        variables: As in `os.environ`; names in small letters go first.

    Returns:
        None if there is none, or if NO_PROXY names the endpoint's host. User and password are
        percent-encoded.

    Raises:
        ConfigError: The variable holds no usable proxy; the message holds no password.
    """
    name = proxy_variable(url, variables)
    return None if name is None else _usable(name, variables[name].strip())


def proxy_variable(url: str, variables: Mapping[str, str]) -> str | None:
    """The variable that names the proxy for an endpoint; None if none does.

    Args:
        url: As `proxy_for` takes it.
        variables: As `proxy_for` takes them.
    """
    if _bypassed(url, variables.get("no_proxy") or variables.get("NO_PROXY") or ""):
        return None
    small = f"{urlsplit(url).scheme}_proxy"
    names = [small, small.upper()]
    if small == "http_proxy" and "REQUEST_METHOD" in variables:
        # In a CGI script, HTTP_PROXY comes from a header of the client's request.
        names = [small]
    return next((each for each in names if variables.get(each)), None)


def _usable(name: str, url: str) -> str:
    """A proxy's URL with its user and password encoded."""
    scheme = _SCHEME.match(url)
    kind = scheme[1].lower() if scheme else "http"
    # The last @ ends the password, which may itself hold an @.
    secret, at, place = url[scheme.end() if scheme else 0 :].rpartition("@")
    if kind != "http":
        what = "over TLS (https://)" if kind == "https" else "of another kind than http://"
        raise ConfigError(
            f"{name} names a proxy {what}, which is not supported",
            hint=f"set {name} to an http:// proxy (what goes to the service through it is"
            " encrypted all the same), or list the endpoint's host in NO_PROXY",
        )
    try:
        parts = urlsplit(f"http://{place}")
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS["http"]
    except ValueError:
        host = ""
    if not host or not host.isprintable() or " " in host:
        raise ConfigError(
            f"{name} is not the URL of a proxy",
            hint="it has the form http://user:password@host:port, or host:port",
        )
    user, colon, password = secret.partition(":")
    shown = f"[{host}]" if ":" in host else host
    return f"http://{_encoded(user)}{colon}{_encoded(password)}{at}{shown}:{port}"


def _encoded(text: str) -> str:
    """Percent-encodes text, but doesn't encode again what is encoded already."""
    return quote(unquote(text, errors="surrogateescape").encode(errors="surrogateescape"), safe="")


def _bypassed(url: str, no_proxy: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    entries = [each.strip().lower() for each in no_proxy.replace(" ", ",").split(",")]
    return any(_covers(each, host, port) for each in entries if each)


def _covers(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of NO_PROXY matches a host."""
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            pass
    name, colon, entry_port = entry.rpartition(":")
    if colon and entry_port.isdecimal() and (":" not in name or name.endswith("]")):
        if int(entry_port) != port:
            return False
        entry = name
    name = entry.strip("[]").removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
