"""One sheet in shards, each by itself, over the service in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import turboupload
from tests.batch.conftest import BatchBench
from turboupload.core.model import ReadSet
from turboupload.core.shards import Shard
from turboupload.errors import ConfigError


def remove(rows: list[ReadSet]) -> None:
    for each in rows:
        Path(each.paths[0]).unlink()


async def test_the_shards_send_each_row_once_and_the_whole_sheet_has_nothing_left(
    bench: BatchBench,
) -> None:
    rows = bench.read_sets(12)
    sent: list[str] = []
    for number in (1, 2, 3):
        result = await bench.batch(rows, shard=Shard(number, 3))
        assert {row.status for row in result.rows} <= {"active"}
        sent += [row.name for row in result.rows]
    assert sorted(sent) == sorted(each.name for each in rows)
    assert len(bench.service._read_sets) == 12
    # One more row moves no other.
    more = [*rows, bench.read_set(bench.file("new.gz", 3000, 99), name="another")]
    again = await bench.batch(more)
    assert dict(again.counts) == {"exists": 12, "active": 1}


async def test_a_shard_without_rows_is_done(bench: BatchBench) -> None:
    rows = bench.read_sets(1)
    empty = next(each for n in (1, 2) if not (each := Shard(n, 2)).has(rows[0]))
    result = await bench.batch(rows, shard=empty)
    assert (result.rows, result.stopped_by) == ((), None)


async def test_the_files_of_other_shards_are_not_looked_at(bench: BatchBench) -> None:
    rows = bench.read_sets(8)
    mine = Shard(1, 2)
    remove([each for each in rows if not mine.has(each)])
    result = await bench.batch(rows, shard=mine)
    assert {row.status for row in result.rows} == {"active"}


async def test_rows_of_two_shards_that_name_one_file_are_found(bench: BatchBench) -> None:
    rows = bench.read_sets(6)
    mine = Shard(1, 2)
    other = next(each for each in rows if not mine.has(each))
    names = (f"again {n}" for n in range(99))
    twice = next(
        each for name in names if mine.has(each := bench.read_set(Path(other.paths[0]), name=name))
    )
    with pytest.raises(turboupload.SheetRejected, match="is also a file of row"):
        await bench.batch([*rows, twice], shard=mine)
    assert not bench.service._read_sets


@pytest.mark.parametrize("shard", ["auto", "0/3", "third"])
async def test_what_is_no_shard_is_refused_before_anything_else(
    shard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "AWS_BATCH_")):
            monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match="shard: "):
        await turboupload.upload_batch([], store_id="1234567890", shard=shard)
    with pytest.raises(ConfigError, match="shard: "):
        await turboupload.rehearse_batch([], store_id="1234567890", shard=shard)
