"""Uploads that aren't aborted: read sets in the making, and what can't be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio.to_thread
import pytest

from tests.cli.desk import Desk
from tests.cli.ran import Ran
from tests.support.emulator import RunningEmulator
from turboupload.cli.session.aborting import Aborter

CLEAN = ("uploads", "clean", "--older-than", "7d", "--yes")
DAY_S = 86400.0


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as running:
        yield running


def being_processed(desk: Desk, name: str = "made", days_ago: float = 0.0) -> tuple[str, str]:
    """An upload that is listed with its parts, and its read set, which is PROCESSING_UPLOAD."""
    desk.emulator.set_world(ingest_delay_s=3600.0)
    read_set_id = desk.read_set(name, wait=False)
    (upload_id,) = desk.look("uploads", "list", "--quiet").out.split()
    desk.make_older(upload_id, days_ago)
    desk.emulator.reset_stats()
    return upload_id, read_set_id


def requests(desk: Desk, operation: str) -> int:
    stats = desk.emulator.stats()["operations"].get(operation, {})
    return int(stats.get("requests", 0))


def listed(desk: Desk) -> list[str]:
    return desk.look("uploads", "list", "--quiet").out.split()


def left(ran: Ran) -> dict[str, str]:
    """What was left alone, and why."""
    return {
        each["upload_id"]: each["reason"]
        for each in ran.events
        if each["event"] == "uploads.left_alone"
    }


def test_an_upload_whose_read_set_is_processed_is_not_aborted(desk: Desk) -> None:
    upload_id, read_set_id = being_processed(desk)
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--json")
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (5, "stopped", 0)
    assert "left_alone" not in ran.last
    assert ran.events[0]["outcome"] == "stopped"
    assert ran.events[0]["error"]["code"] == "read-set"
    assert f"upload {upload_id} is left alone: read set {read_set_id} (PROCESSING" in ran.err
    assert "--force" in ran.err
    assert "given up" not in ran.err
    assert requests(desk, "AbortMultipartReadSetUpload") == 0
    assert desk.look("readsets", "list", "--quiet").out.split() == [read_set_id]


def test_an_abort_of_what_is_not_open_any_more_is_told_as_that_and_not_waited_for(
    desk: Desk,
) -> None:
    upload_id, _ = being_processed(desk)
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--force", "--json")
    assert (ran.code, ran.last["outcome"]) == (0, "ok")
    assert (ran.last["aborted"], ran.last["not_open"]) == (0, 1)
    assert (ran.events[0]["outcome"], ran.events[0]["error"]) == ("not_open", None)
    assert "still listed" not in ran.err
    assert listed(desk) == [upload_id]
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--force")
    assert ran.out == (
        f"upload {upload_id} is not open any more: it was completed or aborted, or has expired\n"
    )
    assert desk.look("uploads", "abort", upload_id, "--yes", "--force", "--quiet").out == ""


@pytest.mark.parametrize("answer", ["409", "400"])
def test_a_forced_abort_that_is_refused_while_the_upload_is_listed_is_told(
    desk: Desk, answer: str
) -> None:
    upload_id, _ = being_processed(desk)
    desk.emulator.set_world(second_complete=answer)
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--force", "--json")
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (4, "refused", 0)


@pytest.mark.parametrize("filters", ["exact", "prefix", "ignored"])
def test_clean_leaves_a_read_set_in_the_making_alone(desk: Desk, filters: str) -> None:
    upload_id, read_set_id = being_processed(desk, days_ago=8)
    # Its name begins with this one, and it is another.
    other = desk.begun_upload("ma")
    desk.make_older(other, 8)
    desk.emulator.set_world(filters=filters)
    ran = desk.look(*CLEAN[:-1], "--json")
    assert (ran.last["found"], ran.last["left_alone"], left(ran)) == (1, 1, {upload_id: "read-set"})
    ran = desk.look(*CLEAN, "--json")
    assert (ran.code, ran.last["aborted"], ran.last["left_alone"]) == (0, 1, 1)
    assert left(ran) == {upload_id: "read-set"}
    assert f"upload {upload_id} is left alone: read set {read_set_id} (PROCESSING" in ran.err
    assert listed(desk) == [upload_id]
    ran = desk.look(*CLEAN)
    assert (ran.code, ran.out) == (0, "")
    assert "nothing to abort: all that may have been idle for so long is left alone" in ran.err
    assert requests(desk, "AbortMultipartReadSetUpload") == 1


def test_what_is_left_beside_a_finished_read_set_is_given_up(desk: Desk) -> None:
    """As an upload that began anew leaves one behind, and says so."""
    about = {"file_type": "FASTQ", "sample_id": "HG002", "subject_id": "NA24385"}
    older, newer = (desk.open_upload("twice", **about) for _ in range(2))
    desk.make_older(older, 8)
    desk.read_set("twice")
    ran = desk.look(*CLEAN, "--json")
    assert (ran.code, ran.last["aborted"], left(ran)) == (0, 1, {})
    assert desk.look("uploads", "abort", newer, "--yes").code == 0
    assert listed(desk) == []


def test_an_upload_whose_complete_was_called_from_here_is_left_alone(desk: Desk) -> None:
    upload_id = desk.begun_upload("begun", completing=True)
    desk.make_older(upload_id, 8)
    ran = desk.look("uploads", "abort", upload_id, "--yes")
    assert (ran.code, ran.out) == (5, "")
    assert "Complete was called for it from here" in ran.err
    ran = desk.look(*CLEAN, "--json")
    assert (ran.code, ran.last["aborted"], left(ran)) == (0, 0, {upload_id: "completing"})
    assert listed(desk) == [upload_id]


def test_an_upload_that_was_completed_here_while_no_listing_shows_its_read_set(desk: Desk) -> None:
    desk.emulator.set_world(read_sets_lag_s=600.0)
    upload_id, _ = being_processed(desk)
    ran = desk.look("uploads", "abort", upload_id, "--yes")
    assert (ran.code, ran.out) == (5, "")
    assert "Complete was called for it from here" in ran.err
    assert requests(desk, "AbortMultipartReadSetUpload") == 0


def test_an_upload_that_has_expired_and_is_listed_for_ever(desk: Desk) -> None:
    upload_id = desk.open_upload("expired")
    desk.make_older(upload_id, 8)
    desk.emulator.set_world(upload_expires_s=DAY_S)
    ran = desk.look(*CLEAN)
    assert ran.code == 0
    assert f"upload {upload_id} is left alone: the service has no parts of it" in ran.err
    assert "no upload is known" not in ran.err
    ran = desk.look(*CLEAN, "--json")
    assert (ran.last["left_alone"], left(ran)) == (1, {upload_id: "no-parts"})
    ran = desk.look("uploads", "abort", upload_id, "--yes", "--json")
    assert (ran.code, ran.last["aborted"], ran.last["not_open"]) == (0, 0, 1)
    assert "still listed" not in ran.err
    assert listed(desk) == [upload_id]


def test_clean_spares_what_another_machine_completes_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = desk.begun_upload("begun")
    desk.make_older(upload_id, 8)
    run = Aborter.run

    def complete() -> None:
        desk.emulator.set_world(ingest_delay_s=3600.0)
        elsewhere = str(desk.folder / "elsewhere")
        desk._upload("begun", wait=False, state_dir=elsewhere, part_size_bytes=5000)

    async def after_it_was_completed(self: Aborter, *states: Any, **more: Any) -> int:
        await anyio.to_thread.run_sync(complete)
        return await run(self, *states, **more)

    monkeypatch.setattr(Aborter, "run", after_it_was_completed)
    desk.emulator.reset_stats()
    ran = desk.look(*CLEAN, "--json")
    assert listed(desk) == [upload_id]
    assert requests(desk, "AbortMultipartReadSetUpload") == 0
    assert (ran.code, ran.last["outcome"], ran.last["aborted"]) == (5, "stopped", 0)
    assert ran.last["error"]["code"] == "read-set"
