"""One upload, one process: a lock that dies with its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from pathlib import Path
from types import TracebackType

from turboupload.errors import ConfigError, UploadBusy

__all__ = ["UploadLock", "holder_of", "lock_of_upload"]


def lock_of_upload(upload_id: str) -> str:
    """The key under which an open upload is locked, whatever files it was found by."""
    return f"upload-{upload_id}"


def holder_of(folder: Path, key: str) -> str | None:
    """Who holds a lock at this moment; takes nothing and makes nothing.

    Args:
        folder: The state folder.
        key: As `UploadLock` takes it.

    Returns:
        None where nobody does; else the holder's process id, empty where it isn't known.
    """
    try:
        descriptor = os.open(_lock_path(folder, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        # Shared, and given back at once: who begins in this very moment would find it busy, but
        # there is no way to ask the kernel for a lock of this kind without trying it.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock_path(folder: Path, key: str) -> Path:
    # A key may hold an id that came from the service: it must not name a path.
    return folder / "locks" / f"{re.sub('[^0-9A-Za-z-]', '_', key)[:100]}.lock"


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip()


class UploadLock:
    """Holds an upload while the context lasts.

    The kernel drops the lock when its process ends, however it ends, so a dead process never
    blocks a living one. The file stays; it is empty but for the holder's process id.

    Args:
        folder: The state folder.
        key: The upload's key here, or its id at the service.

    Raises:
        UploadBusy: Another live process, or another task of this one, holds it.
        ConfigError: The state folder can't be written.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._path = _lock_path(folder, key)
        self._descriptor: int | None = None

    def __enter__(self) -> UploadLock:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(
                self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise ConfigError(
                f"the state folder can't be written: {error.strerror or error}",
                path=str(self._path.parent),
                hint="set TURBOUPLOAD_STATE_DIR to a folder of your own",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise UploadBusy(
                f"another process{f' ({holder})' if holder else ''} is uploading these files",
                hint="wait for it to end, or stop it; nothing was sent by this one",
            ) from error
        # Who holds it is a courtesy to the next: a full disk doesn't keep us from holding it.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
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
