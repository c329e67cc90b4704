"""Lists what a store holds, once for all rows of a batch.

Separate calls for ten thousand rows would be twenty thousand calls, at five a second. Two listings
with a hundred rows a page give the same information. Only entries that could concern a row are
kept, so memory depends on the sheet and not on the store.

While there is no listing yet, or it is too old, each row asks the service for itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio

from turboupload.clock import Clock
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType, ReadSet
from turboupload.core.notices import UploadResult
from turboupload.core.records import MultipartUpload, ReadSetDetails
from turboupload.core.upload.events import Surveyed
from turboupload.core.upload.matching import open_upload_matches
from turboupload.core.upload.plan import Plan
from turboupload.engine import Engine
from turboupload.engine.run import Run
from turboupload.engine.survey import OpenUploads, describe, look_into, survey
from turboupload.errors import CallFailed, LinkFailed
from turboupload.omics.base import ReadSetService
from turboupload.omics.pager import all_pages

__all__ = ["FRESH_S", "RowListing", "StoreListing", "known_end"]

FRESH_S: Final = 300.0
"""How long a listing is used, in seconds: it lacks what other processes have made since."""

PATIENCE_S: Final = 5.0
"""How long a row waits for a listing under way before it asks for itself, in seconds."""

LEAST_PAGES: Final = 20
"""The pages that are always read, even for few rows."""


_FINAL: Final = frozenset({"ACTIVE", "ARCHIVED", "ACTIVATING"})


@dataclass(frozen=True, slots=True)
class RowListing:
    """What a listing of the store has for one row; other machines get it with the row.

    Attributes:
        uploads: Open uploads of its name, or of none that is told.
        read_sets: Those of its name, sample and subject.
    """

    uploads: tuple[MultipartUpload, ...]
    read_sets: tuple[ReadSetDetails, ...]

    async def survey(
        self,
        service: ReadSetService,
        *,
        store_id: str,
        read_set: ReadSet,
        file_type: FileType,
        plan: Plan,
        probe: bool,
        ours: str | None,
    ) -> Surveyed:
        """Answers without listing anything; see `turboupload.engine.survey.survey`."""
        candidates = await look_into(
            service,
            [each for each in self.uploads if open_upload_matches(read_set, file_type, each)],
            store_id=store_id,
            file_type=file_type,
            plan=plan,
            probe=probe,
            ours=ours,
        )
        return Surveyed(candidates, await describe(service, self.read_sets, store_id=store_id))


async def known_end(
    engine: Engine, run: Run, listed: Callable[[], Awaitable[RowListing | None]]
) -> UploadResult | None:
    """The result of a read set known from the journal, if a listing shows its status.

    Otherwise None; so for a read set that this run has surveyed (too new for the listing, or
    identified by its ETag, which listings don't have), and for one that its ETag must confirm.

    Args:
        engine: Has sent the row.
        run: As it left it.
        listed: What is listed for the row; asked for only where that may help.
    """
    upload = run.upload
    if run.surveyed or upload.to_be_confirmed or upload.assumed or not upload.read_set_id:
        return None
    if not run.processing or (found := await listed()) is None:
        return None
    for record in found.read_sets:
        if record.read_set_id == upload.read_set_id and record.status in _FINAL:
            return await engine.take_status(run, record.with_what_is_known(upload.record))
    return None


class StoreListing:
    """The store's read sets and open uploads that could be those of a row.

    Args:
        service: Where to ask, with the engine's policies around every call.
        store_id: The sequence store.
        read_sets: The read sets of the rows.
        clock: The time.
        open_uploads: Remembers what is shown, and lists for rows that ask for themselves.

    Attributes:
        complete: Whether all pages were read at least once.
        failure: The error that ended the last listing, if any.
    """

    def __init__(
        self,
        service: ReadSetService,
        store_id: str,
        read_sets: Sequence[ReadSet],
        clock: Clock,
        open_uploads: OpenUploads,
    ) -> None:
        self._service = service
        self._open_uploads = open_uploads
        self._store_id = store_id
        self._clock = clock
        self._names = {each.name for each in read_sets}
        self._wanted = _in_common(read_sets)
        self._most_pages = max(LEAST_PAGES, len(read_sets))
        self._begun: float | None = None
        self._ended = anyio.Event()
        self._due = anyio.Event()
        self._by_name: dict[str | None, list[ReadSetDetails]] = {}
        self._uploads: dict[str | None, list[MultipartUpload]] = {}
        self.complete = False
        self.failure: CallFailed | LinkFailed | None = None

    async def keep_fresh(self) -> None:
        """Lists the store, and again when `wait` finds the listing too old; until cancelled.

        A store with more pages than rows is not listed again: each row asks for itself.
        """
        self._begun = self._clock.now()
        while await self._list():
            await self._due.wait()
            self._due = anyio.Event()

    async def wait(self) -> bool:
        """Waits a moment for a listing under way; returns whether there is a current listing."""
        now = self._clock.now()
        if self._begun is None:
            self._begun = now
        elif self.complete and self._ended.is_set() and now - self._begun > FRESH_S:
            self._ended = anyio.Event()
            self._begun = now
            self._due.set()
        with anyio.move_on_after(max(0.0, self._begun + PATIENCE_S - now)):
            await self._ended.wait()
        return self._ended.is_set() and self.complete

    async def row(self, read_set: ReadSet) -> RowListing | None:
        """What is listed for a row; None if there is no current listing."""
        if not await self.wait():
            return None
        uploads = *self._uploads.get(read_set.name, ()), *self._uploads.get(None, ())
        return RowListing(uploads, tuple(self.of(read_set)))

    def of(self, read_set: ReadSet) -> list[ReadSetDetails]:
        """Listed read sets of this name, sample and subject; a missing value counts as equal."""
        return [
            record
            for record in (*self._by_name.get(read_set.name, ()), *self._by_name.get(None, ()))
            if record.sample_id in (None, read_set.sample_id)
            and record.subject_id in (None, read_set.subject_id)
        ]

    async def survey(
        self,
        service: ReadSetService,
        *,
        store_id: str,
        read_set: ReadSet,
        file_type: FileType,
        plan: Plan,
        probe: bool,
        ours: str | None,
    ) -> Surveyed:
        """Answers from the listing if it is current; see `turboupload.engine.survey.survey`."""
        listed = await self.row(read_set)
        alone = partial(survey, uploads=self._open_uploads)
        return await (alone if listed is None else listed.survey)(
            service,
            store_id=store_id,
            read_set=read_set,
            file_type=file_type,
            plan=plan,
            probe=probe,
            ours=ours,
        )

    async def _list(self) -> bool:
        """Reads all pages; returns whether the store is small enough for that."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._list_uploads)
                small_enough = await self._list_read_sets()
            self.complete = small_enough
        except* (CallFailed, LinkFailed) as failures:
            # Then each row asks for itself.
            self.failure = _first(failures)
            small_enough = self.complete = False
        self._ended.set()
        return small_enough

    async def _list_read_sets(self) -> bool:
        records: dict[str, ReadSetDetails] = {}
        pages = 0
        async for page in all_pages(
            lambda token: self._service.list_read_sets(self._store_id, self._wanted, token)
        ):
            records.update(
                (each.read_set_id, each) for each in page.rows if each.name in self._names
            )
            pages += 1
            if pages > self._most_pages:
                return False
        self._by_name = {}
        for record in records.values():
            self._by_name.setdefault(record.name, []).append(record)
        return True

    async def _list_uploads(self) -> None:
        uploads: dict[str | None, list[MultipartUpload]] = {}
        names = {None, *self._names}
        async for page in all_pages(
            lambda token: self._service.list_uploads(self._store_id, token)
        ):
            concerned = [each for each in page.rows if each.name in names]
            self._open_uploads.remember(concerned)
            for upload in concerned:
                uploads.setdefault(upload.name, []).append(upload)
        self._uploads = uploads


def _first(
    failures: BaseExceptionGroup[CallFailed | LinkFailed],
) -> CallFailed | LinkFailed:
    failure: BaseException = failures
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    assert isinstance(failure, CallFailed | LinkFailed)
    return failure


def _in_common(read_sets: Sequence[ReadSet]) -> ReadSetFilter:
    """A filter with what all rows have in common, so that the service lists fewer read sets."""
    samples = {each.sample_id for each in read_sets}
    subjects = {each.subject_id for each in read_sets}
    return ReadSetFilter(
        sample_id=samples.pop() if len(samples) == 1 else None,
        subject_id=subjects.pop() if len(subjects) == 1 else None,
    )
