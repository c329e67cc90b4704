"""Maps what botocore, aiobotocore and `http` raise to the two exceptions of the boundary."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiohttp.http_exceptions
import botocore.exceptions

from turboupload.core.rate.retry import RETRYABLE_STATUS, is_throttling_code
from turboupload.errors import CallFailed, LinkFailed, LinkFault
from turboupload.http.connection import TransportError
from turboupload.omics.attempt import Attempt
from turboupload.omics.base import NOT_FOUND
from turboupload.runtime.exhaustion import used_up

__all__ = [
    "NoCredentials",
    "SessionFailed",
    "credentials_failed",
    "failure_of",
    "html_page",
    "page_failed",
    "place_hint",
]

_PROXY_AUTHENTICATION = 407
_NOT_FOUND_STATUS = 404
_REQUEST_IDS = ("x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id")
"""Headers with which AWS's services name the request that they answer."""
_SHOWN_CHARACTERS = 160
_QUOTED_REQUEST = re.compile(r"The Canonical String for this request|The String-to-Sign should")
_QUOTED_HEADER = re.compile(
    r"((?:proxy-)?authorization|security-token|credential|signature)(\s*[:=]\s*)[^,\r\n<]+",
    re.IGNORECASE,
)
_NO_SUCH_OPERATION = re.compile(r"unable to determine service/operation name", re.IGNORECASE)
_OTHER_SCOPE = re.compile(r"credential should be scoped to .*(region|service)", re.IGNORECASE)
_HTML = re.compile(r"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)
_PAGE_BYTES = 4096
_NOT_TEXT = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def _call_failed(operation: str, error: botocore.exceptions.ClientError) -> CallFailed | LinkFailed:
    """An error status, from the service or from something that answered in its place.

    The service's answers name their error, or at least their request. What has neither and is no
    passing trouble (a gateway's 502, say) came from a proxy, a captive portal or another server,
    and must not be explained as the service's refusal.
    """
    details: Mapping[str, Any] = error.response.get("Error") or {}
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata") or {}
    status = int(metadata.get("HTTPStatusCode") or 0)
    code = _harmless(str(details.get("Code") or ""))
    # Where a reply names no error, botocore puts the HTTP status there.
    code = "" if code.isdigit() else code
    message = _harmless(str(details.get("Message") or ""))
    headers: Mapping[str, str] = metadata.get("HTTPHeaders") or {}
    content_type = _harmless(headers.get("content-type", ""))
    requested = any(headers.get(name) for name in _REQUEST_IDS)
    if not (code or requested):
        message = _page(status, content_type, message)
        if status == _PROXY_AUTHENTICATION:
            return LinkFailed(operation, fault="proxy", message=message)
        if status not in RETRYABLE_STATUS:
            return LinkFailed(operation, fault="between", message=message)
    elif 300 <= status < 400:
        message = _elsewhere(status, headers)
    elif "html" in content_type or not message:
        message = _page(status, content_type, message)
    return CallFailed(
        operation,
        # A store, upload or read set that isn't there, whether or not the reply says so by name.
        code=code or (NOT_FOUND if status == _NOT_FOUND_STATUS and requested else ""),
        status=status,
        message=message,
        request_id=str(metadata.get("RequestId") or ""),
    )


def html_page(content_type: str, body: bytes) -> str | None:
    """The beginning of a reply that is an HTML page: the service's are JSON. None for others."""
    start = body[:_PAGE_BYTES].decode(errors="replace")
    is_page = "html" in content_type.lower() or _HTML.match(start)
    return _harmless(start) if is_page else None


def page_failed(operation: str, page: str) -> LinkFailed:
    """An HTML page in place of a reply, as a proxy or a network that wants a sign-in sends it."""
    return LinkFailed(operation, fault="between", message=_page(200, "text/html", page))


def place_hint(failure: CallFailed, place: str) -> str | None:
    """What to do about a refusal that is about the place that was asked; else None.

    Only its words tell it from one about permissions or the clock: they choose a hint here, and
    decide nothing.
    """
    if _NO_SUCH_OPERATION.search(failure.message):
        return (
            f"what was asked ({place}) has no such operation: check --endpoint-url and --region; "
            "permissions are not the cause"
        )
    if _OTHER_SCOPE.search(failure.message):
        return f"the request was signed for another Region than that of {place}: check --region"
    return None


def _elsewhere(status: int, headers: Mapping[str, str]) -> str:
    """A redirect of the service; of where it leads only the host, as the rest may be secret."""
    try:
        host = _harmless(urlsplit(headers.get("location", "")).hostname or "")
    except ValueError:
        host = ""
    return f"HTTP {status}: it points to {host or 'another address'}; redirects are not followed"


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


_TRANSPORT_FAULTS: Mapping[str, LinkFault] = {
    "dns": "dns",
    "connect": "connect",
    "proxy": "proxy",
    "tls": "tls",
    "stalled": "stalled",
    "lost": "lost",
    "bad_reply": "bad_reply",
    "read": "local",
}


def _transport_failed(operation: str, error: TransportError) -> LinkFailed:
    """A part that got no reply."""
    return LinkFailed(
        operation,
        fault=_TRANSPORT_FAULTS[error.kind],
        message=str(error),
        hint=_certificate_hint(error.__cause__),
    )


def _known(*names: str) -> tuple[type[Exception], ...]:
    """Exceptions of botocore's by name: older versions lack some."""
    found = (getattr(botocore.exceptions, name, None) for name in names)
    return tuple(each for each in found if each is not None)


_SSO = _known("SSOError", "TokenRetrievalError")
_LOGIN = _known("LoginError")
_CREDENTIALS = (
    *_SSO,
    *_LOGIN,
    *_known(
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "UnknownCredentialError",
        "NoAuthTokenError",
        "UnknownTokenProviderError",
        "MetadataRetrievalError",
        "InvalidIMDSEndpointError",
        "InvalidIMDSEndpointModeError",
        "RefreshWithMFAUnsupportedError",
    ),
)
_SIGN_IN = ((_SSO, "aws sso login"), (_LOGIN, "aws login"))
"""Whose credentials a person renews, and how."""

_FAULTS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], LinkFault], ...] = (
    (_CREDENTIALS, "credentials"),
    (botocore.exceptions.SSLError, "tls"),
    (botocore.exceptions.ProxyConnectionError, "proxy"),
    (botocore.exceptions.ConnectTimeoutError, "connect"),
    (botocore.exceptions.ReadTimeoutError, "stalled"),
    (botocore.exceptions.EndpointConnectionError, "connect"),
    (botocore.exceptions.ConnectionClosedError, "lost"),
    (botocore.exceptions.ResponseStreamingError, "lost"),
    (botocore.exceptions.ConnectionError, "lost"),
    (botocore.exceptions.IncompleteReadError, "lost"),
)
"""What botocore raises about the wire and about credentials. All else that it raises is local."""

