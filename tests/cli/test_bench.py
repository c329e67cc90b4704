"""`turboupload bench`: it measures, and whatever happens the upload is aborted."""

from __future__ import annotations

import os
import pty
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SECRET, Shell
from tests.cli.ran import Ran
from tests.support.botocore_client import omics_client
from turboupload.bench import temporary

Within = Callable[..., Ran]
CREATE, PART, ABORT, LIST = (
    "CreateMultipartReadSetUpload", "UploadReadSetPart", "AbortMultipartReadSetUpload",
    "ListMultipartReadSetUploads",
)  # fmt: skip
LITTLE = ("--yes", "--json", "--part-size", "256KiB", "--max-bandwidth", "8MiB/s")


def fault(operation: str, times: int | None = None, **action: Any) -> dict[str, Any]:
    return {"operation": operation, "times": times, "action": action}


def names(ran: Ran) -> list[str]:
    return [each["event"].removeprefix("bench.") for each in ran.events]


def check_nothing_remains(within: Within) -> None:
    """Other tests may have left uploads in the store, but none of this name."""
    listed = within("uploads", "list", "--no-parts", "--json")
    assert listed.code == 0
    found = [each["name"] for each in listed.events if each["event"] == "uploads.upload"]
    assert not [each for each in found if each.startswith(temporary.NAME)]


def test_it_measures_and_nothing_remains(shell: Shell, within: Within) -> None:
    ran = within("bench", *LITTLE, "--seconds", "2s")
    assert ran.code == 0, ran.err
    last = ran.last
    assert (last["event"], last["outcome"], last["error"]) == ("bench.finished", "ok", None)
    assert last["aborted"] is True
    assert last["parts"] >= 4
    assert last["checksums"] == "equal"
    # Ten parts a second is the quota, however fast the way is.
    assert last["limited_by"] == "quota"
    assert 4 < last["parts_per_s"] < 16
    assert 1 << 20 < last["bytes_per_s"] < 4 << 20
    assert last["round_trip_s"] < 1
    assert last["part_bytes"] == 256 * 1024
    assert names(ran)[:2] == ["opening", "opened"]
    assert names(ran)[-2:] == ["aborted", "finished"]
    assert (shell.creates, shell.count(ABORT)) == (1, 1)
    assert shell.count("CompleteMultipartReadSetUpload") == 0
    assert SECRET not in ran.out + ran.err
    check_nothing_remains(within)


def test_nobody_said_yes(within: Within, shell: Shell) -> None:
    ran = within("bench", "--json", "--seconds", "1s", "--part-size", "1MiB")
    assert (ran.code, ran.last["outcome"]) == (2, "usage")
    assert "--yes" in ran.err
    assert "at most 10 MiB" in ran.err
    assert within("bench", "--yes", "--seconds", "11m").code == 2
    assert within("bench", "--yes", "--part-size", "1GiB").code == 2
    assert shell.creates == 0


