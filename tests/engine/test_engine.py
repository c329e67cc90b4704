"""The engine's loop over the service in memory: the whole life, resumed, refused, repeated."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.engine.conftest import Bench, gzip_fastq
from tests.support.memory_service import MemoryService
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_READ_SETS,
    LIST_UPLOADS,
    SEND,
    Rule,
    Script,
    lost,
    refused,
)
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import FileType, Part, PartSource
from turboupload.core.notices import Planned, Progress, Remark, Retrying
from turboupload.core.records import ReadSetDetails, UploadPart
from turboupload.core.upload.events import Completing, PartSeen
from turboupload.engine.prepare import prepare
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    IntegrityError,
    LinkFailed,
    ServiceRefused,
    SourceChanged,
    Stopped,
    UploadBusy,
)
from turboupload.files.source import SAMPLE_BYTES
from turboupload.http.body import OpenBody
from turboupload.omics.base import NOT_FOUND, Page, UploadRef
from turboupload.state.lock import UploadLock

THROTTLED = refused("ThrottlingException", 429)
BROKEN = refused("InternalServerException", 500)


async def test_a_file_becomes_a_read_set(bench: Bench) -> None:
    path = bench.file(size=10_000)
    result = await bench.upload(bench.read_set(path))
    assert result.status == "ACTIVE"
    assert result.verified == "sha256"
    assert result.bytes_sent == path.stat().st_size == result.total_bytes
    assert result.parts == -(-path.stat().st_size // 1000)
    assert (result.parts_reused, result.retries, result.existed) == (0, 0, False)
    assert bench.resent == 0


async def test_a_pair_becomes_one_read_set(bench: Bench) -> None:
    one, two = bench.file("R1.fastq.gz", 4000, 1), bench.file("R2.fastq.gz", 5000, 2)
    result = await bench.upload(bench.read_set(one, two))
    assert result.stored_sizes == {
        PartSource.SOURCE1: one.stat().st_size,
        PartSource.SOURCE2: two.stat().st_size,
    }


async def test_progress_ends_at_the_total(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()))
    last = bench.heard(Progress)[-1]
    assert last.done_bytes == last.total_bytes == result.total_bytes
    assert last.done_parts == last.parts
    assert all(each.done_bytes <= each.total_bytes for each in bench.heard(Progress))


async def test_the_same_call_again_returns_the_read_set_and_sends_nothing(bench: Bench) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    again = await bench.upload(read_set)
    assert again.read_set_id == first.read_set_id
    assert (again.bytes_sent, again.existed, again.verified) == (0, True, "sha256")
    assert bench.script.calls[CREATE] == 1


async def test_without_the_journal_and_an_etag_a_read_set_is_named_and_not_made_again(
    bench: Bench,
) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    bench.forget_journal()
    with pytest.raises(ServiceRefused, match=rf"{first.read_set_id}.*nothing here proves"):
        await bench.upload(read_set)
    assert len(bench.service._read_sets) == 1


async def test_force_uploads_anew(bench: Bench) -> None:
    read_set = bench.read_set(bench.file())
    first = await bench.upload(read_set)
    again = await bench.upload(read_set, force=True)
    assert again.read_set_id != first.read_set_id
    assert again.bytes_sent == first.bytes_sent


async def test_without_waiting_another_files_read_set_is_not_taken_for_ours(
    bench: Bench,
) -> None:
    one, other = bench.file("one.gz", 4000, 1), bench.file("other.gz", 5000, 2)
    bench.service = MemoryService(looks_until_active=4)
    await bench.upload(bench.read_set(one), wait=False)
    with pytest.raises(ServiceRefused, match="nothing here proves"):
        await bench.upload(bench.read_set(other), wait=False)


async def test_without_waiting_it_returns_while_the_service_is_at_work(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()), wait=False)
    assert (result.status, result.outcome) == ("PROCESSING_UPLOAD", "processing")
    assert bench.script.calls[GET] == 1


async def test_waiting_has_an_end(bench: Bench) -> None:
    bench.service = type(bench.service)(looks_until_active=10_000)
    with pytest.raises(Stopped, match="still PROCESSING_UPLOAD"):
        await bench.upload(bench.read_set(bench.file()), wait_timeout_s=60.0)
    assert bench.fast.time < 1000 + 120


# --- interrupted and resumed ------------------------------------------------------------------


async def interrupt_at(bench: Bench, rule: Rule, **more: Any) -> None:
    """Uploads until the rule's call hangs, then cancels as a caller would."""
    rule.error = None
    bench.script.rules = [rule]
    bench.script.hanging = anyio.Event()
    with bench.engine(**more) as engine:
        async with anyio.create_task_group() as group:
            group.start_soon(
                engine.upload,
                bench.read_set(*sorted(bench.folder.glob("*.gz"))),
                bench.store,
                bench.told.append,
            )
            with anyio.fail_after(10):
                await bench.script.hanging.wait()
            group.cancel_scope.cancel()
    bench.script.rules = []


