"""What is in a store, and what was left behind in it: the commands, in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import turboupload
from tests.cli.desk import Desk
from tests.support import samples
from tests.support.commands import command
from tests.support.emulator import RunningEmulator
from turboupload.cli.commands.readsets import wanted_read_sets
from turboupload.cli.session.aborting import Aborter
from turboupload.state.journal_reader import known_open_uploads
from turboupload.state.lock import UploadLock, lock_of_upload

NOWHERE = "9999999999"
ROLE = "arn:aws:iam::000000000000:role/import"


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    options = ("--quotas", "off", "--ingest-delay", "0", "--page-size", "3")
    with RunningEmulator(*options, tls=True) as running:
        yield running


# --- stores and read sets -------------------------------------------------------------------


def test_stores_are_listed(desk: Desk) -> None:
    ran = desk.run("stores", "list")
    assert ran.code == 0
    assert ran.out.splitlines()[0].split("\t")[:2] == ["ID", "STATUS"]
    assert desk.store in ran.out
    named = desk.run("stores", "list", "--name", "local", "--json")
    assert [event["event"] for event in named.events] == ["stores.store", "stores.list.finished"]
    assert (named.events[0]["store_id"], named.events[0]["status"]) == (
        desk.emulator.store_id, "ACTIVE",
    )  # fmt: skip
    assert (named.last["outcome"], named.last["count"]) == ("ok", 1)
    nothing = desk.run("stores", "list", "--status", "deleting")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err.startswith("no sequence stores in https://")


def test_an_empty_store_is_said_to_be_empty(desk: Desk) -> None:
    ran = desk.look("readsets", "list")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"no read sets in store {desk.store}\n"
    ran = desk.look("readsets", "list", "--name", "x")
    where = f"in store {desk.store}; names and ids are compared whole"
    assert ran.err == f"no read sets that pass the filter {where}\n"
    ran = desk.look("uploads", "list", "--json")
    assert (ran.code, len(ran.events), ran.last["count"]) == (0, 1, 0)


def test_read_sets_are_listed_whatever_the_pages(desk: Desk) -> None:
    ids = [desk.read_set(f"lane {n}") for n in range(4)]
    ran = desk.look("readsets", "list")
    assert ran.code == 0
    assert [line.split("\t")[0] for line in ran.out.splitlines()] == ["ID", *ids]
    assert desk.look("readsets", "list", "--quiet").out.split() == ids
    rows = desk.look("readsets", "list", "--json").events
    assert [row.get("read_set_id") for row in rows] == [*ids, None]
    assert set(rows[0]) >= set(turboupload.ReadSetDetails.__dataclass_fields__)
    assert (rows[-1]["count"], rows[-1]["complete"]) == (4, True)
    assert desk.look("readsets", "list", "--json", "--quiet").events[0]["count"] == 4


def test_a_limit_says_whether_there_is_more(desk: Desk) -> None:
    for n in range(4):
        desk.open_upload(f"u{n}")
    desk.database(
        "INSERT INTO read_sets"
        " (id, store_id, created, status, creation_type, params, tags, sent, used)"
        " SELECT id, store_id, created, 'ACTIVE', 'UPLOAD', params, '{}', '{}', created"
        " FROM uploads"
        " WHERE store_id = ?",
        desk.store,
    )
    for limit, complete in ((1, False), (3, False), (4, True), (9, True)):
        ran = desk.look("readsets", "list", "--limit", str(limit), "--json")
        assert (ran.last["count"], ran.last["complete"]) == (min(4, limit), complete)
        assert ("there may be more" in ran.err) is not complete


def test_every_filter_is_an_option(desk: Desk) -> None:
    read_set_id = desk.read_set("wanted")
    hour = timedelta(hours=1)
    arn = samples.REFERENCE_ARN
    desk.database(
        "UPDATE read_sets SET params = json_set(params, '$.generatedFrom', 'run 7',"
        " '$.referenceArn', ?) WHERE id = ?",
        arn, read_set_id,
    )  # fmt: skip
    desk.database(
        "UPDATE read_sets SET facts = json_remove(facts, '$.sequenceInformation') WHERE id = ?",
        read_set_id,
    )
    now = datetime.now(UTC)
    right = {
        "--name": "wanted", "--sample": "HG002", "--subject": "NA24385", "--status": "active",
        "--reference": arn, "--generated-from": "run 7", "--creation-type": "upload",
        "--created-after": (now - hour).isoformat(), "--created-before": (now + hour).isoformat(),
    }  # fmt: skip
    every = [word for pair in right.items() for word in pair]
    assert desk.look("readsets", "list", "--quiet", *every).out.split() == [read_set_id]
    for name, value in {"--name": "x", "--status": "archived", "--created-before": "1h"}.items():
        ran = desk.look("readsets", "list", "--quiet", name, value)
        assert (ran.code, ran.out) == (0, ""), name


def test_every_filter_reaches_its_member() -> None:
    words = {
        "--name": "n", "--sample": "s", "--subject": "u", "--status": "archived",
        "--reference": "arn:x", "--generated-from": "g", "--creation-type": "import",
        "--created-after": "2026-01-01", "--created-before": "2026-01-02T03:04Z",
    }  # fmt: skip
    line = [word for pair in words.items() for word in pair]
    context = command("readsets list").make_context("list", ["--store", NOWHERE, *line])
    assert wanted_read_sets(context.params) == turboupload.ReadSetFilter(
        name="n",
        sample_id="s",
        subject_id="u",
        status="ARCHIVED",
        reference_arn="arn:x",
        generated_from="g",
        creation_type="IMPORT",
        created_after=datetime(2026, 1, 1, tzinfo=UTC),
        created_before=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )


def test_a_read_set_is_shown_with_everything(desk: Desk) -> None:
    ids = [desk.read_set(f"lane {n}") for n in range(2)]
    ran = desk.look("readsets", "show", *ids)
    assert ran.code == 0
    first, second = ran.out.split("\n\n")
    assert first.startswith(f"read set    {ids[0]}\n")
    assert "reads       200\n" in first
    assert "(FASTQ_MD5up of source1)" in first
    assert "19.0 KiB (19,485 bytes), read in 1 part of 100 MiB" in first
    assert ids[1] in second
    shown = desk.look("readsets", "show", ids[0], "--json").events[0]
    assert shown["files"]["source1"]["content_length"] == 19485
    assert shown["creation_type"] == "UPLOAD"
    assert set(shown) >= set(turboupload.ReadSetDetails.__dataclass_fields__)
    assert datetime.fromisoformat(shown["created_at"]).tzinfo is not None
    ran = desk.look("readsets", "show", NOWHERE)
    assert (ran.code, ran.out) == (4, "")
    assert f"read set {NOWHERE} of store {desk.store} was not found" in ran.err


def test_waiting_ends_with_the_worst_of_them(desk: Desk) -> None:
    active, failed, stuck, archived = (desk.read_set(f"lane {n}") for n in range(4))
    status = "UPDATE read_sets SET status = ?, status_message = ? WHERE id = ?"
    desk.database(status, "UPLOAD_FAILED", "not gzip", failed)
    desk.database(status, "ACTIVATING", None, stuck)
    desk.database(status, "ARCHIVED", None, archived)
    ran = desk.look("readsets", "wait", active)
    assert (ran.code, ran.out) == (0, f"read set {active} is ACTIVE\n")
    ran = desk.look("readsets", "wait", active, failed)
    assert ran.code == 7
    assert "was turned down by the service: not gzip" in ran.err
    ran = desk.look("readsets", "wait", stuck, "--wait-timeout", "50ms")
    assert ran.code == 5
    assert f"read set {stuck} is still ACTIVATING" in ran.err
    assert desk.look("readsets", "wait", archived).code == 4
    ran = desk.look(
        "readsets", "wait", active, failed, stuck, NOWHERE, "--wait-timeout", "50ms", "--json"
    )
    assert (ran.code, ran.last["outcome"], ran.last["active"]) == (7, "failed", 1)
    ended = {e.get("read_set_id"): e["outcome"] for e in ran.events if e["event"].endswith("ended")}
    assert sorted(ended.values(), key=str) == ["active", "failed", "refused", "stopped"]


def test_one_answer_that_misses_a_read_set_does_not_end_the_wait(desk: Desk) -> None:
    missed = {"type": "error", "code": "ResourceNotFoundException"}
    fault = {"operation": "GetReadSetMetadata", "times": 2, "action": missed}
    desk.emulator.set_faults([fault])
    try:
        assert desk.look("readsets", "wait", desk.read_set("lane")).code == 0
        stuck = desk.read_set("another lane")
        desk.database("UPDATE read_sets SET status = 'ACTIVATING' WHERE id = ?", stuck)
        desk.emulator.set_faults([{**fault, "after": 1}])
        ran = desk.look("readsets", "wait", stuck, "--wait-timeout", "3s")
        assert f"read set {stuck} is still ACTIVATING" in ran.err
    finally:
        desk.emulator.clear_faults()


def test_waiting_in_vain_is_no_success_whatever_the_reason(desk: Desk) -> None:
    nobody = ("--endpoint-url", "https://127.0.0.1:1", "--give-up-after", "10ms")
    ran = desk.look("readsets", "wait", NOWHERE, *nobody, "--json")
    assert (ran.code, ran.last["outcome"], ran.last["active"]) == (2, "usage", 0)


def test_waiting_sees_the_change(desk: Desk) -> None:
    read_set_id = desk.read_set("lane")
    desk.database("UPDATE read_sets SET status = 'ACTIVATING' WHERE id = ?", read_set_id)
    process = subprocess.Popen(
        [sys.executable, "-m", "turboupload", "readsets", "wait", read_set_id, "--store",
         desk.store, "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["status"] == "ACTIVATING"
        desk.database("UPDATE read_sets SET status = 'ACTIVE' WHERE id = ?", read_set_id)
        rest = [json.loads(line) for line in process.stdout]
    assert process.returncode == 0
    assert [event.get("outcome") for event in rest] == [None, "active", "active"]


# --- open uploads ---------------------------------------------------------------------------


def test_open_uploads_are_listed_with_what_is_known_of_them(desk: Desk) -> None:
    begun, foreign = desk.begun_upload("begun"), desk.open_upload("foreign")
    with UploadLock(desk.state, lock_of_upload(foreign)):
        ran = desk.look("uploads", "list")
    assert ran.code == 0
    titles, *lines = (line.split("\t") for line in ran.out.splitlines())
    rows = {row[0]: dict(zip(titles, row, strict=True)) for row in lines}
    assert (rows[begun]["PARTS"], rows[begun]["SIZE"]) == ("4", "19.0 KiB")
    assert rows[begun]["HERE"] == "in the journal"
    assert rows[begun]["IDLE"].endswith(" s")
    assert rows[foreign]["PARTS"] == "0"
    assert rows[foreign]["HERE"] == f"being sent (process {os.getpid()})"
    events = {e.get("upload_id"): e for e in desk.look("uploads", "list", "--json").events}
    assert (events[begun]["parts"], events[begun]["bytes"]) == (4, 19485)
    assert events[begun]["paths"] == [str(desk.folder / "begun.fastq.gz")]
    assert (events[begun]["in_journal"], events[begun]["held"]) == (True, False)
    assert (events[foreign]["in_journal"], events[foreign]["held"]) == (False, False)
    assert set(events[begun]) >= set(turboupload.MultipartUpload.__dataclass_fields__)


def test_ages_are_told_by_their_largest_unit(desk: Desk) -> None:
    upload_id = desk.begun_upload("old")
    desk.make_older(upload_id, 3.2)
    desk.database("UPDATE uploads SET created = created - 864000 WHERE id = ?", upload_id)
    titles, row = (line.split("\t") for line in desk.look("uploads", "list").out.splitlines())
    told = dict(zip(titles, row, strict=True))
    assert (told["AGE"], told["IDLE"]) == ("13 d", "3 d")


def test_a_listing_without_parts_asks_for_none(desk: Desk) -> None:
    begun = desk.begun_upload("begun")
    desk.emulator.reset_stats()
    ran = desk.look("uploads", "list", "--no-parts", "--json")
    assert (ran.events[0]["upload_id"], ran.events[0]["parts"]) == (begun, None)
    assert "ListReadSetUploadParts" not in desk.emulator.stats()["operations"]


def test_looking_makes_no_journal(desk: Desk) -> None:
    desk.open_upload("foreign")
    assert desk.look("uploads", "list").code == 0
    assert not desk.state.exists()


def test_a_journal_that_cannot_be_read_is_said_and_no_obstacle(desk: Desk) -> None:
    upload_id = desk.open_upload("foreign")
    desk.state.mkdir()
    (desk.state / "journal.sqlite3").write_bytes(b"rubbish" * 1000)
    ran = desk.look("uploads", "list", "--quiet")
    assert (ran.code, ran.out.strip()) == (0, upload_id)
    ran = desk.look("uploads", "list")
    assert "note: " in ran.err
    assert "the journal can't be read" in ran.err


def test_an_open_upload_is_shown(desk: Desk) -> None:
    begun = desk.begun_upload("begun")
    ran = desk.look("uploads", "show", begun)
    assert ran.code == 0
    assert "source1  4 parts, 19.0 KiB (19,485 bytes), the last one" in ran.out
    assert f"file     {desk.folder / 'begun.fastq.gz'}" in ran.out
    desk.database("DELETE FROM parts WHERE number = 2 AND upload_id = ?", begun)
    assert "3 parts, 1 missing before the highest" in desk.look("uploads", "show", begun).out
    ran = desk.look("uploads", "show", begun, NOWHERE, "--json")
    assert (ran.code, ran.events[0]["upload_id"], ran.last["outcome"]) == (4, begun, "refused")
    assert NOWHERE in ran.last["error"]["message"]


@pytest.mark.parametrize("completing", [False, True])
def test_an_upload_is_given_up_and_the_journal_knows(desk: Desk, completing: bool) -> None:
    begun = desk.begun_upload("begun", completing=completing)
    other = desk.open_upload("other")
    where = desk.emulator.endpoint_url
    assert set(known_open_uploads(desk.state, where=where, store_id=desk.store)) == {begun}
    ran = desk.look("uploads", "abort", begun)
    assert (ran.code, ran.out) == (2, "")
    assert "--yes" in ran.err
    force = ("--force",) if completing else ()
    ran = desk.look("uploads", "abort", begun, NOWHERE, "--yes", *force)
    assert (ran.code, ran.out) == (4, f"upload {begun} was given up\n")
    assert f"not an open upload of store {desk.store}: {NOWHERE}" in ran.err
    assert desk.look("uploads", "list", "--quiet").out.split() == [other]
    # One whose Complete may have worked stays: what an Abort did then only looking tells.
    known = known_open_uploads(desk.state, where=where, store_id=desk.store)
    assert set(known) == ({begun} if completing else set())
    told: list[str] = []
    result = desk._upload("begun", on_event=lambda notice: told.append(type(notice).__name__))
    assert (result.status, result.parts_reused) == ("ACTIVE", 0)
    assert ("UploadGone" in told, "NothingCame" in told) == (completing, completing)
    assert ("Remark" in told) == completing
    assert len(desk.look("readsets", "list", "--quiet").out.split()) == 1


def test_an_upload_that_is_being_sent_is_left_alone(desk: Desk) -> None:
    held, free = desk.begun_upload("held"), desk.open_upload("free")
    with UploadLock(desk.state, lock_of_upload(held)):
        ran = desk.look("uploads", "abort", held, free, "--yes", "--json")
        assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (5, "busy", 1)
        assert f"upload {held} is left alone" in ran.err
        desk.make_older(held, 100)
        ran = desk.look("uploads", "clean", "--older-than", "7d", "--yes", "--json")
        assert (ran.code, ran.last["aborted"], ran.last["held"]) == (0, 0, 1)
    assert desk.look("uploads", "list", "--quiet").out.split() == [held]


def test_abort_waits_until_it_is_no_longer_listed(desk: Desk) -> None:
    upload_id = desk.open_upload("slow")
    row = {"uploadId": upload_id, "sourceFileType": "BAM", "creationTime": "2026-01-01T00:00:00Z"}
    body = json.dumps({"uploads": [row]})
    lag = {
        "operation": "ListMultipartReadSetUploads", "after": 1, "times": 2,
        "action": {"type": "error", "status": 200, "body": body, "contentType": "application/json"},
    }  # fmt: skip
    desk.emulator.set_faults([lag])
    ran = desk.look("uploads", "abort", upload_id, "--yes")
    assert (ran.code, ran.out) == (0, f"upload {upload_id} was given up\n")
    assert ran.err.count("still listed; looking again") == 2


def test_a_lost_reply_to_abort_is_no_failure(desk: Desk) -> None:
    upload_id = desk.open_upload("lost")
    action = {"type": "lose_reply"}
    desk.emulator.set_faults(
        [{"operation": "AbortMultipartReadSetUpload", "times": 1, "action": action}]
    )
    ran = desk.look("uploads", "abort", upload_id, "--yes")
    # The second try says that it isn't there, which may be the first one's doing.
    assert (ran.code, ran.out.count(f"upload {upload_id} is not open any more: ")) == (0, 1)


def test_clean_gives_up_only_what_nobody_works_on(desk: Desk) -> None:
    old, new = desk.begun_upload("old"), desk.open_upload("new")
    active = desk.begun_upload("active")
    desk.make_older(old, 8)
    desk.database("UPDATE uploads SET created = created - 864000 WHERE id = ?", active)
    ran = desk.look("uploads", "clean", "--older-than", "7d")
    assert ran.code == 0
    assert old in ran.out
    assert "add --yes to give it up" in ran.err
    ran = desk.look("uploads", "clean", "--older-than", "7d", "--json")
    assert [event.get("upload_id") for event in ran.events] == [old, None]
    assert (ran.last["dry_run"], ran.last["found"], ran.last["aborted"]) == (True, 1, 0)
    assert set(desk.look("uploads", "list", "--quiet").out.split()) == {old, new, active}
    ran = desk.look("uploads", "clean", "--older-than", "7d", "--yes", "--quiet")
    assert (ran.code, ran.out.split()) == (0, [old])
    assert set(desk.look("uploads", "list", "--quiet").out.split()) == {new, active}
    ran = desk.look("uploads", "clean", "--older-than", "7d", "--yes")
    assert (ran.code, ran.out) == (0, "")
    assert "no upload is known to have been idle for longer than 7 d" in ran.err


@pytest.mark.parametrize("ahead_s", [-100_000.0, -300.0, 300.0, 100_000.0])
def test_clean_goes_by_the_service_s_clock(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ahead_s: float
) -> None:
    old, fresh, nearly = (desk.begun_upload(name) for name in ("old", "fresh", "nearly"))
    desk.make_older(old, 250 / 86400)
    # Listings may lag, so that its last part need not be the one that is shown.
    desk.make_older(nearly, 150 / 86400)
    ours = time.time
    monkeypatch.setattr(time, "time", lambda: ours() + ahead_s)
    listed = desk.look("uploads", "list", "--json").events
    ages = {each["upload_id"]: each for each in listed if each["event"] == "uploads.upload"}
    assert set(ages) == {old, fresh, nearly}
    shown = desk.look("uploads", "show", old).out
    assert "4 min" in shown, shown
    ran = desk.look("uploads", "clean", "--older-than", "2m", "--yes", "--json")
    assert (ran.code, ran.last["aborted"]) == (0, 1)
    assert set(desk.look("uploads", "list", "--quiet").out.split()) == {fresh, nearly}


def test_clean_looks_again_before_it_gives_an_upload_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, resumed = desk.begun_upload("idle"), desk.begun_upload("resumed")
    desk.make_older(idle, 8)
    desk.make_older(resumed, 8)
    said = Aborter.run

    async def another_machine_goes_on(self: Aborter, *states: Any, **more: Any) -> int:
        desk.database("UPDATE parts SET updated = updated + 691200 WHERE upload_id = ?", resumed)
        return await said(self, *states, **more)

    monkeypatch.setattr(Aborter, "run", another_machine_goes_on)
    ran = desk.look("uploads", "clean", "--older-than", "7d", "--yes", "--json")
    assert (ran.code, ran.last["aborted"]) == (0, 1)
    assert desk.look("uploads", "list", "--quiet").out.split() == [resumed]


def test_parts_without_a_time_may_have_come_just_now(desk: Desk) -> None:
    upload_id = desk.begun_upload("undated")
    desk.make_older(upload_id, 8)
    part = {"partNumber": 1, "partSize": 5000, "partSource": "SOURCE1", "checksum": "x"}
    reply = {
        "type": "error", "status": 200, "body": json.dumps({"parts": [part]}),
        "contentType": "application/json",
    }  # fmt: skip
    desk.emulator.set_faults(
        [{"operation": "ListReadSetUploadParts", "times": None, "action": reply}]
    )
    ran = desk.look("uploads", "clean", "--older-than", "7d", "--yes", "--json")
    assert (ran.code, ran.last["found"], ran.last["aborted"]) == (0, 0, 0)
    assert [each.get("reason") for each in ran.events] == ["no-times", None]
    assert desk.look("uploads", "list", "--json").events[0]["last_active_at"] is None


GONE = pytest.mark.parametrize(
    ("code", "status"),
    [("ResourceNotFoundException", 404), ("ValidationException", 400), ("Gone", 410)],
)
"""What may be answered about an upload that isn't open any more."""


