"""Uploads that were interrupted, or that ended elsewhere, and what the same call does then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Bench, gzip_fastq
from tests.support.memory_service import MemoryService
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_UPLOADS,
    SEND,
    Rule,
    refused,
)
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType
from turboupload.core.notices import Planned, Progress, Remark
from turboupload.core.records import ReadSetDetails
from turboupload.errors import (
    CallFailed,
    ServiceRefused,
    Stopped,
    UploadBusy,
)
from turboupload.omics.base import NOT_FOUND, Page, UploadRef
from turboupload.state.lock import UploadLock


@pytest.mark.parametrize("keep_journal", [True, False])
@pytest.mark.parametrize("after", [0, 1, 4, 9])
async def test_an_interrupted_upload_goes_on_and_sends_only_what_is_missing(
    bench: Bench, after: int, keep_journal: bool
) -> None:
    bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=after), concurrency=1)
    if not keep_journal:
        bench.forget_journal()
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"), concurrency=1)
    assert result.parts_reused == after
    assert bench.resent == 0
    assert bench.script.calls[CREATE] == (1 if after or keep_journal else 2)
    assert result.verified == "sha256"
    planned = bench.heard(Planned)[-1]
    assert (planned.parts_there, planned.resumed) == (after, keep_journal or after > 0)


async def test_a_copy_elsewhere_goes_on_where_the_first_stopped(
    bench: Bench, tmp_path: Path
) -> None:
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "other-name.fq.gz").write_bytes(path.read_bytes())
    result = await bench.upload(bench.read_set(copy / "other-name.fq.gz"))
    assert result.parts_reused == 5
    assert bench.resent == 0


async def test_another_part_size_gives_way_to_the_one_that_is_there(bench: Bench) -> None:
    bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    bench.forget_journal()
    result = await bench.upload(
        bench.read_set(bench.folder / "reads.fastq.gz"), part_size_bytes=700
    )
    assert result.parts_reused == 5
    assert bench.resent == 0


class Blunt(MemoryService):
    """One that says otherwise than by 404 that an upload isn't open any more."""

    code, status = NOT_FOUND, 404

    def _find(self, operation: str, upload: UploadRef) -> Any:
        return self._told(super()._find, operation, upload)

    def _find_listed(self, operation: str, upload: UploadRef) -> Any:
        return self._told(super()._find_listed, operation, upload)

    def _told(self, find: Callable[..., Any], operation: str, upload: UploadRef) -> Any:
        try:
            return find(operation, upload)
        except CallFailed:
            raise refused(self.code, self.status)(operation) from None


GONE = pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        (NOT_FOUND, 404, "upload-gone"),
        ("ValidationException", 400, "upload-refused"),
        ("NotSupportedOperationException", 405, "upload-refused"),
        ("ConflictException", 409, "upload-refused"),
        ("Gone", 410, "upload-refused"),
    ],
)
"""What is answered about an upload that isn't open any more, and what is remarked of it."""


def gone_is(bench: Bench, code: str, status: int) -> None:
    bench.service = service = Blunt()
    service.code, service.status = code, status


@GONE
async def test_an_upload_that_was_aborted_elsewhere_begins_anew(
    bench: Bench, code: str, status: int, told: str
) -> None:
    gone_is(bench, code, status)
    bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    (upload_id, *_), *_ = bench.service.received
    await bench.service.abort_upload(UploadRef(bench.store, upload_id))
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert result.parts_reused == 0
    assert result.upload_id != upload_id
    assert not bench.heard(Planned)[-1].resumed
    assert [each.code for each in bench.heard(Remark)] == [told]


@GONE
async def test_an_upload_that_is_aborted_under_way_stops_and_the_next_call_begins_anew(
    bench: Bench, code: str, status: int, told: str
) -> None:
    gone_is(bench, code, status)
    path = bench.file(size=10_000)

    def aborted(operation: str) -> Exception:
        bench.service._uploads.clear()
        return refused(code, status)(operation)

    bench.script.rules = [Rule(SEND, aborted, skip=3)]
    with pytest.raises(Stopped, match="aborted elsewhere while its parts were being sent"):
        await bench.upload(bench.read_set(path), concurrency=1)
    assert not bench.service._uploads
    assert {each.code for each in bench.heard(Remark)} == {told}
    await bench.upload(bench.read_set(path))


