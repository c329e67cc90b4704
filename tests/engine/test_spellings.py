"""A service that writes its checksums in one way in its replies, and in the other in its lists.

Both ways were recorded: 64 hexadecimal digits in a reply, base64 in listings. Which of the two
Complete takes, isn't.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from tests.support.scripted import COMPLETE, SEND, Rule, refused
from turboupload.core.model import Part, PartSource
from turboupload.core.records import UploadPart
from turboupload.errors import CallFailed, ServiceRefused
from turboupload.http.body import OpenBody
from turboupload.omics.base import Page, UploadRef


def as_hex(text: str | None) -> str:
    return base64.b64decode(text or "").hex()


class TwoWays(MemoryService):
    """Keeps base64.

    Attributes:
        replies: How its replies are written; its listings are written the other way.
        takes: What Complete takes: as in its `replies`, or as in the `listing`.
    """

    replies = "hex"
    takes = "replies"

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        text = await super().send_part(upload, part, open_body, on_bytes)
        return as_hex(text) if self.replies == "hex" else text

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        page = await super().list_parts(upload, source, token)
        if self.replies == "hex":
            return page
        return Page(tuple(self._in_hex(row) for row in page.rows), page.next_token)

    @staticmethod
    def _in_hex(row: UploadPart) -> UploadPart:
        return UploadPart(row.source, row.number, row.size, as_hex(row.checksum))

    async def complete_upload(self, upload: UploadRef, parts: tuple[UploadPart, ...]) -> str:
        hexadecimal = (self.replies == "hex") == (self.takes == "replies")
        kept = self._find(COMPLETE, upload).parts
        wanted = [kept[part.source, part.number].checksum for part in parts]
        if hexadecimal:
            wanted = [as_hex(text) for text in wanted]
        if [part.checksum for part in parts] != wanted:
            raise CallFailed(COMPLETE, code="ValidationException", status=400, message="unlike")
        named = [kept[part.source, part.number] for part in parts]
        return await super().complete_upload(upload, tuple(named))


@pytest.mark.parametrize("replies", ["hex", "base64"])
@pytest.mark.parametrize("takes", ["replies", "listing"])
@pytest.mark.parametrize("journal", ["kept", "lost", "none before"])
@pytest.mark.parametrize("size", [9_900, 400_000])
async def test_every_checksum_is_written_as_complete_takes_it(
    bench: Bench, replies: str, takes: str, journal: str, size: int
) -> None:
    service = bench.service = TwoWays()
    service.replies, service.takes = replies, takes
    path = bench.file(size=size)
    if journal != "none before":
        await bench.interrupt_at(Rule(SEND, None, skip=4), concurrency=1)
    if journal == "lost":
        bench.forget_journal()
    result = await bench.upload(bench.read_set(path))
    assert (result.status, bench.resent) == ("ACTIVE", 0)
    assert bench.script.calls[COMPLETE] == (1 if takes == "replies" else 2)
    assert len(service._read_sets) == 1


@pytest.mark.parametrize("replies", ["hex", "base64"])
@pytest.mark.parametrize("takes", ["replies", "listing"])
@pytest.mark.parametrize("keep_journal", [True, False])
async def test_a_way_that_no_answer_has_shown_is_tried_at_last(
    bench: Bench, replies: str, takes: str, keep_journal: bool
) -> None:
    """All parts are there, and only a listing tells of them."""
    service = bench.service = TwoWays()
    service.replies, service.takes = replies, takes
    path = bench.file(size=9_900)
    await bench.interrupt_at(Rule(COMPLETE, None))
    if not keep_journal:
        bench.forget_journal()
    result = await bench.upload(bench.read_set(path))
    assert (result.status, result.bytes_sent) == ("ACTIVE", 0)
    assert len(service._read_sets) == 1


async def test_a_complete_that_is_refused_for_good_is_given_up(bench: Bench) -> None:
    service = bench.service = TwoWays()
    service.takes = "neither"
    path = bench.file(size=9_900)
    bench.script.rules = [Rule(COMPLETE, refused("ValidationException", 400), times=None)]
    with pytest.raises(ServiceRefused, match="Complete was refused 4 times"):
        await bench.upload(bench.read_set(path))
    assert bench.script.calls[COMPLETE] == 4
