"""A sheet as an array job of Slurm, on one machine."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.files import sheet_of
from tests.support.emulator import RunningEmulator
from tests.support.slurm import Cluster, slurm

ROWS, SHARDS = 12, 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with slurm() as found:
        yield found


def command(emulator: RunningEmulator, folder: Path, state: str) -> str:
    return (
        f"{sys.executable} -m turboupload batch {folder}/sheet.csv --store {emulator.store_id} "
        f"--shard auto --state-dir {folder}/state-{state} --quota-share {folder}/lab.share "
        f"--results {folder}/run.csv --no-wait"
    )


@pytest.mark.parametrize("how", ["array", "srun"])
def test_each_row_is_sent_by_one_task(cluster: Cluster, tmp_path: Path, how: str) -> None:
    sheet_of(tmp_path, ROWS, 4000)
    quotas = [
        "--quota=CreateMultipartReadSetUpload=50",
        "--quota=CompleteMultipartReadSetUpload=50",
    ]
    quota = "CreateMultipartReadSetUpload=50 CompleteMultipartReadSetUpload=50"
    with RunningEmulator("--quotas", "real", *quotas, "--ingest-delay", "0") as emulator:
        env = {**emulator.env(), "TURBOUPLOAD_QUOTA": quota}
        if how == "array":
            script = tmp_path / "job.sh"
            line = command(emulator, tmp_path, "$SLURM_ARRAY_TASK_ID")
            script.write_text(f"#!/bin/sh\n{line}\n")
            cluster.run("sbatch", "--wait", f"--array=0-{SHARDS - 1}", str(script), env=env)
        else:
            line = command(emulator, tmp_path, "$SLURM_PROCID")
            cluster.run("srun", f"--ntasks={SHARDS}", "sh", "-c", line, env=env)
        creates = emulator.stats()["operations"]["CreateMultipartReadSetUpload"]["successes"]
    assert creates == ROWS
    shards = sorted(tmp_path.glob("run.*-of-*.csv"))
    assert [each.name for each in shards] == [f"run.{n}-of-{SHARDS}.csv" for n in (1, 2, 3)]
    rows = [row for each in shards for row in csv.DictReader(each.read_text().splitlines())]
    assert Counter(row["name"] for row in rows) == {f"row{n}": 1 for n in range(ROWS)}
    assert {row["status"] for row in rows} <= {"processing", "active"}
    assert len({row["read_set_id"] for row in rows}) == ROWS


def test_a_batch_script_of_several_tasks_without_srun_is_no_array(
    cluster: Cluster, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    line = f"{sys.executable} -m turboupload batch s.csv --store 1234567890 --shard auto"
    script.write_text(f"#!/bin/sh\n{line} 2>{tmp_path}/err\necho $? >{tmp_path}/code\n")
    cluster.run("sbatch", "--wait", "--ntasks=2", str(script))
    assert (tmp_path / "code").read_text().strip() == "2"
    assert "finds no array job" in (tmp_path / "err").read_text()
