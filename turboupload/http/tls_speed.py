"""How fast one processor encrypts for TLS, without a network and without a certificate."""

from __future__ import annotations

import os
import ssl
import tempfile
import time

__all__ = ["tls_bytes_per_s"]

_CHUNK_BYTES = 512 * 1024
_CIPHER = "ADH-AES128-GCM-SHA256:@SECLEVEL=0"
"""Anonymous key exchange, so that no certificate is needed. Its records are encrypted by the same
code as those of TLS 1.3 with AES-128-GCM."""

_FFDHE2048 = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
"""The public group of RFC 7919, appendix A.1."""


def tls_bytes_per_s(seconds: float) -> float | None:
    """What one processor encrypts in a second of its time, in bytes.

    Args:
        seconds: How much of its time to measure for.

    Returns:
        None where this OpenSSL forbids such a cipher.
    """
    try:
        client, written = _connected()
    except (ssl.SSLError, OSError, ValueError):
        return None
    chunk = bytes(_CHUNK_BYTES)
    done, began = 0, time.thread_time()
    while (took := time.thread_time() - began) < seconds:
        client.write(chunk)
        written.read()
        done += len(chunk)
    return done / took


def _connected() -> tuple[ssl.SSLObject, ssl.MemoryBIO]:
    """A client after its handshake, and what it writes to."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _context(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(to_client, to_server)
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(_FFDHE2048)
        file.flush()
        context.load_dh_params(os.fspath(file.name))
    server = context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return client, to_server


def _context(protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHER)
    return context