@pytest.mark.parametrize("keep_journal", [True, False])
@pytest.mark.parametrize("after", [0, 1, 4, 9])
async def test_an_interrupted_upload_goes_on_and_sends_only_what_is_missing(
    bench: Bench, after: int, keep_journal: bool
) -> None:
    bench.file(size=10_000)
    await interrupt_at(bench, Rule(SEND, None, skip=after), concurrency=1)
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
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "other-name.fq.gz").write_bytes(path.read_bytes())
    result = await bench.upload(bench.read_set(copy / "other-name.fq.gz"))
    assert result.parts_reused == 5
    assert bench.resent == 0


async def test_another_part_size_gives_way_to_the_one_that_is_there(bench: Bench) -> None:
    bench.file(size=10_000)
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
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
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
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
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
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
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
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
    await interrupt_at(bench, Rule(LIST_UPLOADS, None, skip=1))
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
    await interrupt_at(bench, Rule(LIST_UPLOADS, None, skip=1))
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
    await interrupt_at(bench, Rule(SEND, None))
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
    await interrupt_at(bench, Rule(SEND, None, skip=3), concurrency=1)
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
    await interrupt_at(bench, bench.script.rules[0])
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
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
    (upload_id,) = bench.service._uploads
    bench.forget_journal()
    with (
        UploadLock(bench.folder / "state", f"upload-{upload_id}"),
        pytest.raises(UploadBusy, match="another"),
    ):
        await bench.upload(bench.read_set(path))
    assert bench.resent == 0


# --- failures that pass -----------------------------------------------------------------------


@pytest.mark.parametrize("error", [THROTTLED, BROKEN, lost])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET, LIST_READ_SETS])
async def test_what_may_pass_is_tried_again(bench: Bench, operation: str, error: object) -> None:
    bench.script.rules = [Rule(operation, error, times=3)]  # type: ignore[arg-type] # either factory
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert result.retries >= 3
    assert len(bench.service._read_sets) == 1


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET])
async def test_a_lost_reply_makes_nothing_twice(bench: Bench, operation: str, times: int) -> None:
    bench.script.rules = [Rule(operation, lost, times=times, after=True)]
    result = await bench.upload(bench.read_set(bench.file()), concurrency=1)
    assert result.status == "ACTIVE"
    assert len(bench.service._read_sets) == 1
    assert bench.service._uploads == {}
    assert bench.resent == (times if operation == SEND else 0)


@pytest.mark.parametrize("dropped", [0, 1])
async def test_a_complete_whose_every_reply_is_lost_is_found_by_looking(
    bench: Bench, dropped: int
) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost, times=dropped),
        Rule(COMPLETE, lost, times=None, after=True),
    ]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert bench.script.calls[COMPLETE] == dropped + 1
    assert (len(bench.service._read_sets), bench.resent) == (1, 0)


