"""R1 alone beside the pair of R1 and R2: of one name, and yet two uploads."""

from __future__ import annotations

import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from tests.support.scripted import COMPLETE, SEND, Rule
from turboupload.core.model import Part, PartSource
from turboupload.core.notices import Notice
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import PartSeen
from turboupload.errors import CallFailed, ServiceRefused
from turboupload.omics.base import NOT_FOUND, Page, UploadRef

ONE, TWO = PartSource


class Strict(MemoryService):
    """Says of a source without parts that it isn't there, in its own way.

    Attributes:
        code: The name of that error; empty lists nothing.
        status: Its status.
    """

    code = ""
    status = 404

    async def list_parts(
        self, upload: UploadRef, source: PartSource, token: str | None = None
    ) -> Page[UploadPart]:
        page = await super().list_parts(upload, source, token)
        if self.code and source is TWO and not page.rows:
            operation = "ListReadSetUploadParts"
            raise CallFailed(operation, code=self.code, status=self.status, message="no such")
        return page

    def held(self, upload_id: str) -> dict[tuple[PartSource, int], UploadPart]:
        return dict(self._uploads[upload_id].parts)

    def put(self, upload_id: str, part: UploadPart) -> None:
        self._uploads[upload_id].parts[part.source, part.number] = part


@pytest.fixture
def service(bench: Bench) -> Strict:
    bench.service = Strict()
    return bench.service


async def test_each_file_of_a_pair_shows_itself_at_once(bench: Bench) -> None:
    """Whoever finds the upload of a pair must not take it for one of R1 alone."""
    sent: list[Part] = []
    r1, r2 = bench.file("a_R1.fastq.gz"), bench.file("a_R2.fastq.gz", seed=2)

    def tell(notice: Notice) -> None:
        if isinstance(notice, PartSeen):
            sent.append(notice.part)

    with bench.engine(concurrency=1) as engine:
        await engine.upload(bench.read_set(r1, r2), bench.store, tell)
    assert [(part.source, part.number) for part in sent[:4]] == [
        (ONE, 1), (TWO, 1), (ONE, 2), (ONE, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("there", [2, 11, 19])
async def test_one_file_leaves_the_upload_of_a_pair_alone(
    bench: Bench, service: Strict, there: int
) -> None:
    r1 = bench.file("a_R1.fastq.gz", size=9_900)
    r2 = bench.file("a_R2.fastq.gz", size=9_900, seed=2)
    await bench.interrupt_at(Rule(SEND, None, skip=there), concurrency=1)
    (pair,) = {upload_id for upload_id, *_ in service.received}
    before = service.held(pair)
    assert len(before) == there
    result = await bench.upload(bench.read_set(r1), state_dir=bench.folder / "another")
    assert (result.status, result.total_bytes) == ("ACTIVE", r1.stat().st_size)
    assert result.upload_id != pair
    assert service.held(pair) == before
    # The pair is told of it, and nothing is made beside it unasked.
    with pytest.raises(ServiceRefused, match=result.read_set_id):
        await bench.upload(bench.read_set(r1, r2))
    forced = await bench.upload(bench.read_set(r1, r2), force=True)
    assert (forced.upload_id, bench.resent) == (pair, 0)
    assert forced.total_bytes == r1.stat().st_size + r2.stat().st_size


@pytest.mark.parametrize("ours", [False, True])
async def test_an_upload_into_which_a_second_file_comes_is_left_to_the_pair(
    bench: Bench, service: Strict, ours: bool
) -> None:
    """The host of the pair had sent nothing but R1, or took the upload of R1 alone for its own."""
    path = bench.file(size=9_900)
    await bench.interrupt_at(Rule(SEND, None, skip=4), concurrency=1)
    (first,) = {upload_id for upload_id, *_ in service.received}
    if not ours:
        bench.forget_journal()
    second = UploadPart(TWO, 1, 777, "another file's")

    def tell(notice: Notice) -> None:
        if isinstance(notice, PartSeen):
            service.put(first, second)

    with bench.engine(concurrency=1) as engine:
        result = await engine.upload(bench.read_set(path), bench.store, tell)
    assert result.status == "ACTIVE"
    assert result.upload_id != first
    assert service.held(first)[TWO, 1] == second
    assert bench.script.calls[COMPLETE] == 1


@pytest.mark.parametrize(
    ("code", "status"),
    [("", 200), (NOT_FOUND, 404), ("ValidationException", 400), ("ConflictException", 409)],
)
@pytest.mark.parametrize("keep_journal", [True, False])
async def test_a_service_may_know_no_second_source(
    bench: Bench, service: Strict, code: str, status: int, keep_journal: bool
) -> None:
    path = bench.file(size=9_900)
    service.code, service.status = code, status
    await bench.interrupt_at(Rule(SEND, None, skip=4), concurrency=1)
    if not keep_journal:
        bench.forget_journal()
    result = await bench.upload(bench.read_set(path))
    assert (result.status, result.parts_reused, bench.resent) == ("ACTIVE", 4, 0)
