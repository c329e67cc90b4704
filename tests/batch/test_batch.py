"""A batch over the service in memory: sent once, skipped on proof, resumed, polled."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.batch.conftest import BatchBench, KnowingService
from tests.support.memory_service import MemoryService
from tests.support.scripted import (
    COMPLETE,
    CREATE,
    GET,
    LIST_PARTS,
    LIST_READ_SETS,
    LIST_UPLOADS,
    SEND,
    QuickClock,
    Rule,
    lost,
    refused,
    scripted,
)
from turboupload.batch.failures import reach_of, what_to_do
from turboupload.batch.listing import FRESH_S, LEAST_PAGES, StoreListing
from turboupload.batch.polling import FEW
from turboupload.batch.ready import checked
from turboupload.cli.ui.batch_words import describe_batch
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchResult,
    BatchStarted,
    RowNotice,
)
from turboupload.core.filters import ReadSetFilter
from turboupload.core.model import ReadSet
from turboupload.core.notices import Rehearsal, Remark
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.core.records import ReadSetDetails
from turboupload.engine.survey import OpenUploads
from turboupload.errors import (
    CallFailed,
    ConfigError,
    InputError,
    LinkFailed,
    ServiceRefused,
    Stopped,
    TurbouploadError,
    UploadBusy,
)
from turboupload.omics.base import Page
from turboupload.state.journal import Journal
from turboupload.state.lock import UploadLock
from turboupload.state.results_file import ResultsFile


async def test_every_row_becomes_one_read_set(bench: BatchBench) -> None:
    rows = bench.read_sets(12)
    result = await bench.batch(rows)
    assert dict(result.counts) == {"active": 12}
    assert [row.name for row in result.rows] == [each.name for each in rows]
    assert len({row.read_set_id for row in result.rows}) == len(bench.service._read_sets) == 12
    assert result.bytes_sent == sum(row.bytes or 0 for row in result.rows)
    assert bench.resent == 0
    assert bench.statuses_of(3) == ["running", "processing", "active"]


async def test_the_store_is_listed_once_for_all_rows(bench: BatchBench) -> None:
    bench.fast = QuickClock(10)  # type: ignore[assignment] # as good; the listing stays fresh
    await bench.batch(bench.read_sets(12))
    calls = bench.script.calls
    # Once before anything is sent, and each row by itself right before its Complete.
    # Those that look at the same time share one listing of uploads.
    assert 1 < calls[LIST_UPLOADS] <= 1 + 12
    # The others follow, a hundred at a time.
    assert 1 + 12 <= calls[LIST_READ_SETS] < 2 * 12
    assert calls[GET] <= 2 * 12
    assert calls[CREATE] == calls[COMPLETE] == 12


async def test_running_it_again_sends_nothing(bench: BatchBench) -> None:
    rows = bench.read_sets(8)
    first = await bench.batch(rows)
    before = bench.script.calls.copy()
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 8}
    assert [row.read_set_id for row in again.rows] == [row.read_set_id for row in first.rows]
    assert again.bytes_sent == 0
    assert dict(bench.script.calls - before) == {LIST_READ_SETS: 1, LIST_UPLOADS: 1}


async def test_without_the_journal_rows_are_skipped_on_their_etags(bench: BatchBench) -> None:
    rows = bench.read_sets(8)
    bench.service = service = KnowingService()
    service.stores(rows)
    first = await bench.batch(rows)
    bench.forget_journal()
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 8}
    assert [row.read_set_id for row in again.rows] == [row.read_set_id for row in first.rows]
    assert again.unproven == ()
    assert bench.script.calls[CREATE] == 8


async def test_sizes_are_no_proof_that_a_row_is_there(bench: BatchBench) -> None:
    rows = bench.read_sets(3)
    first = await bench.batch(rows)
    bench.forget_journal()
    again = await bench.batch(rows)
    assert dict(again.counts) == {"failed": 3}
    for row, before in zip(again.rows, first.rows, strict=True):
        assert f"read set {before.read_set_id} (ACTIVE)" in row.message
        assert "nothing here proves that it holds these files" in row.message
        assert "its stored sizes are those of these files" in row.message
        assert row.what_to_do.endswith("`turboupload upload --force`"), "a batch has no --force"
    assert bench.script.calls[CREATE] == 3


async def test_another_file_of_the_same_size_is_not_passed_off_as_there(bench: BatchBench) -> None:
    bench.service = service = KnowingService()
    (row,) = rows = bench.read_sets(1)
    service.stores(rows)
    await bench.batch([row])
    bench.file("0.gz", 3000, seed=77)
    result = await bench.batch([row])
    assert [each.status for each in result.rows] == ["failed"]
    assert "ETag" in result.rows[0].message
    assert bench.script.calls[CREATE] == 1


async def test_a_file_that_was_copied_since_is_there_and_not_passed_off_as_proven(
    bench: BatchBench,
) -> None:
    (row,) = bench.read_sets(1)
    await bench.batch([row])
    os.utime(row.paths[0])
    result = await bench.batch([row])
    assert [each.status for each in result.rows] == ["exists"]
    assert result.unproven == result.rows
    assert "no byte was compared" in result.rows[0].message
    assert "no byte was compared" in describe_batch(result, results=None)


@pytest.mark.parametrize("checksum", ["sha256", "xxh3"])
async def test_what_the_journal_knows_needs_no_such_word(bench: BatchBench, checksum: str) -> None:
    rows = bench.read_sets(2)
    await bench.batch(rows, checksum=checksum)
    again = await bench.batch(rows, checksum=checksum)
    assert dict(again.counts) == {"exists": 2}
    assert again.unproven == ()


async def test_read_sets_at_work_are_taken_up_without_the_journal(bench: BatchBench) -> None:
    bench.service = service = KnowingService(looks_until_active=6)
    rows = bench.read_sets(6)
    service.stores(rows)
    first = await bench.batch(rows, wait=False)
    assert dict(first.counts) == {"processing": 6}
    bench.forget_journal()
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 6}
    assert bench.script.calls[CREATE] == 6


async def test_one_at_work_that_no_etag_has_proven_yet_proves_itself_later(
    bench: BatchBench,
) -> None:
    bench.service = service = KnowingService(looks_until_active=2)
    rows = bench.read_sets(1)
    service.stores(rows)
    await bench.batch(rows, wait=False)
    bench.forget_journal()
    # Found by its metadata, and journalled so; then the run is interrupted.
    await interrupt_at(bench, rows, Rule(GET, None, skip=1))
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 1}
    assert again.unproven == ()
    assert bench.script.calls[CREATE] == 1


async def test_a_row_that_nobody_waits_for_leaves_its_receipt(bench: BatchBench) -> None:
    await bench.batch(bench.read_sets(1), wait=False)
    journal = Journal(bench.folder / "state")
    try:
        (kept,) = journal.receipts("lane 0")
    finally:
        journal.close()
    receipt = read_receipt(json.loads(kept.body))
    assert "not yet ACTIVE" in receipt.verdict.statement
    assert all(each.parts for each in receipt.files)


async def test_new_rows_in_an_old_sheet_are_all_that_is_sent(bench: BatchBench) -> None:
    rows = bench.read_sets(6)
    await bench.batch(rows[:4])
    result = await bench.batch(rows)
    assert [row.status for row in result.rows] == ["exists"] * 4 + ["active"] * 2
    assert bench.script.calls[CREATE] == 6


async def test_many_at_work_are_followed_together(bench: BatchBench) -> None:
    bench.service = MemoryService(looks_until_active=8)
    result = await bench.batch(bench.read_sets(30), poll_interval_s=2.0)
    assert dict(result.counts) == {"active": 30}
    # Eight looks each, one by one, would have been 240.
    assert bench.script.calls[GET] < 80


async def test_a_row_whose_complete_is_refused_is_told_what_a_batch_can_not_do(
    bench: BatchBench,
) -> None:
    bench.script.rules = [Rule(COMPLETE, refused("ValidationException", 400), times=None)]
    result = await bench.batch(bench.read_sets(2), listing_lag_s=1.0)
    assert dict(result.counts) == {"failed": 2}
    for row in result.rows:
        assert "Complete was refused 2 times" in row.message
        assert "use `turboupload upload` with --no-resume" in row.what_to_do
    assert bench.script.calls[COMPLETE] == 4


async def test_a_row_that_fails_stops_no_other(bench: BatchBench) -> None:
    rows = bench.read_sets(5)
    bench.script.rules = [Rule(SEND, refused("ValidationException", 400))]
    result = await bench.batch(rows, concurrency=1)
    (failed,) = result.failed
    assert "as told" in failed.message
    assert failed.what_to_do
    assert dict(result.counts) == {"active": 4, "failed": 1}
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 4, "active": 1}
    assert bench.script.calls[CREATE] == 5


@pytest.mark.parametrize("most", [1, 3])
async def test_so_many_failures_stop_all(bench: BatchBench, most: int) -> None:
    rows = bench.read_sets(30)
    bench.script.rules = [Rule(SEND, refused("ValidationException", 400), times=None)]
    result = await bench.batch(rows, max_failures=most)
    # Those that fail before they are told to stop are failures too, but most are never begun.
    failed = result.counts["failed"]
    assert most <= failed < 30
    assert result.counts["active"] == 0
    assert result.counts["waiting"] + result.counts["stopped"] == 30 - failed
    assert result.stopped_by is None


@pytest.mark.parametrize(
    "error",
    [refused("AccessDeniedException", 403), refused("ServiceQuotaExceededException", 402)],
    ids=["denied", "quota"],
)
async def test_what_concerns_all_rows_stops_all(
    bench: BatchBench, error: Callable[[str], Exception]
) -> None:
    bench.script.rules = [Rule(CREATE, error, times=None)]
    result = await bench.batch(bench.read_sets(60))
    assert isinstance(result.stopped_by, ServiceRefused)
    assert set(result.counts) <= {"waiting", "stopped"}
    assert result.counts["waiting"] > 0
    assert bench.script.calls[CREATE] < 20


async def test_a_read_set_that_can_no_longer_be_asked_for_keeps_its_id(bench: BatchBench) -> None:
    bench.script.rules = [Rule(GET, refused("AccessDeniedException", 403), times=None)]
    result = await bench.batch(bench.read_sets(2))
    assert isinstance(result.stopped_by, ServiceRefused)
    # The other row may have been refused as well before it was told to stop.
    stopped = [row for row in result.rows if row.message]
    assert stopped
    assert {row.status for row in stopped} == {"stopped"}
    assert all(row.read_set_id for row in stopped)


async def test_a_store_that_is_not_there_is_said_before_anything_is_sent(
    bench: BatchBench,
) -> None:
    rows = bench.read_sets(3)
    bench.service.store_id = "9999999999"
    with bench.engine() as engine, pytest.raises(ServiceRefused, match="store 1234567890 was not"):
        async with checked(engine, rows, "1234567890"):
            pytest.fail("it was found good")
    assert CREATE not in bench.script.calls


async def test_a_lost_complete_is_settled_by_looking_afresh(bench: BatchBench) -> None:
    rows = bench.read_sets(6)
    bench.script.rules = [Rule(COMPLETE, lost, times=3, after=True)]
    result = await bench.batch(rows)
    assert dict(result.counts) == {"active": 6}
    assert len(bench.service._read_sets) == 6
    assert bench.resent == 0


async def test_a_listing_that_fails_leaves_the_rows_to_ask_for_themselves(
    bench: BatchBench,
) -> None:
    bench.script.rules = [Rule(LIST_READ_SETS, refused("SomethingNewException", 418))]
    with pytest.raises(ServiceRefused, match="as told"):
        await bench.batch(bench.read_sets(3))
    bench.script.rules = [Rule(LIST_UPLOADS, lost, times=2)]
    assert dict((await bench.batch(bench.read_sets(3))).counts) == {"active": 3}


async def interrupt_at(bench: BatchBench, rows: list[ReadSet], rule: Rule, **more: Any) -> None:
    """Runs the batch until the rule's call hangs, then cancels as a caller would."""
    rule.error = None
    bench.script.rules = [rule]
    bench.script.hanging = anyio.Event()
    async with anyio.create_task_group() as group:

        async def run() -> None:
            await bench.batch(rows, **more)

        group.start_soon(run)
        with anyio.fail_after(20):
            await bench.script.hanging.wait()
        group.cancel_scope.cancel()
    bench.script.rules = []