@GONE
def test_an_upload_that_vanishes_meanwhile_has_no_parts(desk: Desk, code: str, status: int) -> None:
    upload_id = desk.open_upload("gone")
    desk.make_older(upload_id, 8)
    gone = {"type": "error", "code": code, "status": status}
    desk.emulator.set_faults(
        [{"operation": "ListReadSetUploadParts", "times": None, "action": gone}]
    )
    ran = desk.look("uploads", "list", "--json")
    assert (ran.code, ran.events[0]["parts"]) == (0, None)
    assert "no longer open" in desk.look("uploads", "show", upload_id).out
    assert desk.look("uploads", "clean", "--older-than", "7d", "--json").last["found"] == 0


@GONE
def test_an_abort_that_is_refused_counts_where_the_upload_is_not_listed_any_more(
    desk: Desk, code: str, status: int
) -> None:
    upload_id = desk.open_upload("gone")
    refusal = {"type": "error", "code": code, "status": status}
    desk.emulator.set_faults(
        [
            {"operation": "AbortMultipartReadSetUpload", "action": {"type": "lose_reply"}},
            {"operation": "AbortMultipartReadSetUpload", "times": None, "action": refusal},
        ]
    )
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--json")
    assert (ran.code, ran.last["aborted"], ran.last["not_open"]) == (0, 0, 1)


