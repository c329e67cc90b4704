"""The folder of the journal and the locks: whose it is, and who has it in use."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from turboupload.state.lock import unlockable, unusable

__all__ = ["check_file", "hold", "prepare_folder", "share", "try_alone"]


def prepare_folder(folder: Path) -> None:
    """Makes the folder where it is missing.

    Raises:
        ConfigError: It can't be made, or belongs to somebody else.
        Stopped: Its disk is full, or failed.
    """
    try:
        # A folder that was there is its owner's to open or close; the files in it are 0600.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise unusable(folder, error) from error
    if found.st_uid != os.geteuid():
        raise unusable(folder, "it belongs to another user")


def check_file(path: Path) -> None:
    """Refuses a journal that somebody else put there.

    Raises:
        ConfigError: It is no regular file, or not ours.
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
    """Opens a lock file and locks it; the lock goes with the process, however it ends.

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
    """Whether nobody else holds the lock: then we hold it alone.

    Else we hold nothing any more: to change a lock of this kind the kernel gives it back first.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    return True


def share(descriptor: int) -> None:
    """Holds the lock with others from now on."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)
