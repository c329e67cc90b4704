"""The walk-through of the HealthOmics guide, with `split` and the AWS CLI, unchanged.

Source: https://docs.aws.amazon.com/omics/latest/dev/synchronous-uploads.html (read 2026-11); only
the size that the file is split into is smaller, so that a small file has several parts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.stored import check_comment

pytestmark = pytest.mark.peers

AWS = shutil.which("aws", path=str(Path(sys.executable).parent)) or shutil.which("aws")
SPLIT = shutil.which("split")
TIMEOUT_S = 60
DEADLINE_S = 60.0


def aws(operation: str, *arguments: str) -> Any:
    assert AWS is not None
    done = subprocess.run(
        [AWS, "omics", operation, "--output", "json", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


@pytest.mark.skipif(AWS is None, reason="needs the dependency group `peers`: awscli")
@pytest.mark.skipif(SPLIT is None, reason="needs `split` of the coreutils")
def test_the_walk_through_of_the_guide(emulator: RunningEmulator, workspace: Path) -> None:
    sample = samples.bam(workspace / "reads.bam", reads=4_000)
    store = ("--sequence-store-id", emulator.store_id)
    subprocess.run([SPLIT or "", "-b", "100KiB", "-d", "reads.bam", "part."], check=True)
    pieces = sorted(workspace.glob("part.*"))
    assert len(pieces) > 1
    upload = aws(
        "create-multipart-read-set-upload", *store,
        "--name", "walk-through", "--source-file-type", "BAM",
        "--subject-id", "subject", "--sample-id", "sample",
        "--description", "a BAM file, by hand", "--reference-arn", samples.REFERENCE_ARN,
    )["uploadId"]  # fmt: skip
    listed = aws("list-multipart-read-set-uploads", *store)["uploads"]
    assert upload in [row["uploadId"] for row in listed]
    for number, piece in enumerate(pieces, start=1):
        aws(
            "upload-read-set-part", *store, "--upload-id", upload,
            "--part-source", "SOURCE1", "--part-number", str(number), "--payload", piece.name,
        )  # fmt: skip
    rows = aws(
        "list-read-set-upload-parts", *store, "--upload-id", upload, "--part-source", "SOURCE1"
    )["parts"]
    parts = [{name: row[name] for name in ("checksum", "partNumber", "partSource")} for row in rows]
    assert [row["partSize"] for row in rows] == [piece.stat().st_size for piece in pieces]
    read_set = aws(
        "complete-multipart-read-set-upload", *store, "--upload-id", upload,
        "--parts", json.dumps(parts),
    )["readSetId"]  # fmt: skip
    metadata = wait_until_processed(store, read_set)
    assert metadata["status"] == "ACTIVE", metadata
    assert metadata["sequenceInformation"]["totalReadCount"] == sample.reads
    aws("get-read-set", *store, "--id", read_set, "--part-number", "1", "back.bam")
    check_comment(sample.path, Path("back.bam"), emulator.store_id)


def wait_until_processed(store: tuple[str, str], read_set: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        metadata = aws("get-read-set-metadata", *store, "--id", read_set)
        if metadata["status"] != "PROCESSING_UPLOAD":
            return metadata
    raise AssertionError(f"{read_set} is still being processed after {DEADLINE_S:.0f} s")
