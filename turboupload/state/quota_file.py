"""The file in which processes share an account's quota, of one machine or of a cluster's nodes.

A header of 64 bytes, then 64 bytes for each operation of each account and endpoint. Each change
holds the file's lock, for some microseconds; the kernel drops the lock with its holder.

The clock is the file's own: the file system stamps "touched now", so the nodes of a
cluster read one clock over NFS, however much theirs differ. Some file systems (Lustre, GPFS) take
the node's own clock; then the nodes' clocks have to agree within a fraction of a second, as NTP
keeps them. Where they don't, more is sent than the quota allows, and the refusals bring it down.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Final

from turboupload.core.rate.share import NothingShared, ShareFailed, Step, share_key
from turboupload.core.rate.turns import Turns

__all__ = ["QuotaFile"]

SLOT: Final = struct.Struct("<16s4dI")
"""Key, at, ahead, share, cut_at, and the CRC-32 of all that."""

SLOT_BYTES: Final = 64
HEADER: Final = b"turboupload quota share, version 1\n".ljust(SLOT_BYTES, b"\0")

MOST_SLOTS: Final = 1000
"""Then the one that was used longest ago gives way."""

LOCK_S: Final = 3.0
LOCK_PAUSE_S: Final = 0.001
LONGEST_LOCK_PAUSE_S: Final = 0.02
"""How long to wait for others, in seconds, and between tries."""


class QuotaFile:
    """Turns in a file; see `QuotaShare`. May be used from any thread.

    Args:
        path: The file; it is made where it is missing, but no folder is.
        account: What stands for the account.
        where: The endpoint, or the Region.
        private: Whether only this user may read and write it, and no other user may have made it.
    """

    def __init__(self, path: Path, account: str, where: str, *, private: bool) -> None:
        self._path = path
        self._account = account
        self._where = where
        self._private = private
        self._descriptor: int | None = None
        self._alone = threading.Lock()  # the file's lock excludes other processes only

    def __str__(self) -> str:
        return str(self._path)

    def take(self, operation: str, step: Step) -> float:
        """See `QuotaShare`.

        Raises:
            NothingShared: There is no state folder.
            ShareFailed: The file can't be used now.
        """
        if not self._alone.acquire(timeout=LOCK_S):
            raise self._failed("its file system doesn't answer")
        try:
            if self._private and not self._path.parent.is_dir():
                # Commands that only look at a store don't make the folder.
                raise NothingShared
            descriptor = self._opened()
            self._lock(descriptor)
            try:
                key = share_key(self._account, self._where, operation)
                return self._changed(descriptor, key, step)
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        except OSError as error:
            self._close()
            raise self._failed(_why(error)) from error
        except ValueError as error:  # a path of characters that no path may have
            raise self._failed(str(error)) from error
        finally:
            self._alone.release()

    def close(self) -> None:
        """See `QuotaShare`."""
        if self._alone.acquire(timeout=LOCK_S):  # a thread that hangs in the kernel keeps it
            self._close()
            self._alone.release()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _failed(self, why: str) -> ShareFailed:
        return ShareFailed(f"{self}: {why}")

    def _opened(self) -> int:
        """The file's descriptor, as long as that is the file at its path."""
        if self._descriptor is not None and not _is_at(self._descriptor, self._path):
            self._close()
        if self._descriptor is None:
            # O_NONBLOCK: a named pipe must not make us wait for somebody to open its other end.
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            flags |= os.O_NOFOLLOW if self._private else 0
            descriptor = os.open(self._path, flags, 0o600 if self._private else 0o666)
            try:
                self._check(os.fstat(descriptor))
            except BaseException:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._failed("it is not a regular file")
        if self._private and found.st_uid != os.geteuid():
            raise self._failed("it belongs to another user")

    def _lock(self, descriptor: int) -> None:
        deadline, pause = time.monotonic() + LOCK_S, LOCK_PAUSE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._failed("another program holds its lock") from None
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_LOCK_PAUSE_S)
            else:
                return

    def _changed(self, descriptor: int, key: bytes, step: Step) -> float:
        size = SLOT_BYTES * (MOST_SLOTS + 1)
        content = os.pread(descriptor, size, 0)
        begun = content.rstrip(b"\0")  # a crash may leave zeros, or less than the header
        if not (content.startswith(HEADER) or HEADER.startswith(begun)) or _is_longer(descriptor):
            raise self._failed("something else is in it, which is left as it is")
        os.utime(descriptor)
        now = os.fstat(descriptor).st_mtime_ns / 1e9
        slots = [content[at : at + SLOT.size] for at in range(SLOT_BYTES, len(content), SLOT_BYTES)]
        place, turns = _find(slots, key)
        left, wait = step(turns, now)
        if not content.startswith(HEADER):
            os.pwrite(descriptor, HEADER, 0)
        os.pwrite(descriptor, _packed(key, left), SLOT_BYTES * (place + 1))
        return wait


def _find(slots: list[bytes], key: bytes) -> tuple[int, Turns | None]:
    """The key's place, and what is in it; else the place that it gets."""
    for place, slot in enumerate(slots):
        if slot.startswith(key):
            return place, _read(slot)
    if len(slots) < MOST_SLOTS:
        return len(slots), None
    oldest = min(
        range(len(slots)), key=lambda each: turns.at if (turns := _read(slots[each])) else 0.0
    )
    return oldest, None


def _packed(key: bytes, turns: Turns) -> bytes:
    fields = SLOT.pack(key, turns.at, turns.ahead_s, turns.share, turns.cut_at, 0)[:-4]
    return (fields + struct.pack("<I", zlib.crc32(fields))).ljust(SLOT_BYTES, b"\0")


def _read(slot: bytes) -> Turns | None:
    """The turns; None where they were written in part or are damaged."""
    if len(slot) < SLOT.size:
        return None
    _, at, ahead, share, cut_at, crc = SLOT.unpack(slot[: SLOT.size])
    if zlib.crc32(slot[: SLOT.size - 4]) != crc:
        return None
    try:
        return Turns(at=at, ahead_s=ahead, share=share, cut_at=cut_at)
    except ValueError:
        return None


def _is_longer(descriptor: int) -> bool:
    """Whether it is longer than a share ever gets."""
    return os.fstat(descriptor).st_size > SLOT_BYTES * (MOST_SLOTS + 1)


def _is_at(descriptor: int, path: Path) -> bool:
    held = os.fstat(descriptor)
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return (found.st_dev, found.st_ino) == (held.st_dev, held.st_ino)


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
        return f"its file system has no locks ({error.strerror})"
    return error.strerror or str(error)
