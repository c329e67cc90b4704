"""Lanes as one read set, by the installed command: killed, resumed, elsewhere, and changed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
from pathlib import Path

import pytest

from tests.e2e.conftest import MIB, Lab, wait_until
from tests.support.receipts import check_schema

ABOUT = ("--name", "merged", "--sample", "S", "--subject", "U", "--part-size", "1MiB", "--prove")
SIZES = (1_500_000, 400_000, 700_000)
"""Of the lanes, in bytes: parts of 1 MiB begin in one lane and end in another."""

PARTS = 2 * -(-sum(SIZES) // MIB)


@pytest.fixture
def lanes(tmp_path: Path) -> list[Path]:
    """R1 and R2 of three lanes, as a shell lists them."""
    return [
        written(tmp_path / f"s_S1_L00{number}_R{mate}_001.fastq.gz", number, mate, size)
        for number, size in enumerate(SIZES, start=1)
        for mate in (1, 2)
    ]


def written(path: Path, lane: int, mate: int, size: int) -> Path:
    """A gzipped FASTQ of some bytes that hardly compresses."""
    rng = random.Random(f"{lane} {mate}")
    records, length = [], 0
    while length < size:
        bases = bytes(b"ACGT"[byte % 4] for byte in rng.randbytes(5000))
        records.append(b"@%d:%d %d:N:0:A\n%s\n+\n%s\n" % (lane, length, mate, bases, b"I" * 5000))
        length += len(records[-1])
    path.write_bytes(gzip.compress(b"".join(records), 0))
    return path


def joined(lanes: list[Path], mate: int) -> bytes:
    return b"".join(path.read_bytes() for path in lanes[mate - 1 :: 2])


def kill_half_way(lab: Lab, *arguments: str | Path) -> None:
    """The first two parts of each source arrive, the others get no answer; then it is killed."""
    stall = {"type": "stall", "seconds": 600}
    rules = [
        {"operation": "UploadReadSetPart", "partNumber": number, "times": None, "action": stall}
        for number in range(3, PARTS + 1)
    ]
    lab.emulator.set_faults(rules)
    command = lab.start(*arguments)
    wait_until(lambda: len(lab.received) >= 4, "four parts arrived")
    command.kill()
    lab.emulator.clear_faults()


def check(lab: Lab, lanes: list[Path], receipt: Path, last: dict[str, object]) -> None:
    """What is stored and what the receipt says is what `cat` makes of the lanes."""
    document = json.loads(receipt.read_text())
    check_schema(document)
    assert document["proven_by"] == ["part-checksums", "etag"]
    (read_set,) = lab.read_sets("merged")
    assert read_set["id"] == last["read_set_id"]
    for mate, row in enumerate(document["files"], start=1):
        data = joined(lanes, mate)
        assert lab.stored_bytes(read_set["id"], f"SOURCE{mate}") == data
        assert row["size"] == len(data)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert [part["sha256"] for part in row["parts"]] == [
            hashlib.sha256(data[at : at + MIB]).hexdigest() for at in range(0, len(data), MIB)
        ]
        text = gzip.decompress(data)
        assert row["etag"] == hashlib.md5(text, usedforsecurity=False).hexdigest()
        assert [(each["path"], each["size"], each["sha256"]) for each in row["merged"]] == [
            (str(path), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in lanes[mate - 1 :: 2]
        ]


@pytest.mark.parametrize("afterwards", ["same", "journal lost", "one file elsewhere"])
def test_a_killed_merge_goes_on(lab: Lab, lanes: list[Path], afterwards: str) -> None:
    receipt = lab.folder / "receipt.json"
    arguments: tuple[str | Path, ...] = ("--merge", *lanes, *ABOUT, "--receipt", receipt)
    kill_half_way(lab, *arguments)
    if afterwards != "same":
        lab.forget()
    if afterwards == "one file elsewhere":
        # Another host has the lanes as one file: the same bytes, so the same upload goes on.
        cats = [lab.folder / f"cat_R{mate}.fastq.gz" for mate in (1, 2)]
        for mate, cat in enumerate(cats, start=1):
            cat.write_bytes(joined(lanes, mate))
        last = lab.upload(*cats, *ABOUT)
        assert (last["parts_reused"], last["parts"]) == (4, PARTS)
        lab.forget()
        assert lab.upload(*arguments)["bytes_sent"] == 0
        (read_set,) = lab.read_sets("merged")
        assert lab.stored_bytes(read_set["id"], "SOURCE2") == joined(lanes, 2)
        return
    last = lab.upload(*arguments)
    assert (last["parts_reused"], last["parts"]) == (4, PARTS)
    check(lab, lanes, receipt, last)
    # The same command again sends nothing.
    assert lab.upload(*arguments)["bytes_sent"] == 0
    assert len(lab.read_sets("merged")) == 1


def test_a_lane_that_changes_half_way_is_named_and_nothing_is_completed(
    lab: Lab, lanes: list[Path]
) -> None:
    stall = {"type": "stall", "seconds": 5}
    lab.emulator.set_faults(
        [{"operation": "UploadReadSetPart", "partNumber": 3, "times": 1, "action": stall}]
    )
    command = lab.start("--merge", *lanes, *ABOUT)
    wait_until(lambda: len(lab.received) >= 4, "four parts arrived")
    changed = lanes[2]  # the first reads of its second lane, which were sent already
    os.utime(changed, ns=(1, 1))
    code, last, err = command.finish()
    assert code == 6, err
    assert last["error"]["path"] == str(changed)
    assert "written to" in last["error"]["message"]
    assert lab.read_sets("merged") == []


def test_a_lane_that_changed_since_the_kill_is_another_content(
    lab: Lab, lanes: list[Path], tmp_path: Path
) -> None:
    kill_half_way(lab, "--merge", *lanes, *ABOUT)
    written(lanes[4], 9, 1, SIZES[2] + 30_000)
    written(lanes[5], 9, 2, SIZES[2] + 30_000)
    receipt = tmp_path / "receipt.json"
    last = lab.upload("--merge", *lanes, *ABOUT, "--receipt", receipt)
    assert last["parts_reused"] == 0
    check(lab, lanes, receipt, last)
