"""What is tried again, what is not, and what the user reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.rate.retry import backoff, explain, is_throttling, may_retry
from turboupload.errors import (
    CallFailed,
    ConfigError,
    LinkFailed,
    LinkFault,
    ServiceRefused,
    Stopped,
    TurbouploadError,
)


def failed(code: str, status: int, message: str = "no") -> CallFailed:
    return CallFailed("UploadReadSetPart", code=code, status=status, message=message)


@pytest.mark.parametrize(
    ("code", "status", "again"),
    [
        ("ThrottlingException", 429, True),
        ("", 429, True),
        ("InternalServerException", 500, True),
        ("RequestTimeoutException", 408, True),
        ("", 502, True),
        ("", 503, True),
        ("", 504, True),
        ("ValidationException", 400, False),
        ("ServiceQuotaExceededException", 402, False),
        ("AccessDeniedException", 403, False),
        ("ExpiredTokenException", 403, False),
        ("ResourceNotFoundException", 404, False),
        ("NotSupportedOperationException", 405, False),
        ("ConflictException", 409, False),
        ("RangeNotSatisfiableException", 416, False),
    ],
)
def test_errors_of_the_service(code: str, status: int, again: bool) -> None:
    failure = failed(code, status)
    assert may_retry(failure) is again
    assert is_throttling(failure) is (status == 429)
    assert isinstance(explain(failure), Stopped if again else ServiceRefused)
    assert explain(failure).code == failure.code


@pytest.mark.parametrize("status", [400, 403, 503])
@pytest.mark.parametrize(
    "code", ["SlowDown", "RequestThrottledException", "RequestThrottled", "LimitExceededException"]
)
def test_throttling_has_many_names(code: str, status: int) -> None:
    failure = failed(code, status)
    assert is_throttling(failure)
    assert may_retry(failure)


@pytest.mark.parametrize("operation", ["ListReadSetUploadParts", "UploadReadSetPart"])
@pytest.mark.parametrize(
    ("code", "status"), [("ValidationException", 400), ("GoneException", 410), ("", 412)]
)
def test_an_upload_that_is_refused_has_a_way_on(operation: str, code: str, status: int) -> None:
    failure = CallFailed(operation, code=code, status=status, message="expired")
    assert "--no-resume" in str(explain(failure).hint)
    elsewhere = CallFailed("ListReadSets", code=code, status=status, message="expired")
    assert explain(elsewhere).hint is None


def test_an_earlier_request_that_is_still_worked_on_may_be_the_same_complete() -> None:
    failure = failed("PriorRequestNotComplete", 400)
    assert may_retry(failure)
    assert not is_throttling(failure)


@pytest.mark.parametrize(
    ("fault", "again", "kind"),
    [
        ("dns", True, Stopped),
        ("connect", True, Stopped),
        ("stalled", True, Stopped),
        ("lost", True, Stopped),
        ("bad_reply", True, Stopped),
        ("between", True, Stopped),
        ("tls", False, Stopped),
        ("proxy", False, Stopped),
        ("credentials", False, ServiceRefused),
        ("local", False, Stopped),
    ],
)
def test_faults_of_the_link(fault: LinkFault, again: bool, kind: type[TurbouploadError]) -> None:
    failure = LinkFailed("UploadReadSetPart", fault=fault, message="broken")
    assert may_retry(failure) is again
    error = explain(failure)
    assert type(error) is kind
    assert error.operation == "UploadReadSetPart"
    assert error.hint


def test_an_endpoint_that_was_never_reached_is_a_matter_of_configuration() -> None:
    failure = LinkFailed("ListReadSets", fault="connect", message="refused")
    error = explain(failure, answered_before=False, endpoint="https://localhost:1")
    assert type(error) is ConfigError
    assert "https://localhost:1" in error.message
    assert type(explain(failure, answered_before=False)) is Stopped
    nowhere = LinkFailed("ListReadSets", fault="dns", message="no such name")
    assert "--region" in str(explain(nowhere, answered_before=False).hint)


@pytest.mark.parametrize(("fault", "hint"), [("tls", "--ca-bundle"), ("proxy", "HTTPS_PROXY")])
def test_what_never_worked_is_configuration_and_what_did_is_gone_on_with(
    fault: LinkFault, hint: str
) -> None:
    failure = LinkFailed("UploadReadSetPart", fault=fault, message="broken")
    never, begun = explain(failure, answered_before=False), explain(failure)
    assert (type(never), type(begun)) == (ConfigError, Stopped)
    for error in (never, begun):
        assert hint in str(error.hint)
    assert "same command" in str(begun.hint)


def test_what_the_boundary_advises_comes_first() -> None:
    failure = LinkFailed("ListReadSets", fault="tls", message="no", hint="look at the clock")
    assert "look at the clock" in str(explain(failure, answered_before=False).hint)
    failure = LinkFailed("ListReadSets", fault="credentials", message="no", hint="sign in")
    assert explain(failure).hint == "sign in"


def test_words_decide_nothing() -> None:
    for message in ("The page token has expired", "an expired sso token, skewed, away from"):
        plainly = failed("ValidationException", 400)
        assert explain(failed("ValidationException", 400, message)).hint == explain(plainly).hint
        for fault in ("tls", "credentials", "local"):
            told = explain(LinkFailed("ListReadSets", fault=fault, message=message))
            plain = explain(LinkFailed("ListReadSets", fault=fault, message="no"))
            assert told.hint == plain.hint


def test_what_answers_in_the_services_place_is_not_called_the_service() -> None:
    failure = LinkFailed("ListReadSets", fault="between", message="HTTP 403 (text/html): Denied")
    begun = explain(failure)
    assert type(begun) is Stopped
    assert "between here and the service answered in its place: HTTP 403" in begun.message
    never = explain(failure, answered_before=False, endpoint="https://localhost:1")
    assert type(never) is ConfigError
    assert "https://localhost:1" in never.message
    assert "--endpoint-url" in str(never.hint)
    assert "HTTPS_PROXY" in str(explain(failure, answered_before=False).hint)


@pytest.mark.parametrize(
    ("code", "status", "message", "hint"),
    [
        ("ExpiredTokenException", 403, "The security token is expired", "renew"),
        ("UnrecognizedClientException", 403, "invalid", "access key"),
        ("InvalidSignatureException", 403, "Signature expired", "clock"),
        ("AccessDeniedException", 403, "not authorized", "omics:UploadReadSetPart"),
        ("ServiceQuotaExceededException", 402, "too many", "quota"),
        ("ResourceNotFoundException", 404, "no", "check the id"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, status: int, message: str, hint: str) -> None:
    error = explain(failed(code, status, message))
    assert hint in str(error.hint)
    assert message in error.message


@given(st.integers(1, 1000), st.floats(0, 1))
def test_the_pause_grows_and_stays_within_its_bounds(attempt: int, jitter: float) -> None:
    pause = backoff(attempt, jitter=jitter)
    assert 0.25 <= pause <= 20.0
    assert pause <= backoff(attempt + 1, jitter=1.0)
    assert backoff(attempt, jitter=jitter, answered=True) <= min(pause, 5.0)
