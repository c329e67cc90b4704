"""One contract, every service: what the engine relies on, and nothing else."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.contract.conftest import Subject
from tests.support.receipts import digest
from tests.support.samples import ubam
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType, Part, PartSource, ReadSet
from turboupload.core.proof.checksum import compare
from turboupload.core.records import MultipartUpload, ReadSetDetails, UploadPart
from turboupload.engine.survey import all_rows
from turboupload.errors import CallFailed
from turboupload.omics.base import NOT_FOUND, UploadRef

_serial = itertools.count()
ONE, TWO = PartSource.SOURCE1, PartSource.SOURCE2
FASTQ = gzip.compress(b"@r\nACGT\n+\nFFFF\n")


@dataclass
class Body:
    """A part's bytes in memory."""

    data: bytes
    at: int = field(default=0, init=False)
    hashed: bytearray = field(default_factory=bytearray, init=False)

    def __len__(self) -> int:
        return len(self.data)

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self.data) - self.at)
        buffer[:count] = self.data[self.at : self.at + count]
        self.at += count
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        self.hashed += chunk


def wanted(**more: str) -> ReadSet:
    """A read set whose name no other test has."""
    serial = next(_serial)
    about: dict[str, str] = {
        "name": f"contract-{serial}-{random.Random().getrandbits(32)}",  # only a name
        "sample_id": "sample",
        "subject_id": "subject",
        **more,
    }
    return ReadSet(sources=["a.fastq.gz"], **about)  # type: ignore[arg-type] # optional texts


async def create(
    subject: Subject,
    read_set: ReadSet,
    token: str | None = None,
    file_type: FileType = FileType.FASTQ,
) -> UploadRef:
    opened = await subject.service.create_upload(
        subject.store_id, read_set, file_type, token or f"token-{read_set.name}"
    )
    return UploadRef(subject.store_id, opened.upload_id)


async def send(
    subject: Subject, upload: UploadRef, number: int, data: bytes, source: PartSource = ONE
) -> str:
    counted: list[int] = []
    body = Body(data)
    text = await subject.service.send_part(
        upload, Part(source, number, 0, len(data)), lambda: body, counted.append
    )
    assert sum(counted) == len(data)
    assert body.hashed == data
    assert text is not None
    return text


async def open_uploads(subject: Subject) -> list[MultipartUpload]:
    return await all_rows(lambda token: subject.service.list_uploads(subject.store_id, token))


async def listed(
    subject: Subject, upload: UploadRef, source: PartSource = ONE
) -> dict[int, UploadPart]:
    rows = await all_rows(lambda token: subject.service.list_parts(upload, source, token))
    return {row.number: row for row in rows}


async def test_a_part_is_answered_with_its_checksum_and_listed_with_it(subject: Subject) -> None:
    upload = await create(subject, wanted())
    text = await send(subject, upload, 1, b"reads" * 1000)
    assert compare(text, digest(b"reads" * 1000)) == "equal"
    assert await listed(subject, upload) == {1: UploadPart(ONE, 1, 5000, text)}


async def test_all_parts_are_listed_whatever_the_pages(subject: Subject) -> None:
    upload = await create(subject, wanted())
    for number in range(1, 8):
        await send(subject, upload, number, bytes([number]) * number)
    rows = await listed(subject, upload)
    assert {number: row.size for number, row in rows.items()} == {n: n for n in range(1, 8)}
    assert await listed(subject, upload, TWO) == {}


async def test_a_part_sent_again_replaces_the_one_before(subject: Subject) -> None:
    upload = await create(subject, wanted())
    before = await send(subject, upload, 1, b"old")
    after = await send(subject, upload, 1, b"newer")
    assert before != after
    assert await listed(subject, upload) == {1: UploadPart(ONE, 1, 5, after)}


async def test_sources_are_apart(subject: Subject) -> None:
    upload = await create(subject, wanted())
    one = await send(subject, upload, 1, b"R1", ONE)
    two = await send(subject, upload, 1, b"R2", TWO)
    assert (await listed(subject, upload, ONE))[1].checksum == one
    assert (await listed(subject, upload, TWO))[1].checksum == two


async def test_the_same_token_gives_the_same_upload(subject: Subject) -> None:
    read_set = wanted()
    assert await create(subject, read_set) == await create(subject, read_set)
    assert await create(subject, read_set) != await create(subject, read_set, "another-token")


