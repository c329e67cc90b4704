"""The state folder of the journal and the locks: its owner, and the locks on it."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from turboupload.state.lock import unlockable, unusable

__all__ = ["check_file", "hold", "journal_path", "prepare_folder", "share", "try_alone"]


def journal_path(folder: Path) -> Path:
    """Where the journal of a state folder is."""
    return folder / "journal.sqlite3"


def prepare_folder(folder: Path) -> None:
    """Makes the folder if it is missing.

    Raises:
        ConfigError: It can't be made, or belongs to another user.
        Stopped: Its disk is full, or failed.
    """
    try:
        # An existing folder keeps its owner's mode; the files in it are 0600.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise unusable(folder, error) from error
    if found.st_uid != os.geteuid():
        raise unusable(folder, "it belongs to another user")


def check_file(path: Path) -> None:
    """Refuses a journal that another user put there.

    Raises:
        ConfigError: It isn't a regular file, or isn't ours.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unusable(path.parent, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise unusable(path.parent, f"{path.name} is not a regular file")
    if found.st_uid != os.geteuid():
        raise unusable(path.parent, f"{path.name} belongs to another user")


def hold(path: Path, *, shared: bool) -> int:
    """Opens a lock file and locks it; the kernel drops the lock when the process ends.

    Raises:
        ConfigError: It can't be opened, or the file system has no locks.
        Stopped: Its disk is full, or failed.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise unusable(path.parent, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except OSError as error:
        os.close(descriptor)
        raise unlockable(path, error) from error
    return descriptor


def try_alone(descriptor: int) -> bool:
    """Tries to hold the lock alone; False if another process holds it.

    After False we hold nothing: to convert such a lock, the kernel releases it first.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    return True


def share(descriptor: int) -> None:
    """Holds the lock as a shared lock from now on."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
