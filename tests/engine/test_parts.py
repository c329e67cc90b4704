"""Parts that a service cuts short, shows late, or sums up by an algorithm of its own."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from tests.support.scripted import COMPLETE, LIST_PARTS, SEND, Rule, refused
from turboupload.core.model import Part, PartSource, ReadSet
from turboupload.core.notices import Progress, Remark
from turboupload.core.rate.risk import LinkRate
from turboupload.core.records import ETag, ReadSetFiles, UploadPart
from turboupload.errors import IntegrityError, Stopped
from turboupload.http.body import OpenBody, PartBody
from turboupload.omics.base import NOT_FOUND, Page, UploadRef


class OddService(MemoryService):
    """One whose checksums, sizes and listings can be odd.

    Attributes:
        form: `sha256`, `another` (of the same form) or `opaque`.
        short: How many bytes a part loses, and in how many sends, by its number.
        says_whole: Whether the reply to a part that is cut short has the checksum of the whole.
        lag: How many listings pass before one shows what is there.
    """

    form = "sha256"
    says_whole = False
    lag = 0

    def __init__(self) -> None:
        super().__init__()
        self.short: dict[int, tuple[int, int]] = {}
        self.lists = 0
        self._late: list[tuple[UploadPart, ...]] = []

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        bodies: list[Keeping] = []

        def keeping() -> PartBody:
            bodies.append(Keeping(open_body()))
            return bodies[-1]

        await super().send_part(upload, part, keeping, on_bytes)
        data = whole = bytes(bodies[-1].data)
        lost, times = self.short.get(part.number, (0, 0))
        if times:
            self.short[part.number] = (lost, times - 1)
            data = data[:-lost]
        text = self.text(whole if self.says_whole else data)
        row = UploadPart(part.source, part.number, len(data), text)
        self._uploads[upload.upload_id].parts[part.source, part.number] = row
        return text

    def text(self, data: bytes) -> str:
        match self.form:
            case "opaque":
                return f"part-{hashlib.sha256(data).hexdigest()[:20]}"
            case "another":
                return base64.b64encode(hashlib.blake2s(data).digest()).decode()
            case _:
                return base64.b64encode(hashlib.sha256(data).digest()).decode()

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        self.lists += 1
        page = await super().list_parts(upload, source, token)
        if not self.lag:
            return page
        self._late.append(page.rows)
        at = len(self._late) - 1 - self.lag
        return Page(self._late[at] if at >= 0 else ())


class Keeping:
    """A body that keeps what was read of it."""

    def __init__(self, inner: PartBody) -> None:
        self._inner = inner
        self.data = bytearray()

    def __len__(self) -> int:
        return len(self._inner)

    def readinto(self, buffer: memoryview) -> int:
        count = self._inner.readinto(buffer)
        self.data += buffer[:count]
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        self._inner.hash_chunk(chunk)


@pytest.fixture
def odd(bench: Bench) -> OddService:
    bench.service = OddService()
    return bench.service


def remarks(bench: Bench) -> list[str]:
    return [each.code for each in bench.heard(Remark)]


def stored(service: MemoryService) -> int:
    (record,) = service._read_sets.values()
    return sum(record.sizes.values())


FORMS = pytest.mark.parametrize(
    ("form", "checksum"),
    [("sha256", "sha256"), ("opaque", "sha256"), ("another", "sha256"), ("sha256", "xxh3")],
)


@FORMS
async def test_a_part_that_was_cut_short_is_sent_again_before_complete(
    bench: Bench, odd: OddService, form: str, checksum: str
) -> None:
    odd.form, odd.short, odd.says_whole = form, {3: (100, 1)}, form == "sha256"
    path = bench.file()
    result = await bench.upload(bench.read_set(path), checksum=checksum)
    assert result.status == "ACTIVE"
    assert stored(odd) == path.stat().st_size
    assert bench.script.calls[COMPLETE] == 1
    assert bench.resent == 1 + (form == "another")
    assert "part-cut-short" in remarks(bench)
    assert result.retries == bench.resent
    last = bench.heard(Progress)[-1]
    assert (last.done_bytes, last.done_parts) == (last.total_bytes, last.parts)


@FORMS
async def test_one_that_is_cut_short_each_time_is_an_error_that_says_so(
    bench: Bench, odd: OddService, form: str, checksum: str
) -> None:
    odd.form, odd.short, odd.says_whole = form, {3: (100, 99)}, form == "sha256"
    with pytest.raises(IntegrityError, match="with 900 of its 1,000 bytes") as caught:
        await bench.upload(bench.read_set(bench.file()), checksum=checksum)
    assert caught.value.path
    assert bench.script.calls[COMPLETE] == 0
    assert "memory" not in str(caught.value.hint)
    odd.short = {}
    result = await bench.upload(bench.read_set(bench.file()), checksum=checksum)
    assert stored(odd) == result.total_bytes


async def test_a_service_that_says_what_it_kept_is_caught_by_its_reply(
    bench: Bench, odd: OddService
) -> None:
    odd.short = {3: (100, 1)}
    await bench.upload(bench.read_set(bench.file()))
    assert remarks(bench) == ["checksum-differs"]
    assert bench.resent == 1


@FORMS
async def test_a_listing_that_lags_makes_no_part_be_sent_again(
    bench: Bench, odd: OddService, form: str, checksum: str
) -> None:
    odd.form, odd.lag = form, 4
    result = await bench.upload(bench.read_set(bench.file()), checksum=checksum)
    assert result.status == "ACTIVE"
    assert bench.resent == (form == "another")


async def test_a_part_that_was_cut_short_is_found_in_a_listing_that_lags(
    bench: Bench, odd: OddService
) -> None:
    odd.form, odd.lag, odd.short = "opaque", 2, {1: (7, 2), 5: (9, 1)}
    result = await bench.upload(bench.read_set(bench.file()))
    assert stored(odd) == result.total_bytes
    assert bench.resent == 3
    assert remarks(bench) == ["checksum-opaque", "listing-lags", "part-cut-short"]


async def test_an_upload_that_the_listing_does_not_know_yet_is_completed_all_the_same(
    bench: Bench, odd: OddService
) -> None:
    # The first listing is that of the new upload; the second comes when its parts are sent.
    bench.script.rules = [Rule(LIST_PARTS, refused(NOT_FOUND, 404), times=None, skip=1)]
    result = await bench.upload(bench.read_set(bench.file()))
    assert (result.status, bench.resent) == ("ACTIVE", 0)
    assert len({upload_id for upload_id, *_ in odd.received}) == 1


async def test_a_listing_that_never_shows_an_opaque_part_stops(
    bench: Bench, odd: OddService
) -> None:
    odd.form = "opaque"
    path = bench.file()
    bench.script.rules = [Rule(LIST_PARTS, refused(NOT_FOUND, 404), times=None, skip=1)]
    with pytest.raises(Stopped, match="still does not list it"):
        await bench.upload(bench.read_set(path))
    assert bench.script.calls[COMPLETE] == 0
    bench.script.rules = []
    result = await bench.upload(bench.read_set(path))
    assert result.bytes_sent == 0
    assert result.status == "ACTIVE"


async def test_a_large_upload_is_listed_only_where_the_replies_prove_nothing(
    bench: Bench, odd: OddService
) -> None:
    path = bench.file(size=10_000)
    lists = []
    for form in ("sha256", "opaque"):
        odd.form, odd.lists = form, 0
        await bench.upload(bench.read_set(path, name=form), part_size_bytes=30)
        lists.append(odd.lists)
    pages = -(-path.stat().st_size // 30 // 100)
    assert lists[1] - lists[0] == pages + 1  # the second file that there might be is asked for, too


async def test_a_refused_listing_ends_the_upload_and_keeps_its_parts(
    bench: Bench, odd: OddService
) -> None:
    path = bench.file()
    bench.script.rules = [Rule(LIST_PARTS, refused("AccessDeniedException", 403), skip=1)]
    with pytest.raises(Exception, match="ListReadSetUploadParts"):
        await bench.upload(bench.read_set(path))
    result = await bench.upload(bench.read_set(path))
    assert (result.bytes_sent, bench.resent) == (0, 0)


# --- another algorithm --------------------------------------------------------------------------


async def test_another_algorithm_is_found_out_once_for_all_uploads_of_an_engine(
    bench: Bench, odd: OddService
) -> None:
    odd.form = "another"
    path = bench.file()
    with bench.engine() as engine:
        for name in ("one", "two", "three"):
            result = await engine.upload(
                bench.read_set(path, name=name), bench.store, bench.told.append
            )
            assert result.verified == "opaque"
            assert result.receipt is not None
            assert not result.receipt.verdict.proven
    assert bench.resent == 1
    assert remarks(bench).count("checksum-differs") == 1
    (text, *_) = [each.text for each in bench.heard(Remark) if each.code == "checksum-opaque"]
    assert "are not SHA-256" in text


async def test_another_algorithm_is_known_again_from_the_journal(
    bench: Bench, odd: OddService
) -> None:
    odd.form = "another"
    path = bench.file()
    await bench.interrupt_at(Rule(SEND, None, skip=6), concurrency=1)
    assert bench.resent == 1
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 5
    assert bench.resent == 1
    again = await bench.upload(bench.read_set(path))
    assert (again.bytes_sent, again.verified) == (0, "opaque")


async def test_another_algorithm_and_xxh3_are_no_trouble(bench: Bench, odd: OddService) -> None:
    odd.form = "another"
    path = bench.file()
    await bench.interrupt_at(Rule(SEND, None, skip=6), concurrency=1, checksum="xxh3")
    result = await bench.upload(bench.read_set(path), checksum="xxh3")
    assert (result.parts_reused, result.verified, bench.resent) == (6, "none", 0)


async def test_another_algorithm_and_no_journal_sends_anew_what_nothing_proves(
    bench: Bench, odd: OddService
) -> None:
    odd.form = "another"
    path = bench.file()
    await bench.interrupt_at(Rule(SEND, None, skip=6), concurrency=1)
    bench.forget_journal()
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 0
    assert stored(odd) == path.stat().st_size


class Silent(OddService):
    """One that answers to a part without a checksum, and may list none either."""

    listed = True

    async def send_part(  # type: ignore[override] # as the service's protocol has it
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str | None:
        await super().send_part(upload, part, open_body, on_bytes)
        if not self.listed:
            parts = self._uploads[upload.upload_id].parts
            parts[part.source, part.number] = replace(
                parts[part.source, part.number], checksum=None
            )
        return None


async def test_a_part_without_a_checksum_in_reply_is_proven_by_its_listing(bench: Bench) -> None:
    bench.service = Silent()
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.verified == "sha256"
    assert set(bench.service.received.values()) == {1}
    (note,) = [each for each in bench.heard(Remark) if each.code == "checksum-opaque"]
    assert "None" not in note.text


async def test_without_any_checksum_nothing_is_completed_and_it_is_told(bench: Bench) -> None:
    bench.service = silent = Silent()
    silent.listed = False
    with pytest.raises(Stopped, match="has told no checksum of"):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[COMPLETE] == 0


class Filtering(OddService):
    """A filter on the way that changes one part in the same way each time."""

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        text = await super().send_part(upload, part, open_body, on_bytes)
        return self.text(b"changed") if part.number == 2 else text


@pytest.mark.parametrize("concurrency", [1, 16])
async def test_a_filter_that_changes_a_part_is_no_other_algorithm(
    bench: Bench, concurrency: int
) -> None:
    bench.service = Filtering()
    with pytest.raises(IntegrityError, match="part 2 was sent 3 times") as caught:
        await bench.upload(bench.read_set(bench.file()), concurrency=concurrency)
    assert "in the same way each time" in str(caught.value.hint)
    assert bench.script.calls[COMPLETE] == 0


# --- what is stored of a FASTQ ------------------------------------------------------------------


class Storing(MemoryService):
    """One that shows other sizes of what it stores.

    Attributes:
        less: How many bytes fewer it shows.
        shown: The sources whose size it shows.
        etag: What it shows of the content.
    """

    less = 1000
    shown: tuple[PartSource, ...] = (PartSource.SOURCE1, PartSource.SOURCE2)
    etag: ETag | None = None

    async def get_read_set(self, store_id: str, read_set_id: str) -> Any:
        record = await super().get_read_set(store_id, read_set_id)
        sizes = {key: size - self.less for key, size in record.sizes.items() if key in self.shown}
        return replace(record, files=ReadSetFiles.of_sizes(sizes), etag=self.etag)


@pytest.mark.parametrize("again", [False, True])
async def test_a_fastq_that_is_stored_with_another_size_is_not_proven(
    bench: Bench, again: bool
) -> None:
    bench.service = Storing()
    path = bench.file()
    read_set: ReadSet = bench.read_set(path)
    if again:
        await bench.upload(read_set, wait=False)
    size = path.stat().st_size
    with pytest.raises(IntegrityError) as caught:
        await bench.upload(read_set)
    both = f"{size - 1000:,} bytes of SOURCE1 are stored, and {size:,} were sent"
    assert both in caught.value.message
    assert "--prove" in str(caught.value.hint)
    with bench.engine() as engine:
        (row,) = engine._journal.receipts("lane 1")
    assert '"proven": false' in row.body
    assert both in row.body


async def test_a_size_that_is_not_shown_contradicts_nothing(bench: Bench) -> None:
    bench.service = Storing()
    bench.service.less = 0
    bench.service.shown = (PartSource.SOURCE1,)
    one, two = bench.file("1.fastq.gz"), bench.file("2.fastq.gz", 7000, seed=2)
    result = await bench.upload(bench.read_set(one, two))
    assert result.receipt is not None
    assert result.receipt.verdict.proven


async def test_the_size_of_a_read_set_at_work_says_nothing(bench: Bench) -> None:
    bench.service = Storing(looks_until_active=9)
    result = await bench.upload(bench.read_set(bench.file()), wait=False)
    assert result.outcome == "processing"


async def test_an_equal_etag_outweighs_another_size(bench: Bench) -> None:
    bench.service = Storing()
    path = bench.file()
    text = zlib.decompress(path.read_bytes(), 31)
    bench.service.etag = ETag(
        algorithm="FASTQ_MD5up", source1=hashlib.md5(text, usedforsecurity=False).hexdigest()
    )
    # It is computed for that, without being asked for.
    result = await bench.upload(bench.read_set(path))
    assert result.receipt is not None
    assert result.receipt.verdict.proven
    (sizes,) = [each for each in result.receipt.comparisons if each.subject == "stored-sizes"]
    assert (sizes.outcome, sizes.proof) == ("different", False)
    assert "recompressed" in sizes.sentence
    with bench.engine() as engine:
        (row,) = engine._journal.receipts("lane 1")
    assert '"proven": true' in row.body
    # And again, by the next run.
    again = await bench.upload(bench.read_set(path))
    assert (again.read_set_id, again.bytes_sent) == (result.read_set_id, 0)
    with bench.engine() as engine:
        (row,) = engine._journal.receipts("lane 1")
    assert '"proven": true' in row.body


async def test_a_link_that_became_faster_is_noticed_by_parts_that_are_soon_over(
    bench: Bench,
) -> None:
    """They are over between two looks, so nothing is ever seen to be leaving."""

    class Quick(MemoryService):
        async def send_part(
            self,
            upload: UploadRef,
            part: Part,
            open_body: OpenBody,
            on_bytes: Callable[[int], None],
        ) -> str:
            checksum = await super().send_part(upload, part, open_body, on_bytes)
            bench.fast.time += 0.1
            return checksum

    bench.service = Quick()
    await bench.upload(bench.read_set(bench.file()), link=LinkRate(remembered=10.0))
    with bench.engine() as engine:
        rate = engine._journal.rate("memory")
    assert rate is not None
    assert rate > 100.0