@GONE
async def test_an_upload_that_is_unknown_for_a_moment_is_continued(
    bench: Bench, code: str, status: int, told: str
) -> None:
    path = bench.file(size=10_000)
    bench.script.rules = [Rule(SEND, refused(code, status), skip=3)]
    result = await bench.upload(bench.read_set(path), concurrency=1)
    assert result.status == "ACTIVE"
    assert bench.script.calls["CreateMultipartReadSetUpload"] == 1
    assert [each.code for each in bench.heard(Remark)] == [told]


@pytest.mark.parametrize(("code", "status"), [("ValidationException", 400), ("Gone", 410)])
async def test_a_part_that_is_never_taken_ends_with_what_the_service_says(
    bench: Bench, code: str, status: int
) -> None:
    """The first one at once; a later one after it is sure that no read set was made elsewhere."""
    path = bench.file(size=10_000)
    for skip in (0, 3):
        bench.script.rules = [Rule(SEND, refused(code, status), skip=skip, times=None)]
        started = bench.fast.time
        with pytest.raises(ServiceRefused, match=code) as caught:
            await bench.upload(bench.read_set(path), concurrency=1)
        assert caught.value.operation == SEND
        assert "--no-resume" in str(caught.value.hint)
        assert (bench.fast.time - started > 60) == (skip > 0)
        assert bench.script.calls[CREATE] == 1
    bench.script.rules = []
    await bench.upload(bench.read_set(path))


@pytest.mark.parametrize("operation", [SEND, LIST_PARTS, COMPLETE])
@pytest.mark.parametrize("code", ["ExpiredTokenException", "RequestExpired", "SlowDown"])
async def test_what_concerns_the_account_is_not_taken_for_the_end_of_an_upload(
    bench: Bench, operation: str, code: str
) -> None:
    """AWS answers these with status 400, too."""
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    bench.script.rules = [Rule(operation, refused(code, 400), times=None)]
    with pytest.raises((ServiceRefused, Stopped)) as caught:
        await bench.upload(bench.read_set(path), give_up_after_s=30.0)
    assert caught.value.operation == operation
    assert caught.value.code == code
    assert not {"upload-refused", "complete-refused"} & {each.code for each in bench.heard(Remark)}
    bench.script.rules = []
    assert (await bench.upload(bench.read_set(path))).status == "ACTIVE"
    assert bench.resent == 0


@GONE
async def test_an_upload_that_another_host_completed_meanwhile_is_that_read_set(
    bench: Bench, code: str, status: int, told: str
) -> None:
    gone_is(bench, code, status)
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    state, kept = bench.folder / "state", bench.folder / "kept"
    shutil.copytree(state, kept)
    first = await bench.upload(bench.read_set(path))
    shutil.rmtree(state)
    kept.rename(state)
    with pytest.raises(ServiceRefused, match=f"read set {first.read_set_id}"):
        await bench.upload(bench.read_set(path))  # no ETag tells that it is of this file
    assert bench.script.calls[CREATE] == 1
    assert told in {each.code for each in bench.heard(Remark)}


async def test_a_read_set_in_the_way_is_remembered_where_an_older_listing_lacks_it(
    bench: Bench,
) -> None:
    path = bench.file(size=10_000)
    await bench.upload(bench.read_set(path))
    bench.forget_journal()
    for listed in (True, False):
        if not listed:
            bench.service = Forgetful(bench.service)
        with pytest.raises(ServiceRefused, match="nothing here proves"):
            await bench.upload(bench.read_set(path))
    assert bench.script.calls[CREATE] == 1


class Forgetful(MemoryService):
    """One whose listing of read sets is of long ago."""

    def __init__(self, service: MemoryService) -> None:
        super().__init__()
        self.__dict__.update(vars(service))

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        return Page((), None)


async def test_an_upload_that_was_whole_before_is_looked_at_and_it_is_said_why(
    bench: Bench,
) -> None:
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(LIST_UPLOADS, None, skip=1))
    assert bench.script.calls[COMPLETE] == 0
    started = bench.fast.time
    result = await bench.upload(bench.read_set(path))
    assert (result.status, result.bytes_sent) == ("ACTIVE", 0)
    assert bench.fast.time - started > 60
    (remark,) = bench.heard(Remark)
    assert "all parts were there when this run began" in remark.text


