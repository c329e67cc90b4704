"""Looks at the state folder, and leaves it as it was."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from turboupload.core.doctor.facts import FolderLook
from turboupload.state.folder import check_file, prepare_folder
from turboupload.state.lock import unlockable, unusable

__all__ = ["look_at_folder"]


def look_at_folder(folder: Path) -> FolderLook:
    """Tries whether the folder can be written and locked; one that is missing is not made.

    Raises:
        ConfigError: It can't be used.
        Stopped: It can't be used now.
    """
    try:
        exists = folder.exists()
        if not exists:
            _check_parent(folder)
        else:
            prepare_folder(folder)
            check_file(folder / "journal.sqlite3")
            _try_lock(folder)
        there = folder if exists else _nearest(folder)
        disk = os.statvfs(there)
        journal = folder / "journal.sqlite3"
        size = journal.stat().st_size if journal.exists() else None
    except OSError as error:
        raise unusable(folder, error) from error
    return FolderLook(
        path=str(folder),
        exists=exists,
        free_bytes=disk.f_bavail * disk.f_frsize,
        journal_bytes=size,
    )


def _nearest(folder: Path) -> Path:
    """The nearest folder above that is there."""
    return next(each for each in folder.absolute().parents if each.exists())


def _check_parent(folder: Path) -> None:
    above = _nearest(folder)
    if not above.is_dir():
        raise unusable(folder, f"{above} is not a folder")
    # Some file systems, such as /proc, say yes to root here, and refuse all the same.
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=True) or _read_only(above):
        raise unusable(folder, f"it is not there, and can't be made in {above}")


def _read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _try_lock(folder: Path) -> None:
    """Writes and locks a file of a name of its own, which is gone afterwards."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(b"\0" * 4096)
        file.flush()
        os.fsync(file.fileno())
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise unlockable(Path(file.name), error) from error
