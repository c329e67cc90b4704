"""Decodes a reply's Content-Encoding.

We ask for none (botocore sends `Accept-Encoding: identity`), but a proxy or a server may compress
anyway.
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["MAX_DECODED_BYTES", "decoded"]

MAX_DECODED_BYTES: Final = 64 * 1024 * 1024
"""The longest decoded body, in bytes. A page of 100 rows has a few hundred thousand."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_FORMS: Final = {
    "gzip": (_GZIP,),
    "x-gzip": (_GZIP,),
    # RFC 9110, section 8.4.1.2: with a zlib header, which some servers leave out.
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}


def decoded(body: bytes, encoding: str) -> bytes:
    """Decodes a body.

    Args:
        body: The received body.
        encoding: The value of Content-Encoding; empty if there is none.

    Raises:
        ValueError: It can't be decoded.
    """
    codings = [each.strip().lower() for each in encoding.split(",")]
    for coding in reversed(codings):
        if coding in ("", "identity") or not body:
            continue
        if coding not in _FORMS:
            msg = f"the reply is encoded as {coding}"
            raise ValueError(msg)
        body = _unpacked(body, coding)
    return body


def _unpacked(body: bytes, coding: str) -> bytes:
    fault: zlib.error | None = None
    for form in _FORMS[coding]:
        try:
            return _inflated(body, form)
        except zlib.error as error:
            fault = fault or error
    msg = f"the reply says that it is encoded as {coding}, and is not: {fault}"
    raise ValueError(msg) from fault


def _inflated(body: bytes, form: int) -> bytes:
    """Decodes all members of a stream."""
    found = bytearray()
    while body:
        stream = zlib.decompressobj(form)
        found += stream.decompress(body, MAX_DECODED_BYTES + 1 - len(found))
        if len(found) > MAX_DECODED_BYTES:
            msg = f"the reply unpacks to more than {MAX_DECODED_BYTES} bytes"
            raise ValueError(msg)
        if not stream.eof:
            msg = "the reply's compressed body ends too early"
            raise ValueError(msg)
        body = stream.unused_data
    return bytes(found)
