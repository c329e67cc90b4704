"""Imports of many read sets from S3: rows, their jobs, and the result."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from turboupload.core.formats import type_in_name
from turboupload.core.imports.jobs import ImportJob, ImportJobSource, ImportSource
from turboupload.core.notices import Remark
from turboupload.core.rows import UNFINISHED, RowResult, RowStatus
from turboupload.core.sheet.model import SheetFinding, SheetRow
from turboupload.errors import InputError, TurbouploadError

__all__ = [
    "ImportJobChanged",
    "ImportJobStarted",
    "ImportNotice",
    "ImportPlanned",
    "ImportResult",
    "ImportRow",
    "ImportRowChanged",
    "import_rows",
    "import_token",
    "is_same_import",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """A read set to import.

    Attributes:
        number: Its line in the sheet.
        source: The files and their description.
    """

    number: int
    source: ImportSource

    @property
    def name(self) -> str:
        """The read set's name."""
        return self.source.name or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlanned:
    """The plan: which rows will be imported, and in how many jobs.

    Attributes:
        store_id: The sequence store.
        counts: Rows by status; those `waiting` will be imported, those `processing` are in jobs
            that an earlier call started.
        jobs: How many jobs will be started.
    """

    store_id: str
    counts: Mapping[RowStatus, int]
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJobStarted:
    """A job was started, or adopted.

    Attributes:
        job_id: The service's id.
        rows: Numbers of its rows.
        adopted: Whether an earlier call started it.
    """

    job_id: str
    rows: tuple[int, ...]
    adopted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportJobChanged:
    """A job has a new status.

    Attributes:
        status: The service's word.
        message: The service's reason, if it gave one.
    """

    job_id: str
    status: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRowChanged:
    """A row has a new status.

    Attributes:
        job_id: The job it is in, if any.
    """

    result: RowResult
    job_id: str | None = None


ImportNotice = ImportPlanned | ImportJobStarted | ImportJobChanged | ImportRowChanged | Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The result of an import.

    Attributes:
        rows: The result of each row, in the order of the sheet.
        jobs: Every job that was started or followed, as last seen.
        seconds: The duration, in seconds.
        timed_out: Whether the wait timed out before all jobs ended.
        stopped_by: The error that stopped further jobs from starting, such as a forbidden role.
    """

    rows: tuple[RowResult, ...]
    jobs: tuple[ImportJob, ...]
    seconds: float
    timed_out: bool = False
    stopped_by: TurbouploadError | None = None
    counts: Mapping[RowStatus, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counter(row.status for row in self.rows))

    @property
    def failed(self) -> tuple[RowResult, ...]:
        """Rows that need the user's attention."""
        return tuple(row for row in self.rows if row.status in ("failed", "rejected"))

    @property
    def unfinished(self) -> tuple[RowResult, ...]:
        """Rows that the same call continues."""
        return tuple(row for row in self.rows if row.status in UNFINISHED)

    @property
    def outcome(self) -> str:
        """The word that programs branch on.

        `some_failed`, `stopped` (the wait timed out), `processing` or `active`; where an error kept
        further jobs from starting, that error's.
        """
        if self.stopped_by is not None:
            return self.stopped_by.outcome
        if self.failed:
            return "some_failed"
        if self.timed_out:
            return "stopped"
        return "processing" if self.unfinished else "active"


def import_rows(rows: Iterable[SheetRow]) -> tuple[list[ImportRow], list[SheetFinding]]:
    """A sheet's rows as read sets to import.

    Returns:
        The rows that can be imported, and the findings about the others.
    """
    found: list[ImportRow] = []
    findings: list[SheetFinding] = []
    for row in rows:
        if row.sample_id is None or row.subject_id is None:
            continue  # the sheet's reader has reported it
        local = [path for path in row.paths if not path.lower().startswith("s3://")]
        merged = len(row.paths) > len(row.sources)
        file_type = row.file_type or type_in_name(row.paths[0])
        if local:
            hint = "give s3://BUCKET/KEY, or send files with `turboupload batch`"
            findings.append(SheetFinding(row.number, None, f"{local[0]} is not in S3", hint))
        elif merged:
            message = "names several files for one source, and the service imports one"
            hint = "make one object of them in S3, or send files with `turboupload batch`"
            findings.append(SheetFinding(row.number, None, message, hint))
        elif file_type is None:
            message = f"the name of {row.paths[0]} doesn't say what it is"
            hint = "fill in the column `type`, or add --type"
            findings.append(SheetFinding(row.number, None, message, hint))
        else:
            try:
                source = ImportSource(
                    source1=row.paths[0],
                    source2=row.paths[1] if len(row.paths) > 1 else None,
                    file_type=file_type,
                    name=row.name,
                    sample_id=row.sample_id,
                    subject_id=row.subject_id,
                    reference_arn=row.reference_arn,
                    generated_from=row.generated_from,
                    description=row.description,
                    tags=row.tags,
                )
            except InputError as error:
                findings.append(SheetFinding(row.number, None, str(error), error.hint))
            else:
                found.append(ImportRow(number=row.number, source=source))
                findings += _remarks(row, source)
    return found, findings


def _remarks(row: SheetRow, source: ImportSource) -> list[SheetFinding]:
    """Warns if a reference is missing; a BAM's name doesn't distinguish it from a uBAM."""
    needs = type_in_name(source.source1) if row.file_type is None else row.file_type
    if needs is None or not needs.needs_reference or source.reference_arn is not None:
        return []
    by_name = ", by its name" if row.file_type is None else ""
    message = f"is a {needs}{by_name}, and has no reference"
    hint = "the service links BAM and CRAM with a reference; unaligned reads have the type UBAM"
    return [SheetFinding(row.number, None, message, hint, "warning")]


def import_token(
    *,
    where: str,
    store_id: str,
    role_arn: str,
    sources: Sequence[ImportSource],
    after: Sequence[str] = (),
) -> str:
    """The idempotency token of StartReadSetImportJob, 64 hex digits (127 characters may be sent).

    It covers every parameter of the call, because the service's answer to a known token with other
    parameters is not documented. So the same rows give the same token on every host, and a call
    whose reply was lost starts no second job.

    Args:
        where: The endpoint or Region: stores of different services may share an id.
        store_id: The sequence store.
        role_arn: The role.
        sources: Of this job, in order.
        after: The jobs in which these sources were before, oldest first: a source that failed there
            must be tried again, and a used token would not start a new job.
    """
    content = {
        "use": "import",
        "where": where,
        "store": store_id,
        "role": role_arn,
        "sources": [_content(source) for source in sources],
        "after": list(after),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _content(source: ImportSource) -> list[object]:
    return [
        source.source1,
        source.source2,
        source.file_type,
        source.name,
        source.sample_id,
        source.subject_id,
        source.reference_arn,
        source.generated_from,
        source.description,
        dict(sorted(source.tags.items())),
    ]


def is_same_import(ours: ImportSource, theirs: ImportJobSource) -> bool:
    """Whether a job's source imports the same files under the same title as ours.

    Other metadata is not compared, such as tags, to which the service adds its own. A member that a
    reply lacks counts as equal, and so does a name if we gave none.
    """
    return theirs.source1 == ours.source1 and all(
        their is None or their == our
        for our, their in (
            (ours.source2, theirs.source2),
            (ours.sample_id, theirs.sample_id),
            (ours.subject_id, theirs.subject_id),
            (ours.name or theirs.name, theirs.name),
        )
    )
