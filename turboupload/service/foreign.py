"""What botocore, aiobotocore and the lane raise, as the two exceptions of the boundary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import botocore.exceptions

from turboupload.core.retry import RETRYABLE_STATUS, is_throttling_code
from turboupload.errors import CallFailed, LinkFailed, LinkFault
from turboupload.service.connection import LaneError

__all__ = ["call_failed", "lane_failed", "link_failed"]

_PROXY_AUTHENTICATION = 407
_SHOWN_CHARACTERS = 160
_QUOTED_REQUEST = re.compile(r"The Canonical String for this request|The String-to-Sign should")
_QUOTED_HEADER = re.compile(
    r"((?:proxy-)?authorization|security-token|credential|signature)(\s*[:=]\s*)[^,\r\n<]+",
    re.IGNORECASE,
)
_NOT_TEXT = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def call_failed(operation: str, error: botocore.exceptions.ClientError) -> CallFailed | LinkFailed:
    """An error status, from the service or from something that answered in its place.

    The service's answers name their error, and carry headers of its own (x-amzn-RequestId for
    one). What has neither and is no passing trouble (a gateway's 502, say) came from a proxy, a
    captive portal or another server, and must not be explained as the service's refusal.
    """
    if error.operation_name != operation:
        return _credentials_refused(operation, error)
    details: Mapping[str, Any] = error.response.get("Error") or {}
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata") or {}
    status = int(metadata.get("HTTPStatusCode") or 0)
    code = _harmless(str(details.get("Code") or ""))
    # Where a reply names no error, botocore puts the HTTP status there.
    code = "" if code.isdigit() else code
    message = _harmless(str(details.get("Message") or ""))
    headers: Mapping[str, str] = metadata.get("HTTPHeaders") or {}
    if not code and not any(name.startswith("x-amzn-") for name in headers):
        message = _page(status, _harmless(headers.get("content-type", "")), message)
        if status == _PROXY_AUTHENTICATION:
            return LinkFailed(operation, fault="proxy", message=message)
        if status not in RETRYABLE_STATUS:
            return LinkFailed(operation, fault="between", message=message)
    return CallFailed(
        operation,
        code=code,
        status=status,
        message=message or "the service gave no reason",
        request_id=str(metadata.get("RequestId") or ""),
    )


def _harmless(text: str) -> str:
    """A foreign sentence on one line, without what it may quote of our request.

    AWS answers a wrong signature with the canonical request, session token included, and a proxy's
    page may show the headers that it got. What could move a terminal's cursor goes, too.
    """
    text = _QUOTED_HEADER.sub(r"\1\2...", _QUOTED_REQUEST.split(text, maxsplit=1)[0])
    return "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))


def _credentials_refused(operation: str, error: botocore.exceptions.ClientError) -> LinkFailed:
    """What STS or SSO answered when credentials were asked for, on the way to a call.

    Trouble that passes is tried again with the call.
    """
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata") or {}
    code = str((error.response.get("Error") or {}).get("Code") or "")
    passing = metadata.get("HTTPStatusCode") in RETRYABLE_STATUS or is_throttling_code(code)
    return LinkFailed(
        operation,
        fault="lost" if passing else "credentials",
        message=f"no credentials from {error.operation_name}: {_text(error)}",
    )


def _page(status: int, content_type: str, body: str) -> str:
    """A reply that is none of the service's, in a line: its status, kind and first words."""
    kind = f" ({content_type.partition(';')[0].strip()})" if content_type else ""
    text = " ".join(_NOT_TEXT.sub(" ", body).split())
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}..."
    return f"HTTP {status}{kind}{f': {text}' if text else ''}"


_LANE_FAULTS: Mapping[str, LinkFault] = {
    "dns": "dns",
    "connect": "connect",
    "proxy": "proxy",
    "tls": "tls",
    "stalled": "stalled",
    "lost": "lost",
    "bad_reply": "bad_reply",
    "read": "lost",
}


def lane_failed(operation: str, error: LaneError) -> LinkFailed:
    """A part that got no reply."""
    return LinkFailed(operation, fault=_LANE_FAULTS[error.kind], message=str(error))


_CREDENTIALS = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.NoAuthTokenError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
    botocore.exceptions.MetadataRetrievalError,
    botocore.exceptions.RefreshWithMFAUnsupportedError,
)

_FAULTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], LinkFault], ...] = (
    (_CREDENTIALS, "credentials"),
    (botocore.exceptions.SSLError, "tls"),
    (botocore.exceptions.ProxyConnectionError, "proxy"),
    (botocore.exceptions.ConnectTimeoutError, "connect"),
    (botocore.exceptions.ReadTimeoutError, "stalled"),
    (botocore.exceptions.EndpointConnectionError, "connect"),
    (botocore.exceptions.ConnectionClosedError, "lost"),
    (botocore.exceptions.ResponseStreamingError, "lost"),
)


def link_failed(operation: str, error: botocore.exceptions.BotoCoreError) -> LinkFailed:
    """What botocore or aiobotocore raised because no usable answer came."""
    return LinkFailed(operation, fault=_fault(error), message=_sentence(error))


def _fault(error: botocore.exceptions.BotoCoreError) -> LinkFault:
    """What broke, by the exception that botocore or aiobotocore made of it."""
    cause = getattr(error, "kwargs", {}).get("error")
    if "DNS" in type(cause).__name__ or "Name or service not known" in str(error):
        return "dns"
    if "Certificate" in type(cause).__name__ or "CERTIFICATE_VERIFY" in str(error):
        return "tls"
    for kinds, fault in _FAULTS:
        if isinstance(error, kinds):
            return fault
    return "bad_reply" if "pars" in type(error).__name__.lower() else "lost"


def _text(error: Exception) -> str:
    return _harmless(str(error)) or type(error).__name__


def _sentence(error: botocore.exceptions.BotoCoreError) -> str:
    text = _text(error)
    # Why a connection could not be made is in aiohttp's error, which botocore's leaves out.
    cause = getattr(error, "kwargs", {}).get("error")
    why = getattr(getattr(cause, "os_error", None), "strerror", None)
    if isinstance(status := getattr(cause, "status", None), int):
        why = f"HTTP {status}"
    return f"{text}: {why}" if why and why not in text else text
