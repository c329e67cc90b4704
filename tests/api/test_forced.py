"""Batches with `force`: each row once more, whatever happens on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.api.test_results import FAST
from tests.support import samples
from turboupload.state.forced import ForcedRows
from turboupload.testing import Emulator


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


class Stop(Exception):
    pass


class Site:
    """Rows, a state folder, and what the store has of them."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.rows = [
            turboupload.ReadSet(
                sources=[samples.fastq(folder / f"{n}.fastq.gz", seed=n).path],
                name=f"r{n}",
                sample_id="s",
                subject_id=folder.name,
            )
            for n in range(3)
        ]

    def upload(self, *, force: bool = True, **more: Any) -> list[str]:
        config = self.emulator.upload_config(
            state_dir=self.folder / "state", transactions_per_s=FAST, force=force
        )
        result = turboupload.upload_batch_sync(
            self.rows, store_id=self.emulator.store_id, config=config, **more
        )
        return [str(row.read_set_id) for row in result.rows]

    @property
    def forced(self) -> list[Path]:
        return list((self.folder / "state").glob("forced-*"))


@pytest.fixture
def site(emulator: Emulator, tmp_path: Path) -> Site:
    return Site(emulator, tmp_path)


def test_each_row_gets_another_read_set_each_time(site: Site) -> None:
    first = site.upload(force=False)
    second = site.upload()
    third = site.upload()
    assert len({*first, *second, *third}) == 9
    assert not site.forced
    assert site.upload(force=False) == third


def test_an_interrupted_one_goes_on(site: Site) -> None:
    """Stopped after each row, it makes each row once, and not the first ones again."""
    before = site.upload(force=False)
    made: set[str] = set()

    def stop_at_the_next(event: Any) -> None:
        if isinstance(event, turboupload.RowChanged) and event.result.status == "active":
            made.add(str(event.result.read_set_id))
            raise Stop

    for _ in range(6):
        try:
            after = site.upload(on_event=stop_at_the_next)
        except Stop:
            assert site.forced
            continue
        break
    assert not set(after) & set(before)
    assert made <= set(after)
    assert not site.forced
    assert site.upload(force=False) == after


def test_a_dry_run_leaves_no_trace_and_knows_what_is_left(site: Site) -> None:
    def rehearse() -> list[str]:
        config = site.emulator.upload_config(
            state_dir=site.folder / "state", transactions_per_s=FAST, force=True
        )
        found = turboupload.rehearse_batch_sync(
            site.rows, store_id=site.emulator.store_id, config=config
        )
        return [getattr(each, "verdict", str(each)) for _, each in found.rows]

    site.upload(force=False)
    assert rehearse() == ["create"] * 3
    assert not site.forced

    def stop(event: Any) -> None:
        if isinstance(event, turboupload.RowChanged) and event.result.status == "active":
            raise Stop

    with pytest.raises(Stop):
        site.upload(on_event=stop)
    assert rehearse().count("exists") >= 1
    assert site.forced


def test_one_that_is_processed_is_left_and_another_made_at_once(tmp_path: Path) -> None:
    """Its upload is still listed, with all its parts, and isn't taken for one to be continued."""
    with Emulator(ingest_delay_s=600.0) as slow:
        config = slow.upload_config(state_dir=tmp_path / "state", wait=False)
        row = turboupload.ReadSet(
            sources=[samples.fastq(tmp_path / "r.fastq.gz", seed=1).path],
            name="r",
            sample_id="s",
            subject_id="p",
        )
        made = [
            turboupload.upload_sync(row, store_id=slow.store_id, config=config).read_set_id
            for config in (config, dataclasses.replace(config, force=True))
        ]
    assert len(set(made)) == 2


def test_what_is_written_down(tmp_path: Path) -> None:
    path = tmp_path / "forced.jsonl"
    one = ForcedRows(path)
    assert one.would("a", "1")
    assert one.decide("a", "1")
    assert one.decide("a", "1")
    assert not one.decide("a", "2")
    other = ForcedRows(path)
    assert not other.decide("a", "2")
    assert other.decide("b", None)
    assert not one.decide("b", "3")  # what the other process has written meanwhile
    one.done = True
    one.close()
    assert path.exists()  # the other is still at work
    other.close()
    with path.open("ab") as file:
        file.write(b'["c", "7')  # torn by a crash
    third = ForcedRows(path)
    assert third.decide("c", "8")
    assert third.decide("d", "9")
    third.close()
    last = ForcedRows(path)
    assert [last.would(key, "1") for key in ("a", "b", "c", "d", "e")] == [
        True, False, False, False, True,
    ]  # fmt: skip
    last.done = True
    last.close()
    assert not path.exists()
