"""A service, a Dask cluster and files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dask_cluster import DaskCluster
from tests.support.emulator import RunningEmulator
from tests.support.samples import fastq
from turboupload.config import UploadConfig
from turboupload.core.model import ReadSet
from turboupload.stores import SequenceStores

QUICK = {
    "CreateMultipartReadSetUpload": 200.0,
    "CompleteMultipartReadSetUpload": 200.0,
    "UploadReadSetPart": 200.0,
    "GetReadSetMetadata": 200.0,
    "ListReadSets": 200.0,
}


@dataclass
class Lab:
    """A service, a cluster and files.

    Attributes:
        folder: Of one test.
        emulator: The service.
        cluster: Has the workers `one` and `two`, on hosts of their own.
    """

    folder: Path
    emulator: RunningEmulator
    cluster: DaskCluster

    def config(self, **more: object) -> UploadConfig:
        known: dict[str, object] = {
            "endpoint_url": self.emulator.endpoint_url,
            "region": "us-east-1",
            "state_dir": self.folder / "state",
            "poll_interval_s": 0.5,
            "listing_lag_s": 1.0,
            "transactions_per_s": QUICK,
        }
        return UploadConfig(**{**known, **more})  # type: ignore[arg-type] # as the caller knows

    def read_sets(self, count: int, reads: int = 200) -> list[ReadSet]:
        return [
            ReadSet(
                sources=[fastq(self.folder / f"{index}.fastq.gz", reads=reads, seed=index).path],
                name=f"{self.folder.name}-{index}",
                sample_id="S",
                subject_id="X",
            )
            for index in range(count)
        ]

    async def stored(self) -> list[str]:
        """The names of this test's read sets in the store."""
        async with SequenceStores(self.config()) as stores:
            listed = [each async for each in stores.list_read_sets(self.emulator.store_id)]
        names = [each.name or "" for each in listed]
        return sorted(each for each in names if each.startswith(self.folder.name))


@pytest.fixture(scope="session")
def service() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0.2") as emulator:
        yield emulator


@pytest.fixture(scope="session")
def cluster(
    service: RunningEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DaskCluster]:
    pytest.importorskip("distributed", reason="the extra `dask` isn't installed")
    env = {**service.env(), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "100"}
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"), env)
    try:
        cluster.start_scheduler()
        cluster.start_worker("one", host="host-one")
        cluster.start_worker("two", host="host-two")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def lab(
    tmp_path: Path,
    service: RunningEmulator,
    cluster: DaskCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> Lab:
    for name, value in service.env().items():
        monkeypatch.setenv(name, value)
    return Lab(tmp_path, service, cluster)
