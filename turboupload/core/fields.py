"""What the service takes in each field of a read set, and what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turboupload import limits
from turboupload.core.characters import character_fault

__all__ = ["REFERENCE_HINT", "REQUIRED", "id_fault", "reference_fault", "tag_fault", "text_fault"]

REQUIRED: Final = frozenset({"name", "sample_id", "subject_id"})
"""The texts that a read set can't do without."""

REFERENCE_HINT: Final = "it looks like arn:aws:omics:REGION:ACCOUNT:referenceStore/ID/reference/ID"


def text_fault(label: str, value: object) -> str | None:
    """The error in a text, as a sentence; None if it is valid.

    Args:
        label: The field, a key of `limits.TEXT_LENGTHS`.
        value: Its value; None is right where the field is not required.
    """
    if value is None and label not in REQUIRED:
        return None
    words = label.replace("_", " ")
    longest = limits.TEXT_LENGTHS[label]
    if not isinstance(value, str):
        given = "0" if value is None else repr(value)
        return f"{words} must have 1 to {longest} characters, not {given}"
    if not 1 <= len(value) <= longest:
        return f"{words} must have 1 to {longest} characters, not {len(value)}"
    return _invisible(words, value)


def _invisible(what: str, value: str) -> str | None:
    fault = character_fault(value)
    return f"{what} has {fault}, which the service does not take" if fault else None


def id_fault(what: str, value: object) -> str | None:
    """The error in an id of the service, as a sentence; None if it has the form of one.

    Args:
        what: What it is the id of, such as `a store`.
        value: The id.
    """
    if isinstance(value, str) and limits.ID.fullmatch(value):
        return None
    return f"{value!r} is not the id of {what}: those are 10 to 36 digits"


def reference_fault(arn: object) -> str | None:
    """The error in the ARN of a reference; None if it is valid."""
    if isinstance(arn, str) and limits.REFERENCE_ARN.fullmatch(arn):
        return _invisible("the reference's ARN", arn)
    return f"{arn!r} is not the ARN of a reference"


def tag_fault(tags: Mapping[Any, Any]) -> str | None:
    """The first error in the tags of a read set; None if they are valid."""
    if len(tags) > limits.MAX_TAGS:
        return f"at most {limits.MAX_TAGS} tags are allowed, not {len(tags)}"
    for key, value in tags.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            return f"tag {key!r}: keys and values are text, not {value!r}"
        if not 1 <= len(key) <= 128 or len(value) > 256:
            return f"tag {key!r}: keys have 1 to 128 characters, values at most 256"
        if fault := _invisible(f"the key of tag {key!r}", key):
            return fault
        if fault := _invisible(f"tag {key!r}", value):
            return fault
        if key.lower().startswith("aws:"):
            return f"tag {key!r}: keys that begin with aws: are reserved by AWS"
    return None
