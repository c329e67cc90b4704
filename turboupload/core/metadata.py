"""A read set's description is checked before anything is sent: a fault becomes an error."""

from __future__ import annotations

from collections.abc import Mapping

from turboupload.core import limits
from turboupload.core.fields import REFERENCE_HINT, reference_fault, tag_fault, text_fault
from turboupload.errors import ConfigError, InputError

__all__ = ["check_id", "check_reference_arn", "check_role_arn", "check_tags", "check_texts"]


def check_texts(texts: Mapping[str, object], *, required: frozenset[str]) -> None:
    """Checks name, ids and free texts.

    Args:
        texts: The values by the field's name; those of `limits.TEXT_LENGTHS` are looked at.
        required: The fields that can't be left out.

    Raises:
        InputError: A text is too long, empty, or has a character that the service does not take.
    """
    for label in limits.TEXT_LENGTHS:
        value = texts.get(label)
        if (value is not None or label in required) and (fault := text_fault(label, value)):
            raise InputError(fault)


def check_reference_arn(arn: str | None) -> None:
    """Checks the ARN of a reference, where there is one.

    Raises:
        InputError: It has not the form of an ARN.
    """
    if arn is not None and (fault := reference_fault(arn)):
        raise InputError(fault, hint=REFERENCE_HINT)


def check_tags(tags: Mapping[str, str]) -> None:
    """Checks the tags.

    Raises:
        InputError: There are too many, or one is too long or reserved.
    """
    if fault := tag_fault(tags):
        raise InputError(fault)


def check_id(what: str, value: str) -> None:
    """Checks an id of the service.

    Args:
        what: What it is the id of, for the message.
        value: The id.

    Raises:
        ConfigError: It has not the form of one.
    """
    if not isinstance(value, str) or not limits.ID.fullmatch(value):
        raise ConfigError(f"{value!r} is not the id of {what}: those are 10 to 36 digits")


def check_role_arn(arn: str) -> None:
    """Checks the ARN of the role with which the service reads the sources of an import job.

    Raises:
        ConfigError: It has not the form of one.
    """
    if not limits.ROLE_ARN.fullmatch(arn):
        raise ConfigError(
            f"{arn!r} is not the ARN of a role", hint="it looks like arn:aws:iam::ACCOUNT:role/NAME"
        )
