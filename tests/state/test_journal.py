from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.receipts import EQUAL_PARTS, small_receipt
from turboupload.core.model import Digest, FileIdentity, Part, PartSource
from turboupload.core.proof.receipt import Comparison
from turboupload.core.records import ETag, ReadSetDetails, ReadSetFiles
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    Opening,
    PartSeen,
    ReadSetGone,
    StatusSeen,
    UploadGone,
)
from turboupload.errors import ConfigError, Stopped, UploadBusy
from turboupload.state.journal import Journal
from turboupload.state.journal_rows import JOURNALLED, read_event, row_checksum, write_event
from turboupload.state.lock import UploadLock

identities = st.builds(
    FileIdentity,
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    st.integers(0, 2**40),
    st.integers(0, 2**62),
)
parts = st.builds(
    Part,
    st.sampled_from(PartSource),
    st.integers(1, 10_000),
    st.integers(0, 2**40),
    st.integers(1, 2**27),
)
digests = st.builds(
    Digest,
    xxh3=st.binary(min_size=16, max_size=16),
    sha256=st.none() | st.binary(min_size=32, max_size=32),
)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        Opening,
        attempt=st.integers(0, 2**40),
        token=st.text(max_size=64),
        part_size=st.integers(1, 2**27),
        checksum=st.sampled_from(["sha256", "xxh3"]),
        identities=st.tuples(identities) | st.tuples(identities, identities),
        known_read_sets=st.lists(st.text(max_size=10), max_size=3).map(tuple),
        started=st.floats(0, 1e10),
    ),
    st.builds(
        Opened,
        upload_id=st.text(max_size=36),
        adopted=st.booleans(),
        part_size=st.integers(1, 2**27),
        identities=st.just(()) | st.tuples(identities),
    ),
    st.builds(
        PartSeen,
        part=parts,
        digest=digests,
        checksum=st.none() | st.text(max_size=64),
        origin=st.just("journal"),
    ),
    st.just(Completing()),
    st.builds(
        Completed,
        read_set_id=st.text(max_size=36),
        adopted=st.booleans(),
        proof=st.sampled_from(["reply", "journal", "size", "none"]),
    ),
    st.builds(
        StatusSeen,
        st.builds(
            ReadSetDetails,
            read_set_id=st.text(max_size=36),
            status=st.text(max_size=20),
            arn=st.none() | st.text(max_size=40),
            status_message=st.none() | st.text(max_size=40),
            files=st.builds(
                ReadSetFiles.of_sizes,
                st.dictionaries(st.sampled_from(PartSource), st.integers(0, 2**40)),
            ),
            etag=st.none()
            | st.builds(
                ETag,
                algorithm=st.text(min_size=1, max_size=9),
                source1=st.none() | st.text(min_size=1, max_size=64),
            ),
        ),
    ),
    st.builds(UploadGone, aborted=st.booleans()),
    st.just(ReadSetGone()),
)


@given(events)
def test_an_event_comes_back_as_it_was_written(event: Event) -> None:
    assert isinstance(event, JOURNALLED)
    assert read_event(*write_event(event)) == event


