"""Imports where the service shows things late, not at all, or refuses tokens; on a quick clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.scripted import FastClock
from turboupload.core.filters import ImportJobFilter, ReadSetFilter
from turboupload.core.imports.jobs import ImportJob, ImportJobSource, ImportSource
from turboupload.core.imports.rows import ImportResult, ImportRow
from turboupload.core.records import ReadSetDetails
from turboupload.engine.imports import Import, ImportOptions
from turboupload.errors import CallFailed, ServiceRefused
from turboupload.omics.base import NOT_FOUND, Page
from turboupload.omics.pager import Listing

ROLE = "arn:aws:iam::111122223333:role/r"
STORE = "1234567890"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 75.0


def source(name: str) -> ImportSource:
    return ImportSource(
        source1=f"s3://bucket/{name}.fastq.gz",
        file_type="FASTQ",
        name=name,
        sample_id="S",
        subject_id="U",
    )


def refused(operation: str, status: int, code: str) -> ServiceRefused:
    failure = CallFailed(operation, code=code, status=status, message=code)
    error = ServiceRefused(code, code=code, operation=operation, hint="check the id")
    error.__cause__ = failure
    return error


@dataclass
class Store:
    """A sequence store whose jobs take no time.

    Attributes:
        objects: The names of what is in S3.
        jobs_lag_s: ListReadSetImportJobs doesn't show a younger job.
        read_sets_lag_s: ListReadSets doesn't show a younger read set.
        refuses_used_tokens: Answers a used token with 409.
        refuses_all: Answers every Start with 409.
        lost_replies: So many replies to Start are lost, and the call is repeated.
        missed_s: How long GetReadSetImportJob misses a new job.
        forgotten: Jobs that are neither listed nor shown.
        unshown: Jobs that are listed and not shown.
        names_read_sets: Whether a job's sources tell the ids of their read sets.
    """

    fast: FastClock = field(default_factory=FastClock)
    objects: set[str] = field(default_factory=set)
    jobs_lag_s: float = 0.0
    read_sets_lag_s: float = 0.0
    refuses_used_tokens: bool = False
    refuses_all: bool = False
    lost_replies: int = 0
    missed_s: float = 0.0
    forgotten: set[str] = field(default_factory=set)
    unshown: set[str] = field(default_factory=set)
    names_read_sets: bool = True
    jobs: dict[str, ImportJob] = field(default_factory=dict)
    read_sets: dict[str, ReadSetDetails] = field(default_factory=dict)
    tokens: dict[str | None, str] = field(default_factory=dict)

    @property
    def service_time(self) -> datetime:
        return EPOCH + timedelta(seconds=self.fast.time)

    def age_s(self, made: datetime | None) -> float:
        assert made is not None
        return (self.service_time - made).total_seconds()

    def import_now(self, sources: Sequence[ImportSource]) -> ImportJob:
        job_id = str(1000000000 + len(self.jobs))
        ended = []
        for each in sources:
            theirs = ImportJobSource(
                source1=each.source1,
                name=each.name,
                sample_id="S",
                subject_id="U",
                file_type="FASTQ",
                status="FAILED",
            )
            if each.name in self.objects:
                read_set_id = str(2000000000 + len(self.read_sets))
                self.read_sets[read_set_id] = ReadSetDetails(
                    read_set_id=read_set_id,
                    store_id=STORE,
                    status="ACTIVE",
                    name=each.name,
                    sample_id="S",
                    subject_id="U",
                    file_type="FASTQ",
                    created_at=self.service_time,
                )
                named = read_set_id if self.names_read_sets else None
                theirs = replace(theirs, status="FINISHED", read_set_id=named)
            ended.append(theirs)
        self.jobs[job_id] = ImportJob(
            job_id=job_id,
            store_id=STORE,
            role_arn=ROLE,
            status="COMPLETED_WITH_FAILURES",
            created_at=self.service_time,
            completed_at=self.service_time,
            sources=tuple(ended),
        )
        return self.jobs[job_id]

    async def start_read_set_import_job(
        self,
        store_id: str,
        *,
        role_arn: str,
        sources: Sequence[ImportSource],
        client_token: str | None = None,
    ) -> ImportJob:
        """Answers as at the time when the token was first used."""
        used = client_token in self.tokens
        if self.refuses_all or (used and self.refuses_used_tokens):
            raise refused("StartReadSetImportJob", 409, "ConflictException")
        if not used:
            self.tokens[client_token] = self.import_now(sources).job_id
        if self.lost_replies:
            self.lost_replies -= 1
            return await self.start_read_set_import_job(
                store_id, role_arn=role_arn, sources=sources, client_token=client_token
            )
        job = self.jobs[self.tokens[client_token]]
        return replace(job, status="SUBMITTED", completed_at=None, sources=())

    async def get_read_set_import_job(self, store_id: str, job_id: str) -> ImportJob:
        missed = self.age_s(self.jobs[job_id].created_at) < self.missed_s
        if missed or job_id in self.forgotten | self.unshown:
            raise refused("GetReadSetImportJob", 404, NOT_FOUND)
        return self.jobs[job_id]

    def list_read_set_import_jobs(
        self, store_id: str, wanted: ImportJobFilter | None = None
    ) -> Listing[ImportJob]:
        async def ask(token: str | None, size: int) -> Page[ImportJob]:
            return Page(
                tuple(
                    replace(job, sources=())
                    for job in self.jobs.values()
                    if job.job_id not in self.forgotten
                    and self.age_s(job.created_at) >= self.jobs_lag_s
                ),
                None,
            )

        return Listing(ask)

    def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter | None = None
    ) -> Listing[ReadSetDetails]:
        async def ask(token: str | None, size: int) -> Page[ReadSetDetails]:
            return Page(
                tuple(
                    each
                    for each in self.read_sets.values()
                    if self.age_s(each.created_at) >= self.read_sets_lag_s
                ),
                None,
            )

        return Listing(ask)

    async def get_read_set_metadata(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        if read_set_id not in self.read_sets:
            raise refused("GetReadSetMetadata", 404, NOT_FOUND)
        return self.read_sets[read_set_id]

    async def run(self, *names: str, **options: Any) -> ImportResult:
        return await Import(
            self,
            STORE,
            [ImportRow(number=number, source=source(name)) for number, name in enumerate(names, 1)],
            ImportOptions(role_arn=ROLE, where="here", patience_s=PATIENCE_S, **options),
            clock=self.fast.clock(),
            tell=lambda notice: None,
        ).run()


def outcome(result: ImportResult) -> list[str]:
    return [row.status for row in result.rows]


# --- what listings show late ----------------------------------------------------------------


async def test_a_job_that_no_listing_shows_is_not_taken_for_the_one_that_is_asked_for() -> None:
    """The token brings it back: by its time, it was there before this call."""
    store = Store(objects={"a"}, jobs_lag_s=600.0, read_sets_lag_s=600.0)
    first = await store.run("a", "late")
    assert outcome(first) == ["active", "failed"]
    store.objects.add("late")
    store.fast.time += 30
    again = await store.run("a", "late")
    assert outcome(again) == ["exists", "active"]
    assert again.rows[0].read_set_id == first.rows[0].read_set_id
    assert len(store.read_sets) == 2
    store.fast.time += 30
    anew = await store.run("a", "late", again=True)
    assert outcome(anew) == ["active", "active"]
    assert len(store.read_sets) == 4


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_read_set_that_is_listed_later_than_any_lag_explains(refuses: bool) -> None:
    """Its job tells its id: the token brings it back, or its refusal has it looked for."""
    store = Store(objects={"a"}, read_sets_lag_s=1000.0, refuses_used_tokens=refuses)
    first = await store.run("a")
    store.fast.time += 3 * PATIENCE_S
    again = await store.run("a")
    assert outcome(again) == ["exists"]
    assert again.rows[0].read_set_id == first.rows[0].read_set_id
    assert len(store.jobs) == 1


async def test_read_sets_that_were_deleted_long_ago_are_made_anew_soon() -> None:
    """No listing has shown them for longer than a lag explains."""
    store = Store(objects={"a", "b"})
    await store.run("a", "b")
    store.read_sets.clear()
    store.fast.time += 3 * PATIENCE_S
    before = store.fast.time
    assert outcome(await store.run("a", "b")) == ["active", "active"]
    assert store.fast.time - before < 15


async def test_a_read_set_whose_id_its_job_does_not_tell_is_not_made_twice() -> None:
    store = Store(objects={"a"}, read_sets_lag_s=PATIENCE_S, names_read_sets=False)
    await store.run("a")
    store.fast.time += 30
    again = await store.run("a")
    assert outcome(again) == ["exists"]
    assert again.rows[0].message == "import job 1000000000 made a read set of it"
    assert len(store.jobs) == 1


# --- jobs that an answer misses -----------------------------------------------------------------


async def test_a_job_that_is_not_shown_yet_is_waited_for_and_no_longer_than_wanted() -> None:
    store = Store(objects={"a"}, missed_s=40.0)
    before = store.fast.time
    short = await store.run("a", wait_timeout_s=5.0)
    assert (outcome(short), short.timed_out, short.stopped_by) == (["processing"], True, None)
    assert store.fast.time - before < 6
    assert outcome(await store.run("b")) == ["failed"]


async def test_one_that_is_never_shown_is_told_with_what_to_do() -> None:
    result = await Store(objects={"a"}, missed_s=1000.0).run("a")
    assert outcome(result) == ["processing"]
    assert result.stopped_by is not None
    assert result.stopped_by.hint is not None
    assert result.stopped_by.hint.startswith("the service named this job, and doesn't show it")


async def test_one_that_has_ended_and_is_not_shown_any_more_stops_no_import() -> None:
    store = Store()
    assert outcome(await store.run("late")) == ["failed"]
    store.objects.add("late")
    store.unshown.update(store.jobs)
    store.fast.time += 3 * PATIENCE_S
    assert outcome(await store.run("late")) == ["active"]


# --- tokens that are refused ----------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("refuses", [False, True])
async def test_the_lost_reply_to_start_makes_no_second_read_set(again: bool, refuses: bool) -> None:
    store = Store(objects={"a"}, refuses_used_tokens=refuses, jobs_lag_s=60.0)
    assert outcome(await store.run("a")) == ["active"]
    store.fast.time += 30
    store.read_sets.clear()
    store.lost_replies = 1
    assert outcome(await store.run("a", again=again)) == ["active"]
    assert len(store.read_sets) == 1


async def test_the_token_after_a_refused_one_is_the_same_whatever_else_is_in_the_store() -> None:
    """So that two hosts start one job, also where others start theirs at that time."""

    async def tokens(*others: str) -> set[str | None]:
        store = Store(refuses_used_tokens=True)
        await store.run("a")
        for name in others:
            store.fast.time += 10
            store.import_now([source(name)])
        store.fast.time += 10
        await store.run("a")
        return set(store.tokens)

    assert len(await tokens()) == 2
    assert await tokens() == await tokens("b") == await tokens("b", "c")


async def test_a_refused_token_whose_job_is_not_shown_any_more() -> None:
    store = Store(refuses_used_tokens=True)
    for run in (1, 2, 3):
        assert outcome(await store.run("a")) == ["failed"]
        assert len(store.jobs) == run
        store.forgotten.update(store.jobs)
        store.fast.time += 3 * PATIENCE_S


async def test_a_conflict_for_another_reason_ends_and_says_what_to_do() -> None:
    store = Store(refuses_all=True)
    result = await store.run("a")
    assert outcome(result) == ["failed"]
    assert "turboupload import list" in result.rows[0].what_to_do
    assert not store.jobs
