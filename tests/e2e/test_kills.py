"""Client killed, service killed, journal lost: one read set, equal bytes, nothing twice.

The installed command over HTTPS, at the moments that matter most; `tests/soak` has every edge.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MIB, Command, Lab, stored_fastq, wait_until

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


@pytest.mark.parametrize("keep_journal", [True, False], ids=["journal kept", "journal lost"])
@pytest.mark.parametrize("part", [7])
def test_a_client_killed_in_mid_part_sends_only_what_is_missing(
    lab: Lab, part: int, keep_journal: bool
) -> None:
    path, arguments = begin(lab)
    lab.emulator.set_faults(
        [stall("UploadReadSetPart", partNumber=number, times=None) for number in (part, part + 1)]
    )
    command = lab.start(*arguments)
    there = part - 1
    wait_until(lambda: len(lab.received) >= there and stalled(lab, "UploadReadSetPart"), "a stall")
    command.kill()
    lab.emulator.clear_faults()
    if not keep_journal:
        lab.forget()
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


def test_a_client_killed_while_the_service_is_at_work_only_follows(lab: Lab) -> None:
    path, arguments = begin(lab)
    lab.emulator.set_faults([stall("GetReadSetMetadata")])
    command = lab.start(*arguments)
    wait_until(lambda: stalled(lab, "GetReadSetMetadata"), "it followed")
    command.kill()
    lab.emulator.clear_faults()
    last = lab.upload(*arguments)
    check_one_read_set(lab, last, path)
    assert last["bytes_sent"] == 0
    assert sum(lab.received.values()) == PARTS


@pytest.mark.parametrize("client_too", [False, True], ids=["the client lives", "both die"])
def test_the_service_killed_under_way_costs_the_parts_in_flight(lab: Lab, client_too: bool) -> None:
    path, arguments = begin(lab)
    lab.emulator.set_faults([stall("UploadReadSetPart", partNumber=6)])
    command = lab.start(*arguments)
    wait_until(lambda: len(lab.received) >= 6 and stalled(lab, "UploadReadSetPart"), "a stall")
    stored = set(lab.received)
    lab.emulator.kill()
    if client_too:
        command.kill()
    lab.emulator.restart()
    if client_too:
        last = lab.upload(*arguments)
    else:
        code, last, err = command.finish()
        assert code == 0, err
    check_one_read_set(lab, last, path)
    # Stats count from the restart: nothing acknowledged before it is sent again.
    assert max(lab.received.values()) == 1
    assert len(set(lab.received) & stored) <= 2


@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_an_interrupt_keeps_everything_and_the_same_command_goes_on(
    lab: Lab, number: signal.Signals
) -> None:
    path, arguments = begin(lab)
    lab.emulator.set_faults(
        [stall("UploadReadSetPart", partNumber=part, times=None) for part in (5, 6)]
    )
    command = lab.start(*arguments)
    wait_until(lambda: len(lab.received) >= 4 and stalled(lab, "UploadReadSetPart"), "a stall")
    command.signal(number)
    code, last, err = command.finish()
    assert code == 130, err
    assert last["outcome"] == "interrupted"
    assert last["upload_id"]
    assert "turboupload upload" in err
    lab.emulator.clear_faults()
    last = lab.upload(*arguments)
    check_one_read_set(lab, last, path)
    assert last["parts_reused"] == 4
    assert max(lab.received.values()) == 1


def test_a_second_process_on_the_same_upload_says_so_and_ends(lab: Lab) -> None:
    path, arguments = begin(lab)
    lab.emulator.set_faults(
        [stall("UploadReadSetPart", partNumber=part, times=None) for part in (5, 6)]
    )
    first: Command = lab.start(*arguments)
    wait_until(lambda: len(lab.received) >= 4, "four parts")
    code, last, err = lab.start(*arguments).finish()
    assert code == 5, err
    assert last["outcome"] == "busy"
    assert str(first.pid) in err
    first.kill()
    lab.emulator.clear_faults()
    check_one_read_set(lab, lab.upload(*arguments), path)


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
