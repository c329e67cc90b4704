"""The status of each row of an import: facts from the service in, results out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from turboupload.core.imports.jobs import (
    ImportJob,
    ImportJobSource,
    ImportJobStatus,
    ImportSourceStatus,
)
from turboupload.core.imports.rows import (
    ImportJobChanged,
    ImportJobStarted,
    ImportNotice,
    ImportRow,
    ImportRowChanged,
    is_same_import,
)
from turboupload.core.records import ReadSetDetails
from turboupload.core.rows import RowResult, RowStatus

__all__ = ["ImportTable"]

CORRECT_HINT = "correct the object or its row, then run the same command again"
_GONE = frozenset({"UPLOAD_FAILED", "DELETED", "DELETING"})


class ImportTable:
    """The rows' results so far.

    Args:
        rows: All of them.
        tell: Called with every change.

    Attributes:
        results: The result of each row so far, in the order of the sheet.
        jobs: Every job with rows of the sheet, as last seen.
        changes: The number of changes.
    """

    def __init__(self, rows: Sequence[ImportRow], tell: Callable[[ImportNotice], None]) -> None:
        self._rows = rows
        self._tell = tell
        self._named: dict[str | None, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            self._named[row.source.name].append(index)
        self._members: dict[str, tuple[int, ...]] = {}
        self.jobs: dict[str, ImportJob] = {}
        self.changes = 0
        self.results = [
            RowResult(
                row=row.number,
                name=row.name,
                sample=row.source.sample_id,
                status="waiting",
                subject=row.source.subject_id,
                file_type=row.source.file_type,
                source1=row.source.source1,
                source2=row.source.source2,
            )
            for row in rows
        ]

    @property
    def counts(self) -> Counter[RowStatus]:
        """Rows by status."""
        return Counter(result.status for result in self.results)

    def with_status(self, status: RowStatus, among: Iterable[int] | None = None) -> tuple[int, ...]:
        """The indices of rows with a status."""
        indices = range(len(self._rows)) if among is None else among
        return tuple(index for index in indices if self.results[index].status == status)

    # --- read sets in the store ------------------------------------------------------------------

    def found_in_store(self, found: ReadSetDetails) -> None:
        """Skips a row whose read set is there; rejects one if another read set has its title.

        The title is name, sample and subject. A read set doesn't say from which object it was
        imported, so its metadata decides. A member that a listing lacks counts as equal, and an
        unknown status as usable: in doubt, nothing is imported twice.
        """
        if found.status in _GONE:
            return
        for index in self._named.get(found.name, ()):
            ours = self._rows[index].source
            if found.sample_id in (None, ours.sample_id) and found.subject_id in (
                None,
                ours.subject_id,
            ):
                self._compare(index, found)

    def _compare(self, index: int, found: ReadSetDetails) -> None:
        if self.results[index].status not in ("waiting", "rejected"):
            return
        if _describes(self._rows[index], found):
            self._change(
                index,
                status="exists",
                read_set_id=found.read_set_id,
                message="a read set with this metadata is in the store",
                what_to_do="",
            )
            return
        self._change(
            index,
            status="rejected",
            message=f"read set {found.read_set_id} has this name, sample and subject, "
            "and another description, reference, origin or type",
            what_to_do="choose another name, or add --again",
        )

    # --- jobs -------------------------------------------------------------------------------

    def made_in(self, job: ImportJob, indices: Iterable[int]) -> dict[int, str | None]:
        """Which of these rows a job, which has ended, made read sets of, and their ids.

        An id is None where the reply lacks it: the member is optional.
        """
        by_files = _by_files(job)
        return {
            index: each.read_set_id
            for index in indices
            for each in by_files[self._rows[index].source.source1]
            if (each.read_set_id is not None or each.status == ImportSourceStatus.FINISHED)
            and is_same_import(self._rows[index].source, each)
        }

    def made_unnamed(self, index: int, job: ImportJob) -> None:
        """Skips a row of which a job made a read set whose id it doesn't tell."""
        self._change(
            index,
            job_id=job.job_id,
            status="exists",
            message=f"import job {job.job_id} made a read set of it",
            what_to_do="",
        )

    def has_all(self, job: ImportJob, indices: Iterable[int]) -> bool:
        """Whether a job imports all these rows."""
        by_files = _by_files(job)
        return all(
            any(is_same_import(ours, each) for each in by_files[ours.source1])
            for ours in (self._rows[index].source for index in indices)
        )

    def under_way(self, job: ImportJob) -> tuple[int, ...]:
        """Takes a job that an earlier call started: rows in it are not started again.

        Returns:
            Their indices.
        """
        by_files = _by_files(job)
        indices = tuple(
            index
            for index in self.with_status("waiting")
            if any(
                is_same_import(self._rows[index].source, each)
                for each in by_files[self._rows[index].source.source1]
            )
        )
        if indices:
            self.begin(job, indices, adopted=True)
            self.seen(job)
        return indices

    def begin(self, job: ImportJob, indices: Sequence[int], *, adopted: bool = False) -> None:
        """Records that rows are in a job now."""
        self._members[job.job_id] = tuple(indices)
        self.jobs[job.job_id] = job
        numbers = tuple(self._rows[index].number for index in indices)
        self._tell(ImportJobStarted(job_id=job.job_id, rows=numbers, adopted=adopted))
        for index in indices:
            self._change(
                index,
                job_id=job.job_id,
                status="processing",
                read_set_id=None,
                message=f"in import job {job.job_id}",
                what_to_do="run the same command again to follow it",
            )

    def seen(self, job: ImportJob) -> None:
        """Takes the status of a job."""
        before = self.jobs[job.job_id].status
        self.jobs[job.job_id] = job
        if job.status != before and job.status is not None:
            self._tell(
                ImportJobChanged(job_id=job.job_id, status=job.status, message=job.status_message)
            )
        by_files = _by_files(job)
        for index in self._members[job.job_id]:
            ours = self._rows[index].source
            for theirs in by_files[ours.source1]:
                if is_same_import(ours, theirs):
                    self._take(index, job, theirs)
                    break
            else:
                if job.ended:
                    self._fail_with(index, job, None)

    def _take(self, index: int, job: ImportJob, source: ImportJobSource) -> None:
        if source.status == ImportSourceStatus.FINISHED:
            self._change(
                index,
                job_id=job.job_id,
                status="active",
                read_set_id=source.read_set_id,
                message="",
                what_to_do="",
            )
        elif source.status == ImportSourceStatus.FAILED or job.ended:
            self._fail_with(index, job, source.status_message)

    def _fail_with(self, index: int, job: ImportJob, message: str | None) -> None:
        reason = message or job.status_message
        if reason is None:
            reason = (
                "the job was cancelled"
                if job.status == ImportJobStatus.CANCELLED
                else "the service gave no reason"
            )
        self.fail([index], f"{reason} (import job {job.job_id})", CORRECT_HINT, job_id=job.job_id)

    def fail(
        self,
        indices: Iterable[int],
        message: str,
        what_to_do: str,
        *,
        job_id: str | None = None,
    ) -> None:
        """Records that rows failed."""
        for index in indices:
            self._change(
                index, job_id=job_id, status="failed", message=message, what_to_do=what_to_do
            )

    def _change(self, index: int, *, job_id: str | None = None, **fields: Any) -> None:
        before = self.results[index]
        after = replace(before, **fields)
        if after != before:
            self.results[index] = after
            self.changes += 1
            self._tell(ImportRowChanged(result=after, job_id=job_id))


def _by_files(job: ImportJob) -> dict[str | None, list[ImportJobSource]]:
    found: dict[str | None, list[ImportJobSource]] = defaultdict(list)
    for source in job.sources:
        found[source.source1].append(source)
    return found


def _describes(row: ImportRow, found: ReadSetDetails) -> bool:
    """Whether all metadata of a read set equal the row's.

    A member that a listing lacks counts as equal, and so does an origin if the row gives none: the
    service may know it from the files.
    """
    ours = row.source
    pairs = (
        (str(ours.file_type), found.file_type),
        (ours.reference_arn, found.reference_arn),
        (ours.generated_from or found.generated_from, found.generated_from),
        (ours.description, found.description),
    )
    return all(theirs is None or theirs == mine for mine, theirs in pairs)
