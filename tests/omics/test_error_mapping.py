"""Foreign sentences: one line, nothing of ours, nothing that moves a cursor."""

from __future__ import annotations

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.core.rate.retry import explain, is_throttling, may_retry
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.omics.attempt import Attempt
from turboupload.omics.error_mapping import failure_of

OPERATION = "ListReadSets"
EXAMPLES = int(os.environ.get("TURBOUPLOAD_FUZZ_EXAMPLES", "100"))


def failed(
    message: object,
    *,
    code: object = "X",
    status: object = 400,
    headers: dict[str, Any] | None = None,
    operation: str = OPERATION,
) -> CallFailed | LinkFailed:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return failure_of(OPERATION, ClientError(response, operation), Attempt(answered=True))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("red \x1b[31m alarm \x07\x00", "red ?[31m alarm ??"),
        ("x-amz-security-token:SECRET\nnext", "x-amz-security-token:..."),
        ("Proxy-Authorization: Basic SECRET", "Proxy-Authorization: ..."),
        ("a Signature=SECRET, and more", "a Signature=..., and more"),
        ("Authorization header requires 'Credential' parameter.",
         "Authorization header requires 'Credential' parameter."),
        ("wrong. The String-to-Sign should have been SECRET", "wrong."),
    ],
)  # fmt: skip
def test_a_sentence_is_harmless(message: str, shown: str) -> None:
    failure = failed(message)
    assert isinstance(failure, CallFailed)
    assert failure.message.startswith(shown)
    assert "SECRET" not in failure.message
    assert failure.message.isprintable()


def test_a_header_that_is_shown_is_harmless_too() -> None:
    failure = failed(None, code=None, headers={"content-type": "text/\x1b[31mhtml\n; charset=x"})
    assert failure.message == "HTTP 400 (text/?[31mhtml)"


def test_credentials_that_were_refused_are_not_the_operations_affair() -> None:
    denied = failed("no", code="AccessDenied", status=403, operation="AssumeRole")
    assert isinstance(denied, LinkFailed)
    assert denied.fault == "credentials"
    assert "AssumeRole" in denied.message
    for code, status in (("Throttling", 400), ("ServiceUnavailable", 503)):
        assert may_retry(failed("no", code=code, status=status, operation="AssumeRole"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    message=st.none() | st.text() | st.integers(),
    code=st.none() | st.text(max_size=30) | st.integers(0, 999),
    status=st.integers(300, 599),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "x-amzn-requestid", "x-amzn-errortype"]) | st.text(),
        st.text(),
    ),
    operation=st.sampled_from([OPERATION, "AssumeRole"]),
    answered=st.booleans(),
)
def test_any_error_becomes_a_sentence(
    message: object,
    code: object,
    status: int,
    headers: dict[str, str],
    operation: str,
    answered: bool,
) -> None:
    failure = failed(message, code=code, status=status, headers=headers, operation=operation)
    is_throttling(failure)
    error = explain(failure, answered_before=answered)
    assert isinstance(error, TurbouploadError)
    assert "\n" not in error.message
    assert "\x1b" not in error.message


ID = {"x-amzn-requestid": "0fd0"}
EXPIRED = "<html><title>Your session token has expired</title><body>Sign in</body></html>"
HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("header", ["x-amzn-requestid", "x-amzn-request-id", "x-amz-request-id"])
def test_an_unnamed_404_of_the_services_is_not_found(header: str) -> None:
    for message, headers in ((None, {}), ("not there", {}), (EXPIRED, HTML)):
        failure = failed(message, code=404, status=404, headers={header: "0fd0", **headers})
        assert isinstance(failure, CallFailed)
        assert (failure.code, failure.status) == ("ResourceNotFoundException", 404)
        assert not may_retry(failure)
        assert "<" not in failure.message
    for headers in ({}, HTML, {"x-amzn-trace-id": "Root=1"}, {header: ""}):
        between = failed("x", code=404, status=404, headers=headers)
        assert isinstance(between, LinkFailed)
        assert between.fault == "between"
    named = failed("no such operation", code="UnknownOperationException", status=404, headers=ID)
    assert isinstance(named, CallFailed)
    assert named.code == "UnknownOperationException"


@pytest.mark.parametrize("status", [300, 301, 302, 400, 401, 403, 404, 405, 409, 410, 418, 451])
@pytest.mark.parametrize("known", [True, False], ids=["the service", "something between"])
def test_no_page_is_taken_for_expired_credentials(status: int, known: bool) -> None:
    failure = failed(EXPIRED, code=status, status=status, headers={**HTML, **(ID if known else {})})
    for answered in (True, False):
        told = explain(failure, answered_before=answered)
        assert "the credentials have expired" not in str(told.hint)
        assert f"HTTP {status}" in told.message
        assert "<" not in told.message


def test_a_redirect_shows_only_where_to() -> None:
    where = {"location": "https://elsewhere.test/x?X-Amz-Security-Token=SECRET"}
    failure = failed(None, code=301, status=301, headers={**ID, **where})
    assert isinstance(failure, CallFailed)
    assert failure.message == ("HTTP 301: it points to elsewhere.test; redirects are not followed")
    assert not may_retry(failure)
    nowhere = failed(None, code=307, status=307, headers={**ID, "location": "http://[::1"})
    assert isinstance(nowhere, CallFailed)


@pytest.mark.parametrize("code", ["ConflictException", "IdempotentParameterMismatch", 409])
def test_a_conflict_comes_to_the_engine_as_it_is(code: object) -> None:
    failure = failed("the token was used", code=code, status=409, headers=ID)
    assert isinstance(failure, CallFailed)
    assert failure.status == 409
    assert failure.code == (code if isinstance(code, str) else "")
    assert not may_retry(failure)
