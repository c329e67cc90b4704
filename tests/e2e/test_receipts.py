"""Receipts of uploads that were killed and resumed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.e2e.conftest import MIB, Lab, stored_fastq, wait_until
from tests.support.receipts import check_schema
from turboupload.files.receipt_check import check_receipt
from turboupload.state.receipt_file import load_receipt

ABOUT = ("--name", "killed", "--sample", "S", "--subject", "U")
PARTS = 12


def check(path: Path, receipt: Path) -> None:
    """The receipt has every part of the file, sent by whichever run, and proves it."""
    document = json.loads(receipt.read_text())
    check_schema(document)
    assert document["proven_by"] == ["part-checksums", "etag"]
    (row,) = document["files"]
    data = path.read_bytes()
    size = document["part_size"]
    assert [each["sha256"] for each in row["parts"]] == [
        hashlib.sha256(data[at : at + size]).hexdigest() for at in range(0, len(data), size)
    ]
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert check_receipt(load_receipt(receipt)).proven


def kill_half_way(lab: Lab, *arguments: str | Path) -> None:
    """Six parts arrive; the others get no answer, and then the client is killed."""
    lab.emulator.set_faults(
        [
            {
                "operation": "UploadReadSetPart",
                "partNumber": number,
                "times": None,
                "action": {"type": "stall", "seconds": 600},
            }
            for number in range(7, PARTS + 1)
        ]
    )
    command = lab.start(*arguments)
    wait_until(lambda: len(lab.received) >= 6, "six parts arrived")
    command.kill()
    lab.emulator.clear_faults()


def test_the_parts_of_a_killed_run_are_in_the_receipt_of_the_next(lab: Lab) -> None:
    path = stored_fastq(lab.folder / "reads.fastq.gz", PARTS * MIB - 40_000)
    receipt = lab.folder / "r.json"
    arguments = (path, *ABOUT, "--part-size", "1MiB", "--prove", "--receipt", receipt)
    kill_half_way(lab, *arguments)
    assert not receipt.exists()
    last = lab.upload(*arguments)
    assert (last["parts_reused"], last["parts"]) == (6, PARTS)
    check(path, receipt)
    # The same command again sends nothing, and leaves the same.
    receipt.unlink()
    assert lab.upload(*arguments)["bytes_sent"] == 0
    check(path, receipt)


def test_parts_that_were_compared_and_not_sent_are_in_the_receipt(lab: Lab) -> None:
    path = stored_fastq(lab.folder / "reads.fastq.gz", PARTS * MIB - 40_000)
    receipt = lab.folder / "r.json"
    arguments = (path, *ABOUT, "--part-size", "1MiB", "--prove", "--receipt", receipt)
    kill_half_way(lab, *arguments)
    lab.forget()
    last = lab.upload(*arguments)
    assert (last["parts_reused"], last["parts"]) == (6, PARTS)
    check(path, receipt)
