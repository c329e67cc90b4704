"""Errors as the service sends them: a name, an HTTP status and a sentence.

Source: the `omics` model shipped with botocore 1.43 for the modelled names; the names of refused
signatures are those of the "Common Errors" page of the AWS API references (read 2026-11).
"""

from __future__ import annotations

__all__ = [
    "STATUS_OF",
    "ServiceError",
    "conflict",
    "not_found",
    "range_not_satisfiable",
    "throttled",
    "too_large",
    "violation",
]

STATUS_OF = {
    "ValidationException": 400,
    "ServiceQuotaExceededException": 402,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "NotSupportedOperationException": 405,
    "RequestTimeoutException": 408,
    "ConflictException": 409,
    "RangeNotSatisfiableException": 416,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    # Not in the model: errors of the layers in front of every AWS service.
    "UnknownOperationException": 404,
    "MalformedHttpRequestException": 400,
    "RequestEntityTooLargeException": 413,
    "MissingAuthenticationTokenException": 403,
    "IncompleteSignatureException": 403,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
    "ExpiredTokenException": 403,
    "ServiceUnavailableException": 503,
}


class ServiceError(Exception):
    """An answer other than success.

    Attributes:
        code: The exception's name, sent as `x-amzn-ErrorType`.
        message: The sentence for a person.
        status: The HTTP status; the documented one of `code` unless given.
    """

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or STATUS_OF.get(code, 400)


def violation(value: object, member: str, constraint: str) -> ServiceError:
    """One broken constraint, in the words of the service's generated validators."""
    shown = str(value)
    if len(shown) > 200:
        shown = shown[:200] + "..."
    return ServiceError(
        "ValidationException",
        f"1 validation error detected: Value '{shown}' at '{member}' failed to satisfy "
        f"constraint: {constraint}",
    )


def not_found(message: str) -> ServiceError:
    """The named resource does not exist."""
    return ServiceError("ResourceNotFoundException", message)


def conflict(message: str) -> ServiceError:
    """The resource exists, but its state forbids the call."""
    return ServiceError("ConflictException", message)


def range_not_satisfiable(message: str) -> ServiceError:
    """A part that the file does not have."""
    return ServiceError("RangeNotSatisfiableException", message)


def throttled(message: str = "Rate exceeded") -> ServiceError:
    """More requests a second than the quota."""
    return ServiceError("ThrottlingException", message)


def too_large(message: str) -> ServiceError:
    """The request has more bytes than this service reads."""
    return ServiceError("RequestEntityTooLargeException", message)
