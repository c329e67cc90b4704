"""Flipped bits anywhere in a journal: what is loaded is the truth or nothing, never an error."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.state.test_journal import sample
from turboupload.core.upload.events import Completing, Event, Opened
from turboupload.errors import Stopped
from turboupload.state.journal import Journal

SEED = 20261124
FLIPS = int(os.environ.get("TURBOUPLOAD_FUZZ_EXAMPLES", "120"))
PARTS = 60


def truth() -> dict[str, list[Event]]:
    opened = Opened(upload_id="1234567890", adopted=False, part_size=5)
    return {
        key: [opened, *(sample(number) for number in range(1, PARTS + 1)), Completing()]
        for key in ("a" * 32, "b" * 32)
    }


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real journal of two uploads, cleanly closed."""
    folder = tmp_path_factory.mktemp("journal") / "state"
    made = Journal(folder)
    for key, events in truth().items():
        made.about(key, {"name": "lane 1", "paths": ["/data/reads.fastq.gz"]})
        made.append((key, event) for event in events)
    made.close()
    return folder / "journal.sqlite3"


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a crash leaves it: with its write-ahead log."""
    folder = tmp_path_factory.mktemp("crashed") / "state"
    made = Journal(folder)
    for key, events in truth().items():
        for event in events:
            made.append([(key, event)])
    copy = folder.parent / "copy"
    copy.mkdir(mode=0o700)
    for each in folder.glob("journal.sqlite3*"):
        shutil.copy(each, copy)
    made.close()
    return copy / "journal.sqlite3"


def flipped(path: Path, folder: Path, suffix: str, dice: random.Random) -> Path:
    """A copy of the journal with one bit flipped in one of its files, or a few bytes changed."""
    folder.mkdir(mode=0o700)
    for each in path.parent.glob(f"{path.name}*"):
        shutil.copy(each, folder)
    target = folder / f"{path.name}{suffix}"
    data = bytearray(target.read_bytes())
    for _ in range(dice.choice([1, 1, 1, 2, 8])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    target.write_bytes(data)
    return folder


def load_all(folder: Path) -> Iterator[tuple[str, list[Event], bool]]:
    """What a run after another would load of each upload, and whether the journal was set aside."""
    journal = Journal(folder)
    try:
        for key in truth():
            loaded = journal.load(key)
            yield key, loaded, journal.set_aside is not None
            # Whatever it was, it can be resumed, or says that it can't.
            try:
                journal.append([(key, sample(1))])
            except Stopped:
                assert journal.set_aside is not None
    except sqlite3.DatabaseError as error:
        pytest.fail(f"not told in our own words: {error!r}")
    finally:
        journal.close()


def outcome_of(folder: Path, *, prefix: bool) -> str:
    outcomes = set()
    for key, loaded, aside in load_all(folder):
        whole = truth()[key]
        if loaded == whole:
            outcomes.add("believed, unharmed")
        elif not loaded and aside:
            outcomes.add("set aside")
        else:
            assert prefix, f"{len(loaded)} rows of {len(whole)} were believed"
            assert loaded == whole[: len(loaded)]
            outcomes.add("an older state")
    return "set aside" if "set aside" in outcomes else min(outcomes)


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_flipped_bit_is_never_believed(
    journal: Path, crashed: Path, tmp_path: Path, suffix: str
) -> None:
    dice = random.Random(SEED)
    outcomes: Counter[str] = Counter()
    for number in range(FLIPS if not suffix else FLIPS // 3):
        folder = flipped(crashed if suffix else journal, tmp_path / str(number), suffix, dice)
        outcomes[outcome_of(folder, prefix=bool(suffix))] += 1
        shutil.rmtree(folder)
    sys.stdout.write(f"seed {SEED}, flips in {suffix or 'the file'}: {dict(outcomes)}\n")
    assert outcomes["set aside" if not suffix else "an older state"] > 0
    assert outcomes["believed, unharmed"] < outcomes.total()


def test_rows_that_are_missing_at_the_end_are_noticed(journal: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    shutil.copy(journal, folder)
    db = sqlite3.connect(folder / "journal.sqlite3")
    with db:
        db.execute("DELETE FROM event WHERE key = ? AND seq > 10", ("a" * 32,))
    db.close()
    opened = Journal(folder)
    assert opened.load("a" * 32) == []
    assert opened.set_aside is not None
    opened.close()
