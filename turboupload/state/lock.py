"""Locks an upload for one process; the lock ends with its holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from turboupload.errors import ConfigError, Stopped, UploadBusy
from turboupload.runtime.exhaustion import no_descriptor_left

__all__ = ["UploadLock", "holder_of", "lock_of_upload", "unlockable", "unusable"]

_QUERIED_S: Final = 2.0
_PAUSE_S: Final = 0.001
"""How long to wait for processes that only query a lock, and between tries, in seconds.

A query (`holder_of`) takes moments, but the querying process may be descheduled.
"""

_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

_FORBIDDEN: Final = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""Error numbers that mean a wrong folder; any other may be temporary."""


def lock_of_upload(upload_id: str) -> str:
    """The key that locks an open upload, independent of its files."""
    return f"upload-{upload_id}"


def holder_of(folder: Path, key: str) -> str | None:
    """Finds who holds a lock now; takes no lock and makes no file.

    Args:
        folder: The state folder.
        key: As `UploadLock` takes it.

    Returns:
        None if no process does; else the holder's process id, empty if unknown.
    """
    try:
        descriptor = os.open(_lock_path(folder, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # Take it shared, and release it at once: the kernel has no other way to query such a lock.
        # A process that takes the lock now sees that this is only a query.
        return None if _try(descriptor, fcntl.LOCK_SH) else _holder(descriptor)
    except OSError:
        return None  # the process that takes the lock gets that error
    finally:
        os.close(descriptor)


def _lock_path(folder: Path, key: str) -> Path:
    # A key may hold an id from the service, which must not act as a path.
    return folder / "locks" / f"{re.sub('[^0-9A-Za-z-]', '_', key)[:100]}.lock"


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip()


def _try(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class UploadLock:
    """Locks an upload while the context lasts.

    The kernel drops the lock when the process ends, so a dead process never blocks another. The
    file stays; it holds only the holder's process id.

    Args:
        folder: The state folder.
        key: The upload's key here, or its id at the service.

    Raises:
        UploadBusy: Another process, or another task of this one, holds it.
        ConfigError: The state folder can't be written, or has no locks.
        Stopped: Its disk is full, or failed.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._key = key
        self._path = _lock_path(folder, key)
        self._descriptor: int | None = None

    def __enter__(self) -> UploadLock:
        while True:
            descriptor = self._open()
            try:
                self._take(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
            if self._in_place():
                break
            # The file was deleted after we opened it: a lock on it would exclude no other process.
            self.__exit__(None, None, None)
        # The process id is only information: a full disk must not prevent the lock.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def check(self) -> None:
        """Checks that our lock still excludes other processes.

        Raises:
            Stopped: Its file was deleted, so that another process may have begun.
        """
        if not self._in_place():
            raise Stopped(
                "the lock of this upload was deleted while it was held, so that another process "
                "may have begun with it",
                path=str(self._path),
                operation="journal",
                hint="what was sent is kept; leave the state folder alone while an upload runs, "
                "and run the same command again",
            )

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise unusable(self._path.parent, error) from error

    def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + _QUERIED_S
        try:
            while not _try(descriptor, fcntl.LOCK_EX):
                # A query takes a shared lock; an upload takes an exclusive one.
                if not _try(descriptor, fcntl.LOCK_SH) or time.monotonic() >= deadline:
                    raise self._busy(_holder(descriptor))
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                time.sleep(_PAUSE_S)
        except OSError as error:
            raise unlockable(self._path, error) from error

    def _busy(self, holder: str) -> UploadBusy:
        if holder == str(os.getpid()):
            return UploadBusy(
                f"another process, or a task of this one ({holder}), is uploading these files",
                hint="wait for it to end; nothing was sent by this one",
                lock=self._key,
            )
        return UploadBusy(
            f"another process{f' ({holder})' if holder else ''} is uploading these files",
            hint="wait for it to end, or stop it; nothing was sent by this one",
            lock=self._key,
        )

    def _in_place(self) -> bool:
        assert self._descriptor is not None
        held = os.fstat(self._descriptor)
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a disk that doesn't answer is no proof that the file was deleted
        return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def unusable(folder: Path, reason: OSError | str) -> ConfigError | Stopped:
    """The error for a state folder that can't be used, now or at all."""
    if (used := no_descriptor_left()) is not None:
        return Stopped(used, path=str(folder), operation="journal", hint="raise that limit")
    text = reason if isinstance(reason, str) else reason.strerror or str(reason)
    if isinstance(reason, FileExistsError | NotADirectoryError):
        text = "it is a file, or its path leads through one"
    if isinstance(reason, str) or reason.errno in _FORBIDDEN:
        return ConfigError(
            f"the state folder can't be used: {text}",
            path=str(folder),
            hint="set --state-dir or TURBOUPLOAD_STATE_DIR to a folder of your own",
        )
    return Stopped(
        f"the state folder can't be used now: {text}",
        path=str(folder),
        operation="journal",
        hint="make room on its disk, then run the same command again"
        if reason.errno in (errno.ENOSPC, errno.EDQUOT)
        else "repair that, or set TURBOUPLOAD_STATE_DIR to a folder on another disk, then run the "
        "same command again",
    )


def unlockable(path: Path, error: OSError) -> ConfigError | Stopped:
    """The error if locking fails: some network file systems have no locks."""
    if error.errno not in _NO_LOCKS:
        return unusable(path.parent, error)
    return ConfigError(
        f"the state folder has no locks: {error.strerror or error}",
        path=str(path.parent),
        hint="set TURBOUPLOAD_STATE_DIR to a folder on a local disk",
    )
