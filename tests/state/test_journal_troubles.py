"""What can go wrong around a journal, and what is done in it: only damage sets it aside."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import turboupload.state.journal as journal_module
import turboupload.state.journal_file as file_module
from tests.state.test_journal import in_child, sample
from tests.support.receipts import small_receipt
from turboupload.core.proof.receipt_reading import read_receipt
from turboupload.core.upload.events import Completing, Event
from turboupload.errors import ConfigError, Stopped, TurbouploadError, UploadBusy
from turboupload.state.journal import Journal
from turboupload.state.lock import UploadLock, holder_of

BEFORE: list[Event] = [sample(number) for number in range(1, 40)]
NOBODY = 12345
KEPT = small_receipt()

Operation = Callable[[Journal], object]

READS: dict[str, Operation] = {
    "load": lambda journal: journal.load("a"),
    "tail": lambda journal: journal.tail("a"),
    "receipts": lambda journal: journal.receipts("lane 1"),
}
WRITES: dict[str, Operation] = {
    "append": lambda journal: journal.append([("a", sample(number)) for number in range(40, 400)]),
    "about": lambda journal: journal.about("c", {"name": "x" * 100_000}),
    "forget": lambda journal: journal.forget("b"),
    "keep_receipt": lambda journal: journal.keep_receipt(
        "c", small_receipt("2", "lane 2", said="x" * 100_000)
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    fill(folder)
    return folder


def fill(folder: Path) -> None:
    with closing(Journal(folder)) as journal:
        journal.about("a", {"name": "lane 1"})
        journal.append([("a", event) for event in BEFORE])
        journal.append([("b", Completing())])
        journal.keep_receipt("a", KEPT)


def check_whole(folder: Path) -> None:
    """Nothing was set aside, and nothing is lost or half there."""
    assert list(folder.glob("journal.damaged*")) == []
    with closing(Journal(folder)) as journal:
        loaded = journal.load("a")
        assert loaded[: len(BEFORE)] == BEFORE
        assert len(loaded) in (len(BEFORE), len(BEFORE) + 360)
        assert journal.load("b") in ([], [Completing()])
        (kept,) = journal.receipts("lane 1")
        assert replace(read_receipt(json.loads(kept.body)), link=None) == KEPT
        journal.append([("d", sample())])
        assert journal.load("d") == [sample()]
        assert journal.set_aside is None


# --- troubles of the machine ----------------------------------------------------------------


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """No file may grow: the kernel refuses it as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Another process writes, and does not end."""
    ready, tell = os.pipe()
    end, stop = os.pipe()

    def hold() -> None:
        os.close(stop)
        db = sqlite3.connect(folder / "journal.sqlite3", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        os.write(tell, b".")
        os.read(end, 1)

    child = in_child(hold)
    os.close(end)
    os.read(ready, 1)
    try:
        yield
    finally:
        os.close(stop)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Neither the folder nor a file in it may be written, as whoever we are."""
    everything = [folder, *folder.iterdir()]
    modes = {each: each.stat().st_mode for each in everything}
    user = os.geteuid()
    for each in everything:
        if user == 0:
            os.chown(each, NOBODY, -1)
        each.chmod(0o500 if each.is_dir() else 0o400)
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for each, mode in modes.items():
            with suppress(FileNotFoundError):
                os.chown(each, user, -1)
                each.chmod(mode)


TROUBLES: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "full": full,
    "locked": locked,
    "read only": read_only,
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_module, "BUSY_S", 0.3)


@pytest.fixture
def reachable(folder: Path) -> Path:
    """For another user, too: pytest's folders are for their owner alone."""
    for each in folder.parents:
        if each.stat().st_uid == os.geteuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o111)
    return folder


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_a_trouble_of_the_machine_sets_nothing_aside(
    reachable: Path, trouble: str, operation: str
) -> None:
    work = {**READS, **WRITES}[operation]
    with closing(Journal(reachable)) as journal:
        with TROUBLES[trouble](reachable):
            # A read doesn't mind; nor does a descriptor that was opened when writing was allowed.
            if operation in READS or trouble == "read only":
                work(journal)
            else:
                with pytest.raises(Stopped, match="journal can't be written") as caught:
                    work(journal)
                assert caught.value.operation == "journal"
                assert "run the same command again" in (caught.value.hint or "")
        assert journal.set_aside is None
        # When it is over, the same object goes on.
        journal.append([("e", sample())])
    check_whole(reachable)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("trouble", "kind"), [("full", Stopped), ("locked", Stopped), ("read only", ConfigError)]
)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_journal_that_cannot_be_opened_is_not_set_aside(
    reachable: Path, trouble: str, kind: type[TurbouploadError], fresh: bool
) -> None:
    if fresh:
        for each in reachable.glob("journal.sqlite3*"):
            each.unlink()
        if trouble == "locked":
            pytest.skip("there is nothing to lock")
    with (
        TROUBLES[trouble](reachable),
        pytest.raises(kind) as caught,
        closing(Journal(reachable)) as journal,
    ):
        journal.append([("f", sample(number)) for number in range(1, 400)])
    assert caught.value.hint
    if fresh:
        fill(reachable)
    check_whole(reachable)


