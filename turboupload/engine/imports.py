"""Imports rows from S3: selects them, puts them into jobs, and polls the jobs to their end."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import anyio
import anyio.to_thread

from turboupload.clock import Clock
from turboupload.core.filters import ImportJobFilter, ReadSetFilter
from turboupload.core.imports.jobs import ImportJob, ImportSource
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
from turboupload.core.records import ReadSetDetails
from turboupload.errors import ConfigError, ServiceRefused, TurbouploadError
from turboupload.limits import MAX_IMPORT_SOURCES
from turboupload.omics.pager import Listing
from turboupload.state.results_file import ResultsFile
from turboupload.value import Value

__all__ = ["Import", "ImportCalls", "ImportOptions"]

MOST_ASKED_FOR: Final = 20
"""Up to this many rows are looked up one by one, at five calls a second; a store may hold
millions."""

WRITE_S: Final = 2.0
"""How often the results file follows the rows, in seconds."""

OVER_QUOTA: Final = "ServiceQuotaExceededException"


class ImportCalls(Protocol):
    """The calls that an import makes; each raises `TurbouploadError` once trying is over."""

    async def start_read_set_import_job(
        self,
        store_id: str,
        *,
        role_arn: str,
        sources: Sequence[ImportSource],
        client_token: str | None = None,
    ) -> ImportJob:
        """Starts a job; with a token that was used before, that job comes back."""
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


class ImportOptions(Value, frozen=True, kw_only=True):
    """How to import.

    Attributes:
        role_arn: The role with which the service reads the sources.
        where: The endpoint or Region, for the tokens.
        again: Also import what is already in the store.
        wait: Follow the jobs to their end.
        wait_timeout_s: Longest wait for that, in seconds; None waits for ever.
        poll_interval_s: Longest pause between two looks at the jobs, in seconds.
        retry_failed: How often sources that failed are put into a job again.
    """

    role_arn: str
    where: str
    again: bool = False
    wait: bool = True
    wait_timeout_s: float | None = None
    poll_interval_s: float = 30.0
    retry_failed: int = 0


class _Bundle(Value, frozen=True):
    """Rows that go into one job.

    Attributes:
        rows: Their indices.
        after: The jobs that they were in before, oldest first.
        tries: How often they may fail yet.
    """

    rows: tuple[int, ...]
    after: tuple[str, ...]
    tries: int


class Import:
    """Imports rows, each to one read set.

    Rows that the store has, or that a job under way will bring, are not started again. That holds
    on any host and after any crash, since the service is asked, and the tokens are computed from
    the rows.

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
        self._table = ImportTable(rows, tell)
        self._earlier: set[str] = set()
        self._waiting: deque[_Bundle] = deque()
        self._active: dict[str, _Bundle] = {}
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
        async for job in self._calls.list_read_set_import_jobs(self._store_id):
            self._earlier.add(job.job_id)
            if not job.ended:
                self._adopt(await self._calls.get_read_set_import_job(self._store_id, job.job_id))
        if not self._options.again:
            for wanted in self._filters():
                async for found in self._calls.list_read_sets(self._store_id, wanted):
                    self._table.found_in_store(found)
        starting = self._table.with_status("waiting")
        for start in range(0, len(starting), MAX_IMPORT_SOURCES):
            rows = starting[start : start + MAX_IMPORT_SOURCES]
            self._waiting.append(_Bundle(rows, (), self._options.retry_failed))
        self._tell(
            ImportPlanned(
                store_id=self._store_id, counts=self._table.counts, jobs=len(self._waiting)
            )
        )

    def _adopt(self, job: ImportJob) -> None:
        # A job that has ended in between counts by its read sets in the store.
        rows = () if job.ended else self._table.under_way(job)
        if rows:
            self._active[job.job_id] = _Bundle(rows, (job.job_id,), self._options.retry_failed)

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

    async def _start(self, bundle: _Bundle) -> None:
        """Starts a job, unless an earlier call did and that job is still under way."""
        sources = [self._rows[index].source for index in bundle.rows]
        while True:
            token = import_token(
                where=self._options.where,
                store_id=self._store_id,
                role_arn=self._options.role_arn,
                sources=sources,
                after=bundle.after,
            )
            try:
                job = await self._calls.start_read_set_import_job(
                    self._store_id,
                    role_arn=self._options.role_arn,
                    sources=sources,
                    client_token=token,
                )
            except ServiceRefused as error:
                self._waiting.appendleft(bundle)
                if error.code != OVER_QUOTA:
                    raise
                self._over_quota = error
                return
            known, adopted = job.job_id in bundle.after, job.job_id in self._earlier
            bundle = _Bundle(bundle.rows, (*bundle.after, job.job_id), bundle.tries)
            if adopted:
                job = await self._calls.get_read_set_import_job(self._store_id, job.job_id)
            if known or not (adopted and job.ended):
                break
            # The service remembers the token of a job that has ended, and what that one brought is
            # not in the store, or is wanted again.
        self._earlier.add(job.job_id)
        self._table.begin(job, bundle.rows, adopted=adopted)
        self._active[job.job_id] = bundle

    async def _poll(self, job_id: str) -> None:
        job = await self._calls.get_read_set_import_job(self._store_id, job_id)
        self._table.seen(job)
        if not job.ended:
            return
        bundle = self._active.pop(job_id)
        self._over_quota = None
        failed = self._table.with_status("failed", bundle.rows)
        if failed and bundle.tries > 0:
            self._waiting.append(_Bundle(failed, bundle.after, bundle.tries - 1))

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