def test_an_abort_that_is_refused_while_the_upload_is_listed_is_told(desk: Desk) -> None:
    upload_id = desk.open_upload("stays")
    refusal = {"type": "error", "code": "ConflictException", "status": 409}
    desk.emulator.set_faults(
        [{"operation": "AbortMultipartReadSetUpload", "times": None, "action": refusal}]
    )
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--json")
    assert ran.code != 0
    assert "ConflictException" in ran.out + ran.err


# --- what goes wrong ------------------------------------------------------------------------

EVERY = [
    ("readsets", "list"),
    ("readsets", "show", NOWHERE),
    ("readsets", "wait", NOWHERE, "--listing-lag", "0"),
    ("uploads", "list"),
    ("uploads", "show", NOWHERE),
    ("uploads", "abort", NOWHERE, "--yes"),
    ("uploads", "clean", "--older-than", "1d"),
]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_store_that_is_not_there(desk: Desk, words: tuple[str, ...]) -> None:
    ran = desk.run(*words, "--store", NOWHERE, "--json")
    assert (ran.code, ran.last["outcome"]) == (4, "refused")
    assert "was not found" in ran.err


@pytest.mark.parametrize("words", [EVERY[0], EVERY[3], ("stores", "list")], ids=" ".join)
def test_a_denial_says_which_permission_is_missing(desk: Desk, words: tuple[str, ...]) -> None:
    action = {"type": "error", "status": 403, "code": "AccessDeniedException", "message": "no"}
    desk.emulator.set_faults([{"times": None, "action": action}])
    store = () if words[0] == "stores" else ("--store", desk.store)
    ran = desk.run(*words, *store)
    assert ran.code == 4
    assert "lack the permission omics:" in ran.err


