"""The TLS context of the part transport."""

import ssl
from pathlib import Path

from turboupload.http.connection import TransportError


def client_context(
    *,
    ca_bundle: str | Path | None = None,
    verify: bool = True,
) -> ssl.SSLContext:
    """Makes a client context for HTTP/1.1 over TLS 1.2 or later.

    Args:
        ca_bundle: A PEM file of the only authorities to trust. None trusts the operating system's.
        verify: False accepts any certificate for any host name.

    Raises:
        TransportError: Of kind "tls": the file can't be used; the message names it.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_bundle is None else str(ca_bundle))
    except OSError as error:
        raise TransportError("tls", f"cannot use the CA bundle {ca_bundle}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # so that sending never waits for received bytes
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
