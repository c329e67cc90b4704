"""Looks at the state folder, and leaves it as it was."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

from turboupload.core.doctor.facts import FolderLook
from turboupload.state.folder import check_file, journal_path, prepare_folder
from turboupload.state.lock import unlockable, unusable

__all__ = ["look_at_folder"]


def look_at_folder(folder: Path) -> FolderLook:
    """Tries whether the folder can be written and locked.

    Where it is missing, the same is tried beside it; it is not made.

    Raises:
        ConfigError: It can't be used.
        Stopped: It can't be used now.
    """
    journal = journal_path(folder)
    try:
        exists = folder.exists()
        if exists:
            prepare_folder(folder)
            check_file(journal)
            _try_lock(folder)
        else:
            _try_to_make(_nearest(folder))
        disk = os.statvfs(folder if exists else _nearest(folder))
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
    """What is nearest above of what is there."""
    return next(each for each in folder.absolute().parents if _is_there(each))


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except NotADirectoryError:
        return False


def _try_to_make(above: Path) -> None:
    """Makes a folder, which is gone afterwards: rights alone don't tell whether that works."""
    with tempfile.TemporaryDirectory(dir=above, prefix=".turboupload-doctor-") as made:
        _try_lock(Path(made))


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
