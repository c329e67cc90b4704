"""A batch over hosts with addresses of their own, whose plugs are pulled in mid-way."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.outcome import Stored, faults_of
from tests.support.dask_cluster import PATIENCE_S, DaskCluster
from tests.support.emulator import RunningEmulator
from tests.support.networks import NetworkRefused, Networks
from tests.support.quickstart import start
from tests.support.samples import fastq

pytest.importorskip("distributed", reason="the extra `dask` isn't installed")

WORKERS = ("one", "two", "three")
ROWS = 6
BYTES_PER_S = 150_000
EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a namespace that only this test is in
CUT_S = 2.0
"""For how long a plug is out: nobody takes a connection for dead so soon."""


@pytest.fixture
def networks() -> Iterator[Networks]:
    made = Networks("service", "lab", "scheduler", *WORKERS)
    try:
        made.open()
    except NetworkRefused as refused:
        pytest.skip(f"network namespaces can't be made here: {refused}")
    yield made
    made.close()


def test_links_of_a_worker_and_of_the_scheduler_break_and_come_back(
    networks: Networks, tmp_path: Path
) -> None:
    files = {
        f"r{index}": fastq(tmp_path / f"{index}.fastq.gz", reads=1500, seed=index).path
        for index in range(ROWS)
    }
    sheet, results = tmp_path / "sheet.csv", tmp_path / "results.csv"
    lines = [f"S,X,{name},{path}" for name, path in files.items()]
    sheet.write_text("\n".join(["sample,subject,name,source1", *lines]) + "\n")
    service = RunningEmulator(
        "--quotas", "off", "--ingest-delay", "0", "--host", EVERYWHERE,
        network=networks.path("service"),
    )  # fmt: skip
    with service:
        at_home = service.endpoint_url
        service.endpoint_url = f"http://{networks.address('service')}:{service.port}"
        cluster = DaskCluster(tmp_path, service.env(), networks)
        try:
            cluster.start_scheduler()
            for name in WORKERS:
                cluster.start_worker(name, host=name)
            arguments = [
                "batch", str(sheet), "--json", "--store", service.store_id,
                "--dask", cluster.address, "--results", str(results),
                "--max-bandwidth", str(BYTES_PER_S), "--part-size", "32KiB",
            ]  # fmt: skip
            env = {**os.environ, **service.env(), "TURBOUPLOAD_STATE_DIR": str(tmp_path / "state")}
            with start(
                "turboupload", arguments, env=env, network=networks.path("lab"),
                stdout=subprocess.PIPE,
            ) as coordinator:  # fmt: skip
                heard = pull_plugs(coordinator, networks)
            assert coordinator.returncode == 0, heard[-1]
        finally:
            cluster.stop()
        kept = tmp_path / "state", results
        faults = networks.call("lab", lambda: list(faults_of(Stored(service, files), *kept)))
        assert faults == []
        service.endpoint_url = at_home
        parts = networks.call("service", service.stats)["parts"]
        assert [each for each in parts if each["stored"] > 1] == []
    with results.open() as text:
        assert {row["worker"] for row in csv.DictReader(text)} == set(WORKERS)


def pull_plugs(coordinator: subprocess.Popen[str], networks: Networks) -> list[dict[str, Any]]:
    """Reads what the coordinator tells, and pulls a plug while all workers are sending."""
    heard: list[dict[str, Any]] = []
    plugs = ["two", "scheduler"]
    assert coordinator.stdout is not None
    for line in coordinator.stdout:
        heard.append(json.loads(line))
        counts = heard[-1].get("counts", {})
        if plugs and len(heard[-1].get("under_way", ())) > 1 and counts.get("waiting", 0) == 0:
            plug = plugs.pop(0)
            networks.cut(plug)
            time.sleep(CUT_S)
            networks.mend(plug)
    assert plugs == [], "the batch was over before all plugs were pulled"
    coordinator.wait(PATIENCE_S)
    return heard