async def test_a_long_outage_ends_as_stopped_and_the_same_call_goes_on(bench: Bench) -> None:
    path = bench.file()
    bench.script.rules = [Rule(SEND, lost, times=None, skip=3)]
    with pytest.raises(Stopped, match=r"no answer for 1[5-9] min") as caught:
        await bench.upload(bench.read_set(path), concurrency=1)
    assert "same command" in str(caught.value.hint)
    assert caught.value.upload_id is not None
    assert caught.value.path == str(path)
    bench.script.rules = []
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 3


@pytest.mark.parametrize(
    ("error", "words"),
    [(BROKEN, "kept answering InternalServerException"), (lost, "no answer for")],
)
async def test_a_complete_that_never_works_ends_as_stopped(
    bench: Bench, error: Callable[[str], Exception], words: str
) -> None:
    bench.script.rules = [Rule(COMPLETE, error, times=None)]
    with pytest.raises(Stopped, match=words):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[COMPLETE] > 1
    bench.script.rules = []
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert result.bytes_sent == 0


async def test_retries_are_told(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, THROTTLED, times=2)]
    await bench.upload(bench.read_set(bench.file()))
    assert {(each.operation, each.reason) for each in bench.heard(Retrying)} == {
        (SEND, "ThrottlingException")
    }


async def test_a_service_that_grants_less_than_the_quota_is_told_once(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, THROTTLED, times=40)]
    await bench.upload(bench.read_set(bench.file()), concurrency=1)
    (told,) = [each for each in bench.heard(Remark) if each.code == "quota-lower"]
    assert "the quota here is 10" in told.text
    assert f"--quota {SEND}=0.1 keeps to that" in told.text


# --- failures that don't ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDeniedException", 403),
        ("ValidationException", 400),
        ("ServiceQuotaExceededException", 402),
        ("ExpiredTokenException", 403),
    ],
)
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET, LIST_READ_SETS])
async def test_a_refusal_is_not_tried_again(
    bench: Bench, operation: str, code: str, status: int
) -> None:
    bench.script.rules = [Rule(operation, refused(code, status), times=None)]
    with pytest.raises(ServiceRefused) as caught:
        await bench.upload(bench.read_set(bench.file()), concurrency=1)
    assert caught.value.code == code
    assert caught.value.operation == operation
    # A Complete may be refused because it is done already: that is looked into, once.
    again = operation == COMPLETE and status == 400
    assert bench.script.calls[operation] == 1 + again


async def test_an_unknown_store_is_named(bench: Bench) -> None:
    bench.script.rules = [Rule(LIST_READ_SETS, refused("ResourceNotFoundException", 404))]
    with pytest.raises(ServiceRefused, match=f"store {bench.store} was not found"):
        await bench.upload(bench.read_set(bench.file()))


async def test_a_service_that_was_never_reached_is_given_up_soon(bench: Bench) -> None:
    bench.script.rules = [Rule(LIST_UPLOADS, lost, times=None)]
    with pytest.raises(Stopped):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.fast.time < 1000 + 60


# --- bytes that differ ------------------------------------------------------------------------


class Corrupting(MemoryService):
    """Stores part 2 wrongly, so many times, and answers with the checksum of what it stored."""

    wrong = 1

    async def send_part(
        self,
        upload: UploadRef,
        part: Part,
        open_body: OpenBody,
        on_bytes: Callable[[int], None],
    ) -> str:
        text = await super().send_part(upload, part, open_body, on_bytes)
        if part.number != 2 or not self.wrong:
            return text
        self.wrong -= 1
        damaged = "A" * 43 + "="
        self._uploads[upload.upload_id].parts[part.source, 2] = UploadPart(
            part.source, 2, part.size, damaged
        )
        return damaged


async def test_a_part_that_was_stored_wrongly_is_sent_again(bench: Bench) -> None:
    bench.service = Corrupting()
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.verified == "sha256"
    assert bench.resent == 1
    assert [each.code for each in bench.heard(Remark)] == ["checksum-differs"]


