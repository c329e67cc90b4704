"""What the service has, asked by many at the same time."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import anyio
import pytest

from tests.support.memory_service import MemoryService
from turboupload.core.model import PartSource
from turboupload.core.records import MultipartUpload, UploadPart
from turboupload.core.upload.plan import Plan
from turboupload.engine.survey import SharedListing, all_rows, look_into
from turboupload.files.source import inspect_source
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
    with anyio.move_on_after(0.01):
        await shared.of(service.listed)
    service.go_on.set()
    assert await shared.of(service.listed) == []
    assert service.asked == 2


TEXT = b"0123456789abc"


class Having(MemoryService):
    """Has an upload with these parts, by number and bytes."""

    def __init__(self, parts: list[tuple[int, bytes]], *, opaque: bool) -> None:
        super().__init__()
        self._parts = parts
        self._opaque = opaque

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        return Page(
            tuple(
                UploadPart(source, number, len(text), "etag" if self._opaque else _checksum(text))
                for number, text in self._parts
            )
        )


def _checksum(text: bytes) -> str:
    return base64.b64encode(hashlib.sha256(text).digest()).decode()


@pytest.mark.parametrize(
    ("parts", "opaque", "probe", "part_size"),
    [
        pytest.param([(1, b"01234567"), (2, b"89abc")], False, "equal", 8, id="our cut"),
        pytest.param([(1, b"0123"), (2, b"89abc")], False, "equal", None, id="two cuts"),
        pytest.param([(1, TEXT[:8]), (2, b"4567"), (3, b"89ab")], False, "equal", None, id="more"),
        pytest.param([(1, b"0123"), (2, b"89abc")], True, "unknown", None, id="opaque"),
        pytest.param([(2, b"4567"), (3, b"abcde")], False, "unknown", None, id="no first part"),
        pytest.param([(1, b"012x"), (2, b"89abc")], False, "differs", None, id="other files"),
        pytest.param([(1, TEXT + b"d"), (2, b"x")], False, "differs", None, id="a longer file"),
        pytest.param([(1, b""), (2, b"x")], False, "unknown", None, id="nothing in it"),
    ],
)
async def test_an_upload_is_compared_by_its_first_part_whatever_its_cuts(
    tmp_path: Path, parts: list[tuple[int, bytes]], opaque: bool, probe: str, part_size: int | None
) -> None:
    path = tmp_path / "reads"
    path.write_bytes(TEXT)
    about = MultipartUpload(
        upload_id="1", file_type="BAM", name=None, sample_id=None, subject_id=None
    )
    plan = Plan((inspect_source(str(path), PartSource.SOURCE1),), 8)
    (found,) = await look_into(
        Having(parts, opaque=opaque), [about], store_id=STORE, plan=plan, probe=True
    )
    assert (found.probe, found.part_size) == (probe, part_size)