def test_a_full_tmpfs_sets_nothing_aside(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        folder = disk / "state"
        fill(folder)
        with closing(Journal(folder)) as journal:
            with suppress(OSError), (disk / "filler").open("wb") as filler:
                while True:
                    filler.write(b"x" * 4096)
                    filler.flush()
            with pytest.raises(Stopped, match="can't be written") as caught:
                WRITES["append"](journal)
            assert "room" in (caught.value.hint or "")
            (disk / "filler").unlink()
            WRITES["append"](journal)
        check_whole(folder)
    finally:
        subprocess.run(["/bin/umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        (errno.ENOSPC, Stopped, "make room"),
        (errno.EDQUOT, Stopped, "make room"),
        (errno.EIO, Stopped, "run the same command again"),
        (errno.ESTALE, Stopped, "run the same command again"),
        (errno.EMFILE, Stopped, "run the same command again"),
        (errno.ENOLCK, ConfigError, "local disk"),
        (errno.EACCES, ConfigError, "TURBOUPLOAD_STATE_DIR"),
        (errno.EROFS, ConfigError, "TURBOUPLOAD_STATE_DIR"),
    ],
)
def test_what_keeps_a_lock_from_being_had_is_told_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], hint: str
) -> None:
    def fails(descriptor: int, how: int) -> None:
        raise OSError(code, os.strerror(code))

    with UploadLock(folder, "a"):
        monkeypatch.setattr(fcntl, "flock", fails)
        assert holder_of(folder, "a") is None
        with pytest.raises(kind, match=os.strerror(code)) as caught, UploadLock(folder, "b"):
            pass
    assert hint in (getattr(caught.value, "hint", None) or "")


def test_a_constraint_proves_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Journal(folder)) as journal:
        monkeypatch.setattr(journal_module, "_last_seq", lambda *_: 3)
        with pytest.raises(Stopped, match="UNIQUE constraint") as caught:
            journal.append([("a", sample())])
        assert "the journal is not damaged" in (caught.value.hint or "")
        monkeypatch.undo()
    check_whole(folder)


def test_an_index_that_lies_is_damage_when_a_constraint_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'strength', 'strangth')")
    with closing(Journal(folder)) as journal:
        with pytest.raises(Stopped, match="damaged and set aside"):
            journal.keep_receipt("z", small_receipt("1", "n"))
        assert journal.set_aside is not None


@pytest.mark.parametrize("length", [50, 100, 4095, 4096, 4097, 9000])
def test_a_torn_file_is_damage(folder: Path, length: int) -> None:
    os.truncate(folder / "journal.sqlite3", length)
    with closing(Journal(folder)) as journal:
        assert journal.load("a") == []
        assert journal.set_aside is not None
        journal.append([("a", sample())])
        assert journal.load("a") == [sample()]


def test_a_closed_journal_says_so_and_is_not_damaged(folder: Path) -> None:
    journal = Journal(folder)
    journal.close()
    journal.close()
    for work in (*READS.values(), *WRITES.values()):
        with pytest.raises(Stopped, match="is closed"):
            work(journal)
    check_whole(folder)


# --- a journal that is no longer in its place -------------------------------------------------


def remove_file(folder: Path) -> None:
    (folder / "journal.sqlite3").unlink()


def remove_log(folder: Path) -> None:
    (folder / "journal.sqlite3-wal").unlink()


def replace_file(folder: Path) -> None:
    other = folder.parent / "other"
    fill(other)
    (other / "journal.sqlite3").rename(folder / "journal.sqlite3")


def set_aside(folder: Path) -> None:
    (folder / "journal.sqlite3").rename(folder / "aside.sqlite3")


@pytest.mark.parametrize("how", [shutil.rmtree, remove_file, remove_log, replace_file, set_aside])
@pytest.mark.parametrize("operation", [*READS, *WRITES])
def test_what_would_be_written_to_a_file_that_is_gone_is_refused(
    folder: Path, how: Callable[[Path], None], operation: str
) -> None:
    with closing(Journal(folder)) as journal:
        journal.append([("e", sample())])
        how(folder)
        for _ in range(2):
            with pytest.raises(Stopped, match="removed or replaced"):
                {**READS, **WRITES}[operation](journal)
        if how is shutil.rmtree:
            assert not folder.exists()
    # The next one finds a place of its own.
    with closing(Journal(folder)) as journal:
        journal.append([("g", sample())])
        assert journal.load("g") == [sample()]