@pytest.mark.parametrize("keep_journal", [True, False])
@pytest.mark.parametrize("operation", [CREATE, SEND, COMPLETE, GET])
async def test_an_interrupted_batch_goes_on(
    bench: BatchBench, operation: str, keep_journal: bool, tmp_path: Path
) -> None:
    bench.service = service = KnowingService()
    rows = bench.read_sets(6)
    service.stores(rows)
    results = tmp_path / "results.json"
    await interrupt_at(bench, rows, Rule(operation, None, skip=2), results=results)
    known = {row["row"]: row["status"] for row in json.loads(results.read_text())}
    assert set(known) == {1, 2, 3, 4, 5, 6}
    assert "running" not in known.values()
    if not keep_journal:
        bench.forget_journal()
    result = await bench.batch(rows, results=results)
    assert set(result.counts) <= {"active", "exists"}
    assert len(bench.service._read_sets) == 6
    assert bench.service._uploads == {}
    assert bench.resent == 0
    assert all(row["read_set_id"] for row in json.loads(results.read_text()))


async def test_what_is_half_done_waits_for_no_turn_of_create(bench: BatchBench) -> None:
    rows = bench.read_sets(12)  # twice as many as may wait for Create
    bench.script.rules = [Rule(SEND, None, times=None)]
    for _ in range(2):
        bench.heard_of.clear()
        async with anyio.create_task_group() as group:

            async def run() -> None:
                await bench.batch(rows, concurrency=64)

            group.start_soon(run)
            with anyio.fail_after(20):
                while not any(len(each.under_way) == len(rows) for each in bench.progress):  # noqa: ASYNC110 - it is told to a list
                    await anyio.sleep(0.01)
            assert not bench.progress[-1].waits_for_create
            group.cancel_scope.cancel()
    assert bench.script.calls[CREATE] == len(rows)


