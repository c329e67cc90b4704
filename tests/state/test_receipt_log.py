"""The journal's chain of receipts: what is added, and that it stays whole."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.receipts import EQUAL_PARTS, small_receipt
from turboupload.core.proof.receipt import Receipt
from turboupload.state.journal import Journal
from turboupload.state.journal_reader import kept_chain, kept_receipts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def keep(folder: Path, *receipts: Receipt, key: str = "key") -> list[int]:
    """Keeps receipts; returns their numbers."""
    with closing(Journal(folder)) as journal:
        kept = [journal.keep_receipt(key, each)[0] for each in receipts]
    return [each.link.number for each in kept if each.link is not None]


def test_what_says_nothing_new_is_not_added(folder: Path) -> None:
    good, weak = small_receipt("1", "a", EQUAL_PARTS), small_receipt("1", "a")
    other = small_receipt("1", "a", EQUAL_PARTS, said="archived")
    assert keep(folder, good, good, weak, weak, good) == [1, 1, 2, 2, 1]
    # Of two that are as strong the last counts, so one that is true again is added again.
    assert keep(folder, other, other, good, good) == [3, 3, 4, 4]
    check, signed, unchained = kept_chain(folder)
    assert (check.receipts, check.whole, signed, unchained) == (4, True, [], 0)
    assert len(list(kept_receipts(folder))) == 1


def test_each_upload_has_its_own_and_all_are_one_chain(folder: Path) -> None:
    assert keep(folder, small_receipt("1", "a"), key="a") == [1]
    assert keep(folder, small_receipt("2", "b"), small_receipt("3", "b"), key="b") == [2, 3]
    assert [each[0] for each in kept_receipts(folder)] == ["1", "2", "3"]
    assert kept_chain(folder)[0].whole


def test_there_may_be_no_journal(tmp_path: Path) -> None:
    check, signed, unchained = kept_chain(tmp_path)
    assert (check.chain, check.receipts, signed, unchained) == (None, 0, [], 0)
    assert list(tmp_path.iterdir()) == []


def damage(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db, db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    ("statement", "number", "said"),
    [
        ("UPDATE chain SET body = replace(body, 'lane 3', 'lane 9') WHERE number = 3", 3, "edited"),
        ("DELETE FROM chain WHERE number = 2", 2, "is missing"),
        ("DELETE FROM chain WHERE number = 4", 4, "is missing"),
        ("UPDATE chain SET read_set_id = '7' WHERE number = 1", 1, "another read set id"),
        ("DELETE FROM head", None, "lost its head"),
    ],
)
def test_a_change_is_named_and_stops_no_upload(
    folder: Path, statement: str, number: int | None, said: str
) -> None:
    keep(folder, *(small_receipt(f"{each}", f"lane {each}") for each in range(1, 5)))
    damage(folder, statement)
    (fault,) = kept_chain(folder)[0].faults
    assert fault.number == number
    assert said in str(fault)
    assert keep(folder, small_receipt("5", "lane 5")) == [5]
    assert not kept_chain(folder)[0].whole


def test_two_that_change_places_are_named(folder: Path) -> None:
    keep(folder, *(small_receipt(f"{each}", f"lane {each}") for each in range(1, 5)))
    damage(
        folder,
        "UPDATE chain SET number = -2 WHERE number = 2",
        "UPDATE chain SET number = 2 WHERE number = 3",
        "UPDATE chain SET number = 3 WHERE number = -2",
    )
    assert [each.number for each in kept_chain(folder)[0].faults] == [2, 3]


def test_an_edited_receipt_is_written_again(folder: Path) -> None:
    keep(folder, small_receipt("1", "a"))
    damage(folder, "UPDATE chain SET body = 'edited'")
    assert keep(folder, small_receipt("1", "a")) == [2]


def test_receipts_of_an_older_version_stay_and_are_unchained(folder: Path) -> None:
    from turboupload.state.receipt_file import receipt_text

    Journal(folder).close()
    old = receipt_text(small_receipt("8", "old", EQUAL_PARTS).document())
    with closing(sqlite3.connect(folder / "journal.sqlite3")) as db, db:
        for table in ("chain", "head", "signature"):
            db.execute(f"DROP TABLE {table}")
        db.execute("INSERT INTO receipt VALUES ('key', '8', 'old', 5, 1.0, ?)", (old,))
        db.execute("PRAGMA user_version = 3")
        db.execute(f"PRAGMA application_id = {0x74750000 + 3}")
    # Who only reads doesn't take it over.
    assert list(kept_receipts(folder)) == [("8", "old", old)]
    check, _, unchained = kept_chain(folder)
    assert (check.receipts, unchained) == (0, 1)
    assert keep(folder, small_receipt("8", "old")) == [1]
    # The stronger one still counts; one as strong takes its place.
    assert list(kept_receipts(folder)) == [("8", "old", old)]
    assert keep(folder, small_receipt("8", "old", EQUAL_PARTS)) == [2]
    assert [body for _, _, body in kept_receipts(folder)] != [old]
    check, _, unchained = kept_chain(folder)
    assert (check.receipts, check.whole, unchained) == (2, True, 1)


WRITER = """
import sys
from pathlib import Path
from tests.support.receipts import small_receipt
from turboupload.state.journal import Journal

journal = Journal(Path(sys.argv[1]))
for number in range(1_000_000):
    journal.keep_receipt(sys.argv[2], small_receipt(f"{sys.argv[2]}{number}"))
    print(number, flush=True)
"""


def test_writers_side_by_side_and_kills_keep_it_whole(folder: Path) -> None:
    Journal(folder).close()
    for round_ in range(3):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(folder), f"{round_}{name}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in "ab"
        ]
        told = []
        try:
            for writer in writers:
                assert writer.stdout is not None
                told.append(writer.stdout.readline())
            time.sleep(0.1 + round_ / 20)
        finally:
            for writer in writers:
                os.kill(writer.pid, signal.SIGKILL)
        for index, writer in enumerate(writers):
            assert writer.stdout is not None
            told[index] += writer.stdout.read()
            writer.stdout.close()
            writer.wait()
        check = kept_chain(folder)[0]
        assert check.faults == []
        kept = {read_set_id for read_set_id, _, _ in kept_receipts(folder)}
        for name, lines in zip("ab", told, strict=True):
            # What a writer was told to be kept is kept.
            assert {f"{round_}{name}{number}" for number in lines.split()} <= kept