def test_the_lock_file_of_the_journal_may_go(folder: Path) -> None:
    with closing(Journal(folder)) as journal:
        (folder / "journal.lock").unlink()
        journal.append([("e", sample())])
    check_whole(folder)


def test_a_lock_that_was_deleted_keeps_nobody_out_and_says_so(folder: Path) -> None:
    with UploadLock(folder, "a") as first:
        first.check()
        shutil.rmtree(folder / "locks")
        with pytest.raises(Stopped, match="was deleted"):
            first.check()
        with UploadLock(folder, "a") as second:
            second.check()
            with pytest.raises(Stopped, match="was deleted"):
                first.check()


def test_a_lock_that_is_looked_at_can_be_taken(folder: Path) -> None:
    """A look holds it for a moment, which must not look like an upload."""
    with UploadLock(folder, "a"):
        pass

    def look() -> None:
        while os.getppid() == parent:
            holder_of(folder, "a")

    parent = os.getpid()
    child = in_child(look)
    try:
        for _ in range(300):
            with UploadLock(folder, "a"):
                pass
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


# --- several processes ------------------------------------------------------------------------


def together(count: int, work: Callable[[int], None]) -> list[int]:
    """Does it in so many processes, which begin at one moment; returns how they ended."""
    begin, start = os.pipe()

    def child(number: int) -> None:
        os.close(start)
        os.read(begin, 1)
        work(number)

    children = [in_child(partial(child, number)) for number in range(count)]
    os.close(begin)
    os.close(start)
    return [os.waitpid(each, 0)[1] for each in children]


def test_of_several_that_find_it_damaged_one_sets_it_aside(tmp_path: Path) -> None:
    def find(folder: Path, number: int) -> None:
        # Those that have it open all the while are told of it, and told the truth.
        with suppress(Stopped), closing(Journal(folder)) as journal:
            assert journal.load("a") in ([], [sample(7)])
            journal.append([(f"by {number}", sample(number))])
            (folder / f"written-{number}").touch()

    for number in range(6):
        folder = tmp_path / f"state{number}"
        fill(folder)
        with closing(sqlite3.connect(folder / "journal.sqlite3")) as db, db:
            db.execute("UPDATE event SET body = '{}' WHERE seq = 5")
        assert together(5, partial(find, folder)) == [0] * 5
        with closing(Journal(folder)) as journal:
            journal.load("a")
            for each in folder.glob("written-*"):
                by = int(each.name.rpartition("-")[2])
                assert journal.load(f"by {by}") == [sample(by)], "it was written to the old file"
        aside = list(folder.glob("journal.damaged-*.sqlite3"))
        assert len(aside) == 1
        with closing(sqlite3.connect(aside[0])) as db:
            assert db.execute("SELECT count(*) FROM event WHERE key LIKE 'by %'").fetchone() == (0,)


def test_numbers_are_taken_where_they_are_written(folder: Path) -> None:
    def append(number: int) -> None:
        with closing(Journal(folder)) as journal:
            for _ in range(20):
                journal.append([("shared", sample(number)), (f"own {number}", sample(number))])

    assert together(4, append) == [0] * 4
    with closing(Journal(folder)) as journal:
        assert len(journal.load("shared")) == 80
        for number in range(4):
            assert journal.load(f"own {number}") == [sample(number)] * 20
    check_whole(folder)


def test_a_look_at_an_upload_that_another_process_writes_finds_no_damage(folder: Path) -> None:
    def write() -> None:
        with closing(Journal(folder)) as journal:
            while os.getppid() == parent:
                journal.append([("busy", sample())])

    parent = os.getpid()
    child = in_child(write)
    try:
        with closing(Journal(folder)) as journal:
            rows = 0
            while rows < 100:
                loaded = journal.load("busy")
                rows = len(loaded)
                assert loaded == [sample()] * rows
                assert journal.set_aside is None
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    check_whole(folder)


def test_a_process_that_is_killed_leaves_a_journal_that_goes_on(folder: Path) -> None:
    def write() -> None:
        journal = Journal(folder)
        with UploadLock(folder, "busy"):
            while True:
                journal.append([("busy", sample(1)), ("busy", sample(2))])

    with closing(Journal(folder)) as journal:
        for _ in range(5):
            child = in_child(write)
            before = len(journal.load("busy"))
            while len(journal.load("busy")) < before + 4:
                with contextlib.suppress(UploadBusy), UploadLock(folder, "other"):
                    pass
            os.kill(child, 9)
            os.waitpid(child, 0)
            assert len(journal.load("busy")) % 2 == 0
            with UploadLock(folder, "busy"):
                journal.append([("busy", sample(1)), ("busy", sample(2))])
    check_whole(folder)
