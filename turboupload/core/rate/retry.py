"""What a failed call means: try again after a while, or stop, and what the user reads then.

The budget is time, not a number of attempts: a call may fail for `give_up_after_s` over all its
retries. A network that is gone for ten minutes at night costs ten minutes.
"""

from __future__ import annotations

from typing import Final

from turboupload.errors import (
    CallFailed,
    ConfigError,
    LinkFailed,
    LinkFault,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)
from turboupload.units import format_duration

__all__ = [
    "FIRST_CONTACT_S",
    "NOT_FOUND",
    "NOT_GONE_ON_WITH",
    "RETRYABLE_STATUS",
    "backoff",
    "concerns_the_account",
    "explain",
    "is_throttling",
    "is_throttling_code",
    "may_retry",
    "turns_away",
]

FIRST_CONTACT_S: Final = 20.0
"""How long we try to reach a service that has never answered in this process, in seconds: then it
is more likely a wrong Region or endpoint than an outage."""

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 20.0
_LONGEST_DELAY_ANSWERED_S = 5.0
"""A service that answers is there: it is asked again sooner than a network that is not."""

_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""What AWS's SDKs take for throttling (botocore 1.43, `retries/standard.py`), with whatever status:
a front of the service may use one that the service's model doesn't name. Without the two that say
that an earlier request is still being worked on: of a Complete that isn't known."""

_RETRYABLE = _THROTTLING | {
    "InternalServerException",
    "InternalServerError",
    "InternalFailure",
    "PriorRequestNotComplete",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestTimeoutException",
    "RequestTimeout",
}
RETRYABLE_STATUS: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Temporary errors, whether of the service or the network."""

_RETRYABLE_FAULTS: Final[frozenset[LinkFault]] = frozenset(
    {"dns", "connect", "stalled", "lost", "bad_reply", "between"}
)


def is_throttling(failure: CallFailed | LinkFailed) -> bool:
    """Whether the service said: too fast."""
    return isinstance(failure, CallFailed) and (
        failure.code in _THROTTLING or failure.status == 429
    )


def is_throttling_code(code: str) -> bool:
    """Whether this is a name of AWS's for: too fast."""
    return code in _THROTTLING


def may_retry(failure: CallFailed | LinkFailed) -> bool:
    """Whether the same call can succeed later."""
    if isinstance(failure, LinkFailed):
        return failure.fault in _RETRYABLE_FAULTS
    return failure.code in _RETRYABLE or failure.status in RETRYABLE_STATUS


def backoff(attempt: int, *, jitter: float, answered: bool = False) -> float:
    """The pause before the next try, in seconds.

    Doubles from half a second up to 20 s (5 s where the service answered), and takes between half
    of that and all of it, so that many who failed together don't come back together.

    Args:
        attempt: How many tries have failed, from 1.
        jitter: Between 0 and 1, drawn by the caller.
        answered: Whether the service answered, with an error.
    """
    longest = _LONGEST_DELAY_ANSWERED_S if answered else _LONGEST_DELAY_S
    return min(longest, _FIRST_DELAY_S * 2.0 ** min(attempt - 1, 16)) * (0.5 + 0.5 * jitter)


_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_SIGNATURE = _CLOCK | {"InvalidSignatureException", "SignatureDoesNotMatch"}
"""The latter two of a wrong secret key or a wrong clock: only their sentence tells which."""

NOT_FOUND: Final = "ResourceNotFoundException"
"""The name of what a 404 of the service says."""

_ON_AN_UPLOAD = frozenset({"ListReadSetUploadParts", "UploadReadSetPart"})
_OF_ITS_STATE: Final = frozenset({400, 405, 409, 410, 412})
"""What the service may answer about an upload that it doesn't go on with: only 404 is modelled."""

NOT_GONE_ON_WITH: Final = (
    "if this stays, the service does not go on with this upload, as where it has expired: "
    "`turboupload upload` with --no-resume begins a new one"
)
"""The advice then."""

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_WRONG_KEY = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"}
)


def turns_away(failure: CallFailed) -> bool:
    """Whether an answer to a call on an upload may mean that it isn't open (any more).

    A 404 says so; what else the service may say isn't documented. What throttling and expired
    credentials are answered with may have the same status, and says nothing of the upload.
    """
    if may_retry(failure) or concerns_the_account(failure):
        return False
    return failure.code == NOT_FOUND or failure.status in _OF_ITS_STATE


def explain(
    failure: CallFailed | LinkFailed,
    *,
    answered_before: bool = True,
    endpoint: str | None = None,
) -> TurbouploadError:
    """The error that a user reads when a call is given up.

    Args:
        failure: The last answer.
        answered_before: Whether the service has answered anything in this process.
        endpoint: The custom endpoint, if there is one.
    """
    if isinstance(failure, LinkFailed):
        return _explain_link(failure, answered_before, endpoint)
    if may_retry(failure):
        who = f"the service kept answering {failure.code}" if failure.code else "no good answer"
        stopped = Stopped(
            f"{who} for {format_duration(failure.failing_for_s)}: {failure.message}",
            operation=failure.operation,
            hint="run the same command again: it goes on where it stopped",
        )
        stopped.code = failure.code
        return stopped
    return ServiceRefused(
        f"{failure.message} ({failure.code or failure.status})",
        code=failure.code,
        operation=failure.operation,
        hint=failure.hint or _refusal_hint(failure),
    )


