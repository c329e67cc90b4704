from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.omics import refusal_of
from tests.emulator.wire import signed_headers
from turboupload.emulator.errors import ServiceError
from turboupload.emulator.wire.sigv4 import SignedRequest, Verifier

# The worked example of "Signature Version 4 signing process" in the AWS General Reference.
EXAMPLE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
EXAMPLE_SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
EMPTY = hashlib.sha256(b"").hexdigest()


def example(**changes: str) -> SignedRequest:
    headers = {
        "Host": "iam.amazonaws.com",
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={EXAMPLE_SIGNATURE}"
        ),
    }
    headers |= changes
    return SignedRequest("GET", "/", "Action=ListUsers&Version=2010-05-08", tuple(headers.items()))


def verifier(now: float = EXAMPLE_TIME) -> Verifier:
    return Verifier(
        access_key="AKIDEXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="iam",
        clock=lambda: now,
    )


def verify(request: SignedRequest, body_sha256: str = EMPTY, now: float = EXAMPLE_TIME) -> None:
    verifier(now).begin(request, unsigned_body=False).verify_body(body_sha256)


def refusal(request: SignedRequest, body_sha256: str = EMPTY, now: float = EXAMPLE_TIME) -> str:
    with pytest.raises(ServiceError) as refused:
        verify(request, body_sha256, now)
    assert refused.value.status == 403
    return refused.value.code


def test_the_example_of_the_specification_is_accepted() -> None:
    verify(example())


def test_another_body_is_refused() -> None:
    assert refusal(example(), hashlib.sha256(b"x").hexdigest()) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "changed",
    [
        {"Content-Type": "text/plain"},
        {"Host": "elsewhere.example"},
        {"X-Amz-Date": "20150830T123601Z"},
        {"X-Amz-Security-Token": "unsigned"},
        {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"},
    ],
)
def test_a_changed_or_unsigned_header_is_refused(changed: dict[str, str]) -> None:
    assert refusal(example(**changed)) == "InvalidSignatureException"


def test_header_values_are_trimmed_as_the_specification_says() -> None:
    spaced = "  application/x-www-form-urlencoded;    charset=utf-8 "
    verify(example(**{"Content-Type": spaced}))


@pytest.mark.parametrize("minutes", [-14.9, 14.9])
def test_a_clock_within_15_minutes_is_accepted(minutes: float) -> None:
    verify(example(), now=EXAMPLE_TIME + 60 * minutes)


@pytest.mark.parametrize(("minutes", "word"), [(-16, "not yet current"), (16, "expired")])
def test_a_clock_beyond_15_minutes_is_refused_with_a_word_for_it(minutes: int, word: str) -> None:
    with pytest.raises(ServiceError, match=word) as refused:
        verify(example(), now=EXAMPLE_TIME + 60 * minutes)
    assert refused.value.code == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Basic bG9jYWw6bG9jYWw=", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, SignedHeaders=host, Signature=0",
         "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/iam/aws4_request, SignedHeaders=host",
         "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=WRONG/20150830/us-east-1/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=0", "UnrecognizedClientException"),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=0", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150829/us-east-1/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=0", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/omics/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=0", "InvalidSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
         "SignedHeaders=host;x-amz-date;x-missing, Signature=\u00e9", "InvalidSignatureException"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_authorization_is_told_apart(authorization: str, code: str) -> None:
    assert refusal(example(Authorization=authorization)) == code


def test_no_authorization_at_all() -> None:
    request = SignedRequest("GET", "/", "", (("Host", "localhost"),))
    assert refusal(request) == "MissingAuthenticationTokenException"


def test_no_date_at_all() -> None:
    request = example()
    headers = tuple(pair for pair in request.headers if pair[0] != "X-Amz-Date")
    undated = SignedRequest(request.method, request.raw_path, request.raw_query, headers)
    assert refusal(undated) == "IncompleteSignatureException"


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    segments=st.lists(NAMES.filter(lambda text: text not in (".", "..")), max_size=4),
    query=st.dictionaries(NAMES, NAMES | st.just(""), max_size=4),
    header=VALUES,
    body=st.binary(max_size=50),
)
def test_what_botocore_signs_is_accepted_and_nothing_beside_it(
    segments: list[str], query: dict[str, str], header: str, body: bytes
) -> None:
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    raw_query = urlencode(query, quote_via=quote, safe="")
    url = f"http://localhost:1234{path}" + (f"?{raw_query}" if raw_query else "")
    headers = signed_headers("POST", url, body, {"X-Extra": header})
    headers["Host"] = "localhost:1234"
    ours = Verifier(access_key="local", secret_key="local", region="us-east-1", clock=time.time)

    def verify_error(path: str, raw_query: str, headers: dict[str, str], body: bytes) -> str | None:
        request = SignedRequest("POST", path, raw_query, tuple(headers.items()))
        refusal = refusal_of(
            lambda: ours.begin(request, unsigned_body=False).verify_body(
                hashlib.sha256(body).hexdigest()
            )
        )
        return refusal.code if refusal else None

    assert verify_error(path, raw_query, headers, body) is None
    wrong = "InvalidSignatureException"
    assert verify_error(path + "x", raw_query, headers, body) == wrong
    assert verify_error(path, raw_query + "&x=", headers, body) == wrong
    assert verify_error(path, raw_query, {**headers, "X-Extra": header + "x"}, body) == wrong
    assert verify_error(path, raw_query, headers, body + b"x") == wrong


@given(authorization=st.text(max_size=200) | VALUES.map(lambda text: f"AWS4-HMAC-SHA256 {text}"))
def test_any_authorization_is_refused_in_words(authorization: str) -> None:
    assert refusal(example(Authorization=authorization))


@given(date=st.text(max_size=40) | st.from_regex(r"[0-9]{8}T[0-9]{6}Z", fullmatch=True))
def test_any_date_is_refused_in_words(date: str) -> None:
    assert refusal(example(**{"X-Amz-Date": date if date != "20150830T123600Z" else ""}))
