"""Giving uploads up where the service is slow, or the journal in the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import turboupload
from tests.support.emulator import RunningEmulator
from tests.support.scripted import FastClock
from turboupload.core.records import MultipartUpload
from turboupload.core.upload.events import Completed, Completing, Event, Opened, UploadGone
from turboupload.open_uploads import (
    CONFIRM_S,
    SKEW_S,
    UNCERTAIN_S,
    OpenUploads,
    OpenUploadState,
)
from turboupload.operations import TRANSACTIONS_PER_S
from turboupload.state.journal import Journal
from turboupload.state.journal_reader import KnownOpen


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off") as running:
        yield running


@pytest.fixture
async def stores(
    emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[turboupload.SequenceStores]:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    config = turboupload.UploadConfig(transactions_per_s=dict.fromkeys(TRANSACTIONS_PER_S, 1000))
    async with turboupload.SequenceStores(config) as stores:
        yield stores
    emulator.clear_faults()


async def open_upload(stores: turboupload.SequenceStores, store: str) -> str:
    made = await stores.create_multipart_read_set_upload(
        store, file_type="BAM", name="n", sample_id="s", subject_id="u"
    )
    return made.upload_id


async def test_a_service_that_lists_it_for_ever_is_given_up_on(
    stores: turboupload.SequenceStores, emulator: RunningEmulator, tmp_path: Path
) -> None:
    clock = FastClock()
    here = OpenUploads(stores, emulator.store_id, tmp_path, clock=clock.clock())
    row = {"uploadId": "1234567890", "sourceFileType": "BAM"}
    action = {
        "type": "error", "status": 200, "body": json.dumps({"uploads": [row]}),
        "contentType": "application/json",
    }  # fmt: skip
    emulator.set_faults(
        [{"operation": "ListMultipartReadSetUploads", "times": None, "action": action}]
    )
    waits: list[int] = []
    with pytest.raises(turboupload.Stopped, match="still listed: 1234567890"):
        await here.await_gone(["1234567890", "1234567891"], on_wait=waits.append)
    assert set(waits) == {1}
    assert CONFIRM_S <= sum(clock.slept) < CONFIRM_S + 10
    await here.await_gone(["1234567891"])


async def test_a_journal_that_cannot_be_written_does_not_keep_it(
    stores: turboupload.SequenceStores, emulator: RunningEmulator, tmp_path: Path
) -> None:
    upload_id = await open_upload(stores, emulator.store_id)
    here = OpenUploads(stores, emulator.store_id, tmp_path)
    (state,) = (await here.find([upload_id])).values()
    (tmp_path / "journal.sqlite3").mkdir()
    known = KnownOpen("key", "n", (), completing=False, began=0.0)
    await here.abort(OpenUploadState(upload=state.upload, known=known))
    await here.await_gone([upload_id])


async def test_an_upload_of_another_type_is_asked_for_both_sources(
    stores: turboupload.SequenceStores, emulator: RunningEmulator, tmp_path: Path
) -> None:
    here = OpenUploads(stores, emulator.store_id, tmp_path)
    for file_type, sources in (("FASTQ", 2), ("UBAM", 1)):
        made = await stores.create_multipart_read_set_upload(
            emulator.store_id,
            file_type=turboupload.FileType(file_type),
            name="n",
            sample_id="s",
            subject_id="u",
        )
        (state,) = (await here.find([made.upload_id])).values()
        full = await here.with_parts(state)
        assert full.sources is not None
        assert (len(full.sources), full.parts, full.bytes) == (sources, 0, 0)
        assert full.last_active_at == made.created_at


NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seen_at", "active_s_ago", "expected"),
    [
        (NOW, 3600.0, 3600.0 - UNCERTAIN_S),
        (NOW, 0.0, -UNCERTAIN_S),
        # The service's clock is five minutes behind ours, or before; ours plays no part.
        (NOW - timedelta(minutes=5), 300.0, -UNCERTAIN_S),
        (NOW + timedelta(minutes=5), 0.0, 300.0 - UNCERTAIN_S),
        # It doesn't say what time it is: ours may be off by as much as a signature may.
        (None, 3600.0, 3600.0 - SKEW_S - UNCERTAIN_S),
    ],
)
def test_idle_is_what_is_idle_for_certain(
    seen_at: datetime | None, active_s_ago: float, expected: float
) -> None:
    upload = MultipartUpload(
        upload_id="1", store_id="1", created_at=NOW - timedelta(seconds=active_s_ago)
    )
    state = OpenUploadState(upload=upload, seen_at=seen_at)
    assert state.idle_s(NOW.timestamp()) == expected
    assert replace(state, upload=replace(upload, created_at=None)).idle_s(0.0) is None


@pytest.mark.parametrize(
    ("later", "why"),
    [
        (UploadGone(), "has ended it since it was listed"),
        (Completed(read_set_id="9"), "its read set isn't known to have ended"),
    ],
)
async def test_what_an_uploader_wrote_meanwhile_is_not_overwritten(
    stores: turboupload.SequenceStores,
    emulator: RunningEmulator,
    tmp_path: Path,
    later: Event,
    why: str,
) -> None:
    upload_id = await open_upload(stores, emulator.store_id)
    about = {"name": "n", "store_id": emulator.store_id, "where": stores.where, "paths": []}
    opened = Opened(upload_id=upload_id, adopted=False, part_size=1)
    with closing(Journal(tmp_path)) as journal:
        journal.about("key", about)
        journal.append([("key", opened), ("key", Completing())])
        here = OpenUploads(stores, emulator.store_id, tmp_path)
        (state,) = (await here.find([upload_id])).values()
        assert state.known is not None
        journal.append([("key", later)])
        with pytest.raises(turboupload.Stopped, match=why):
            await here.abort(state)
        assert await here.find([upload_id])
        assert await here.abort(state, force=True)
        assert journal.load("key") == [opened, Completing(), later]


async def test_what_a_process_here_is_completing_meanwhile_is_spared(
    stores: turboupload.SequenceStores, emulator: RunningEmulator, tmp_path: Path
) -> None:
    upload_id = await open_upload(stores, emulator.store_id)
    about = {"name": "n", "store_id": emulator.store_id, "where": stores.where, "paths": []}
    with closing(Journal(tmp_path)) as journal:
        journal.about("key", about)
        journal.append([("key", Opened(upload_id=upload_id, adopted=False, part_size=1))])
        here = OpenUploads(stores, emulator.store_id, tmp_path)
        (state,) = (await here.find([upload_id])).values()
        assert await here.why_spared(state) is None
        journal.append([("key", Completing())])
        with pytest.raises(turboupload.Stopped, match="Complete was called for it") as raised:
            await here.abort(state)
    assert raised.value.upload_id == upload_id
    assert await here.find([upload_id])


async def test_an_abort_says_whether_the_upload_was_open(
    stores: turboupload.SequenceStores, emulator: RunningEmulator, tmp_path: Path
) -> None:
    here = OpenUploads(stores, emulator.store_id, tmp_path)
    (state,) = (await here.find([await open_upload(stores, emulator.store_id)])).values()
    assert await here.abort(state)
    assert not await here.abort(state)