async def test_one_that_stays_wrong_is_an_integrity_error(bench: Bench) -> None:
    service = Corrupting()
    service.wrong = 100
    bench.service = service
    with pytest.raises(IntegrityError, match="part 2 was sent 3 times"):
        await bench.upload(bench.read_set(bench.file()))
    assert bench.script.calls[COMPLETE] == 0


async def test_xxh3_gives_the_comparison_up_and_says_so(bench: Bench) -> None:
    result = await bench.upload(bench.read_set(bench.file()), checksum="xxh3")
    assert result.verified == "none"
    digests = [each.digest.get("sha256") for each in bench.heard(PartSeen)]
    assert digests
    assert not any(digests)


# --- the file changes -------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grow", "shrink", "rewrite", "replace", "delete"])
async def test_a_file_that_changes_stops_the_upload_and_nothing_is_completed(
    bench: Bench, change: str
) -> None:
    path = bench.file(size=10_000)

    def alter(notice: object) -> None:
        if isinstance(notice, PartSeen) and notice.part.number == 3:
            match change:
                case "grow":
                    with path.open("ab") as file:
                        file.write(b"more")
                case "shrink":
                    os.truncate(path, 5000)
                case "rewrite":
                    os.utime(path, ns=(1, 1))
                case "replace":
                    new = path.with_suffix(".new")
                    new.write_bytes(path.read_bytes())
                    new.replace(path)
                case "delete":
                    path.unlink()

    with bench.engine(concurrency=1) as engine, pytest.raises(SourceChanged) as caught:
        await engine.upload(bench.read_set(path), bench.store, alter)
    assert caught.value.path == str(path)
    assert bench.script.calls[COMPLETE] == 0