async def test_the_results_file_says_what_came_of_each_row(
    bench: BatchBench, tmp_path: Path
) -> None:
    bench.script.rules = [Rule(SEND, refused("ValidationException", 400))]
    path = tmp_path / "results.csv"
    result = await bench.batch(bench.read_sets(3), results=path, concurrency=1)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == [row.status for row in result.rows]
    assert sum(bool(row["what_to_do"]) for row in rows) == 1


async def test_a_rehearsal_sends_nothing_and_knows_what_would_be(bench: BatchBench) -> None:
    rows = bench.read_sets(4)
    await bench.batch(rows[:1])
    await interrupt_at(bench, rows[1:2], Rule(SEND, None, skip=1), concurrency=1)
    before = bench.script.calls.copy()
    found = await bench.rehearse_batch(rows)
    verdicts = [each.verdict for _, each in found.rows if isinstance(each, Rehearsal)]
    assert verdicts == ["exists", "resume", "create", "create"]
    assert set(bench.script.calls - before) <= {LIST_READ_SETS, LIST_UPLOADS, LIST_PARTS}


async def test_a_rehearsal_compares_what_is_there_as_the_upload_does(bench: BatchBench) -> None:
    bench.service = service = KnowingService()
    rows = bench.read_sets(2)
    service.stores(rows)
    await bench.batch(rows)
    bench.forget_journal()
    bench.file("1.gz", 3000, seed=77)
    (_, first), (_, second) = (await bench.rehearse_batch(rows)).rows
    assert isinstance(first, Rehearsal)
    assert first.verdict == "exists"
    assert isinstance(second, ServiceRefused)
    assert "ETag" in second.message