_OF_THE_WIRE = (
    aiohttp.ClientError,
    aiohttp.http_exceptions.HttpProcessingError,
    OSError,
    EOFError,
    UnicodeDecodeError,  # of the reply's headers
)
"""What aiobotocore wraps that the peer or the network had a part in."""


def failure_of(operation: str, error: Exception, attempt: Attempt) -> CallFailed | LinkFailed:
    """The error for the exception that ended an attempt at a call.

    What the peer or the network did may pass, and is told as such. Anything else that is raised
    before a whole reply has come is a matter of this machine: it is told in its own words, and
    would only come again. Once a reply is there, the reply is to blame: botocore's parsers raise
    all sorts of things at one that is JSON, but no object, for one.

    Args:
        operation: The call that was made.
        error: What was raised.
        attempt: How far it had come.
    """
    if (what := used_up(error)) is not None:
        return _local(operation, what)
    match error:
        case botocore.exceptions.ClientError():
            if error.operation_name != operation:
                return _credentials_refused(operation, error)
            failure = _call_failed(operation, error)
            if isinstance(failure, CallFailed):
                failure.hint = place_hint(failure, attempt.place)
            return failure
        case botocore.exceptions.ParamValidationError():
            return CallFailed(operation, code="ValidationException", status=400, message=str(error))
        case TransportError():
            return _transport_failed(operation, error)
        case NoCredentials(__cause__=Exception() as cause):
            return credentials_failed(operation, cause, program=error.program)
    if attempt.page is not None:
        return page_failed(operation, attempt.page)
    if attempt.answered:
        message = f"the reply can't be read: {_text(error)}"
        return LinkFailed(operation, fault="bad_reply", message=message)
    if isinstance(error, botocore.exceptions.BotoCoreError):
        return _link_failed(operation, error)
    return _local(operation, f"{type(error).__name__}: {_text(error)}")


_SESSION_HINT = (
    "see what UploadConfig.session gives: it is a session or a provider with credentials, or a "
    "function that returns them"
)


