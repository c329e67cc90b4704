"""Foreign sentences: one line, nothing of ours, nothing that moves a cursor."""

from __future__ import annotations

import os
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.core.retry import explain, is_throttling, may_retry
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.service.attempt import Attempt
from turboupload.service.foreign import failure_of

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
