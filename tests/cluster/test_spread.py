"""A file whose parts several workers send, into one upload that the coordinator decides."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.conftest import Lab
from tests.cluster.test_dask import kept_receipts_of, remarks
from tests.support.botocore_client import omics_client
from tests.support.dask_cluster import PATIENCE_S
from tests.support.samples import fastq
from turboupload.batch import upload_batch
from turboupload.cluster import DaskWorkers
from turboupload.core.batch import BatchNotice, BatchProgress
from turboupload.core.model import ReadSet
from turboupload.units import KIB

pytest.importorskip("distributed", reason="the extra `dask` isn't installed")

# Processes that start one after the other take their time on a busy machine.
pytestmark = pytest.mark.timeout(300)

PART = 64 * KIB
READS = 12_000
"""Of a file of some 1.1 MB: 18 parts."""

SLOW = 150_000


def large(lab: Lab, name: str = "large") -> ReadSet:
    path = fastq(lab.folder / f"{name}.fastq.gz", reads=READS, seed=7).path
    return ReadSet(sources=[path], name=f"{lab.folder.name}-{name}", sample_id="S", subject_id="X")


def holds(lab: Lab, read_set_id: str | None, row: ReadSet) -> bool:
    """Whether the read set is the row's file, byte by byte."""
    client, store = omics_client(lab.emulator), lab.emulator.store_id
    about = client.get_read_set_metadata(sequenceStoreId=store, id=read_set_id)
    parts = range(1, about["files"]["source1"]["totalParts"] + 1)
    stored = b"".join(
        client.get_read_set(sequenceStoreId=store, id=read_set_id, partNumber=number)[
            "payload"
        ].read()
        for number in parts
    )
    return stored == Path(row.paths[0]).read_bytes()


async def test_several_workers_send_one_file(lab: Lab) -> None:
    row = large(lab)
    heard: list[BatchNotice] = []
    # A path that means another file for each process, and none for the coordinator.
    fastq(lab.cluster.folder / "two" / "only.fastq.gz", reads=READS, seed=99)
    theirs = "/proc/self/cwd/only.fastq.gz"
    only = ReadSet(sources=[theirs], name=f"{lab.folder.name}-only", sample_id="S", subject_id="X")
    result = await upload_batch(
        [row, *lab.read_sets(1), only],
        store_id=lab.emulator.store_id,
        config=lab.config(part_size_bytes=PART, prove=True),
        on_event=heard.append,
        elsewhere=DaskWorkers(lab.cluster.address, spread_bytes=500_000),
    )
    spread, whole, elsewhere = result.rows
    assert [each.status for each in result.rows] == ["active"] * 3, result.rows
    assert (spread.worker, whole.worker in {"one", "two"}) == ("one, two", True)
    assert elsewhere.worker == "two"
    assert "row 3 goes whole to one worker" in remarks(heard)["not-spread"]
    assert spread.bytes is not None
    rates = [set(each.workers) for each in heard if isinstance(each, BatchProgress)]
    assert rates[-1] == {"one", "two"}
    assert result.bytes_sent == sum(each.bytes or 0 for each in result.rows)
    assert holds(lab, spread.read_set_id, row)
    assert spread.read_set_id is not None
    (receipt,) = kept_receipts_of(lab.folder / "state", spread.read_set_id)
    assert json.loads(receipt)["proven"] is True


def stored(lab: Lab) -> list[int]:
    """How often the service has stored each part that it has got since the counts began."""
    return [each["stored"] for each in lab.emulator.stats()["parts"]]


def parts_under_way(lab: Lab) -> list[dict[str, object]]:
    under_way = lab.emulator.stats()["underWay"]
    return [each for each in under_way if each["operation"] == "UploadReadSetPart"]


async def until(condition: Callable[[], bool]) -> None:
    def wait() -> None:
        ends = time.monotonic() + 2 * PATIENCE_S
        while not condition():
            assert time.monotonic() < ends
            time.sleep(0.05)

    await asyncio.to_thread(wait)


async def test_what_a_killed_worker_has_sent_is_looked_up_and_not_sent_again(lab: Lab) -> None:
    row = large(lab)
    lab.emulator.reset_stats()
    # Stored, and the worker dies before it hears of it.
    lab.emulator.set_faults(
        [
            {
                "operation": "UploadReadSetPart",
                "times": 6,
                "action": {"type": "delay", "seconds": 4},
            }
        ]
    )
    heard: list[BatchNotice] = []

    async def kill() -> None:
        await until(lambda: sum(bool(each["applied"]) for each in parts_under_way(lab)) >= 4)
        await asyncio.to_thread(lab.cluster.kill, "one")

    try:
        killing = asyncio.ensure_future(kill())
        result = await upload_batch(
            [row],
            store_id=lab.emulator.store_id,
            config=lab.config(part_size_bytes=PART),
            on_event=heard.append,
            elsewhere=DaskWorkers(lab.cluster.address, spread_bytes=1),
        )
        await killing
    finally:
        lab.emulator.clear_faults()
        if "one" not in lab.cluster.processes:
            lab.cluster.start_worker("one", host="host-one")
    (only,) = result.rows
    assert only.status == "active", only
    assert "parts go to others" in remarks(heard)["worker-gone"]
    assert holds(lab, only.read_set_id, row)
    assert set(stored(lab)) == {1}, lab.emulator.stats()["parts"]


async def test_the_coordinator_is_killed_and_no_proven_part_is_sent_again(lab: Lab) -> None:
    row = large(lab)
    sheet = lab.folder / "sheet.csv"
    sheet.write_text(f"sample,subject,name,source1\nS,X,{row.name},{row.paths[0]}\n")
    command = [
        sys.executable, "-m", "turboupload", "batch", str(sheet), "--json",
        "--store", lab.emulator.store_id, "--part-size", "64KiB",
        "--dask", lab.cluster.address, "--dask-spread", "1MB",
    ]  # fmt: skip
    env = {**os.environ, "TURBOUPLOAD_STATE_DIR": str(lab.folder / "state")}
    lab.emulator.reset_stats()
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else is to run meanwhile
        [*command, "--max-bandwidth", f"{SLOW}"], env=env, stdout=subprocess.DEVNULL
    ) as slow:
        try:
            await until(lambda: sum(stored(lab)) >= 4)
        finally:
            slow.send_signal(signal.SIGKILL)
    assert row.name not in await lab.stored(), "it was killed too late"
    # The workers stop by themselves.
    await until(lambda: not parts_under_way(lab))

    ran = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=2 * PATIENCE_S
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["outcome"] == "active"
    assert await lab.stored() == [row.name]
    assert set(stored(lab)) == {1}, lab.emulator.stats()["parts"]
