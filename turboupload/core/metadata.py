"""What the service takes as a read set's description, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping

from turboupload.core import limits
from turboupload.errors import ConfigError, InputError

__all__ = ["check_id", "check_reference_arn", "check_tags", "check_texts"]


def check_texts(texts: Mapping[str, object], *, required: frozenset[str]) -> None:
    """Checks name, ids and free texts.

    Args:
        texts: The values by the field's name; those of `limits.TEXT_LENGTHS` are looked at.
        required: The fields that can't be left out.

    Raises:
        InputError: A text is too long, empty, or has control characters.
    """
    for label, longest in limits.TEXT_LENGTHS.items():
        value = texts.get(label)
        if value is None and label not in required:
            continue
        words = label.replace("_", " ")
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            found = len(value) if isinstance(value, str) else 0
            raise InputError(f"{words} must have 1 to {longest} characters, not {found}")
        if not re.fullmatch(r"[^\x00-\x1f\x7f]+", value):
            raise InputError(f"{words} has control characters: {value!r}")


def check_reference_arn(arn: str | None) -> None:
    """Checks the ARN of a reference, where there is one.

    Raises:
        InputError: It has not the form of an ARN.
    """
    if arn is not None and not limits.REFERENCE_ARN.fullmatch(arn):
        raise InputError(
            f"{arn!r} is not the ARN of a reference",
            hint="it looks like arn:aws:omics:REGION:ACCOUNT:referenceStore/ID/reference/ID",
        )


def check_tags(tags: Mapping[str, str]) -> None:
    """Checks the tags.

    Raises:
        InputError: There are too many, or one is too long or reserved.
    """
    if len(tags) > limits.MAX_TAGS:
        raise InputError(f"at most {limits.MAX_TAGS} tags are allowed, not {len(tags)}")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise InputError(f"tag {key!r}: keys have 1 to 128 characters, values at most 256")
        if key.lower().startswith("aws:"):
            raise InputError(f"tag {key!r}: keys that begin with aws: are reserved by AWS")


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