@pytest.mark.parametrize(
    "wrong",
    [
        ("--status", "FROZEN"),
        ("--created-after", "yesterday"),
        ("--created-after", "2026"),
        ("--limit", "0"),
        ("--name", ""),
        ("--created-after", "2026-01-02", "--created-before", "2026-01-01"),
        ("--nonsense",),
    ],
)
def test_an_option_that_makes_no_sense_sends_nothing(desk: Desk, wrong: tuple[str, ...]) -> None:
    desk.emulator.reset_stats()
    ran = desk.look("readsets", "list", *wrong, "--json")
    assert (ran.code, ran.last["outcome"]) == (2, "usage")
    assert ran.last["event"] == "readsets.list.finished"
    assert ran.last["error"]["message"]
    assert desk.emulator.stats()["operations"] == {}


def test_a_store_that_is_no_id_sends_nothing(desk: Desk) -> None:
    ran = desk.run("uploads", "list", "--store", "12", "--json")
    assert (ran.code, ran.last["outcome"]) == (2, "usage")


def test_a_reader_that_goes_away_ends_it_quietly(desk: Desk) -> None:
    desk.open_upload("upload")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "turboupload", "uploads", "list", "--store", desk.store],
        stdout=writer, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interrupt_ends_it_with_a_last_line(desk: Desk) -> None:
    for n in range(4):
        desk.open_upload(f"u{n}")
    action = {"type": "delay", "seconds": 20}
    desk.emulator.set_faults(
        [{"operation": "ListMultipartReadSetUploads", "after": 1, "times": None, "action": action}]
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "turboupload", "uploads", "list", "--no-parts", "--json",
         "--store", desk.store],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "uploads.upload"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "interrupted\n")
    assert json.loads(out.splitlines()[-1])["outcome"] == "interrupted"