async def test_a_token_with_other_parameters_is_refused(subject: Subject) -> None:
    read_set = wanted()
    await create(subject, read_set, f"shared-{read_set.name}")
    with pytest.raises(CallFailed) as caught:
        await create(subject, wanted(), f"shared-{read_set.name}")
    assert caught.value.code == "ValidationException"


async def test_an_open_upload_is_listed_with_its_metadata(subject: Subject) -> None:
    read_set = wanted(description="lane 1", generated_from="run 7")
    upload = await create(subject, read_set)
    rows = {row.upload_id: row for row in await open_uploads(subject)}
    row = rows[upload.upload_id]
    assert (row.name, row.sample_id, row.subject_id) == (read_set.name, "sample", "subject")
    assert (row.file_type, row.description, row.generated_from) == ("FASTQ", "lane 1", "run 7")


async def done(subject: Subject, read_set_id: str) -> ReadSetDetails:
    """The read set, when the service has done with it."""
    with anyio.fail_after(20):
        while True:
            record = await subject.service.get_read_set(subject.store_id, read_set_id)
            if record.status != "PROCESSING_UPLOAD":
                return record
            await anyio.sleep(0.02)


async def test_a_completed_upload_is_listed_with_its_parts_until_its_read_set_is_ready(
    subject: Subject,
) -> None:
    service = subject.service
    upload = await create(subject, wanted())
    parts = (UploadPart(ONE, 1, len(FASTQ), await send(subject, upload, 1, FASTQ)),)
    subject.hold()
    read_set_id = await service.complete_upload(upload, parts)
    assert upload.upload_id in {row.upload_id for row in await open_uploads(subject)}
    assert await listed(subject, upload) == {1: parts[0]}
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: service.complete_upload(upload, parts),
        lambda: send(subject, upload, 1, FASTQ),
        lambda: service.abort_upload(upload),
    ]
    for call in calls:
        with pytest.raises(CallFailed) as caught:
            await call()
        assert (caught.value.code, caught.value.status) == (NOT_FOUND, 404)
    subject.release()
    assert (await done(subject, read_set_id)).status == "ACTIVE"
    assert upload.upload_id not in {row.upload_id for row in await open_uploads(subject)}
    with pytest.raises(CallFailed) as caught:
        await listed(subject, upload)
    assert caught.value.code == NOT_FOUND


@pytest.mark.parametrize(("file_type", "grows"), [("FASTQ", False), ("UBAM", True)])
async def test_sizes_are_shown_at_work_and_those_of_alignments_change(
    subject: Subject, tmp_path: Path, file_type: str, grows: bool
) -> None:
    data = FASTQ if file_type == "FASTQ" else ubam(tmp_path / "reads.bam").path.read_bytes()
    upload = await create(subject, wanted(), file_type=FileType(file_type))
    part = UploadPart(ONE, 1, len(data), await send(subject, upload, 1, data))
    subject.hold()
    read_set_id = await subject.service.complete_upload(upload, (part,))
    record = await subject.service.get_read_set(subject.store_id, read_set_id)
    assert (record.status, record.sizes) == ("PROCESSING_UPLOAD", {ONE: len(data)})
    subject.release()
    record = await done(subject, read_set_id)
    assert record.status == "ACTIVE"
    assert (record.sizes[ONE] > len(data)) == grows
    assert grows or record.sizes == {ONE: len(data)}


async def test_a_completed_upload_is_a_read_set_that_can_be_found(subject: Subject) -> None:
    read_set = wanted()
    upload = await create(subject, read_set)
    text = await send(subject, upload, 1, b"not really gzip")
    read_set_id = await subject.service.complete_upload(upload, (UploadPart(ONE, 1, 15, text),))
    record = await subject.service.get_read_set(subject.store_id, read_set_id)
    assert record.read_set_id == read_set_id
    assert (record.name, record.sample_id, record.file_type) == (read_set.name, "sample", "FASTQ")
    found = await all_rows(
        lambda token: subject.service.list_read_sets(
            subject.store_id, ReadSetFilter(name=read_set.name), token
        )
    )
    assert [each.read_set_id for each in found] == [read_set_id]
    assert found[0].creation_type in (None, "UPLOAD")


