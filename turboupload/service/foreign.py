"""What botocore, aiobotocore and the lane raise, as the two exceptions of the boundary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import botocore.exceptions

from turboupload.errors import CallFailed, LinkFailed, LinkFault
from turboupload.service.connection import LaneError

__all__ = ["call_failed", "lane_failed", "link_failed"]


def call_failed(operation: str, error: botocore.exceptions.ClientError) -> CallFailed:
    """An error that the service answered with."""
    details: Mapping[str, Any] = error.response.get("Error") or {}
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata") or {}
    code = str(details.get("Code") or "")
    return CallFailed(
        operation,
        # Where a reply names no error, botocore puts the HTTP status there.
        code="" if code.isdigit() else code,
        status=int(metadata.get("HTTPStatusCode") or 0),
        message=str(details.get("Message") or "the service gave no reason"),
        request_id=str(metadata.get("RequestId") or ""),
    )


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


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
