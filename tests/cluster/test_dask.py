"""A batch on a Dask cluster: a scheduler and workers in processes, over a real service."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.cluster.conftest import Lab
from tests.support.dask_cluster import PATIENCE_S, DaskCluster
from tests.support.samples import fastq
from turboupload.batch import SheetRejected, upload_batch
from turboupload.cluster import DaskWorkers
from turboupload.core.batch import BatchNotice, BatchProgress, RowNotice
from turboupload.core.model import ReadSet
from turboupload.core.notices import Remark
from turboupload.errors import ConfigError
from turboupload.state.journal import Journal

pytest.importorskip("distributed", reason="the extra `dask` isn't installed")

SLOW = 150_000
"""Bytes a second, for rows that something is to happen to."""

LARGE = 4_000
"""Reads of a file of some 390 kB."""


def kept_receipts_of(folder: Path, read_set_id: str) -> list[str]:
    with contextlib.closing(Journal(folder)) as journal:
        return [each.body for each in journal.receipts(read_set_id)]


def remarks(heard: list[BatchNotice]) -> dict[str, str]:
    return {
        each.notice.code: each.notice.text
        for each in heard
        if isinstance(each, RowNotice) and isinstance(each.notice, Remark)
    }


def sending(notice: BatchNotice) -> bool:
    return isinstance(notice, BatchProgress) and len(notice.under_way) > 1


class Once:
    """Does something when it first hears of two rows whose parts are on their way."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.heard: list[BatchNotice] = []
        self._act = act
        self.acted = False

    def __call__(self, notice: BatchNotice) -> None:
        self.heard.append(notice)
        if not self.acted and sending(notice):
            self.acted = True
            self._act()


async def with_client(cluster: DaskCluster, work: Callable[[Any], Any]) -> Any:
    import distributed

    async with distributed.Client(
        cluster.address, asynchronous=True, set_as_default=False
    ) as client:
        await client.wait_for_workers(2)
        return await work(client)


async def test_rows_go_where_their_files_are_and_each_is_sent_once(lab: Lab) -> None:
    rows = lab.read_sets(5)
    lanes = [fastq(lab.folder / f"L{lane}.fastq.gz", seed=40 + lane).path for lane in (1, 2)]
    digests = {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in lanes}
    merged = f"{lab.folder.name}-merged"
    rows.append(
        ReadSet(sources=[lanes], checksums=digests, name=merged, sample_id="S", subject_id="X")
    )
    fastq(lab.cluster.folder / "two" / "only.fastq.gz", seed=99)
    only = f"{lab.folder.name}-only"
    # A path that means another folder for each process, and on this machine none.
    path = "/proc/self/cwd/only.fastq.gz"
    rows.append(ReadSet(sources=[path], name=only, sample_id="S", subject_id="X"))
    results = lab.folder / "results.csv"

    async def send(client: Any) -> Any:
        return await upload_batch(
            rows,
            store_id=lab.emulator.store_id,
            config=lab.config(),
            results=results,
            elsewhere=DaskWorkers(client),
        )

    result = await with_client(lab.cluster, send)
    assert [each.status for each in result.rows] == ["active"] * 7, result.rows
    assert await lab.stored() == sorted(each.name for each in rows)
    assert {each.worker for each in result.rows[:6]} == {"one", "two"}
    assert result.rows[6].worker == "two"
    assert result.rows[5].manifest == "equal"
    assert result.bytes_sent == sum(each.bytes or 0 for each in result.rows)
    with results.open() as text:
        assert [each["worker"] for each in csv.DictReader(text)] == [
            each.worker for each in result.rows
        ]
    assert all(
        row.read_set_id and kept_receipts_of(lab.folder / "state", row.read_set_id)
        for row in result.rows
    )
    # Each host has a journal of its own.
    kept = {each.parent.name for each in (lab.folder / "state" / "hosts").glob("*/journal.sqlite3")}
    assert kept == {"host-one", "host-two"}

    lab.emulator.reset_stats()
    again = await upload_batch(
        rows[:6],
        store_id=lab.emulator.store_id,
        config=lab.config(),
        elsewhere=DaskWorkers(lab.cluster.address),
    )
    assert [each.status for each in again.rows] == ["exists"] * 6
    assert again.bytes_sent == 0
    asked = {name: each["requests"] for name, each in lab.emulator.stats()["operations"].items()}
    # The store is listed once for all rows, and each worker asks for a page to see that it may.
    assert (asked["ListReadSets"], asked["ListMultipartReadSetUploads"]) == (3, 1)

    missing = ReadSet(sources=["/nowhere/x.gz"], name="x", sample_id="S", subject_id="X")
    with pytest.raises(SheetRejected, match="as seen from host-one, host-two"):
        await upload_batch(
            [missing],
            store_id=lab.emulator.store_id,
            config=lab.config(),
            elsewhere=DaskWorkers(lab.cluster.address),
        )


async def test_rows_of_a_worker_that_is_killed_go_to_another(lab: Lab) -> None:
    rows = lab.read_sets(4, LARGE)
    hearing = Once(lambda: lab.cluster.kill("one"))
    try:
        result = await upload_batch(
            rows,
            store_id=lab.emulator.store_id,
            config=lab.config(max_bandwidth=SLOW),
            on_event=hearing,
            elsewhere=DaskWorkers(lab.cluster.address),
        )
    finally:
        lab.cluster.start_worker("one", host="host-one")
    assert hearing.acted
    assert [each.status for each in result.rows] == ["active"] * 4, result.rows
    assert {each.worker for each in result.rows} == {"two"}
    assert await lab.stored() == sorted(each.name for each in rows)
    assert "worker one is gone" in remarks(hearing.heard)["worker-gone"]