@pytest.mark.parametrize(
    ("more", "shown"),
    [({}, {0, 1, 2}), ({"sample_id": "a"}, {0, 1}), ({"subject_id": "y"}, {1, 2}),
     ({"sample_id": "a", "subject_id": "y"}, {1}), ({"sample_id": "none of them"}, set())],
)  # fmt: skip
async def test_the_store_shows_its_read_sets_or_those_with_something_in_common(
    subject: Subject, more: dict[str, str], shown: set[int]
) -> None:
    ids = []
    for sample, person in (("a", "x"), ("a", "y"), ("b", "y")):
        about = {"sample_id": f"{sample}{sorted(more)}", "subject_id": f"{person}{sorted(more)}"}
        upload = await create(subject, wanted(**about))
        part = UploadPart(ONE, 1, 1, await send(subject, upload, 1, b"1"))
        ids.append(await subject.service.complete_upload(upload, (part,)))
    alike: dict[str, Any] = {key: f"{value}{sorted(more)}" for key, value in more.items()}
    wanted_ones = ReadSetFilter(**alike)
    found = await all_rows(
        lambda token: subject.service.list_read_sets(subject.store_id, wanted_ones, token)
    )
    assert {each.read_set_id for each in found} & set(ids) == {ids[index] for index in shown}
    if more:
        assert len(found) == len(shown)


async def test_those_at_work_are_shown_until_they_are_not(subject: Subject) -> None:
    upload = await create(subject, wanted())
    part = UploadPart(ONE, 1, 1, await send(subject, upload, 1, b"1"))
    read_set_id = await subject.service.complete_upload(upload, (part,))
    at_work = ReadSetFilter(status="PROCESSING_UPLOAD")
    with anyio.fail_after(10):
        while True:
            found = await all_rows(
                lambda token: subject.service.list_read_sets(subject.store_id, at_work, token)
            )
            if read_set_id not in {each.read_set_id for each in found}:
                break
    record = await subject.service.get_read_set(subject.store_id, read_set_id)
    assert record.status in ("ACTIVE", "UPLOAD_FAILED")


async def test_two_sources_complete_together(subject: Subject) -> None:
    upload = await create(subject, wanted())
    one = await send(subject, upload, 1, b"R1", ONE)
    two = await send(subject, upload, 1, b"R2", TWO)
    parts = (UploadPart(ONE, 1, 2, one), UploadPart(TWO, 1, 2, two))
    assert await subject.service.complete_upload(upload, parts)


@pytest.mark.parametrize("what", ["none", "unknown", "twice", "gap", "checksum", "second alone"])
async def test_a_wrong_complete_is_refused_and_the_upload_stays_open(
    subject: Subject, what: str
) -> None:
    upload = await create(subject, wanted())
    text = await send(subject, upload, 1, b"1")
    third = await send(subject, upload, 3, b"3")
    second_source = await send(subject, upload, 1, b"R2", TWO)
    good = UploadPart(ONE, 1, 1, text)
    parts: dict[str, tuple[UploadPart, ...]] = {
        "none": (),
        "unknown": (good, UploadPart(ONE, 2, 1, text)),
        "twice": (good, good),
        "gap": (good, UploadPart(ONE, 3, 1, third)),
        "checksum": (UploadPart(ONE, 1, 1, third),),
        "second alone": (UploadPart(TWO, 1, 2, second_source),),
    }
    with pytest.raises(CallFailed) as caught:
        await subject.service.complete_upload(upload, parts[what])
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)
    assert await subject.service.complete_upload(upload, (good,))


async def test_an_aborted_upload_is_gone(subject: Subject) -> None:
    upload = await create(subject, wanted())
    await subject.service.abort_upload(upload)
    rows = await open_uploads(subject)
    assert upload.upload_id not in {row.upload_id for row in rows}
    with pytest.raises(CallFailed) as caught:
        await send(subject, upload, 1, b"late")
    assert caught.value.code == NOT_FOUND


async def test_what_is_not_there_is_not_found(subject: Subject) -> None:
    nowhere = UploadRef(subject.store_id, "9999999999")
    service = subject.service
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: service.list_parts(nowhere, ONE),
        lambda: send(subject, nowhere, 1, b"x"),
        lambda: service.complete_upload(nowhere, (UploadPart(ONE, 1, 1, "x"),)),
        lambda: service.abort_upload(nowhere),
        lambda: service.get_read_set(subject.store_id, "9999999999"),
        lambda: service.list_uploads("9999999999"),
        lambda: service.list_read_sets("9999999999", ReadSetFilter()),
        lambda: service.create_upload("9999999999", wanted(), FileType.FASTQ, "t"),
    ]
    for call in calls:
        with pytest.raises(CallFailed) as caught:
            await call()
        assert (caught.value.code, caught.value.status) == (NOT_FOUND, 404)
        assert caught.value.operation