async def test_a_read_set_that_is_deleted_while_it_is_followed_is_made_anew(
    bench: BatchBench,
) -> None:
    rows = bench.read_sets(1)
    first = await bench.batch(rows)
    (row,) = first.rows
    assert row.read_set_id is not None
    record = bench.service._read_sets[row.read_set_id]
    bench.service._read_sets[row.read_set_id] = replace(record, status="DELETED")
    bench.service._looks = 10**6  # so that the fake leaves the status alone
    result = await bench.batch(rows, wait_timeout_s=5.0)
    (again,) = result.rows
    assert again.read_set_id != row.read_set_id
    assert again.status == "processing"
    assert "still PROCESSING" in again.message
    assert bench.script.calls[CREATE] == 2


async def test_a_row_that_stays_in_other_hands_is_left_to_them(bench: BatchBench) -> None:
    rows = bench.read_sets(2)
    await interrupt_at(bench, rows[:1], Rule(SEND, None))
    (upload_id,) = bench.service._uploads
    with UploadLock(bench.folder / "state", f"upload-{upload_id}"):
        result = await bench.batch(rows, give_up_after_s=60.0, max_failures=1)
    assert [row.status for row in result.rows] == ["stopped", "active"]
    assert "another process" in result.rows[0].message
    assert "wait for it to end" in result.rows[0].what_to_do
    assert result.failed == ()


