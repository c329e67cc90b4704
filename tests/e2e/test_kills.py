"""Client killed, service killed, journal lost: one read set, equal bytes, nothing twice.

The installed command over HTTPS, at the moments that matter most; `tests/soak` has every edge.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MIB, Lab, stored_fastq, wait_until

ABOUT = ("--name", "lane1", "--sample", "HG002", "--subject", "NA24385")
PARTS = 12


def begin(lab: Lab) -> tuple[Path, tuple[str | Path, ...]]:
    path = stored_fastq(lab.folder / "reads.fastq.gz", PARTS * MIB - 40_000)
    return path, (path, *ABOUT, "--part-size", "1MiB", "--concurrency", "2")


def stall(operation: str, **more: Any) -> dict[str, Any]:
    return {"operation": operation, "action": {"type": "stall", "seconds": 600}, **more}


def stalled(lab: Lab, operation: str) -> bool:
    """Whether a request of this operation is under way."""
    return any(row["operation"] == operation for row in lab.emulator.stats()["underWay"])


def check_one_read_set(lab: Lab, last: dict[str, Any], path: Path) -> None:
    assert last["event"] == "upload.finished"
    assert last["outcome"] == "active"
    assert [each["id"] for each in lab.read_sets("lane1")] == [last["read_set_id"]]
    assert lab.stored_bytes(last["read_set_id"]) == path.read_bytes()
    assert lab.open_uploads() == []


def test_a_client_killed_in_mid_part_sends_only_what_is_missing(lab: Lab) -> None:
    path, arguments = begin(lab)
    part = 7
    lab.emulator.set_faults(
        [stall("UploadReadSetPart", partNumber=number, times=None) for number in (part, part + 1)]
    )
    command = lab.start(*arguments)
    there = part - 1
    wait_until(lambda: len(lab.received) >= there and stalled(lab, "UploadReadSetPart"), "a stall")
    command.kill()
    lab.emulator.clear_faults()
    before = sum(lab.received.values())
    last = lab.upload(*arguments)
    check_one_read_set(lab, last, path)
    assert last["parts_reused"] == before >= there
    assert max(lab.received.values()) == 1
    assert sum(lab.received.values()) == PARTS


@pytest.mark.parametrize(
    ("operation", "applied", "keep_journal"),
    [
        pytest.param("CreateMultipartReadSetUpload", True, False, id="Create applied, no journal"),
        pytest.param(
            "CompleteMultipartReadSetUpload", True, False, id="Complete applied, no journal"
        ),
        pytest.param("CompleteMultipartReadSetUpload", True, True, id="Complete applied"),
        pytest.param("CompleteMultipartReadSetUpload", False, True, id="Complete not applied"),
    ],
)
def test_a_client_killed_while_it_waits_for_a_reply_makes_one_read_set(
    lab: Lab, operation: str, applied: bool, keep_journal: bool
) -> None:
    path, arguments = begin(lab)
    action = {"type": "delay" if applied else "stall", "seconds": 600}
    lab.emulator.set_faults([{"operation": operation, "action": action}])
    command = lab.start(*arguments)
    wait_until(lambda: stalled(lab, operation), f"{operation} arrived")
    if applied:
        wait_until(lambda: was_applied(lab, operation), f"{operation} applied")
    command.kill()
    lab.emulator.clear_faults()
    if not keep_journal:
        lab.forget()
    last = lab.upload(*arguments)
    check_one_read_set(lab, last, path)
    assert sum(lab.received.values()) == PARTS


def was_applied(lab: Lab, operation: str) -> bool:
    if operation.startswith("Create"):
        return bool(lab.open_uploads())
    return bool(lab.read_sets("lane1"))


def test_the_same_command_after_completion_returns_the_read_set(lab: Lab) -> None:
    path, arguments = begin(lab)
    first = lab.upload(*arguments)
    again = lab.upload(*arguments)
    assert again["read_set_id"] == first["read_set_id"]
    assert (again["bytes_sent"], again["parts_reused"]) == (0, PARTS)
    lab.forget()
    assert lab.upload(*arguments)["read_set_id"] == first["read_set_id"]
    assert len(lab.read_sets("lane1")) == 1
    forced = lab.upload(*arguments, "--force")
    assert forced["read_set_id"] != first["read_set_id"]
    assert forced["bytes_sent"] == path.stat().st_size
