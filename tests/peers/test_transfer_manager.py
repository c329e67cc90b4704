"""aws-healthomics-tools' TransferManager, unchanged: upload, then download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.stored import check_comment

boto3 = pytest.importorskip("boto3", reason="needs the dependency group `peers`: boto3")
manager_module = pytest.importorskip(
    "omics.transfer.manager", reason="needs the dependency group `peers`: aws-healthomics-tools"
)

pytestmark = pytest.mark.peers

DEADLINE_S = 60.0
INDEXES = (".bai", ".crai")


@pytest.fixture
def client() -> Iterator[Any]:
    client = boto3.client("omics")
    yield client
    client.close()


def wait_until_active(client: Any, store: str, read_set: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        status = client.get_read_set_metadata(sequenceStoreId=store, id=read_set)["status"]
        if status != "PROCESSING_UPLOAD":
            assert status == "ACTIVE"
            return
        time.sleep(0.3)
    raise AssertionError(f"{read_set} is still being processed after {DEADLINE_S:.0f} s")


@pytest.mark.parametrize("file_type", ["FASTQ", "BAM", "UBAM", "CRAM"])
def test_up_and_down_again(
    client: Any, emulator: RunningEmulator, workspace: Path, file_type: str
) -> None:
    make: dict[str, Callable[[], Sequence[samples.Sample]]] = {
        "FASTQ": lambda: samples.fastq_pair(workspace, reads=2_000),
        "BAM": lambda: [samples.bam(workspace / "reads.bam")],
        "UBAM": lambda: [samples.ubam(workspace / "reads.u.bam")],
        "CRAM": lambda: [samples.cram(workspace / "reads.cram")],
    }
    made = make[file_type]()
    store = emulator.store_id
    needs_reference = file_type in ("BAM", "CRAM")
    with manager_module.TransferManager(client) as manager:
        read_set = manager.upload_read_set(
            [str(sample.path) for sample in made],
            store,
            file_type,
            "transfer-manager",
            "subject",
            "sample",
            reference_arn=samples.REFERENCE_ARN if needs_reference else None,
        )
        wait_until_active(client, store, read_set)
        folder = workspace / "back"
        manager.download_read_set(store, read_set, str(folder))
    back = sorted(path for path in folder.iterdir() if path.suffix not in INDEXES)
    assert len(back) == len(made)
    if file_type == "FASTQ":
        assert [path.read_bytes() for path in back] == [each.path.read_bytes() for each in made]
    else:
        check_comment(made[0].path, back[0], store)