async def test_a_file_that_changes_after_its_last_part_is_not_completed(bench: Bench) -> None:
    path = bench.file(size=2000)
    seen = []

    def alter(notice: object) -> None:
        if isinstance(notice, PartSeen):
            seen.append(notice)
            if len(seen) == -(-path.stat().st_size // 1000):
                os.utime(path, ns=(1, 1))

    with bench.engine(concurrency=1) as engine, pytest.raises(SourceChanged, match="written to"):
        await engine.upload(bench.read_set(path), bench.store, alter)
    assert bench.script.calls[COMPLETE] == 0


@pytest.mark.parametrize("change", ["bytes", "mode"])
async def test_a_touched_file_is_compared_before_its_upload_goes_on(
    bench: Bench, change: str
) -> None:
    """Also where the time of its modification was set back; what is equal isn't sent again."""
    path = bench.file(size=2_000_000)
    how: dict[str, Any] = {"part_size_bytes": 100_000, "concurrency": 1, "preflight": False}
    bench.script = Script([Rule(SEND, refused("AccessDeniedException", 403), times=None, skip=9)])
    with pytest.raises(ServiceRefused):
        await bench.upload(bench.read_set(path), **how)
    before = path.stat()
    if change == "mode":
        path.chmod(0o400)
    else:
        with path.open("r+b") as file:
            file.seek(SAMPLE_BYTES + 100)
            file.write(b"N")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    bench.script = Script()
    await bench.upload(bench.read_set(path), **how)
    uploads = {upload for upload, _, _ in bench.service.received}
    assert len(uploads) == (1 if change == "mode" else 2)
    assert bench.resent == 0
    path.chmod(0o600)
    again = await bench.upload(bench.read_set(path), **how)
    assert (again.bytes_sent, again.verified) == (0, "sha256")


# --- what is rejected before anything is asked --------------------------------------------------


async def test_bad_files_are_rejected_before_anything_is_asked(bench: Bench) -> None:
    folder = bench.folder
    (folder / "empty.gz").touch()
    (folder / "plain.fastq").write_bytes(b"@r\nACGT\n+\nIIII\n")
    os.mkfifo(folder / "pipe")
    good = bench.file()
    link = folder / "link.gz"
    link.hardlink_to(good)
    cases = [
        (["missing.gz"], {}, "no such file"),
        (["."], {}, "folder"),
        (["empty.gz"], {}, "empty"),
        (["pipe"], {}, "pipe"),
        (["plain.fastq"], {}, "uncompressed FASTQ"),
        (["reads.fastq.gz"], {"file_type": "BAM"}, "BAM"),
        (["reads.fastq.gz", "link.gz"], {}, "same file"),
    ]
    for names, more, message in cases:
        with pytest.raises(InputError, match=message):
            await bench.upload(bench.read_set(*[folder / name for name in names], **more))
    assert not bench.script.calls


async def test_two_at_once_on_one_upload_are_refused(bench: Bench) -> None:
    path = bench.file()
    read_set = bench.read_set(path)
    with bench.engine() as engine:
        ready = await prepare(read_set, engine.config, bench.told.append)
        key = engine._loader.key(ready, bench.store)
        with UploadLock(bench.folder / "state", key), pytest.raises(UploadBusy, match="another"):
            await engine.upload(read_set, bench.store, bench.told.append)
        await engine.upload(read_set, bench.store, bench.told.append)


async def test_a_state_folder_that_cannot_be_written_is_a_configuration_error(
    bench: Bench,
) -> None:
    (bench.folder / "state").write_text("a file")
    with pytest.raises(ConfigError, match="state folder"), bench.engine():
        pass


# --- many at once -----------------------------------------------------------------------------


async def test_many_uploads_share_one_engine(bench: Bench) -> None:
    paths = [bench.file(f"lane{number}.fastq.gz", 3000, number) for number in range(20)]
    results = []
    with bench.engine() as engine:

        async def one(path: Path) -> None:
            read_set = bench.read_set(path, name=path.name)
            results.append(await engine.upload(read_set, bench.store, bench.told.append))

        async with anyio.create_task_group() as group:
            for path in paths:
                group.start_soon(one, path)
    assert len({result.read_set_id for result in results}) == 20
    assert bench.resent == 0


async def test_a_callback_that_raises_stops_its_upload_which_stays_resumable(bench: Bench) -> None:
    path = bench.file()

    def raising(notice: object) -> None:
        if isinstance(notice, PartSeen):
            raise RuntimeError("the caller's own")

    with bench.engine() as engine, pytest.raises(RuntimeError, match="the caller's own"):
        await engine.upload(bench.read_set(path), bench.store, raising)
    await bench.upload(bench.read_set(path))
    assert bench.script.calls[CREATE] == 1


async def test_the_rehearsal_changes_nothing(bench: Bench) -> None:
    path = bench.file(size=10_000)
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert rehearsal.verdict == "create"
    assert rehearsal.bytes_to_send == path.stat().st_size
    assert bench.script.calls[CREATE] == 0
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert (rehearsal.verdict, rehearsal.parts_there) == ("resume", 5)
    await bench.upload(bench.read_set(path))
    with bench.engine() as engine:
        rehearsal = await engine.rehearse(bench.read_set(path), bench.store, bench.told.append)
    assert (rehearsal.verdict, rehearsal.bytes_to_send) == ("exists", 0)
    assert bench.resent == 0


async def test_a_journal_that_makes_no_sense_is_left_aside(bench: Bench) -> None:
    path = bench.file(size=10_000)
    await interrupt_at(bench, Rule(SEND, None, skip=5), concurrency=1)
    with bench.engine() as engine:
        ready = await prepare(bench.read_set(path), engine.config, bench.told.append)
        key = engine._loader.key(ready, bench.store)
        engine._journal.append([(key, Completing()), (key, Completing())])
    result = await bench.upload(bench.read_set(path))
    assert result.parts_reused == 5
    assert "journal-unusable" in {each.code for each in bench.heard(Remark)}


def test_the_maker_of_files_makes_valid_ones(tmp_path: Path) -> None:
    text = gzip.decompress(gzip_fastq(tmp_path / "x.gz", 5000).read_bytes()).split(b"\n")
    assert text[0].startswith(b"@read")
    assert len(text[1]) == len(text[3])


# --- Complete is refused ----------------------------------------------------------------------


async def test_a_lasting_refusal_says_what_to_do_and_that_works(bench: Bench) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost),
        Rule(COMPLETE, refused("ValidationException", 400), times=None),
    ]
    read_set = bench.read_set(bench.file())
    with pytest.raises(ServiceRefused, match=r"refused 2 times.*still open") as caught:
        await bench.upload(read_set)
    assert caught.value.code == "ValidationException"
    hint = str(caught.value.hint)
    assert "--no-resume --part-size 100MiB" in hint
    assert f"uploads abort {caught.value.upload_id} --store {bench.store}" in hint
    assert bench.script.calls[COMPLETE] == 3
    assert bench.resent == 0
    bench.script.rules = []
    anew = await bench.upload(read_set, resume=False)
    assert anew.upload_id != caught.value.upload_id
    assert anew.parts_reused == 0
    assert len(bench.service._read_sets) == 1


