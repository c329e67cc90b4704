"""Verifies AWS Signature Version 4, written from its specification.

Source: "Create a signed AWS API request" in the AWS IAM user guide,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (read
2026-11).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

from turboupload.emulator.errors import ServiceError

__all__ = ["PendingSignature", "SignedRequest", "Verifier"]

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
MAX_SKEW_S = 15 * 60
_SHA256_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AMZ_DATE = "%Y%m%dT%H%M%SZ"
_SESSION = re.compile(r"expires=([0-9]{1,12})", re.ASCII)
"""A session token with its expiry, in seconds since the epoch; other tokens are ignored."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The signed parts of a request, as received.

    Attributes:
        method: The HTTP method.
        raw_path: The path as in the request line, still percent-encoded.
        raw_query: The query as in the request line, without the question mark.
        headers: Names and values in the order of arrival.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Sequence[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """All values of one header."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True)
class _Authorization:
    access_key: str
    scope: tuple[str, str, str, str]
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class PendingSignature:
    """A signature that is right as far as it can be verified before the body.

    Attributes:
        declared: The request's X-Amz-Content-SHA256; None if it has none, so that the signature can
            only be verified with the body.
    """

    declared: str | None
    _verify: Callable[[str], None]

    def verify_body(self, body_sha256: str) -> None:
        """Verify the body's hash.

        Arguments:
            body_sha256: The hex SHA-256 of the whole body.

        Raises:
            ServiceError: InvalidSignatureException if it doesn't match.
        """
        if self.declared is None:
            self._verify(body_sha256)
        elif self.declared != UNSIGNED_PAYLOAD and not hmac.compare_digest(
            self.declared, body_sha256
        ):
            raise ServiceError(
                "InvalidSignatureException",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )


class Verifier:
    """Verifies signatures made with one key for one service in one Region.

    Arguments:
        access_key: The access key that requests must name.
        secret_key: Its secret.
        region: The Region in the credential scope.
        service: The signing name in the credential scope.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        region: str,
        clock: Callable[[], float],
        service: str = "omics",
    ) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._service = service
        self._clock = clock

    def begin(self, request: SignedRequest, *, unsigned_body: bool) -> PendingSignature:
        """Verify everything that doesn't need the body.

        Arguments:
            request: The request without its body.
            unsigned_body: Whether this operation may be sent with UNSIGNED-PAYLOAD.

        Raises:
            ServiceError: The signature is missing, incomplete, stale or wrong.
        """
        authorization = _parse_authorization(request)
        timestamp = self._timestamp(request)
        self._check_scope(authorization, timestamp)
        _check_signed_headers(request, authorization.signed_headers)
        declared = _declared_hash(request, unsigned_body=unsigned_body)

        def verify(payload_hash: str) -> None:
            canonical = _canonical_request(request, authorization.signed_headers, payload_hash)
            expected = self._signature(canonical, timestamp, authorization.scope)
            if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
                raise ServiceError(
                    "InvalidSignatureException",
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your AWS Secret Access Key and signing method. Consult the "
                    "service documentation for details.",
                )

        if declared is not None:
            verify(declared)
        self._check_session(request)
        return PendingSignature(declared, verify)

    def _check_session(self, request: SignedRequest) -> None:
        """Refuse an expired session token, if it states its expiry."""
        for token in request.values("x-amz-security-token"):
            expiry = _SESSION.fullmatch(token.strip())
            if expiry is not None and float(expiry[1]) <= self._clock():
                raise ServiceError(
                    "ExpiredTokenException",
                    "The security token included in the request is expired",
                )

    def _timestamp(self, request: SignedRequest) -> str:
        moment = _request_time(request)
        now = self._clock()
        if abs(moment.timestamp() - now) > MAX_SKEW_S:
            stamp = moment.strftime(_AMZ_DATE)
            present = datetime.fromtimestamp(now, UTC).strftime(_AMZ_DATE)
            relation = "expired" if moment.timestamp() < now else "not yet current"
            raise ServiceError(
                "InvalidSignatureException",
                f"Signature {relation}: {stamp} is more than 15 min. away from {present}",
            )
        return moment.strftime(_AMZ_DATE)

    def _check_scope(self, authorization: _Authorization, timestamp: str) -> None:
        date, region, service, terminator = authorization.scope
        expected = (timestamp[:8], self._region, self._service, "aws4_request")
        labels = ("date", "region", "service", "terminator")
        for label, given, wanted in zip(
            labels, (date, region, service, terminator), expected, strict=True
        ):
            if given != wanted:
                raise ServiceError(
                    "InvalidSignatureException",
                    f"Credential should be scoped to a valid {label}: {wanted!r}, not {given!r}.",
                )
        if not hmac.compare_digest(authorization.access_key.encode(), self._access_key.encode()):
            raise ServiceError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )

    def _signature(self, canonical: str, timestamp: str, scope: Sequence[str]) -> str:
        digest = hashlib.sha256(_wire(canonical)).hexdigest()
        text = "\n".join((ALGORITHM, timestamp, "/".join(scope), digest))
        key = f"AWS4{self._secret_key}".encode()
        for piece in scope:
            key = hmac.digest(key, piece.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _wire(text: str) -> bytes:
    # Header bytes that aren't UTF-8 arrive as surrogates; convert them back.
    return text.encode("utf-8", "surrogateescape")


def _incomplete(message: str) -> ServiceError:
    return ServiceError("IncompleteSignatureException", message)


def _parse_authorization(request: SignedRequest) -> _Authorization:
    values = request.values("authorization")
    if not values:
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if len(values) > 1:
        raise _incomplete("There is more than one Authorization header.")
    algorithm, _, rest = values[0].strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported signing algorithm; use {ALGORITHM}.")
    pairs = dict(piece.strip().partition("=")[::2] for piece in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not pairs.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    access_key, *scope = pairs["Credential"].rsplit("/", 4)
    if len(scope) != 4:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, "
            "e.g. keyid/date/region/service/term."
        )
    return _Authorization(
        access_key=access_key,
        scope=(scope[0], scope[1], scope[2], scope[3]),
        signed_headers=tuple(pairs["SignedHeaders"].split(";")),
        signature=pairs["Signature"],
    )


def _request_time(request: SignedRequest) -> datetime:
    for name in ("x-amz-date", "date"):
        values = request.values(name)
        if not values:
            continue
        try:
            return datetime.strptime(values[0], _AMZ_DATE).replace(tzinfo=UTC)
        except ValueError:
            pass
        try:
            moment = parsedate_to_datetime(values[0])
        except ValueError:
            break
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    raise _incomplete("Authorization header requires existence of a valid 'X-Amz-Date' header.")


def _check_signed_headers(request: SignedRequest, signed: Sequence[str]) -> None:
    present = {name.lower() for name, _ in request.headers}
    required = {"host"} | {name for name in present if name.startswith("x-amz-")}
    unsigned = sorted(required - set(signed))
    if unsigned:
        raise ServiceError(
            "InvalidSignatureException", f"These headers must be signed: {', '.join(unsigned)}."
        )
    missing = sorted(set(signed) - present)
    if missing:
        raise ServiceError(
            "InvalidSignatureException",
            f"These headers are signed and missing from the request: {', '.join(missing)}.",
        )


def _declared_hash(request: SignedRequest, *, unsigned_body: bool) -> str | None:
    values = request.values("x-amz-content-sha256")
    if not values:
        return None
    declared = values[0].strip()
    if declared == UNSIGNED_PAYLOAD and unsigned_body:
        return declared
    if len(values) == 1 and _SHA256_HEX.fullmatch(declared):
        return declared
    raise ServiceError(
        "InvalidSignatureException",
        f"x-amz-content-sha256 must be the hex SHA-256 of the body, not {declared[:80]!r}.",
    )


def _canonical_request(request: SignedRequest, signed: Sequence[str], payload_hash: str) -> str:
    headers = "".join(
        f"{name}:{','.join(' '.join(value.split()) for value in request.values(name))}\n"
        for name in sorted(signed)
    )
    return "\n".join(
        (
            request.method,
            _canonical_path(request.raw_path),
            _canonical_query(request.raw_query),
            headers,
            ";".join(sorted(signed)),
            payload_hash,
        )
    )


def _canonical_path(raw_path: str) -> str:
    segments: list[str] = []
    pieces = raw_path.split("/")
    for piece in pieces:
        if piece == "..":
            segments[-1:] = []
        elif piece not in ("", "."):
            segments.append(piece)
    slash = "/" if segments and pieces[-1] in ("", ".", "..") else ""
    # Every service but S3 encodes the encoded path once more.
    return quote("/" + "/".join(segments) + slash, safe="/-_.~")


def _canonical_query(raw_query: str) -> str:
    pairs = (piece.partition("=") for piece in raw_query.split("&") if piece)
    encoded = sorted((_encode(name), _encode(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encode(text: str) -> str:
    return quote(unquote(text), safe="-_.~")
