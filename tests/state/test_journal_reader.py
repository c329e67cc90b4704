"""A look into the journal, and at the locks, that leaves no trace."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from turboupload.core.records import ReadSetDetails
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    Opening,
    StatusSeen,
    UploadGone,
)
from turboupload.errors import ConfigError
from turboupload.state.journal import Journal
from turboupload.state.journal_reader import KnownOpen, known_open_uploads, known_rate
from turboupload.state.lock import UploadLock, holder_of, lock_of_upload

WHERE, STORE = "us-east-1", "1234567890"


def opening(attempt: int = 0) -> Opening:
    return Opening(
        attempt=attempt,
        token="t",
        part_size=1000,
        checksum="sha256",
        identities=(),
        known_read_sets=(),
        started=0.0,
    )


def opened(upload_id: str) -> Opened:
    return Opened(
        upload_id=upload_id, adopted=False, part_size=1000, identities=(), known_read_sets=()
    )


def write(folder: Path, key: str, *events: Event, where: str = WHERE, store: str = STORE) -> None:
    with closing(Journal(folder)) as journal:
        about = {"name": key, "store_id": store, "where": where, "paths": [f"/data/{key}"]}
        journal.about(key, about)
        journal.append([(key, event) for event in events])


COMPLETED = (opening(), opened("1"), Completing(), Completed(read_set_id="9"))


def status(word: str) -> StatusSeen:
    return StatusSeen(ReadSetDetails(read_set_id="9", status=word))


def known(folder: Path) -> dict[str, KnownOpen]:
    return known_open_uploads(folder, where=WHERE, store_id=STORE)


def test_where_there_is_no_journal_nothing_is_known_and_none_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert known(folder) == {}
    assert not folder.exists()


@pytest.mark.parametrize(
    ("events", "is_known", "completing"),
    [
        ((opening(),), False, False),
        ((opening(), opened("1")), True, False),
        ((opened("1"),), True, False),
        ((opening(), opened("1"), Completing()), True, True),
        ((opening(), opened("1"), Completing(), Completed(read_set_id="9")), True, True),
        ((*COMPLETED, status("PROCESSING_UPLOAD")), True, True),
        ((*COMPLETED, status("PROCESSING_UPLOAD"), status("ACTIVE")), False, False),
        ((*COMPLETED, status("UPLOAD_FAILED")), False, False),
        # The read set was there before, so it isn't made of this upload.
        (
            (opening(), opened("1"), Completed(read_set_id="9", adopted=True, proof="none")),
            False,
            False,
        ),
        ((opening(), opened("1"), UploadGone()), False, False),
        ((opening(), opened("0"), UploadGone(), opening(1), opened("1")), True, False),
        ((opening(), opened("1"), opening(1)), False, False),
    ],
)
def test_what_is_open_by_its_last_milestone_is_known(
    tmp_path: Path, events: tuple[Event, ...], is_known: bool, completing: bool
) -> None:
    write(tmp_path, "lane1", *events)
    found = known(tmp_path)
    assert set(found) == ({"1"} if is_known else set())
    if is_known:
        assert (found["1"].key, found["1"].name, found["1"].paths) == (
            "lane1", "lane1", ("/data/lane1",),
        )  # fmt: skip
        assert found["1"].completing is completing


def test_other_stores_of_the_same_id_are_others(tmp_path: Path) -> None:
    write(tmp_path, "ours", opening(), opened("1"))
    write(tmp_path, "elsewhere", opening(), opened("2"), where="eu-west-1")
    write(tmp_path, "another", opening(), opened("3"), store="1234567891")
    assert set(known(tmp_path)) == {"1"}


def test_a_row_that_cannot_be_believed_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "good", opening(), opened("1"))
    write(tmp_path, "bad", opening(), opened("2"))
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as db, db:
        db.execute("UPDATE event SET body = replace(body, '2', '7') WHERE key = 'bad'")
        db.execute("UPDATE upload SET about = 'no JSON' WHERE key = 'bad'")
    assert set(known(tmp_path)) == {"1"}


def test_rubbish_is_said_to_be_no_journal_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"rubbish" * 1000)
    with pytest.raises(ConfigError, match="can't be read"):
        known(tmp_path)
    assert path.read_bytes() == b"rubbish" * 1000
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_in_use_can_be_looked_into(tmp_path: Path) -> None:
    write(tmp_path, "lane1", opening(), opened("1"))
    with closing(Journal(tmp_path)) as journal:
        journal.append([("lane1", UploadGone())])
        assert known(tmp_path) == {}


def test_a_lock_that_nobody_holds(tmp_path: Path) -> None:
    key = lock_of_upload("1234567890")
    assert holder_of(tmp_path, key) is None
    assert not (tmp_path / "locks").exists()
    with UploadLock(tmp_path, key):
        pass
    assert holder_of(tmp_path, key) is None


def test_a_lock_that_somebody_holds_names_the_process(tmp_path: Path) -> None:
    key = lock_of_upload("1234567890")
    with UploadLock(tmp_path, key):
        assert holder_of(tmp_path, key) == str(os.getpid())
        next((tmp_path / "locks").iterdir()).write_text("")
        assert holder_of(tmp_path, key) == ""


def test_a_look_at_a_lock_leaves_it_free(tmp_path: Path) -> None:
    key = lock_of_upload("1234567890")
    with UploadLock(tmp_path, key):
        pass
    assert holder_of(tmp_path, key) is None
    with UploadLock(tmp_path, key):
        pass


def test_the_links_rate_is_read_without_a_trace(tmp_path: Path) -> None:
    assert known_rate(tmp_path / "none", WHERE) is None
    assert not (tmp_path / "none").exists()
    with closing(Journal(tmp_path)) as journal:
        journal.keep_rate(WHERE, 1e8)
        assert known_rate(tmp_path, WHERE) == journal.rate(WHERE) == 1e8
    assert known_rate(tmp_path, "elsewhere") is None
    (tmp_path / "journal.sqlite3").write_bytes(b"damaged" * 1000)
    assert known_rate(tmp_path, WHERE) is None
