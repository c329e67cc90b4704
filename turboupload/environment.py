"""Environment variables of the AWS SDKs, checked before anything relies on them.

The SDK finds most faults in them later, and names the setting instead of the variable. A value is
shown only where it can't be a secret.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from turboupload.errors import ConfigError

__all__ = ["check_environment"]

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
)
_PLACES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_OMICS",
)
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "AWS_DEFAULTS_MODE": (
        "auto",
        "cross-region",
        "in-region",
        "legacy",
        "mobile",
        "standard",
    ),
    "AWS_STS_REGIONAL_ENDPOINTS": ("legacy", "regional"),
    "AWS_REQUEST_CHECKSUM_CALCULATION": ("when_required", "when_supported"),
    "AWS_RESPONSE_CHECKSUM_VALIDATION": ("when_required", "when_supported"),
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("disabled", "preferred", "required"),
}
"""What the AWS SDKs and Tools Reference Guide lists for each; botocore reads them in any case."""

_NUMBERS = (
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
    "AWS_METADATA_SERVICE_TIMEOUT",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
)


def check_environment(variables: Mapping[str, str], *, credentials: bool = True) -> None:
    """Finds values that no AWS client can work with.

    Args:
        variables: As in `os.environ`.
        credentials: Whether the credentials in them are used; a profile that is named goes first.

    Raises:
        ConfigError: One makes no sense; the message names it.
    """
    for name in (*(_CREDENTIALS if credentials else ()), *_PLACES):
        _check_word(name, variables.get(name, ""))
    for name, choices in _CHOICES.items():
        value = variables.get(name, "")
        if value and value.lower() not in choices:
            raise ConfigError(
                f"{name} is {_shown(value)}, which is none of {', '.join(choices)}",
                hint=f"unset {name}, or set it to one of these",
            )
    for name in _NUMBERS:
        value = variables.get(name, "")
        if value and not value.isdecimal():
            raise ConfigError(
                f"{name} is {_shown(value)}, which is not a whole number", hint=f"unset {name}"
            )
    _check_time_zone(variables.get("TZ", ""))


def _check_word(name: str, value: str) -> None:
    for place, character in enumerate(value):
        if character.isspace() or unicodedata.category(character).startswith("C"):
            what = _called(character)
            where = "at its end" if place >= len(value.rstrip()) else f"as character {place + 1}"
            raise ConfigError(
                f"{name} has {what} {where}", hint=f"set {name} again without it, or unset it"
            )
    # Headers are ASCII.
    if not value.isascii():
        raise ConfigError(f"{name} has characters beyond ASCII", hint=f"set {name} again")


def _called(character: str) -> str:
    if character in "\r\n":
        return "a line end"
    if character == " ":
        return "a blank"
    return f"the invisible character U+{ord(character):04X}"


def _shown(value: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in repr(value))


def _check_time_zone(value: str) -> None:
    try:
        datetime.now(UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"TZ is {_shown(value)}, which is not a time zone: local time is not known",
            hint="unset TZ, or set it to a zone such as UTC or Europe/Berlin",
        ) from None
