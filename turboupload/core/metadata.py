"""The description of a read set, checked before anything is sent: a fault becomes an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from turboupload import limits
from turboupload.core.fields import (
    REFERENCE_HINT,
    REQUIRED,
    id_fault,
    reference_fault,
    tag_fault,
    text_fault,
)
from turboupload.core.formats import FileType, FileTypeName, file_type_of
from turboupload.errors import ConfigError, InputError

__all__ = ["Description", "check_id", "check_kind", "check_role_arn"]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the service keeps of a read set beside its content, however it is made.

    CreateMultipartReadSetUpload takes it, and so does each source of StartReadSetImportJob.

    Attributes:
        name: The read set's name, 1 to 127 characters.
        sample_id: 1 to 127 characters.
        subject_id: 1 to 127 characters.
        file_type: A `FileType`, or its name.
        reference_arn: The reference in a HealthOmics reference store. Optional since 2023-11-09:
            FASTQ and uBAM need none.
        generated_from: Where the data comes from, such as a run; 1 to 127 characters.
        description: 1 to 255 characters.
        tags: Up to 50.

    Raises:
        InputError: A value breaks a limit of the service.
    """

    required: ClassVar[frozenset[str]] = REQUIRED

    name: str | None = None
    sample_id: str | None = None
    subject_id: str | None = None
    file_type: FileType | FileTypeName | None = None
    reference_arn: str | None = None
    generated_from: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.tags, Mapping):
            raise InputError(f"tags are a mapping of text to text, not {self.tags!r}")
        object.__setattr__(self, "tags", dict(self.tags))
        if self.file_type is not None:
            object.__setattr__(self, "file_type", file_type_of(self.file_type))
        self._check()

    def _check(self) -> None:
        _check_texts(vars(self), required=self.required)
        _check_reference_arn(self.reference_arn)
        _check_tags(self.tags)


def _check_texts(texts: Mapping[str, object], *, required: frozenset[str]) -> None:
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


def _check_reference_arn(arn: str | None) -> None:
    """Checks the ARN of a reference, where there is one.

    Raises:
        InputError: It has not the form of an ARN.
    """
    if arn is not None and (fault := reference_fault(arn)):
        raise InputError(fault, hint=REFERENCE_HINT)


def _check_tags(tags: Mapping[str, str]) -> None:
    """Checks the tags.

    Raises:
        InputError: There are too many, or one is too long or reserved.
    """
    if fault := tag_fault(tags):
        raise InputError(fault)


def check_id(what: str, value: object) -> None:
    """Checks an id of the service.

    Args:
        what: What it is the id of, for the message.
        value: The id.

    Raises:
        ConfigError: It has not the form of one.
    """
    if fault := id_fault(what, value):
        hint = "write it as text, in quotes" if isinstance(value, int) else None
        if what == "a read set" and isinstance(value, str):
            hint = "`turboupload readsets list --name NAME` tells the id of a name"
        raise ConfigError(fault, hint=hint)


def check_kind(label: str, value: object, kind: type, *, hint: str | None = None) -> None:
    """Checks that an argument is of the class that it must be.

    Args:
        label: The argument's name, for the message.
        value: What was given.
        kind: The class.
        hint: What to do instead.

    Raises:
        ConfigError: It isn't.
    """
    if not isinstance(value, kind):
        message = f"{label} must be of type {kind.__name__}, not {type(value).__name__}"
        raise ConfigError(message, hint=hint)


def check_role_arn(arn: str) -> None:
    """Checks the ARN of the role with which the service reads the sources of an import job.

    Raises:
        ConfigError: It has not the form of one.
    """
    if not isinstance(arn, str) or not limits.ROLE_ARN.fullmatch(arn):
        raise ConfigError(
            f"{arn!r} is not the ARN of a role", hint="it looks like arn:aws:iam::ACCOUNT:role/NAME"
        )
