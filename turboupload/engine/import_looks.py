"""What the service has of an import, though listings lag and one answer may miss what is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from turboupload.clock import Clock
from turboupload.core.filters import ImportJobFilter, ReadSetFilter
from turboupload.core.imports.jobs import ImportJob, ImportSource
from turboupload.core.polling import Absence
from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.patience import Patience
from turboupload.errors import ServiceRefused
from turboupload.omics.base import NOT_FOUND
from turboupload.omics.pager import Listing

__all__ = ["ImportCalls", "ImportLooks"]

T = TypeVar("T")

UNSEEN_HINT: Final = (
    "the service named this job, and doesn't show it: run the same command again later, which "
    "follows the job if it is shown then"
)

_BRIEFLY_S = 10.0
"""How long to look for what a listing shows, or would, by now: one answer may miss that, too."""

_PAUSE_S = 1.0
"""Before a job is asked for again that one answer missed, in seconds."""


class ImportCalls(Protocol):
    """The calls that an import makes; each raises `TurbouploadError` once trying is over."""

    @property
    def service_time(self) -> datetime | None:
        """The time by the service's clock; None if unknown."""
        ...

    async def start_read_set_import_job(
        self,
        store_id: str,
        *,
        role_arn: str,
        sources: Sequence[ImportSource],
        client_token: str | None = None,
    ) -> ImportJob:
        """Starts a job; with a token that was used before, that job comes back, or a conflict."""
        ...

    async def get_read_set_import_job(self, store_id: str, job_id: str) -> ImportJob:
        """A job with its sources."""
        ...

    def list_read_set_import_jobs(
        self, store_id: str, wanted: ImportJobFilter | None = None
    ) -> Listing[ImportJob]:
        """The jobs of a store, without their sources."""
        ...

    def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter | None = None
    ) -> Listing[ReadSetDetails]:
        """The read sets of a store."""
        ...

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        """A read set."""
        ...


class ImportLooks:
    """Looks at jobs and read sets until what they don't show is believed.

    Args:
        calls: The service.
        store_id: The sequence store.
        clock: Time.
        patience_s: How long to look for what one answer doesn't show, in seconds.
    """

    def __init__(
        self, calls: ImportCalls, store_id: str, *, clock: Clock, patience_s: float
    ) -> None:
        self._calls = calls
        self._store_id = store_id
        self._clock = clock
        self._patience_s = patience_s
        self._briefly_s = min(_BRIEFLY_S, patience_s)
        self._absences: dict[str, Absence] = {}
        self._looked_into: dict[str, ImportJob] = {}

    def is_recent(self, job: ImportJob) -> bool:
        """Whether what a job that has ended brought may not be listed yet."""
        now = self._calls.service_time
        if job.completed_at is None or now is None:
            return True
        return (now - job.completed_at).total_seconds() <= self._patience_s

    async def glance(self, job_id: str) -> ImportJob | None:
        """A job that the service has named, with its sources; None if this answer misses it.

        Raises:
            ServiceRefused: The service refuses, or has not shown it for so long.
        """
        absence = self._absences.setdefault(job_id, Absence(self._patience_s))
        try:
            job = await self._calls.get_read_set_import_job(self._store_id, job_id)
        except ServiceRefused as error:
            if error.code != NOT_FOUND:
                raise
            if absence.is_believed(self._clock.now()):
                error.hint = UNSEEN_HINT
                raise
            return None
        absence.ends()
        return job

    async def job(self, job_id: str) -> ImportJob:
        """A job that is under way, with its sources; asked for until it is shown.

        Raises:
            ServiceRefused: The service refuses, or has not shown it for so long.
        """
        while (job := await self.glance(job_id)) is None:
            await self._clock.sleep(_PAUSE_S)
        return job

    async def with_sources(self, job: ImportJob) -> ImportJob:
        """A job that an earlier call started; as it is given if the service has it no more."""
        return next(iter(await self.jobs([job.job_id])), job)

    async def jobs(self, job_ids: Sequence[str]) -> list[ImportJob]:
        """Those of the jobs that are shown, with their sources.

        One that has ended, and is listed, need not be kept for as long.
        """
        return await self._shown(
            job_ids,
            partial(self._calls.get_read_set_import_job, self._store_id),
            patience_s=self._patience_s,
        )

    async def read_sets(self, ids: Sequence[str], *, made_lately: bool) -> list[ReadSetDetails]:
        """Those of the read sets, of which jobs have told, that the store still has.

        Args:
            ids: Theirs.
            made_lately: Whether they may be so new that no look need show them. Otherwise the
                listing is a witness already, and they are looked for briefly.
        """
        return await self._shown(
            ids,
            partial(self._calls.get_read_set_metadata, self._store_id),
            patience_s=self._patience_s if made_lately else self._briefly_s,
        )

    async def _shown(
        self, ids: Sequence[str], ask: Callable[[str], Awaitable[T]], *, patience_s: float
    ) -> list[T]:
        """What the service shows of these; what it doesn't is asked for again, all together."""
        found: list[T] = []
        left = list(dict.fromkeys(ids))
        patience = Patience(patience_s)
        deadline = self._clock.now() + patience_s
        while left:
            await self._clock.sleep(patience.pause_s)
            missing = []
            for each in left:
                try:
                    found.append(await ask(each))
                except ServiceRefused as error:
                    if error.code != NOT_FOUND:
                        raise
                    missing.append(each)
            left = missing
            patience.looked()
            if patience.exhausted or self._clock.now() >= deadline:
                break
        return found

    async def job_of_token(
        self,
        known: Collection[str],
        passed_over: Collection[str],
        is_wanted: Callable[[ImportJob], bool],
    ) -> ImportJob | None:
        """The job that used a token which the service refuses as used; the refusal names none.

        A job that the caller doesn't know yet comes first: it may be at work, so it is looked for
        as long as a listing may lag. Otherwise it is the newest of those that the caller knows.
        Which one that is is the same on every host, and so is the token that is taken after it.

        Args:
            known: The jobs that the caller knows, or has started.
            passed_over: Those of them that did not use this token.
            is_wanted: Tells the job by its sources.

        Returns:
            The job; None if the service shows none.
        """
        looked_into = set(known)
        patience = Patience(self._patience_s)
        while not patience.exhausted:
            await self._clock.sleep(patience.pause_s)
            listing = self._calls.list_read_set_import_jobs(self._store_id)
            listed = sorted([job async for job in listing], key=_birth, reverse=True)
            for each in listed:
                if each.job_id in looked_into:
                    continue
                looked_into.add(each.job_id)
                job = await (self.with_sources(each) if each.ended else self.job(each.job_id))
                if is_wanted(job):
                    return job
            patience.looked()
        for each in listed:
            if each.job_id in known and each.job_id not in passed_over:
                job = await self._known_job(each)
                if is_wanted(job):
                    return job
        return None

    async def _known_job(self, job: ImportJob) -> ImportJob:
        """A job with its sources, which never change; as it is given if it isn't shown."""
        if job.job_id not in self._looked_into:
            found = await self._shown(
                [job.job_id],
                partial(self._calls.get_read_set_import_job, self._store_id),
                patience_s=self._briefly_s,
            )
            self._looked_into[job.job_id] = found[0] if found else job
        return self._looked_into[job.job_id]


def _birth(job: ImportJob) -> tuple[float, str]:
    return job.created_at.timestamp() if job.created_at is not None else 0.0, job.job_id
