from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.lab import KNOWN, SSH, Lab, files_in
from tests.support import samples
from tests.support.bash import Bash
from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    buckets = tmp_path_factory.mktemp("buckets")
    (buckets / "bucket").mkdir()
    samples.bam(buckets / "bucket" / "HG003.bam", names=["HG003"])
    for name, seed in (("HG002", 1), ("HG003", 2)):
        for mate, read in enumerate(samples.fastq_pair(buckets / "bucket", seed=seed), start=1):
            read.path.rename(buckets / "bucket" / f"{name}_R{mate}.fastq.gz")
    with RunningEmulator("--ingest-delay=0", "--quotas=off", f"--s3-root={buckets}") as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, service: RunningEmulator) -> Iterator[Lab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    files_in(folder)
    store_id = str(omics_client(service).create_sequence_store(name=tmp_path.name)["id"])
    env = {
        **service.env(),
        "HOME": str(folder),
        "TURBOUPLOAD_STATE_DIR": str(folder / "state"),
        "TURBOUPLOAD_STORE": store_id,
        "TURBOUPLOAD_QUOTA": "CreateMultipartReadSetUpload=99 CompleteMultipartReadSetUpload=99",
        "TURBOUPLOAD_BENCH_SECONDS": "1s",
        "ROLE_ARN": "arn:aws:iam::000000000000:role/omics-import",
    }
    known = {**KNOWN, "/shared/lab": f"{folder}/lab", "/fsx": f"{folder}/fsx"}
    with Bash(folder, env, {"ssh": SSH.format(folder=folder)}) as bash:
        yield Lab(folder, store_id, bash, known)