async def test_one_that_was_whole_and_is_passed_over_is_thought_of_and_it_is_said_why(
    bench: Bench,
) -> None:
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(LIST_UPLOADS, None, skip=1))
    (upload_id,) = bench.service._uploads
    await bench.service.abort_upload(UploadRef(bench.store, upload_id))
    started = bench.fast.time
    result = await bench.upload(bench.read_set(path), resume=False)
    assert result.status == "ACTIVE"
    assert result.upload_id != upload_id
    assert bench.fast.time - started > 60
    (remark,) = bench.heard(Remark)
    assert "made of an earlier upload of these files" in remark.text


@GONE
async def test_a_token_that_brings_back_a_dead_upload_is_given_up_for_a_new_one(
    bench: Bench, code: str, status: int, told: str
) -> None:
    gone_is(bench, code, status)
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None))
    (upload_id,) = bench.service._uploads
    await bench.service.abort_upload(UploadRef(bench.store, upload_id))
    bench.forget_journal()
    result = await bench.upload(bench.read_set(path))
    assert result.upload_id != upload_id
    assert result.status == "ACTIVE"
    assert [each.code for each in bench.heard(Remark)] == [told]


async def test_while_another_upload_may_hold_the_files_it_is_said_why_complete_waits(
    bench: Bench,
) -> None:
    read_set = bench.read_set(bench.file())
    await bench.service.create_upload(bench.store, read_set, FileType.FASTQ, "somebody else's")
    result = await bench.upload(read_set)
    assert result.status == "ACTIVE"
    assert [each.code for each in bench.heard(Remark)] == ["waits-for-others"]


async def test_a_service_that_knows_none_of_the_uploads_it_opens_is_given_up(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, refused("ResourceNotFoundException", 404), times=None)]
    with pytest.raises(Stopped, match="second time in this run"):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[CREATE] == 2


async def test_a_progress_callback_that_raises_is_the_callers_own_error_too(bench: Bench) -> None:
    def raising(notice: object) -> None:
        if isinstance(notice, Progress):
            raise RuntimeError("the caller's own")

    with bench.engine() as engine, pytest.raises(RuntimeError, match="the caller's own"):
        await engine.upload(bench.read_set(bench.file()), bench.store, raising)


@pytest.mark.parametrize("wait", [True, False])
async def test_what_an_earlier_run_made_may_not_be_shown_yet(bench: Bench, wait: bool) -> None:
    read_set = bench.read_set(bench.file())
    bench.script.rules = [Rule(GET, refused("ResourceNotFoundException", 404), times=6)]
    first = await bench.upload(read_set, wait=False)
    again = await bench.upload(read_set, wait=wait)
    assert again.read_set_id == first.read_set_id
    assert bench.script.calls[CREATE] == 1


async def test_what_an_earlier_run_made_and_is_never_shown_is_gone(bench: Bench) -> None:
    read_set = bench.read_set(bench.file())
    bench.script.rules = [Rule(GET, refused("ResourceNotFoundException", 404))]
    first = await bench.upload(read_set, wait=False)
    del bench.service._read_sets[first.read_set_id]
    bench.service._uploads.clear()  # which the fake lists until its read set is ACTIVE
    again = await bench.upload(read_set)
    assert again.read_set_id != first.read_set_id
    assert "read-set-gone" in {each.code for each in bench.heard(Remark)}


@pytest.mark.parametrize("status", ["DELETED", "DELETING"])
async def test_a_read_set_that_is_being_deleted_is_not_waited_for(
    bench: Bench, status: str
) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    before = bench.service._read_sets[first.read_set_id]
    bench.service._read_sets[first.read_set_id] = replace(before, status=status)
    bench.service._looks = 10**6  # so that the fake leaves the status alone
    with pytest.raises(Stopped, match="still PROCESSING_UPLOAD"):
        await bench.upload(read_set, wait_timeout_s=5.0)
    assert bench.script.calls[CREATE] == 2
    assert "read-set-gone" in {each.code for each in bench.heard(Remark)}


