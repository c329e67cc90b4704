"""Reaches a host as a part would, and times each step."""

from __future__ import annotations

import ssl
import time

from msgspec import Struct, field

from turboupload.http.connect import Address, Step, connect
from turboupload.http.connection import CancelToken, ErrorKind, TransportError
from turboupload.http.route import Route

__all__ = ["Probe", "probe"]


class Probe(Struct, kw_only=True):
    """How far a connection came.

    Attributes:
        route: Where to.
        addresses: What the name was resolved to; the proxy's, where there is one.
        took_s: How long each step took, in seconds.
        tls: Protocol and cipher.
        failed: What failed; None if nothing did.
        message: Why.
    """

    route: Route
    addresses: tuple[str, ...] = ()
    took_s: dict[Step, float] = field(default_factory=dict)
    tls: str | None = None
    failed: ErrorKind | None = None
    message: str = ""


def probe(route: Route, tls: ssl.SSLContext, cancel_token: CancelToken, timeout_s: float) -> Probe:
    """Connects, and closes the connection again; nothing but the handshake is sent.

    Args:
        route: Where to.
        tls: The transport's context.
        cancel_token: Cancels every wait.
        timeout_s: For all steps together, in seconds.

    Raises:
        Cancelled: The token was cancelled.
    """
    found = Probe(route=route)
    began = time.perf_counter()

    def on_step(step: Step, addresses: list[Address]) -> None:
        nonlocal began
        now = time.perf_counter()
        found.took_s[step], began = now - began, now
        if addresses:
            found.addresses = tuple(dict.fromkeys(str(place[0]) for _, place in addresses))

    try:
        connection = connect(route, tls, cancel_token, timeout_s, on_step)
    except TransportError as error:
        found.failed, found.message = error.kind, error.message
        return found
    found.tls = connection.tls
    connection.close()
    return found
