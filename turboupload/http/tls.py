"""The TLS context of the part transport."""

import ssl
from pathlib import Path

from turboupload.http.connection import TransportError


def client_context(
    *,
    ca_bundle: str | Path | None = None,
    verify: bool = True,
    client_cert: str | Path | tuple[str | Path, str | Path] | None = None,
) -> ssl.SSLContext:
    """A client context for HTTP/1.1 over TLS 1.2 or later.

    Args:
        ca_bundle: A PEM file, or a directory in OpenSSL's hashed layout, of the only authorities
            to trust. None trusts the operating system's.
        verify: False accepts any certificate for any host name.
        client_cert: A PEM file with the client's certificate and key, or the pair of files.

    Raises:
        TransportError: Of kind "tls", when one of the files is not usable; it names the file.
    """
    try:
        context = _trusting(None if ca_bundle is None else Path(ca_bundle))
    except OSError as error:
        raise TransportError("tls", f"cannot use the CA bundle {ca_bundle}: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # so that sending never has to wait for reading
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert is not None:
        certificate, key = client_cert if isinstance(client_cert, tuple) else (client_cert, None)
        try:
            # An empty password makes an encrypted key an error instead of a prompt on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except OSError as error:
            message = f"cannot use the client certificate {certificate}: {error}"
            raise TransportError("tls", message) from error
    return context


def _trusting(ca_bundle: Path | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return ssl.create_default_context()
    if ca_bundle.is_dir():
        return ssl.create_default_context(capath=str(ca_bundle))
    return ssl.create_default_context(cafile=str(ca_bundle))
