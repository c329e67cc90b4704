"""What the service has, asked by many at the same time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from turboupload.batch.listing import StoreListing
from turboupload.core.metadata import Description
from turboupload.core.model import FileType, ReadSet
from turboupload.core.records import MultipartUpload
from turboupload.engine.survey import KEPT_UPLOADS, OpenUploads, SharedListing, all_rows
from turboupload.omics.base import Page, UploadRef

STORE = "1234567890"


class Counting(MemoryService):
    """Answers a listing when it is told to, with what there was when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.opened = 0
        self.go_on = anyio.Event()

    async def listed(self) -> list[MultipartUpload]:
        return await all_rows(lambda token: self.list_uploads(STORE, token))

    async def list_uploads(self, store_id: str, token: str | None = None) -> Page[MultipartUpload]:
        self.asked += 1
        ids = [str(each) for each in range(self.opened)]
        await self.go_on.wait()
        return Page(
            tuple(
                MultipartUpload(
                    upload_id=each, file_type="BAM", name=None, sample_id=None, subject_id=None
                )
                for each in ids
            )
        )


async def test_who_asks_gets_a_listing_that_began_later_and_shares_it() -> None:
    service = Counting()
    shared = SharedListing[MultipartUpload]()
    seen: list[int] = []

    async def ask() -> None:
        seen.append(len(await shared.of(service.listed)))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        service.opened = 1  # what the listing under way can't show
        for _ in range(20):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        service.go_on.set()
    assert seen == [0] + [1] * 20
    assert service.asked == 2


async def test_a_listing_that_fails_or_is_cancelled_fails_nobody_else() -> None:
    service = Counting()
    shared = SharedListing[MultipartUpload]()
    async with anyio.create_task_group() as group:
        group.start_soon(shared.of, service.listed)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    service.go_on.set()
    assert await shared.of(service.listed) == []
    assert service.asked == 2


@pytest.mark.parametrize("batch", [True, False])
async def test_what_one_read_sets_listing_showed_another_thinks_of(
    bench: Bench, batch: bool
) -> None:
    """In one process; a listing that lags may have left it out before, and its read set now."""
    first = bench.read_set(bench.file("one.fastq.gz"))
    second = bench.read_set(bench.file("two.fastq.gz", seed=2), name="lane 2")
    about = Description(name="lane 2", sample_id="HG002", subject_id="NA24385")
    upload = await bench.service.create_upload(bench.store, about, FileType.FASTQ, "another host's")
    with bench.engine() as engine:
        if batch:
            listing = StoreListing(
                bench.service, bench.store, [second], engine.clock, engine.open_uploads(bench.store)
            )
            async with anyio.create_task_group() as group:
                group.start_soon(listing.keep_fresh)
                assert await listing.wait()
                group.cancel_scope.cancel()
        else:
            await engine.upload(first, bench.store, bench.told.append)
        await bench.service.abort_upload(UploadRef(bench.store, upload.upload_id))
        started = bench.fast.time
        await engine.upload(second, bench.store, bench.told.append)
        assert bench.fast.time - started > 60


async def test_what_was_shown_long_ago_is_forgotten_in_the_end() -> None:
    seen = OpenUploads()
    about: dict[str, Any] = {"name": "lane 1", "sample_id": "HG002", "subject_id": "NA24385"}
    rows = [
        MultipartUpload(upload_id=str(each), file_type="FASTQ", **about)
        for each in range(KEPT_UPLOADS + 10)
    ]
    read_set = ReadSet(sources=["a.fastq"], **about)
    for each in rows:
        seen.remember([each])
    assert seen.shown(read_set, FileType.FASTQ) == {each.upload_id for each in rows[10:]}
    seen.remember(rows)  # one listing is never forgotten before the next
    assert seen.shown(read_set, FileType.FASTQ) == {each.upload_id for each in rows}