@given(kind=st.text(max_size=9), body=st.text(max_size=60))
def test_a_row_that_is_no_event_is_said_to_be_none(kind: str, body: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # JSON's own error is one, too
        read_event(kind, body)


@given(
    kind=st.sampled_from(["opening", "opened", "part", "completed", "status"]),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["part", "xxh3", "sha256", "sizes"]), inner, max_size=3
            )
        ),
        max_leaves=6,
    ),
)
def test_json_of_any_shape_is_an_event_or_a_value_error(kind: str, body: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # JSON's own error is one, too
        read_event(kind, json.dumps(body))


def sample(number: int = 1) -> PartSeen:
    return PartSeen(
        part=Part(PartSource.SOURCE1, number, 0, 5),
        digest=Digest(xxh3=b"x" * 16, sha256=b"s" * 32),
        checksum="c",
        origin="journal",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_events_are_kept_by_upload_and_in_order(folder: Path) -> None:
    journal = Journal(folder)
    journal.append([("a", sample(1)), ("b", Completing()), ("a", sample(2))])
    journal.append([("a", UploadGone())])
    journal.close()
    journal = Journal(folder)
    assert journal.load("a") == [sample(1), sample(2), UploadGone()]
    assert journal.load("b") == [Completing()]
    assert journal.load("c") == []
    journal.append([("a", sample(3))])
    assert journal.load("a")[-1] == sample(3)
    journal.forget("a")
    assert journal.load("a") == []
    journal.close()


def test_two_processes_may_write_side_by_side(folder: Path) -> None:
    one, other = Journal(folder), Journal(folder)
    one.append([("a", sample())])
    other.append([("b", sample())])
    assert one.load("b") == other.load("b") == [sample()]
    one.close()
    other.close()


def in_child(work: Callable[[], None]) -> int:
    """Does something in a process of its own; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def test_many_processes_may_be_the_first(tmp_path: Path) -> None:
    def append(folder: Path, key: str, begin: int, start: int) -> None:
        os.close(start)
        os.read(begin, 1)
        journal = Journal(folder)
        journal.append([(key, sample())])
        journal.close()

    for number in range(12):
        folder = tmp_path / f"state{number}"
        begin, start = os.pipe()
        children = [in_child(partial(append, folder, str(key), begin, start)) for key in range(6)]
        os.close(begin)
        os.close(start)  # with the last of its ends, all begin
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
        journal = Journal(folder)
        assert [journal.load(str(key)) for key in range(6)] == [[sample()]] * 6
        journal.close()


def test_a_second_journal_of_a_process_leaves_the_firsts_locks_alone(folder: Path) -> None:
    first = Journal(folder)
    first.append([("a", sample())])
    second = Journal(folder)
    # Another process that takes itself for the last one would delete what is not yet in the file.
    code = (
        "import sys; from pathlib import Path; from turboupload.state.journal import Journal;"
        " Journal(Path(sys.argv[1])).close()"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
    first.append([("b", sample())])
    second.close()
    assert (folder / "journal.sqlite3-wal").stat().st_size > 0
    third = Journal(folder)
    assert third.load("a") == third.load("b") == [sample()]
    third.close()
    first.close()


def test_what_an_upload_is_about_can_be_looked_up(folder: Path) -> None:
    journal = Journal(folder)
    journal.about("a", {"name": "lane 1"})
    journal.about("a", {"name": "told again"})
    journal.close()
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db:
        ((key, about),) = db.execute("SELECT key, about FROM upload")
    assert (key, json.loads(about)) == ("a", {"name": "lane 1"})


def test_the_folder_and_the_files_are_for_their_owner_alone(folder: Path) -> None:
    journal = Journal(folder)
    journal.append([("a", sample())])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for each in folder.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    journal.close()


@pytest.mark.parametrize("column", ["kind", "body", "checksum", "seq"])
def test_a_flipped_bit_in_a_row_sets_the_journal_aside(folder: Path, column: str) -> None:
    journal = Journal(folder)
    journal.append([("a", sample(1)), ("a", sample(2))])
    journal.close()
    with sqlite3.connect(folder / "journal.sqlite3") as db:
        value = {"kind": "pars", "seq": 7}.get(column)
        if value is None:
            (text,) = db.execute(f"SELECT {column} FROM event WHERE seq = 2").fetchone()  # noqa: S608 # a literal above
            value = text[:-1] + chr(ord(text[-1]) ^ 1)
        db.execute(f"UPDATE event SET {column} = ? WHERE seq = 2", (value,))  # noqa: S608 # a literal above
    db.close()
    journal = Journal(folder)
    assert journal.load("a") == []
    assert journal.set_aside is not None
    assert journal.set_aside.exists()
    journal.append([("a", sample(1))])
    journal.close()
    journal = Journal(folder)
    assert journal.load("a") == [sample(1)]
    assert journal.set_aside is None
    journal.close()


@pytest.mark.parametrize("damage", ["garbage", "header", "middle"])
def test_a_damaged_file_is_set_aside(folder: Path, damage: str) -> None:
    journal = Journal(folder)
    journal.append([("a", sample(number)) for number in range(1, 200)])
    journal.close()
    path = folder / "journal.sqlite3"
    data = bytearray(path.read_bytes())
    match damage:
        case "garbage":
            data[:] = b"not a database" * 100
        case "header":
            data[20:40] = b"\xff" * 20
        case "middle":
            data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    journal = Journal(folder)
    assert journal.load("a") == []
    assert journal.set_aside is not None
    journal.close()


def test_a_damaged_file_that_another_process_has_open_stops(folder: Path) -> None:
    journal = Journal(folder)
    journal.append([("a", sample())])
    other = Journal(folder)
    with sqlite3.connect(folder / "journal.sqlite3") as db:
        db.execute("UPDATE event SET kind = 'pars'")
    db.close()
    with pytest.raises(Stopped, match="another process"):
        other.load("a")
    journal.close()


def test_a_row_of_another_version_is_not_called_damage(folder: Path) -> None:
    """Its checksum is right, so nothing was lost: whoever wrote it knows what it says."""
    body = '{"aborted":true,"why":"a member of later"}'
    with closing(Journal(folder)) as journal:
        journal.append([("a", sample()), ("b", sample())])
        journal._write(lambda db: _add_row(db, "a", 2, "gone", body))
        with pytest.raises(ConfigError, match="row 2 of a was written by another version"):
            journal.load("a")
        assert journal.load("b") == [sample()]
        assert journal.set_aside is None


def _add_row(db: sqlite3.Connection, key: str, seq: int, kind: str, body: str) -> None:
    checksum = row_checksum(key, seq, kind, body)
    tail = row_checksum(key, seq, "tail", checksum)
    db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?)", (key, seq, kind, body, checksum))
    db.execute("INSERT OR REPLACE INTO tail VALUES (?, ?, ?)", (key, seq, tail))


def test_which_read_sets_were_made_of_other_uploads(folder: Path) -> None:
    def made(upload_id: str, read_set_id: str, **more: Any) -> list[Event]:
        return [
            Opened(upload_id=upload_id, adopted=False, part_size=5),
            Completed(read_set_id=read_set_id, **more),
        ]

    with closing(Journal(folder)) as journal:
        journal.append([("a", each) for each in made("1", "10") + made("2", "20")])
        journal.append([("b", each) for each in made("3", "30", adopted=True, proof="fresh")])
        journal.append([("c", sample())])
        asked = ["10", "20", "30", "40", "1"]
        assert journal.made_otherwise(asked, "9") == {"10", "20"}
        assert journal.made_otherwise(asked, "2") == {"10"}
        assert journal.made_otherwise(asked, None) == {"10", "20"}
        assert journal.made_otherwise([], "9") == frozenset()


def test_a_journal_of_another_version_is_not_touched(folder: Path) -> None:
    Journal(folder).close()
    with sqlite3.connect(folder / "journal.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
        db.execute(f"PRAGMA application_id = {0x74750000 + 99}")
    db.close()
    with pytest.raises(ConfigError, match="another version"):
        Journal(folder)


def test_a_journal_of_the_version_before_is_taken_over(folder: Path) -> None:
    with closing(Journal(folder)) as journal:
        journal.append([("a", sample())])
    with sqlite3.connect(folder / "journal.sqlite3") as db:
        db.execute("DROP TABLE link")
        db.execute("PRAGMA user_version = 2")
        db.execute(f"PRAGMA application_id = {0x74750000 + 2}")
    db.close()
    with closing(Journal(folder)) as journal:
        assert journal.load("a") == [sample()]
        assert journal.rate("here") is None
        journal.keep_rate("here", 8e6)
    with closing(Journal(folder)) as journal:
        assert journal.rate("here") == 8e6
        assert journal.rate("elsewhere") is None
        assert journal.set_aside is None


@pytest.mark.parametrize(
    ("column", "said"),
    [("seen", 0.0), ("seen", 1e12), ("bytes_per_s", -1.0), ("bytes_per_s", 1e13),
     ("bytes_per_s", "fast")],
)  # fmt: skip
def test_a_rate_that_is_old_or_makes_no_sense_is_not_believed(
    folder: Path, column: str, said: object
) -> None:
    with closing(Journal(folder)) as journal:
        journal.keep_rate("here", 8e6)
    with sqlite3.connect(folder / "journal.sqlite3") as db:
        db.execute(f"UPDATE link SET {column} = ?", (said,))  # noqa: S608 # names from above
    db.close()
    with closing(Journal(folder)) as journal:
        assert journal.rate("here") is None


def test_a_symlink_in_the_journals_place_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    target = tmp_path / "elsewhere"
    target.touch()
    (folder / "journal.sqlite3").symlink_to(target)
    with pytest.raises(ConfigError, match="not a regular file"):
        Journal(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_journal_of_another_user_is_refused(folder: Path) -> None:
    Journal(folder).close()
    os.chown(folder / "journal.sqlite3", 12345, 12345)
    with pytest.raises(ConfigError, match="another user"):
        Journal(folder)
    os.chown(folder, 12345, 12345)
    with pytest.raises(ConfigError, match="another user"):
        Journal(folder)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(ConfigError, match="state folder"):
        Journal(tmp_path / "state")


def test_a_row_that_cannot_be_written_stops_and_leaves_the_journal_whole(folder: Path) -> None:
    journal = Journal(folder)
    journal.append([("a", sample(1))])
    journal._db.execute("PRAGMA query_only = ON")
    with pytest.raises(Stopped, match="journal can't be written"):
        journal.append([("a", sample(2))])
    journal._db.execute("PRAGMA query_only = OFF")
    journal.append([("a", sample(3))])
    assert journal.load("a") == [sample(1), sample(3)]
    journal.close()


def test_a_lock_is_for_one_at_a_time_and_goes_with_its_holder(folder: Path) -> None:
    with UploadLock(folder, "a"):
        with pytest.raises(UploadBusy, match=str(os.getpid())), UploadLock(folder, "a"):
            pass
        with UploadLock(folder, "b"):
            pass
    child = os.fork()
    if child == 0:
        UploadLock(folder, "a").__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    with UploadLock(folder, "a"):
        pass


def test_a_lock_that_is_a_symlink_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "locks").mkdir(parents=True)
    (folder / "locks" / "a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="state folder"), UploadLock(folder, "a"):
        pass


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(ConfigError, match="has no locks"), UploadLock(folder, "a"):
        pass
    with pytest.raises(ConfigError, match="has no locks"):
        Journal(folder)


def test_a_receipt_gives_way_only_to_one_that_says_as_much(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state")

    def keep(said: str, *comparisons: Comparison, read_set_id: str = "1") -> None:
        journal.keep_receipt("key", small_receipt(read_set_id, "lane 1", *comparisons, said=said))

    def said(word: str) -> list[str]:
        return [json.loads(each.body)["read_set"]["description"] for each in journal.receipts(word)]

    keep("first", EQUAL_PARTS)
    keep("weaker")
    keep("equal", EQUAL_PARTS)
    keep("another", read_set_id="2")
    journal.close()
    journal = Journal(tmp_path / "state")
    try:
        assert said("1") == ["equal"]
        assert set(said("lane 1")) == {"equal", "another"}
        assert journal.receipts("lane 2") == []
    finally:
        journal.close()


def test_a_journal_without_our_mark_is_set_aside(tmp_path: Path) -> None:
    Journal(tmp_path / "state").close()
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite3") as old:
        old.execute("PRAGMA application_id = 0")
    old.close()
    journal = Journal(tmp_path / "state")
    try:
        assert journal.set_aside is not None
        journal.keep_receipt("key", small_receipt("1", "a"))
        assert len(journal.receipts("a")) == 1
    finally:
        journal.close()
