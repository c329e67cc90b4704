"""Filters of the service's listings; a None member doesn't filter.

How exactly the service filters isn't documented: for example, whether a name must match whole or by
its beginning; and it may ignore a member. So each row is checked against the filter again
(`passes`). A member that the row lacks passes: the service has chosen the row, and may know the
value.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from turboupload.core.fields import text_fault
from turboupload.core.records import (
    CreationType,
    ReadSetDetails,
    ReadSetStatus,
    SequenceStoreDetails,
    SequenceStoreStatus,
)
from turboupload.errors import ConfigError
from turboupload.value import Value

if TYPE_CHECKING:
    from turboupload.core.imports.jobs import ImportJob

__all__ = ["ImportJobFilter", "ReadSetFilter", "SequenceStoreFilter"]

NO_REFERENCE: Final = ""
"""The model lets a filter's referenceArn be empty; the emulator reads that as: without one."""


class ReadSetFilter(Value, frozen=True, kw_only=True):
    """Selects read sets for ListReadSets; all conditions must hold.

    Attributes:
        name: Exactly this name.
        status: A `ReadSetStatus`.
        reference_arn: Exactly this reference.
        created_after: Later than this moment, which must have a time zone.
        created_before: Earlier than this moment, which must have a time zone.
        sample_id: Exactly this sample.
        subject_id: Exactly this subject.
        generated_from: Exactly this origin.
        creation_type: A `CreationType`.

    Raises:
        ConfigError: A value is invalid.
    """

    name: str | None = None
    status: str | None = None
    reference_arn: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    sample_id: str | None = None
    subject_id: str | None = None
    generated_from: str | None = None
    creation_type: str | None = None

    def __post_init__(self) -> None:
        _check_word("status", self.status, ReadSetStatus)
        _check_word("creation type", self.creation_type, CreationType)
        for label in ("name", "sample_id", "subject_id", "generated_from"):
            _check_text(label, getattr(self, label))
        arn = self.reference_arn
        if arn not in (None, NO_REFERENCE) and not str(arn).startswith("arn:"):
            raise ConfigError(f"the filter's reference {arn!r} is not an ARN")
        _check_span("created", self.created_after, self.created_before)

    def passes(self, row: ReadSetDetails) -> bool:
        """Whether no member of a row contradicts the filter."""
        return (
            _same(self.name, row.name)
            and _same(self.status, row.status)
            and _same(self.reference_arn, row.reference_arn)
            and _same(self.sample_id, row.sample_id)
            and _same(self.subject_id, row.subject_id)
            and _same(self.generated_from, row.generated_from)
            and _same(self.creation_type, row.creation_type)
            and _within(self.created_after, row.created_at, self.created_before)
        )


class ImportJobFilter(Value, frozen=True, kw_only=True):
    """Selects jobs for ListReadSetImportJobs; all conditions must hold.

    Attributes:
        status: An `ImportJobStatus`.
        created_after: Later than this moment, which must have a time zone.
        created_before: Earlier than this moment, which must have a time zone.

    Raises:
        ConfigError: A value is invalid.
    """

    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def __post_init__(self) -> None:
        from turboupload.core.imports.jobs import ImportJobStatus

        _check_word("status", self.status, ImportJobStatus)
        _check_span("created", self.created_after, self.created_before)

    def passes(self, row: ImportJob) -> bool:
        """Whether no member of a row contradicts the filter."""
        return _same(self.status, row.status) and _within(
            self.created_after, row.created_at, self.created_before
        )


class SequenceStoreFilter(Value, frozen=True, kw_only=True):
    """Selects stores for ListSequenceStores; all conditions must hold.

    Attributes:
        name: Exactly this name.
        status: A `SequenceStoreStatus`.
        created_after: Later than this moment, which must have a time zone.
        created_before: Earlier than this moment, which must have a time zone.
        updated_after: Later than this moment, which must have a time zone.
        updated_before: Earlier than this moment, which must have a time zone.

    Raises:
        ConfigError: A value is invalid.
    """

    name: str | None = None
    status: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_after: datetime | None = None
    updated_before: datetime | None = None

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        _check_word("status", self.status, SequenceStoreStatus)
        _check_span("created", self.created_after, self.created_before)
        _check_span("updated", self.updated_after, self.updated_before)

    def passes(self, row: SequenceStoreDetails) -> bool:
        """Whether no member of a row contradicts the filter."""
        return (
            _same(self.name, row.name)
            and _same(self.status, row.status)
            and _within(self.created_after, row.created_at, self.created_before)
            and _within(self.updated_after, row.updated_at, self.updated_before)
        )


def _same(wanted: str | None, found: str | None) -> bool:
    return wanted is None or found is None or found == wanted


def _within(after: datetime | None, moment: datetime | None, before: datetime | None) -> bool:
    """Whether a moment is within the bounds; at the bounds themselves the service decides."""
    if moment is None or moment.tzinfo is None:
        return True
    return (after is None or moment >= after) and (before is None or moment <= before)


def _check_word(label: str, value: str | None, known: Iterable[str]) -> None:
    if value is None:
        return
    words = tuple(known)
    if value not in words:
        raise ConfigError(
            f"the filter's {label} {value!r} is not a word of the service",
            hint=f"use one of {', '.join(words)}",
        )


def _check_text(label: str, value: str | None) -> None:
    if value is not None and (fault := text_fault(label, value)):
        raise ConfigError(f"the filter's {fault}")


def _check_span(label: str, after: datetime | None, before: datetime | None) -> None:
    for moment in (after, before):
        if moment is not None and not isinstance(moment, datetime):
            raise ConfigError(f"the filter's moment is a datetime, not {moment!r}")
        if moment is not None and moment.tzinfo is None:
            raise ConfigError(
                f"the filter's moment {moment.isoformat()} has no time zone",
                hint="a time without a zone would be read as this machine's time; add the zone",
            )
    if after is not None and before is not None and after >= before:
        raise ConfigError(
            f"nothing was {label} after {after.isoformat()} and before {before.isoformat()}"
        )