class SessionFailed(Exception):
    """What a program gave for its credentials gives none.

    Attributes:
        error: Why.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class NoCredentials(Exception):
    """The credentials could not be renewed; its cause says why.

    Attributes:
        program: As `credentials_failed` takes it.
    """

    def __init__(self, program: str | None) -> None:
        super().__init__("no credentials")
        self.program = program


def credentials_failed(
    operation: str, error: Exception, *, program: str | None = None
) -> LinkFailed:
    """Why credentials could not be obtained or renewed: providers raise all sorts of exceptions.

    Args:
        operation: What they were wanted for.
        error: What a provider raised.
        program: The profile's `credential_process`, if it has one, in words: which, of which
            profile.
    """
    told = isinstance(error, SessionFailed)
    if isinstance(error, SessionFailed):
        error, program = error.error, None
    if (what := used_up(error)) is not None:
        return _local(operation, what)
    if program is not None and (wrong := _program_failed(error)) is not None:
        return LinkFailed(
            operation,
            fault="credentials",
            message=f"no credentials: {program} {wrong}",
            hint="run that program by hand: it must write JSON alone to stdout; renew what it asks"
            " for, then run the same command again: it goes on where it stopped",
        )
    if isinstance(error, botocore.exceptions.ClientError):
        return _credentials_refused(operation, error)
    if isinstance(error, botocore.exceptions.BotoCoreError):
        failure = _link_failed(operation, error)
        if failure.fault != "local":
            return failure
    # With a RuntimeError botocore says that what a provider gave has expired already.
    expired = type(error) is RuntimeError and not told
    return LinkFailed(
        operation,
        fault="credentials",
        message=_text(error)
        if expired
        else f"no credentials: {type(error).__name__}: {_text(error)}",
        hint="what the provider gives has expired already: renew it, or check this machine's clock"
        if expired
        else _SESSION_HINT
        if told
        else None,
    )


def _program_failed(error: Exception) -> str | None:
    """What a `credential_process` did, if it is to blame."""
    match error:
        case json.JSONDecodeError() | UnicodeDecodeError():
            return "gave no JSON"
        case FileNotFoundError():
            return "does not exist"
        case OSError():
            return f"can't be run: {error.strerror or type(error).__name__}"
        case ValueError():  # of `shlex.split`, or of a time in its answer
            return f"can't be used: {_text(error)}"
        case botocore.exceptions.CredentialRetrievalError():
            said = _harmless(str(error.kwargs.get("error_msg", "")))
            return f"failed: {said}" if said else "failed, and said nothing"
        case TypeError() | AttributeError() | KeyError():
            return "gave JSON of another form than the AWS SDKs take"
    return None


def _link_failed(operation: str, error: botocore.exceptions.BotoCoreError) -> LinkFailed:
    """What botocore or aiobotocore raised because no usable answer came."""
    fault = _fault(error)
    if fault == "local":
        return _local(operation, f"{type(error).__name__}: {_sentence(error)}")
    hint = next(
        (
            f"sign in again ({command}), then run the same command again"
            for kinds, command in _SIGN_IN
            if isinstance(error, kinds)
        ),
        _certificate_hint(getattr(_cause(error), "certificate_error", None)),
    )
    return LinkFailed(operation, fault=fault, message=_sentence(error), hint=hint)


def _local(operation: str, what: str) -> LinkFailed:
    message = f"the request could not be made on this machine: {what}"
    return LinkFailed(operation, fault="local", message=message)


def _cause(error: BaseException) -> Exception | None:
    """What botocore's exception was made of."""
    cause = getattr(error, "kwargs", {}).get("error")
    return cause if isinstance(cause, Exception) else None


def _fault(error: botocore.exceptions.BotoCoreError) -> LinkFault:
    """What broke, by the exception that botocore or aiobotocore made of it."""
    cause = _cause(error)
    if isinstance(cause, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(cause, aiohttp.ClientSSLError | ssl.SSLCertVerificationError):
        return "tls"
    for kinds, fault in _FAULTS:
        if isinstance(error, kinds):
            return fault
    if not isinstance(error, botocore.exceptions.HTTPClientError):
        return "local"
    # aiobotocore makes one of whatever was raised while it sent.
    if isinstance(cause, UnicodeDecodeError):
        return "bad_reply"
    return "lost" if cause is None or isinstance(cause, _OF_THE_WIRE) else "local"


_CERTIFICATES_TIME = frozenset({9, 10})
"""OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


def _certificate_hint(error: object) -> str | None:
    if getattr(error, "verify_code", None) in _CERTIFICATES_TIME:
        return "check this machine's clock; if it is right, the service's certificate is to blame"
    return None


def _text(error: Exception) -> str:
    return _harmless(str(error)) or type(error).__name__


def _sentence(error: botocore.exceptions.BotoCoreError) -> str:
    text = _text(error)
    # Why a connection could not be made is in aiohttp's error, which botocore's leaves out.
    cause = _cause(error)
    why = getattr(getattr(cause, "os_error", None), "strerror", None)
    if isinstance(status := getattr(cause, "status", None), int):
        why = f"HTTP {status}"
    return f"{text}: {why}" if why and why not in text else text