@pytest.mark.parametrize(("answer", "code", "creates"), [("n", 2, 0), ("y", 0, 1)])
def test_it_asks_on_a_terminal(
    shell: Shell,
    within: Within,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
    creates: int,
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb", buffering=0) as terminal, os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        terminal.write(f"{answer}\n".encode())
        ran = within("bench", *LITTLE[2:], "--seconds", "1s")
    assert ran.code == code, ran.err
    assert "nothing remains. Go on? [y/N]" in ran.err
    assert shell.creates == creates
    if creates:
        titles = [line.split("  ")[0] for line in ran.out.splitlines()]
        assert titles == ["rate", "parts", "round trip", "sent", "checksums", "left"]
        assert ", as fast as the " in ran.out
        assert "uploads abort" in ran.err, "what to do where even aborting is prevented"


def test_an_interrupt_aborts_it(shell: Shell, within: Within) -> None:
    # Longer than other commands may take to clean up.
    shell.emulator.set_faults([fault(ABORT, times=1, type="delay", seconds=1.5)])
    running = shell.start("bench", *LITTLE, "--seconds", "60s")
    running.wait_for(lambda event: event["event"] == "bench.progress" and event["parts"] > 0)
    running.signal(signal.SIGINT)
    ran = running.finish()
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (130, "interrupted", True)
    assert "nothing remains" in ran.err
    check_nothing_remains(within)


def test_a_permission_that_is_missing(within: Within, shell: Shell) -> None:
    shell.emulator.set_faults([fault(PART, type="error", code="AccessDeniedException")])
    ran = within("bench", *LITTLE, "--seconds", "20s")
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (4, "refused", True)
    assert "omics:UploadReadSetPart" in ran.err
    assert "nothing remains" in ran.err
    assert shell.count(ABORT) == 1


def test_nothing_gets_through(within: Within, shell: Shell) -> None:
    shell.emulator.set_faults([fault(PART, type="drop")])
    ran = within("bench", *LITTLE, "--seconds", "1s")
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (5, "stopped", True)
    assert shell.count(ABORT) == 1


def test_a_store_that_is_not_there(within: Within, shell: Shell) -> None:
    ran = within("bench", *LITTLE, "--store", "9999999999")
    assert (ran.code, ran.last["outcome"]) == (4, "refused")
    assert "store 9999999999 was not found" in ran.err
    assert "nothing was created" in ran.err
    assert shell.creates == 0


def test_creates_reply_is_lost(within: Within, shell: Shell) -> None:
    shell.emulator.set_faults([fault(CREATE, type="lose_reply")])
    ran = within("bench", *LITTLE, "--give-up-after", "100ms")
    assert ran.code == 5, ran.err
    assert ran.last["aborted"] is True
    assert shell.count(ABORT) == 1
    check_nothing_remains(within)


@pytest.mark.parametrize(
    ("tokens", "code", "aborts"), [("kept", 0, 1), ("ignored", 0, 2), ("conflict", 4, 1)]
)
def test_create_is_repeated_whatever_becomes_of_its_token(
    within: Within, shell: Shell, tokens: str, code: int, aborts: int
) -> None:
    shell.emulator.set_faults([fault(CREATE, times=1, type="lose_reply")])
    shell.emulator.set_world(client_tokens=tokens)
    try:
        ran = within("bench", *LITTLE, "--seconds", "1s")
    finally:
        shell.emulator.reset_world()
    assert (ran.code, ran.last["aborted"]) == (code, True), ran.err
    assert shell.count(ABORT) == aborts
    check_nothing_remains(within)


def test_pages_whose_tokens_are_good_once(within: Within, shell: Shell) -> None:
    """It looks for the upload of the lost reply; of that listing, too, a reply is lost."""
    client = omics_client(shell.emulator, secret_key=SECRET)
    store = shell.emulator.store_id
    others = [
        client.create_multipart_read_set_upload(
            sequenceStoreId=store, sourceFileType="FASTQ", name=name, sampleId="s", subjectId="u"
        )["uploadId"]
        for name in ("of others", "of others, too")
    ]
    shell.emulator.set_faults(
        [
            fault(CREATE, times=1, type="lose_reply"),
            # Those before are of the look at what may be called, and the listing's first page.
            {**fault(LIST, times=1, type="lose_reply"), "after": 4},
        ]
    )
    shell.emulator.set_world(client_tokens="ignored", page_size=1, page_tokens="once")
    try:
        ran = within("bench", *LITTLE, "--seconds", "1s")
        aborts = shell.count(ABORT)
    finally:
        shell.emulator.reset_world()
        for upload_id in others:
            client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload_id)
        client.close()
    assert (ran.code, ran.last["aborted"], aborts) == (0, True, 2), ran.err
    check_nothing_remains(within)


def test_abort_fails(within: Within, shell: Shell) -> None:
    shell.emulator.set_faults([fault(ABORT, type="error", code="AccessDeniedException")])
    ran = within("bench", *LITTLE, "--seconds", "1s")
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (5, "stopped", False)
    upload_id = ran.last["upload_id"]
    command = f"uploads abort {upload_id} --store {shell.emulator.store_id} --yes"
    assert f"turboupload {command}" in ran.err
    shell.emulator.clear_faults()
    assert within(*command.split()).code == 0


def test_aborts_reply_is_lost(within: Within, shell: Shell) -> None:
    shell.emulator.set_faults([fault(ABORT, times=1, type="lose_reply")])
    ran = within("bench", *LITTLE, "--seconds", "1s")
    assert (ran.code, ran.last["aborted"]) == (0, True)


def test_without_a_store_it_is_this_machine_alone(
    shell: Shell, within: Within, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    del shell.env["TURBOUPLOAD_STORE"]
    ran = within("bench", *LITTLE, "--seconds", "1s")
    assert ran.code == 0, ran.err
    assert ran.last["parts"] > 0
    assert list(tmp_path.glob("turboupload-bench-*")) == []
    assert shell.creates == 0


def test_a_listing_that_lags_costs_no_result(
    within: Within, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "CONFIRM_S", 0.0)
    shell.emulator.set_world(uploads_lag_s=0.8)
    try:
        ran = within("bench", *LITTLE, "--seconds", "1s")
    finally:
        shell.emulator.reset_world()
    assert (ran.code, ran.last["aborted"], ran.last["still_listed"]) == (0, True, True)


def test_nobody_reads_what_it_says(shell: Shell, within: Within) -> None:
    running = shell.start("bench", *LITTLE, "--seconds", "60s")
    running.wait_for(lambda event: event["event"] == "bench.opening")
    running.stdout.close()
    assert running.process.wait(30) == 1
    assert running.process.stderr is not None
    assert "unexpected" not in running.process.stderr.read()
    check_nothing_remains(within)
