"""Signatures over the wire: what the emulator lets in, and what it does not."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from botocore import auth

from tests.emulator.wire import Wire, signed_headers

BODY = b'{"partSource": "SOURCE1"}'


@pytest.fixture
def url(wire: Wire, store: str) -> str:
    upload_id = wire.open_upload(store)
    return wire.url(f"/sequencestore/{store}/upload/{upload_id}/parts")


def refusal(wire: Wire, method: str, url: str, body: bytes, headers: dict[str, str]) -> str | None:
    reply = wire.raw(method, url, body, headers)
    assert reply.status == 403, reply
    return reply.error


def test_a_right_signature_is_let_in(wire: Wire, url: str) -> None:
    assert wire.raw("POST", url, BODY, signed_headers("POST", url, BODY)).status == 200


def test_an_unsigned_request_is_refused_wherever_it_goes(wire: Wire, url: str) -> None:
    for target in (url, wire.url("/nowhere"), wire.url("/")):
        assert refusal(wire, "POST", target, BODY, {}) == "MissingAuthenticationTokenException"


def test_a_wrong_secret_is_refused(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY, secret_key="guess")
    assert refusal(wire, "POST", url, BODY, headers) == "InvalidSignatureException"


def test_a_wrong_access_key_is_refused(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY, access_key="guess")
    assert refusal(wire, "POST", url, BODY, headers) == "UnrecognizedClientException"


@pytest.mark.parametrize("changed", [{"region": "eu-west-1"}, {"service": "s3"}])
def test_another_scope_is_refused(wire: Wire, url: str, changed: dict[str, str]) -> None:
    headers = signed_headers("POST", url, BODY, **changed)  # type: ignore[arg-type]
    assert refusal(wire, "POST", url, BODY, headers) == "InvalidSignatureException"


def test_another_path_query_or_method_is_refused(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY)
    other_path = url.removesuffix("parts") + "complete"
    assert refusal(wire, "POST", other_path, BODY, headers) == "InvalidSignatureException"
    assert refusal(wire, "POST", f"{url}?maxResults=1", BODY, headers) == (
        "InvalidSignatureException"
    )


def test_a_changed_signed_header_is_refused(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY, {"X-Amz-Meta": "one"})
    headers["X-Amz-Meta"] = "two"
    assert refusal(wire, "POST", url, BODY, headers) == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_skewed_clock_is_refused(
    wire: Wire, url: str, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: then)
    headers = signed_headers("POST", url, BODY)
    assert refusal(wire, "POST", url, BODY, headers) == "InvalidSignatureException"


@pytest.mark.parametrize(("token", "expired"), [("expires=1", True), ("expires=99999999999", False),
                                                ("a token", False)])  # fmt: skip
def test_a_session_token_may_say_when_it_ends(
    wire: Wire, url: str, token: str, expired: bool
) -> None:
    headers = signed_headers("POST", url, BODY, {"X-Amz-Security-Token": token})
    reply = wire.raw("POST", url, BODY, headers)
    assert (reply.status, reply.error) == (
        (403, "ExpiredTokenException") if expired else (200, None)
    )


def test_a_body_other_than_the_signed_one_is_refused(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY)
    assert refusal(wire, "POST", url, BODY + b" ", headers) == "InvalidSignatureException"


def test_unsigned_payload_is_only_for_parts(wire: Wire, url: str) -> None:
    headers = signed_headers("POST", url, BODY, {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert refusal(wire, "POST", url, BODY, headers) == "InvalidSignatureException"


class TestParts:
    @pytest.fixture
    def part_url(self, url: str) -> str:
        return url.removesuffix("s") + "?partSource=SOURCE1&partNumber=1"

    def test_the_body_may_be_unsigned(self, wire: Wire, part_url: str) -> None:
        headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
        signed = signed_headers("PUT", part_url, b"", headers)
        assert wire.raw("PUT", part_url, b"any bytes", signed).status == 200

    def test_the_body_may_be_signed(self, wire: Wire, part_url: str) -> None:
        signed = signed_headers("PUT", part_url, b"these bytes")
        assert "X-Amz-Content-SHA256" not in signed
        assert wire.raw("PUT", part_url, b"these bytes", signed).status == 200

    def test_a_signed_body_must_be_the_signed_one(
        self, wire: Wire, part_url: str, url: str
    ) -> None:
        declared = {"X-Amz-Content-SHA256": hashlib.sha256(b"these bytes").hexdigest()}
        for headers in ({}, declared):
            signed = signed_headers("PUT", part_url, b"these bytes", headers)
            assert refusal(wire, "PUT", part_url, b"those bytes", signed) == (
                "InvalidSignatureException"
            )
        listing = wire.raw("POST", url, BODY, signed_headers("POST", url, BODY))
        assert listing.json["parts"] == []

    def test_a_part_number_can_not_be_changed_on_the_way(self, wire: Wire, part_url: str) -> None:
        headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
        signed = signed_headers("PUT", part_url, b"", headers)
        other = part_url.replace("partNumber=1", "partNumber=2")
        assert refusal(wire, "PUT", other, b"any bytes", signed) == "InvalidSignatureException"
