"""A look at the state folder leaves it as it was."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from turboupload.errors import ConfigError
from turboupload.state.journal import Journal
from turboupload.state.look import look_at_folder


def test_a_folder_in_use(tmp_path: Path) -> None:
    with closing(Journal(tmp_path)):
        before = sorted(tmp_path.iterdir())
        look = look_at_folder(tmp_path)
        assert sorted(tmp_path.iterdir()) == before
    assert look.exists
    assert look.free_bytes > 0
    assert look.journal_bytes
    assert look.path == str(tmp_path)


def test_a_folder_that_will_be_made(tmp_path: Path) -> None:
    look = look_at_folder(tmp_path / "some" / "where")
    assert (look.exists, look.journal_bytes) == (False, None)
    assert list(tmp_path.iterdir()) == []


def test_what_can_not_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "journal.sqlite3").mkdir()
    for folder in (
        tmp_path / "file",
        tmp_path / "file" / "in",
        tmp_path / "odd",
        Path("/proc/turboupload"),
    ):
        with pytest.raises(ConfigError, match="can't be used") as told:
            look_at_folder(folder)
        assert told.value.hint