async def test_after_a_lasting_refusal_the_same_command_goes_on_where_it_passed(
    bench: Bench,
) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("ValidationException", 400), times=2)]
    read_set = bench.read_set(bench.file())
    with pytest.raises(ServiceRefused):
        await bench.upload(read_set)
    result = await bench.upload(read_set)
    assert (result.bytes_sent, result.status) == (0, "ACTIVE")


async def test_a_conflict_is_looked_into_for_as_long_as_calls_are_tried(bench: Bench) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("Conflict", 409), times=None)]
    with pytest.raises(Stopped, match=r"conflict for 1\d min"):
        await bench.upload(bench.read_set(bench.file()))
    bench.script.rules = [Rule(COMPLETE, refused("Conflict", 409), times=2)]
    result = await bench.upload(bench.read_set(bench.folder / "reads.fastq.gz"))
    assert (result.bytes_sent, result.status) == (0, "ACTIVE")


async def test_a_complete_that_fails_is_not_made_again_before_a_listing_may_have_lagged(
    bench: Bench,
) -> None:
    bench.script.rules = [Rule(COMPLETE, lost)]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert bench.fast.time > 1000 + 60
    assert bench.script.calls[COMPLETE] == 2


# --- Create leaves it open --------------------------------------------------------------------


def stalled_on(bench: Bench) -> Callable[[str], Exception]:
    """No answer for a minute."""

    def stalled(operation: str) -> Exception:
        bench.fast.time += 60.0
        return LinkFailed(operation, fault="stalled", message="no answer")

    return stalled


async def test_a_token_that_is_refused_as_used_finds_the_upload_that_it_made(bench: Bench) -> None:
    bench.script.rules = [
        Rule(CREATE, lost, after=True),
        Rule(CREATE, refused("ConflictException", 409), times=None),
    ]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert (len(bench.service._read_sets), bench.service._uploads) == (1, {})


async def test_a_create_that_takes_longer_than_anybody_waits_is_found(bench: Bench) -> None:
    bench.script.rules = [Rule(CREATE, stalled_on(bench), times=None, after=True)]
    result = await bench.upload(bench.read_set(bench.file()))
    assert result.status == "ACTIVE"
    assert (len(bench.service._read_sets), bench.service._uploads) == (1, {})
    assert bench.script.calls[CREATE] == 1


async def test_a_create_that_is_never_answered_and_makes_nothing_is_given_up(bench: Bench) -> None:
    bench.script.rules = [Rule(CREATE, stalled_on(bench), times=None)]
    with pytest.raises(Stopped, match="no answer for"):
        await bench.upload(bench.read_set(bench.file()))


async def test_a_refusal_of_a_complete_that_had_worked_is_no_failure(bench: Bench) -> None:
    bench.script.rules = [
        Rule(COMPLETE, lost, after=True),
        Rule(COMPLETE, refused("ValidationException", 400), times=None),
    ]
    result = await bench.upload(bench.read_set(bench.file()))
    assert (result.status, bench.script.calls[COMPLETE]) == ("ACTIVE", 1)