async def test_batches_of_one_sheet_side_by_side_wait_for_each_other(bench: BatchBench) -> None:
    bench.service = MemoryService(looks_until_active=4)
    rows = bench.read_sets(10)
    results: list[BatchResult] = []

    async def run() -> None:
        # Locks are held by threads of this machine, whose time isn't that of the bench's clock:
        # whoever waits must not give up because they are slow.
        results.append(await bench.batch(rows, give_up_after_s=10.0**9))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(run)
    assert [dict(result.counts).keys() <= {"active", "exists"} for result in results] == [True] * 3
    assert len({tuple(row.read_set_id for row in result.rows) for result in results}) == 1
    assert bench.script.calls[CREATE] == bench.script.calls[COMPLETE] == len(rows)
    assert bench.resent == 0
    assert list((bench.folder / "state").glob("journal.damaged*")) == []
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 10}


async def test_what_became_of_a_complete_is_never_looked_up_in_the_listing(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bench.read_sets(3)
    await interrupt_at(bench, rows, Rule(COMPLETE, None))
    completing = bench.script.calls[COMPLETE]
    asked: list[str] = []
    survey = StoreListing.survey

    async def noted(self: StoreListing, *arguments: Any, **more: Any) -> Any:
        asked.append(more["read_set"].name)
        return await survey(self, *arguments, **more)

    monkeypatch.setattr(StoreListing, "survey", noted)
    result = await bench.batch(rows)
    assert set(result.counts) <= {"active", "exists"}
    assert completing >= 1
    assert len(asked) <= len(rows) - completing
    assert len(bench.service._read_sets) == 3


async def test_progress_ends_with_everything_done(bench: BatchBench) -> None:
    await bench.batch(bench.read_sets(5))
    last = bench.progress[-1]
    assert last.done_rows == last.rows == 5
    assert last.done_bytes == last.total_bytes == last.bytes_sent
    assert (dict(last.counts), last.under_way, last.eta_s) == ({"active": 5}, (), 0.0)


async def test_a_remark_names_its_row(bench: BatchBench) -> None:
    rows = bench.read_sets(2)
    await interrupt_at(bench, rows, Rule(SEND, None, skip=1), concurrency=1)
    for upload_id in list(bench.service._uploads):
        del bench.service._uploads[upload_id]
    result = await bench.batch(rows)
    assert result.counts["active"] == 2
    told = [each for each in bench.heard_of if isinstance(each, RowNotice)]
    assert {each.row for each in told if isinstance(each.notice, Remark)} <= {1, 2}
    assert any(isinstance(each.notice, Remark) for each in told)


async def test_a_callback_that_raises_is_the_callers_own_error(bench: BatchBench) -> None:
    def raising(notice: object) -> None:
        if isinstance(notice, BatchProgress) and notice.done_rows:
            raise RuntimeError("the caller's own")

    with bench.engine() as engine, pytest.raises(RuntimeError, match="the caller's own"):
        async with checked(engine, bench.read_sets(3), bench.store) as ready:
            await ready.batch(max_failures=None, tell=raising, results=None).run()


@pytest.mark.parametrize("after", [0, 4])
async def test_a_service_that_stays_away_stops_all(bench: BatchBench, after: int) -> None:
    bench.script.rules = [Rule(SEND, lost, times=None, skip=after)]
    result = await bench.batch(bench.read_sets(20), give_up_after_s=5.0)
    assert isinstance(result.stopped_by, Stopped)
    assert result.counts["active"] <= after
    assert set(result.counts) <= {"active", "processing", "stopped", "waiting"}
    bench.script.rules = []
    again = await bench.batch(bench.read_sets(20))
    assert set(again.counts) <= {"active", "exists"}
    assert len(bench.service._read_sets) == 20


async def test_results_that_cant_be_written_are_said_before_anything_is_sent(
    bench: BatchBench, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="can't be written"):
        await bench.batch(bench.read_sets(2), results=tmp_path / "missing" / "results.csv")
    assert CREATE not in bench.script.calls


async def test_results_that_can_no_longer_be_written_cost_no_upload(
    bench: BatchBench, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    rows = bench.read_sets(3)
    with bench.engine() as engine:
        async with checked(engine, rows, bench.store) as ready:

            def tell(notice: BatchNotice) -> None:
                bench.heard_of.append(notice)
                if isinstance(notice, BatchStarted):
                    shutil.rmtree(folder)

            batch = ready.batch(
                max_failures=None, tell=tell, results=ResultsFile(folder / "r.json")
            )
            result = await batch.run()
    assert dict(result.counts) == {"active": 3}
    told = [each.notice for each in bench.heard_of if isinstance(each, RowNotice)]
    assert [each.code for each in told if isinstance(each, Remark)] == ["results-unwritten"]


async def test_an_old_listing_is_made_anew_before_it_is_built_on(bench: BatchBench) -> None:
    rows = bench.read_sets(2)
    clock = bench.fast.clock()
    service = scripted(bench.service, bench.script)
    listing = StoreListing(service, bench.store, rows, clock, OpenUploads())
    async with anyio.create_task_group() as group:
        group.start_soon(listing.keep_fresh)
        assert await listing.wait()
        assert listing.of(rows[0]) == []
        await bench.batch(rows)
        assert await listing.wait()
        assert listing.of(rows[0]) == []  # five minutes have not passed
        await clock.sleep(FRESH_S)
        assert await listing.wait()
        assert [each.name for each in listing.of(rows[0])] == [rows[0].name]
        group.cancel_scope.cancel()


class Wordless(MemoryService):
    """One whose listings say no status."""

    async def list_read_sets(
        self, store_id: str, wanted: ReadSetFilter, token: str | None = None
    ) -> Page[ReadSetDetails]:
        page = await super().list_read_sets(store_id, wanted, token)
        return replace(page, rows=tuple(replace(row, status=None) for row in page.rows))


async def test_rows_that_a_listing_shows_without_a_status_are_asked_for(bench: BatchBench) -> None:
    bench.service = Wordless(looks_until_active=3)
    result = await bench.batch(bench.read_sets(FEW + 2))
    assert dict(result.counts) == {"active": FEW + 2}


async def test_a_store_too_large_to_list_is_asked_row_by_row(bench: BatchBench) -> None:
    rows = bench.read_sets(2)
    for number in range(100 * (LEAST_PAGES + 1)):
        read_set_id = str(5_000_000_000 + number)
        bench.service._read_sets[read_set_id] = ReadSetDetails(
            read_set_id=read_set_id, status="ACTIVE", name=f"other {number}",
            sample_id="HG002", subject_id="NA24385",
        )  # fmt: skip
    first = await bench.batch(rows)
    assert dict(first.counts) == {"active": 2}
    pages = bench.script.calls[LIST_READ_SETS]
    assert pages >= LEAST_PAGES
    again = await bench.batch(rows)
    assert dict(again.counts) == {"exists": 2}
    assert bench.script.calls[CREATE] == 2


def caused(error: TurbouploadError, cause: Exception) -> TurbouploadError:
    error.__cause__ = cause
    return error


def failed(code: str, status: int, operation: str = SEND) -> CallFailed:
    return CallFailed(operation, code=code, status=status, message="")


@pytest.mark.parametrize(
    ("error", "reach"),
    [
        (UploadBusy("another process"), "row"),
        (Stopped("reading failed", operation="read"), "row"),
        (Stopped("the disk is full", operation="journal"), "all"),
        (ConfigError("the state folder"), "all"),
        (InputError("no such file"), "row"),
        (ServiceRefused("in the way", code="ReadSetExists"), "row"),
        (caused(ServiceRefused(""), failed("ValidationException", 400)), "row"),
        (caused(ServiceRefused(""), failed("ConflictException", 409)), "row"),
        (caused(ServiceRefused(""), failed("AccessDeniedException", 403)), "all"),
        (caused(ServiceRefused(""), failed("ExpiredTokenException", 400)), "all"),
        (caused(ServiceRefused(""), failed("ServiceQuotaExceededException", 402)), "all"),
        (caused(ServiceRefused(""), failed("ResourceNotFoundException", 404)), "row"),
        (caused(ServiceRefused(""), failed("ResourceNotFoundException", 404, CREATE)), "all"),
        (caused(Stopped(""), failed("InternalServerException", 500)), "outage"),
        (caused(Stopped(""), LinkFailed(SEND, fault="lost", message="")), "outage"),
        (
            caused(ServiceRefused(""), LinkFailed(SEND, fault="credentials", message="")),
            "all",
        ),
    ],
)
def test_whom_an_error_concerns(error: TurbouploadError, reach: str) -> None:
    assert reach_of(error) == reach
    assert what_to_do(error)