def concerns_the_account(failure: CallFailed | LinkFailed) -> bool:
    """Whether any other call would be refused for the same reason: credentials or a quota."""
    if isinstance(failure, LinkFailed):
        return failure.fault == "credentials"
    return failure.status in (401, 402, 403) or failure.code in _EXPIRED | _WRONG_KEY | _SIGNATURE


def _refusal_hint(failure: CallFailed) -> str | None:
    if failure.code in _EXPIRED:
        return "the credentials have expired: renew them, then run the same command again"
    if 300 <= failure.status < 400:
        return "check the Region and the endpoint"
    if failure.code in _WRONG_KEY:
        return "the service does not know this access key: check --profile and the credentials"
    if failure.code in _CLOCK:
        return (
            "check this machine's clock: it differs from the service's by more than the 5 to 15 "
            "minutes that a signature is valid"
        )
    if failure.code in _SIGNATURE:
        return (
            "check this machine's clock (a signature is valid for 5 to 15 minutes) "
            "and the secret access key"
        )
    if failure.code == "AccessDeniedException" or failure.status == 403:
        # A wrong endpoint or Region is answered so, too.
        return (
            f"the credentials lack the permission omics:{failure.operation}, or the store is of "
            "another account or Region"
        )
    if failure.code == NOT_FOUND:
        return "check the id, the Region and the account"
    if failure.code == "ServiceQuotaExceededException" or failure.status == 402:
        return "a quota of the account is used up: waiting does not cure it"
    if failure.operation in _ON_AN_UPLOAD and turns_away(failure):
        return NOT_GONE_ON_WITH
    if failure.operation == "CreateMultipartReadSetUpload" and failure.status == 400:
        return (
            "if it is not the metadata: these files may have been uploaded before, from another "
            "machine or with a state folder that is gone; if no read set shows that, "
            "`turboupload upload` with --no-resume asks as if for the first time"
        )
    return None


def _explain_link(
    failure: LinkFailed, answered_before: bool, endpoint: str | None
) -> TurbouploadError:
    operation = failure.operation
    if failure.fault == "credentials":
        return ServiceRefused(
            failure.message,
            code="NoCredentials",
            operation=operation,
            hint=failure.hint or _credentials_hint(answered_before),
        )
    if failure.fault == "local":
        return Stopped(
            failure.message,
            operation=operation,
            hint="this is a matter of this machine and its packages, not of the service; once it "
            "is solved, run the same command again: it goes on where it stopped",
        )
    if failure.fault in ("tls", "proxy"):
        hint = failure.hint or _ROUTE_HINTS[failure.fault]
        if answered_before:
            # It worked a moment ago: a password ran out, or a network wants a sign-in first.
            hint = f"{hint}; then run the same command again: it goes on where it stopped"
            return Stopped(failure.message, operation=operation, hint=hint)
        return ConfigError(failure.message, operation=operation, hint=hint)
    if failure.fault == "between":
        return _explain_between(failure, answered_before, endpoint)
    if not answered_before and (failure.fault == "dns" or endpoint is not None):
        where = endpoint or "the service"
        return ConfigError(
            f"{where} can't be reached: {failure.message}",
            operation=operation,
            hint="check --endpoint-url and the network"
            if endpoint
            else "check --region and the network",
        )
    return Stopped(
        f"no answer for {format_duration(failure.failing_for_s)}: {failure.message}",
        operation=operation,
        hint="run the same command again: it goes on where it stopped",
    )


_ROUTE_HINTS: Final = {
    "tls": "if the service has a certificate authority of its own, name it with --ca-bundle; "
    "if it has no TLS, its URL begins with http://",
    "proxy": "check HTTPS_PROXY",
}


def _credentials_hint(answered_before: bool) -> str:
    if answered_before:
        return "the credentials could not be renewed: renew them, then run the same command again"
    return "set AWS_PROFILE or --profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"


def _explain_between(
    failure: LinkFailed, answered_before: bool, endpoint: str | None
) -> TurbouploadError:
    """Something else answered: before the first contact a matter of configuration."""
    sentence = (
        f"something between here and {endpoint or 'the service'} answered in its place: "
        f"{failure.message}"
    )
    look = "a proxy (HTTPS_PROXY, NO_PROXY), a network that wants a sign-in first"
    if answered_before:
        return Stopped(
            sentence,
            operation=failure.operation,
            hint=f"look for {look}; then run the same command again: it goes on where it stopped",
        )
    return ConfigError(
        sentence,
        operation=failure.operation,
        hint=f"look for {look}, or a wrong {'--endpoint-url' if endpoint else '--region'}",
    )
