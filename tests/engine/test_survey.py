"""What the service has, asked by many at the same time."""

from __future__ import annotations

import anyio

from tests.support.memory_service import MemoryService
from turboupload.core.records import MultipartUpload
from turboupload.engine.survey import SharedListing, all_rows
from turboupload.omics.base import Page

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
