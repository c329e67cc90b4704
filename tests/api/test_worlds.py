"""The library against services that there might be: each answer that isn't known must work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.support import samples
from tests.support.emulator import RunningEmulator

WORLDS = [
    {"gzip_replies": "true"},
    {"filters": "prefix"},
    {"filters": "ignored"},
    {"page_tokens": "once", "page_size": "2"},
    {"page_tokens_live_s": "1", "page_size": "3"},
    {"service_tags": "everywhere"},
    {"pair_etag": "source1"},
]
TITLE: Any = {"sample_id": "s", "subject_id": "u"}
FAST: Any = {
    "transactions_per_s": {
        "CreateMultipartReadSetUpload": 50.0,
        "ListMultipartReadSetUploads": 50.0,
    },
    "poll_interval_s": 0.2,
}
LISTING = {"operation": "ListMultipartReadSetUploads", "after": 1}
LOST = {**LISTING, "action": {"type": "lose_reply"}}
LATE = {**LISTING, "action": {"type": "delay", "seconds": 1.5}}
"""The second page: its reply is lost, so that its token is used up, or is so late that the next
page's token has expired."""


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: "-".join(map(str, world.values())))
async def test_a_pair_is_sent_resumed_found_and_not_called_different(
    world: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [word for pair in world.items() for word in ("--world", "=".join(pair))]
    pair = samples.fastq_pair(tmp_path, reads=3_000)
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", *options, tls=True) as emulator:
        for key, value in emulator.env().items():
            monkeypatch.setenv(key, value)
        store = emulator.store_id

        async def upload(state: str, name: str = "n") -> turboupload.UploadResult:
            read_set = turboupload.ReadSet(
                sources=[each.path for each in pair], name=name, tags={"lab": "a"}, **TITLE
            )
            config = turboupload.UploadConfig(
                state_dir=tmp_path / state, part_size_bytes=32 * 1024, prove=True, **FAST
            )
            return await turboupload.upload(read_set, store_id=store, config=config)

        made = await upload("first")
        assert made.status == "ACTIVE"
        assert (await upload("first")).read_set_id == made.read_set_id
        assert (await upload("first", "n2")).read_set_id != made.read_set_id
        told = await turboupload.verify_read_set(
            made.read_set_id, [each.path for each in pair], store_id=store
        )
        assert told.proven is ("pair_etag" not in world), told.sentence
        assert not told.disproven
        async with turboupload.SequenceStores(turboupload.UploadConfig(**FAST)) as stores:
            found = stores.list_read_sets(store, turboupload.ReadSetFilter(name="n"))
            assert [each.read_set_id async for each in found] == [made.read_set_id]
            opened = {
                (
                    await stores.create_multipart_read_set_upload(
                        store, file_type="FASTQ", name=f"open {n}", tags={"lab": "a"}, **TITLE
                    )
                ).upload_id
                for n in range(7)
            }
            for faults in ([], [LOST], [LATE]):
                emulator.set_faults(faults)
                rows: list[Any] = [
                    row async for row in stores.list_multipart_read_set_uploads(store)
                ]
                assert sorted(row.upload_id for row in rows) == sorted(opened)
                assert all(dict(row.tags) == {"lab": "a"} for row in rows)
                assert all(bool(row.service_tags) is ("service_tags" in world) for row in rows)
