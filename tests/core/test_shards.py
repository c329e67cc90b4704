"""Which rows a shard has, and which shard a task of an array is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turboupload.core.model import ReadSet
from turboupload.core.shards import Shard


def row(name: str, sample: str = "S", subject: str = "P") -> ReadSet:
    return ReadSet(sources=["reads.fastq.gz"], name=name, sample_id=sample, subject_id=subject)


ROWS = [row(f"run-{number}", f"S{number // 2}") for number in range(1000)]


@given(st.integers(1, 200))
def test_each_row_is_in_exactly_one_shard(count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    assert all(sum(each.has(row) for each in shards) == 1 for row in ROWS[:20])


def test_shards_of_many_rows_are_about_as_large_as_each_other() -> None:
    sizes = [sum(Shard(number, 10).has(row) for row in ROWS) for number in range(1, 11)]
    assert sum(sizes) == len(ROWS)
    assert min(sizes) >= 70
    assert max(sizes) <= 130


def test_a_rows_shard_never_changes() -> None:
    # Shards that run for days are begun by one version and gone on with by another.
    mine = [each.name for each in ROWS[:60] if Shard(3, 10).has(each)]
    assert mine == ["run-14", "run-40"]
    assert Shard(3, 10).has(row("run-14", "S7"))
    assert [Shard(n, 7).has(row("é")) for n in range(1, 8)].count(True) == 1


@pytest.mark.parametrize(
    ("text", "environ", "shard"),
    [
        ("3/10", {}, (3, 10)),
        (" 1/1 ", {}, (1, 1)),
        ("3/10", {"SLURM_ARRAY_TASK_ID": "5"}, (3, 10)),
        ("auto", {"ID": "0", "COUNT": "10", "MIN": "0", "MAX": "9"}, (1, 10)),
        ("AUTO", {"ID": "9", "COUNT": "10", "MIN": "0", "MAX": "9"}, (10, 10)),
        ("auto", {"ID": "5", "COUNT": "4", "MIN": "3", "MAX": "6"}, (3, 4)),
        ("auto", {"ID": "7", "COUNT": "3", "MIN": "1", "MAX": "7", "STEP": "3"}, (3, 3)),
        ("auto", {"ID": "4", "COUNT": "1", "MIN": "4", "MAX": "4"}, (1, 1)),
    ],
)
def test_the_shard_of_an_array(
    text: str, environ: Mapping[str, str], shard: tuple[int, int]
) -> None:
    told = {
        name if name.startswith("SLURM") else f"SLURM_ARRAY_TASK_{name}": value
        for name, value in environ.items()
    }
    found = Shard.parse(text, told)
    assert (found.number, found.count) == shard


@pytest.mark.parametrize(
    ("environ", "shard"),
    [
        ({"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4"}, "3/4"),
        (
            {
                "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_ARRAY_TASK_ID": "2",
                "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "0",
                "SLURM_ARRAY_TASK_MAX": "2",
            },
            "6/6",
        ),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "20"}, "1/20"),
    ],
)  # fmt: skip
def test_the_shard_of_a_task(environ: Mapping[str, str], shard: str) -> None:
    assert str(Shard.parse("auto", environ)) == shard


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("auto", {}, "finds no array job"),
        # A batch script of several tasks: without srun nobody would send the others' rows.
        ("auto", {"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "finds no array job"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, "SLURM_ARRAY_TASK_COUNT, which is not set"),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "6",
            },
            "not evenly spaced",
        ),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, "AWS_BATCH_JOB_ARRAY_SIZE"),
        ("0/10", {}, "no shard 0/10"),
        ("11/10", {}, "no shard 11/10"),
        ("1/99999", {}, "no shard"),
        ("3 of 10", {}, "neither `auto` nor a shard"),
        ("٣/10", {}, "neither `auto` nor a shard"),
    ],
)  # fmt: skip
def test_what_is_no_shard(text: str, environ: Mapping[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Shard.parse(text, environ)


def test_each_shard_has_results_of_its_own() -> None:
    assert Shard(3, 10).beside(PurePath("a/run.csv")) == PurePath("a/run.3-of-10.csv")
