"""Import jobs: what is requested, and what the service reports.

Source: botocore's model of `omics` (2022-11-28), version 1.43.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from turboupload import limits
from turboupload.core.formats import TWICE_HINT, FileType, FileTypeName, pair_fault
from turboupload.core.metadata import Description
from turboupload.errors import InputError

__all__ = [
    "ImportJob",
    "ImportJobSource",
    "ImportJobStatus",
    "ImportSource",
    "ImportSourceStatus",
]


class ImportJobStatus(StrEnum):
    """The statuses of an import job, in the service's words."""

    SUBMITTED = "SUBMITTED"
    IN_PROGRESS = "IN_PROGRESS"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_FAILURES = "COMPLETED_WITH_FAILURES"


class ImportSourceStatus(StrEnum):
    """The statuses of one source of an import job, in the service's words."""

    NOT_STARTED = "NOT_STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


_ENDED = frozenset(
    {
        ImportJobStatus.CANCELLED,
        ImportJobStatus.FAILED,
        ImportJobStatus.COMPLETED,
        ImportJobStatus.COMPLETED_WITH_FAILURES,
    }
)
"""The final statuses of a job."""


@dataclass(frozen=True, kw_only=True)
class ImportSource(Description):
    """One read set to import from S3.

    The other attributes are those of `Description`; the name is optional.

    Attributes:
        source1: S3 URI of the file, or of R1.
        source2: S3 URI of R2, for FASTQ pairs.

    Raises:
        InputError: A value breaks a limit of the service.
    """

    required: ClassVar[frozenset[str]] = frozenset({"sample_id", "subject_id"})

    source1: str
    source2: str | None = None
    file_type: FileType | FileTypeName
    subject_id: str
    sample_id: str

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except InputError as error:
            if isinstance(self.source1, str):
                error.path = error.path or self.source1
            raise

    def _check(self) -> None:
        for uri in (self.source1,) if self.source2 is None else (self.source1, self.source2):
            if not (isinstance(uri, str) and limits.S3_URI.fullmatch(uri)):
                raise InputError(
                    "this is not the S3 URI of an object", path=str(uri), hint="s3://bucket/key"
                )
        if self.source2 is not None and (fault := pair_fault(self.file_type)):
            raise InputError(f"two files were given, but {fault}", path=self.source2)
        if self.source1 == self.source2:
            raise InputError("the same file was given twice", hint=TWICE_HINT)
        super()._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJobSource:
    """One source of an import job, as GetReadSetImportJob describes it.

    Attributes:
        source1: S3 URI of the file, or of R1.
        source2: S3 URI of R2.
        file_type: As requested.
        status: An `ImportSourceStatus`, or a word that this version doesn't know.
        status_message: Why it failed.
        subject_id: As requested.
        sample_id: As requested.
        name: As requested.
        generated_from: As requested.
        reference_arn: As requested.
        description: As requested.
        tags: As requested.
        service_tags: Those that the service added; their keys begin with `aws:`.
        read_set_id: The read set that was made from it.
    """

    source1: str | None = None
    source2: str | None = None
    file_type: str | None = None
    status: str | None = None
    status_message: str | None = None
    subject_id: str | None = None
    sample_id: str | None = None
    name: str | None = None
    generated_from: str | None = None
    reference_arn: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    service_tags: Mapping[str, str] = field(default_factory=dict)
    read_set_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJob:
    """An import job.

    StartReadSetImportJob's reply lacks `completed_at`, `status_message` and `sources`; a row of
    ListReadSetImportJobs lacks the latter two.

    Attributes:
        job_id: The service's id.
        store_id: Its sequence store.
        role_arn: The role with which the service reads the sources.
        status: An `ImportJobStatus`, or a word that this version doesn't know.
        status_message: The reason for the status, if there is one.
        created_at: By the service's clock.
        completed_at: By the service's clock; None until then.
        sources: In the requested order (if the service keeps it).
    """

    job_id: str
    store_id: str | None = None
    role_arn: str | None = None
    status: str | None = None
    status_message: str | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    sources: tuple[ImportJobSource, ...] = ()

    @property
    def row_id(self) -> str:
        """The id, which distinguishes it from other rows."""
        return self.job_id

    @property
    def ended(self) -> bool:
        """Whether the job has ended, with success or without."""
        return self.status in _ENDED
