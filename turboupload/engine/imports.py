"""Imports rows from S3: selects them, puts them into jobs, and polls the jobs to their end."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.core.filters import ReadSetFilter
from turboupload.core.imports.bundle import UNSEEN, Bundle
from turboupload.core.imports.jobs import ImportJob
from turboupload.core.imports.results import ImportTable
from turboupload.core.imports.rows import (
    ImportNotice,
    ImportPlanned,
    ImportResult,
    ImportRow,
    import_token,
)
from turboupload.core.notices import Remark
from turboupload.core.polling import pause_before
from turboupload.engine.create import CONFLICT
from turboupload.engine.import_looks import ImportCalls, ImportLooks
from turboupload.errors import CallFailed, ConfigError, ServiceRefused, TurbouploadError
from turboupload.limits import MAX_IMPORT_SOURCES
from turboupload.state.results_file import ResultsFile
from turboupload.value import Value

__all__ = ["Import", "ImportOptions"]

MOST_ASKED_FOR: Final = 20
"""Up to this many rows are looked up one by one, at five calls a second; a store may hold
millions."""

WRITE_S: Final = 2.0
"""How often the results file follows the rows, in seconds."""

OVER_QUOTA: Final = "ServiceQuotaExceededException"

MOST_UNSEEN: Final = 2
"""Where no job is shown that used a token, so many others are tried: a conflict (409) may have
another reason, too."""

CONFLICT_HINT: Final = (
    "no job is shown that used the token: look at `turboupload import list`; if none imports these "
    "rows, start them with a row more or less, which makes another token"
)


class ImportOptions(Value, frozen=True, kw_only=True):
    """How to import.

    Attributes:
        role_arn: The role with which the service reads the sources.
        where: The endpoint or Region, for the tokens.
        again: Also import what is already in the store.
        wait: Follow the jobs to their end.
        wait_timeout_s: Longest wait for that, in seconds; None waits for ever.
        poll_interval_s: Longest pause between two looks at the jobs, in seconds.
        patience_s: How long to look for what one answer doesn't show, in seconds; longer than a
            listing may lag.
        retry_failed: How often sources that failed are put into a job again.
    """

    role_arn: str
    where: str
    again: bool = False
    wait: bool = True
    wait_timeout_s: float | None = None
    poll_interval_s: float = 30.0
    patience_s: float = 75.0
    retry_failed: int = 0


class Import:
    """Imports rows, each to one read set.

    Rows that the store has, or that a job under way will bring, are not started again. That holds
    on any host and after any crash, since the service is asked, and the tokens are computed from
    the rows. What a job brought so lately that no listing need show it is asked for by its id.

    Args:
        calls: The service.
        store_id: The sequence store.
        rows: Checked.
        options: How.
        clock: Time.
        tell: Called with everything that happens. An exception from it ends the call, not the jobs.
        results: Where the rows' results are kept, if anywhere.
    """

    def __init__(
        self,
        calls: ImportCalls,
        store_id: str,
        rows: Sequence[ImportRow],
        options: ImportOptions,
        *,
        clock: Clock,
        tell: Callable[[ImportNotice], None],
        results: ResultsFile | None = None,
    ) -> None:
        self._calls = calls
        self._store_id = store_id
        self._rows = rows
        self._options = options
        self._clock = clock
        self._tell = tell
        self._results = results
        self._looks = ImportLooks(calls, store_id, clock=clock, patience_s=options.patience_s)
        self._table = ImportTable(rows, tell)
        self._earlier: dict[str, ImportJob] = {}
        self._surveyed_at: datetime | None = None
        self._waiting: deque[Bundle] = deque()
        self._active: dict[str, Bundle] = {}
        self._over_quota: ServiceRefused | None = None
        self._written = -1
        self._written_at = float("-inf")
        self._unwritten = False

    async def rehearse(self) -> ImportResult:
        """Finds out what `run` would do; rows that it would start are `waiting`."""
        began = self._clock.now()
        await self._survey()
        return self._result(began)

    async def run(self) -> ImportResult:
        """Starts the jobs that are needed, and polls them; a row's failure is in its result.

        Raises:
            TurbouploadError: The service could not be asked; jobs that were started go on.
        """
        began = self._clock.now()
        stopped_by, timed_out = None, False
        try:
            await self._survey()
            # Before anything is started, so that a file that can't be written is found in time.
            await self._write_results()
            try:
                timed_out = await self._carry_out()
            except ServiceRefused as error:
                stopped_by = error
                self._refuse_rest(error)
        finally:
            # Also when the caller cancels: what is known by then is kept.
            with anyio.CancelScope(shield=True):
                await self._keep_results()
        return self._result(began, timed_out=timed_out, stopped_by=stopped_by)

    def _result(
        self, began: float, *, timed_out: bool = False, stopped_by: TurbouploadError | None = None
    ) -> ImportResult:
        return ImportResult(
            rows=tuple(self._table.results),
            jobs=tuple(self._table.jobs.values()),
            seconds=self._clock.now() - began,
            timed_out=timed_out,
            stopped_by=stopped_by,
        )

    # --- what is there already --------------------------------------------------------------

    async def _survey(self) -> None:
        """Lists jobs first, so that a read set made in between is in the later listing."""
        ended, recent = [], []
        async for listed in self._calls.list_read_set_import_jobs(self._store_id):
            self._earlier[listed.job_id] = listed
            if not listed.ended:
                job = self._earlier[listed.job_id] = await self._looks.job(listed.job_id)
                if job.ended:
                    ended.append(job)
                else:
                    self._adopt(job)
            elif self._looks.is_recent(listed):
                recent.append(listed.job_id)
        # Before anything is started.
        self._surveyed_at = self._calls.service_time
        if not self._options.again:
            for wanted in self._filters():
                async for found in self._calls.list_read_sets(self._store_id, wanted):
                    self._table.found_in_store(found)
            jobs = [*ended, *await self._looks.jobs(recent)]
            await self._find_what_came_of(jobs, self._table.with_status("waiting"))
        starting = self._table.with_status("waiting")
        for start in range(0, len(starting), MAX_IMPORT_SOURCES):
            rows = starting[start : start + MAX_IMPORT_SOURCES]
            self._waiting.append(Bundle(rows, (), self._options.retry_failed))
        self._tell(
            ImportPlanned(
                store_id=self._store_id, counts=self._table.counts, jobs=len(self._waiting)
            )
        )

    def _adopt(self, job: ImportJob) -> None:
        if rows := self._table.under_way(job):
            self._active[job.job_id] = Bundle(rows, (job.job_id,), self._options.retry_failed)

    async def _find_what_came_of(self, jobs: Sequence[ImportJob], rows: Sequence[int]) -> None:
        """Takes the read sets that jobs, which have ended, made of rows that are still to start."""
        named: list[str] = []
        for job in jobs:
            for index, read_set_id in self._table.made_in(job, rows).items():
                if read_set_id is not None:
                    named.append(read_set_id)
                elif self._looks.is_recent(job):
                    self._table.made_unnamed(index, job)
        lately = any(map(self._looks.is_recent, jobs))
        for found in await self._looks.read_sets(named, made_lately=lately):
            self._table.found_in_store(found)

    def _filters(self) -> list[ReadSetFilter]:
        """What to list: a few rows are asked for one by one, many by what they have in common."""

        def shared(values: set[str | None]) -> str | None:
            return next(iter(values)) if len(values) == 1 else None

        sources = [[row.source] for row in self._rows]
        if len(sources) > MOST_ASKED_FOR:
            sources = [[row.source for row in self._rows]]
        return [
            ReadSetFilter(
                name=shared({source.name for source in group}),
                sample_id=shared({source.sample_id for source in group}),
                subject_id=shared({source.subject_id for source in group}),
            )
            for group in sources
        ]

    # --- jobs -------------------------------------------------------------------------------

    async def _carry_out(self) -> bool:
        """Starts and follows jobs; returns whether the wait was over too soon."""
        deadline = self._deadline()
        for look in itertools.count(1):
            while self._waiting and self._over_quota is None:
                await self._start(self._waiting.popleft())
            if self._clock.now() - self._written_at >= WRITE_S:
                await self._keep_results()
            if self._over_quota is not None and not (self._active and self._options.wait):
                raise self._over_quota
            if not self._active or not self._options.wait:
                return False
            pause = pause_before(look, longest_s=self._options.poll_interval_s)
            await self._clock.sleep(min(pause, max(0.0, deadline - self._clock.now())))
            for job_id in list(self._active):
                await self._poll(job_id)
            if self._active and self._clock.now() >= deadline:
                return True
        raise AssertionError("unreachable")

    def _deadline(self) -> float:
        timeout_s = self._options.wait_timeout_s
        return float("inf") if timeout_s is None else self._clock.now() + timeout_s

    async def _start(self, bundle: Bundle) -> None:
        """Starts a job, unless an earlier call did and that job is still under way."""
        while bundle.rows:
            try:
                job = await self._call_start(bundle)
            except ServiceRefused as error:
                self._waiting.appendleft(bundle)
                if error.code != OVER_QUOTA:
                    raise
                self._over_quota = error
                return
            if job is None:
                bundle = bundle.then(UNSEEN)
                continue
            known = job.job_id in bundle.after
            bundle = bundle.then(job.job_id)
            adopted = self._is_earlier(job)
            if adopted:
                # A reply to a used token may be the one of that time, so it doesn't tell the end.
                job = await self._looks.with_sources(self._earlier.get(job.job_id, job))
            if known or not (adopted and job.ended):
                self._earlier[job.job_id] = job
                self._table.begin(job, bundle.rows, adopted=adopted)
                self._active[job.job_id] = bundle
                return
            # The service remembers the token of a job that has ended. What that one brought is not
            # in the store, is not listed yet, or is wanted again.
            if not self._options.again:
                await self._find_what_came_of([job], bundle.rows)
                settled = self._table.with_status("exists", bundle.rows)
                settled += self._table.with_status("rejected", bundle.rows)
                bundle = bundle.without(settled)

    async def _call_start(self, bundle: Bundle) -> ImportJob | None:
        """The job that was started, now or before, for these rows.

        What a service does with a token that was used before, it documents as giving that job back;
        one that refuses it (409) is asked for the job in another way.

        Returns:
            The job; None if the token was used for one that isn't shown.

        Raises:
            ServiceRefused: Nothing could be started.
        """
        rows = bundle.rows
        sources = [self._rows[index].source for index in rows]
        token = import_token(
            where=self._options.where,
            store_id=self._store_id,
            role_arn=self._options.role_arn,
            sources=sources,
            after=bundle.after,
        )
        try:
            return await self._calls.start_read_set_import_job(
                self._store_id,
                role_arn=self._options.role_arn,
                sources=sources,
                client_token=token,
            )
        except ServiceRefused as error:
            if not _is_conflict(error):
                raise
            job = await self._looks.job_of_token(
                self._earlier, bundle.after, lambda job: self._table.has_all(job, rows)
            )
            if job is None and bundle.after.count(UNSEEN) >= MOST_UNSEEN:
                error.hint = CONFLICT_HINT
                raise
            return job

    def _is_earlier(self, job: ImportJob) -> bool:
        """Whether a job was there before this call started any, though no listing showed it.

        Times may be cut to seconds. Where one isn't known, only the listing says so.
        """
        if job.job_id in self._earlier:
            return True
        if self._surveyed_at is None or job.created_at is None:
            return False
        return job.created_at < self._surveyed_at - timedelta(seconds=1)

    async def _poll(self, job_id: str) -> None:
        job = await self._looks.glance(job_id)
        if job is None:
            return
        self._table.seen(job)
        if not job.ended:
            return
        bundle = self._active.pop(job_id)
        self._over_quota = None
        failed = self._table.with_status("failed", bundle.rows)
        if failed and bundle.tries > 0:
            self._waiting.append(Bundle(failed, bundle.after, bundle.tries - 1))

    def _refuse_rest(self, error: ServiceRefused) -> None:
        """Fails the rows that have no job yet; the jobs that were started continue."""
        rows = [index for bundle in self._waiting for index in bundle.rows]
        self._table.fail(rows, str(error), error.hint or "run the same command again")
        self._waiting.clear()

    async def _keep_results(self) -> None:
        """Writes the results; the jobs continue even if the file can't be written."""
        try:
            await self._write_results()
        except ConfigError as error:
            if not self._unwritten:
                self._unwritten = True
                self._tell(Remark("results-unwritten", str(error)))

    async def _write_results(self) -> None:
        changes = self._table.changes
        if self._results is None or changes == self._written:
            return
        self._written_at = self._clock.now()
        await anyio.to_thread.run_sync(self._results.write, tuple(self._table.results))
        self._written = changes


def _is_conflict(error: ServiceRefused) -> bool:
    """Whether a client token was used before, on a service that refuses it then."""
    return isinstance(error.__cause__, CallFailed) and error.__cause__.status == CONFLICT