@pytest.mark.parametrize(("code", "status"), [("ValidationException", 400), ("Gone", 410)])
async def test_an_upload_that_is_listed_and_not_taken_keeps_no_other_from_being_made(
    bench: Bench, code: str, status: int
) -> None:
    read_set = bench.read_set(bench.file())
    await bench.interrupt_at(Rule(SEND, None, skip=3), concurrency=1)
    (expired,) = bench.service._uploads
    bench.script.rules = [Rule(LIST_PARTS, refused(code, status), times=None)]
    with pytest.raises(ServiceRefused) as caught:
        await bench.upload(read_set)
    assert "--no-resume begins a new one" in str(caught.value.hint)
    bench.script.rules = [Rule(LIST_PARTS, refused(code, status))]
    result = await bench.upload(read_set, resume=False)
    assert result.upload_id != expired
    assert result.status == "ACTIVE"


class Deleting(MemoryService):
    """One in whose account something deletes each read set that comes, or hides it."""

    hides = False

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        found = await super().get_read_set(store_id, read_set_id)
        if found.status == "PROCESSING_UPLOAD":
            return found
        if self.hides:
            raise refused(NOT_FOUND, 404)("GetReadSetMetadata")
        return replace(found, status="DELETED")


@pytest.mark.parametrize("hides", [False, True])
async def test_a_read_set_that_is_deleted_as_it_comes_is_not_made_again_and_again(
    bench: Bench, hides: bool
) -> None:
    bench.service = deleting = Deleting(looks_until_active=2)
    deleting.hides = hides
    read_set = bench.read_set(bench.file())
    with pytest.raises(Stopped, match="this run made it, and it was deleted meanwhile") as caught:
        await bench.upload(read_set)
    assert caught.value.exit_code == 5
    assert bench.script.calls[CREATE] == 1
    # What the hint says.
    bench.service.__class__ = MemoryService  # type: ignore[assignment] # it deletes no more
    bench.service._looks = 10**6  # so that the fake leaves the status alone
    for each in deleting._read_sets.values():
        deleting._read_sets[each.read_set_id] = replace(each, status="DELETED")
    result = await bench.upload(read_set, wait=False)
    assert bench.script.calls[CREATE] == 2
    assert len(deleting._read_sets) == 2
    assert result.read_set_id is not None


async def test_another_description_does_not_make_a_second_read_set_unasked(bench: Bench) -> None:
    path = bench.file()
    await bench.upload(bench.read_set(path, description="a"))
    with pytest.raises(ServiceRefused, match="its description is 'a', not 'b'"):
        await bench.upload(bench.read_set(path, description="b"))
    assert len(bench.service._read_sets) == 1


async def test_anothers_read_set_of_our_name_and_size_is_not_taken_for_a_lost_completes(
    bench: Bench,
) -> None:
    ours, theirs = bench.file("ours.gz", 5000, 1), bench.folder / "other" / "theirs.gz"
    theirs.parent.mkdir()
    gzip_fastq(theirs, 5000, seed=2)
    assert ours.stat().st_size == theirs.stat().st_size
    bench.script.rules = [Rule(COMPLETE, None)]
    await bench.interrupt_at(bench.script.rules[0])
    other = await bench.upload(bench.read_set(theirs), resume=False)
    with pytest.raises(ServiceRefused, match=rf"{other.read_set_id}.*nothing here proves"):
        await bench.upload(bench.read_set(ours))
    assert len(bench.service._read_sets) == 1
    # What the refusal advises works: ours is made beside it, of the parts that are there.
    result = await bench.upload(bench.read_set(ours), force=True)
    assert result.read_set_id != other.read_set_id
    assert (result.verified, result.bytes_sent) == ("sha256", 0)
    assert (len(bench.service._read_sets), bench.service._uploads) == (2, {})


async def test_an_open_upload_is_held_whatever_files_it_was_found_by(bench: Bench) -> None:
    path = bench.file(size=10_000)
    await bench.interrupt_at(Rule(SEND, None, skip=5), concurrency=1)
    (upload_id,) = bench.service._uploads
    bench.forget_journal()
    with (
        UploadLock(bench.folder / "state", f"upload-{upload_id}"),
        pytest.raises(UploadBusy, match="another"),
    ):
        await bench.upload(bench.read_set(path))
    assert bench.resent == 0