async def test_a_worker_of_another_version_gets_no_rows(lab: Lab) -> None:
    """And where none fits, each is named with the reason."""

    def set_version(version: str) -> None:
        import turboupload as theirs

        theirs.__version__ = version

    async def change(client: Any) -> dict[str, str]:
        found = {}
        for address, name in (await client.run(worker_name)).items():
            found[name] = address
        await client.run(set_version, "0.0.9", workers=[found["one"]])
        heard: list[BatchNotice] = []
        result = await upload_batch(
            lab.read_sets(2),
            store_id=lab.emulator.store_id,
            config=lab.config(),
            on_event=heard.append,
            elsewhere=DaskWorkers(client),
        )
        assert {each.worker for each in result.rows} == {"two"}
        assert "it has turboupload 0.0.9" in remarks(heard)["worker-left-out"]
        await client.run(set_version, turboupload.__version__)
        return found

    await with_client(lab.cluster, change)
    with pytest.raises(ConfigError, match=r"none of the Dask cluster's 2 workers can send: .*one"):
        await upload_batch(
            lab.read_sets(1),
            store_id="9999999999",
            config=lab.config(),
            elsewhere=DaskWorkers(lab.cluster.address),
        )


def worker_name(dask_worker: Any) -> str:
    return str(dask_worker.name)


async def test_the_scheduler_is_killed_and_started_again(lab: Lab) -> None:
    rows = lab.read_sets(2, LARGE)
    tasks: list[asyncio.Task[None]] = []

    async def restart() -> None:
        for name in ("scheduler", "one", "two"):
            await asyncio.to_thread(lab.cluster.kill, name)
        lab.cluster.start_scheduler()
        lab.cluster.start_worker("one", host="host-one")
        lab.cluster.start_worker("two", host="host-two")

    hearing = Once(lambda: tasks.append(asyncio.ensure_future(restart())))
    result = await upload_batch(
        rows,
        store_id=lab.emulator.store_id,
        config=lab.config(max_bandwidth=SLOW),
        on_event=hearing,
        elsewhere=DaskWorkers(lab.cluster.address),
    )
    await asyncio.gather(*tasks)
    assert hearing.acted
    assert [each.status for each in result.rows] == ["active"] * 2, result.rows
    assert await lab.stored() == sorted(each.name for each in rows)
    assert "scheduler-back" in remarks(hearing.heard)


async def test_the_coordinator_is_killed_and_the_same_command_goes_on(lab: Lab) -> None:
    rows = lab.read_sets(3, LARGE)
    sheet = lab.folder / "sheet.csv"
    lines = [f"S,X,{each.name},{each.paths[0]}" for each in rows]
    sheet.write_text("\n".join(["sample,subject,name,source1", *lines]) + "\n")
    command = [
        sys.executable, "-m", "turboupload", "batch", str(sheet), "--json",
        "--store", lab.emulator.store_id, "--dask", lab.cluster.address,
    ]  # fmt: skip
    env = {**os.environ, "TURBOUPLOAD_STATE_DIR": str(lab.folder / "state")}
    slow = subprocess.Popen(  # noqa: ASYNC220 - nothing else is to run meanwhile
        [*command, "--max-bandwidth", f"{SLOW}"], env=env, stdout=subprocess.PIPE, text=True
    )
    assert slow.stdout is not None
    for line in slow.stdout:
        event = json.loads(line)
        if event["event"] == "batch.progress" and len(event["under_way"]) > 1:
            break
    slow.send_signal(signal.SIGKILL)
    slow.communicate()
    assert await lab.stored() != sorted(each.name for each in rows), "it was killed too late"

    ran = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ran.returncode == 0, ran.stderr
    last = json.loads(ran.stdout.splitlines()[-1])
    assert last["outcome"] == "active"
    assert await lab.stored() == sorted(each.name for each in rows)


async def test_processes_of_this_machine(lab: Lab) -> None:
    rows = lab.read_sets(1)
    result = await upload_batch(
        rows,
        store_id=lab.emulator.store_id,
        config=lab.config(),
        elsewhere=DaskWorkers("local:1"),
    )
    (row,) = result.rows
    assert row.status == "active"
    assert row.worker.endswith("/0")
    # They share the journal with a batch that does without Dask.
    again = await upload_batch(rows, store_id=lab.emulator.store_id, config=lab.config())
    assert [(each.status, each.message) for each in again.rows] == [("exists", "")]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("scheduler:8786", "is like tcp://HOST:8786"),
        ("local:0", "1 to 64 processes"),
        ("tcp://127.0.0.1:9", "the Dask scheduler can't be reached"),
    ],
)
async def test_what_is_no_cluster_is_said(
    where: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    config = turboupload.UploadConfig(
        region="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        state_dir=tmp_path,
        connect_timeout_s=0.3,
    )
    row = ReadSet(sources=[tmp_path / "x"], name="x", sample_id="S", subject_id="X")
    with pytest.raises(ConfigError, match=message):
        await upload_batch(
            [row], store_id="1234567890", config=config, elsewhere=DaskWorkers(where)
        )
