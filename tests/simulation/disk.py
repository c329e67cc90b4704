"""A machine's disk in memory: files with an identity, a journal of transactions, locks.

What stands in here is the disk itself, and no more: the engine's own code opens, reads, hashes and
checks the files through a module `os` of a simulated machine, and every journal row goes through
the real `write_event` and `read_event`.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from turboupload.core.proof.receipt import Receipt
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    ReadSetGone,
    StatusSeen,
    UploadGone,
)
from turboupload.core.upload.matching import has_ended
from turboupload.core.upload.origins import uploads_of
from turboupload.errors import InputError, Stopped, UploadBusy
from turboupload.state.journal_reader import KnownOpen
from turboupload.state.journal_rows import read_event, write_event

__all__ = [
    "Disk",
    "File",
    "FileSystem",
    "Machine",
    "SimulatedJournal",
    "SimulatedLock",
    "etag_of",
    "holder_of",
    "known_open_uploads",
]

EPOCH_NS = 1_790_000_000_000_000_000


@dataclass(slots=True)
class File:
    """A file; whoever writes to it gives it another time, whoever replaces it another inode.

    The time of the last write can be set back, that of the inode's last change can't.
    """

    inode: int
    content: bytes
    mtime_ns: int
    ctime_ns: int


@dataclass(slots=True)
class _Status:
    st_dev: int
    st_ino: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_mode: int = 0o100644


@dataclass(slots=True)
class _Transaction:
    """What was made durable at once."""

    rows: tuple[tuple[str, str, str], ...]
    forgotten: str | None = None

    def of(self, key: str, before: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The rows of one upload after it, given those before it."""
        if self.forgotten == key:
            return []
        mine = [(kind, body) for each, kind, body in self.rows if each == key]
        return before + mine if mine else before


@dataclass(slots=True)
class Disk:
    """What outlives a process, and what befalls it.

    Attributes:
        transactions: The journal, oldest first.
        about: What each upload is about, by key.
        torn: Whether the journal can't be believed the next time it is read.
        full_after, full_for: After so many more writes, so many fail.
        locks: Who holds what; a process's locks go with it.
    """

    transactions: list[_Transaction] = field(default_factory=list)
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    torn: bool = False
    full_after: int = 0
    full_for: int = 0
    locks: dict[str, object] = field(default_factory=dict)

    def rows(self, key: str) -> list[tuple[str, str]]:
        """Kind and body of each row of an upload."""
        rows: list[tuple[str, str]] = []
        for transaction in self.transactions:
            rows = transaction.of(key, rows)
        return rows

    def lose_journal(self) -> None:
        """Somebody deleted it."""
        self.transactions.clear()
        self.about.clear()
        self.torn = False

    def free(self, owner: object) -> None:
        """A process ended, however: the kernel drops its locks."""
        for key in [key for key, held_by in self.locks.items() if held_by is owner]:
            del self.locks[key]

    def lose_last(self, count: int) -> None:
        """The write-ahead log was damaged: an older state is left."""
        if count:
            del self.transactions[-count:]


class Machine:
    """A computer: its disk, and who works on it just now.

    Args:
        number: Names it.
        current: The process whose code is running.
        now: Seconds since the world began.

    Attributes:
        tell: Told of what is written.
        about_rows: Told before and after rows are written.
        about_forgotten: Told when the rows of an upload are given up, because they make no sense.
    """

    def __init__(
        self, number: int, current: Callable[[], object], now: Callable[[], float]
    ) -> None:
        self.number = number
        self.journal = self / "journal.sqlite3"
        self.now = now
        self.disk = Disk()
        self.current = current
        self.tell: Callable[[str], None] | None = None
        self.about_rows: Callable[[str, Sequence[str]], None] = lambda *_: None
        self.about_forgotten: Callable[[], None] = lambda: None

    # What stands for the state folder.

    def exists(self) -> bool:
        """The state folder is there."""
        return True

    def __truediv__(self, name: str) -> Path:
        return Path(f"/m{self.number}/state/{name}")


class SimulatedJournal:
    """`turboupload.state.journal.Journal` on a simulated disk, with its contract.

    Args:
        folder: The machine whose disk it is on.
    """

    def __init__(self, folder: Machine) -> None:
        self.folder = folder
        self.path = folder.journal
        self.set_aside: Path | None = None
        self._disk = folder.disk

    def close(self) -> None:
        """Closes the file."""

    def load(self, key: str) -> list[Event]:
        """The events of one upload; none where the journal can't be believed."""
        if self._disk.torn:
            self._begin_anew()
            return []
        return [_read_event(kind, body) for kind, body in self._disk.rows(key)]

    def made_otherwise(self, read_sets: Iterable[str], upload_id: str | None) -> frozenset[str]:
        """Those of these read sets that the reply to another upload's Complete named."""
        keys = {key for each in self._disk.transactions for key, _, _ in each.rows}
        logs = [self.load(key) for key in keys]
        return frozenset(
            each for each in read_sets if any(uploads_of(each, log) - {upload_id} for log in logs)
        )

    def tail(self, key: str) -> str | None:
        """What tells an upload's last row from every other."""
        if self._disk.torn:
            self._begin_anew()
        rows = self._disk.rows(key)
        return repr((len(rows), rows[-1])) if rows else None

    def keep_rate(self, host: str, bytes_per_s: float) -> None:
        """Remembers the link's rate; of that no world depends."""

    def hurry(self) -> None:
        """Nobody waits here."""

    def about(self, key: str, about: dict[str, Any]) -> None:
        """Remembers what an upload is about."""
        self._write()
        self._disk.about.setdefault(key, about)

    def keep_receipt(self, key: str, receipt: Receipt) -> tuple[Receipt, bool]:
        """Keeps a receipt."""
        self._write()
        return receipt, True

    def receipt_with_manifest(self, key: str) -> None:
        """No world has manifests."""

    def append(self, events: Iterable[tuple[str, Event]]) -> None:
        """Appends events in one transaction; durable when it returns."""
        rows = tuple((key, *write_event(event)) for key, event in events)
        kinds = [kind for _, kind, _ in rows]
        self.folder.about_rows("before", kinds)
        self._write()
        self._disk.transactions.append(_Transaction(rows))
        if self.folder.tell is not None:
            for key, kind, body in rows:
                self.folder.tell(f"journal {key[:6]} {kind} {_short(kind, body)}")
        self.folder.about_rows("after", kinds)

    def forget(self, key: str) -> None:
        """Forgets an upload."""
        self.folder.about_forgotten()
        self._write()
        self._disk.transactions.append(_Transaction((), forgotten=key))
        self._disk.about.pop(key, None)

    def _write(self) -> None:
        if self._disk.torn:
            self._begin_anew()
            raise Stopped("the journal was damaged and set aside", operation="journal")
        if self._disk.full_after > 0:
            self._disk.full_after -= 1
        elif self._disk.full_for > 0:
            self._disk.full_for -= 1
            raise Stopped("the journal can't be written: disk full", operation="journal")

    def _begin_anew(self) -> None:
        self._disk.lose_journal()
        self.set_aside = self.folder / "journal.damaged"


def known_open_uploads(folder: Machine, *, where: str, store_id: str) -> dict[str, KnownOpen]:
    """As `turboupload.state.journal_reader.known_open_uploads`."""
    opened: dict[str, tuple[str, bool]] = {}
    for transaction in folder.disk.transactions:
        if transaction.forgotten is not None:
            opened.pop(transaction.forgotten, None)
        for key, kind, body in transaction.rows:
            if kind == "part":
                continue
            match _read_event(kind, body):
                case Opened(upload_id=upload_id):
                    opened[key] = (upload_id, False)
                case Completing() if key in opened:
                    opened[key] = (opened[key][0], True)
                case Completed(proof="reply" | "journal" | "fresh") if key in opened:
                    pass
                case StatusSeen(record) if key in opened and not has_ended(record):
                    pass
                case _:
                    opened.pop(key, None)
    return {
        upload_id: KnownOpen(key, None, (), completing, 0.0)
        for key, (upload_id, completing) in opened.items()
    }


@lru_cache(maxsize=2048)
def _read_event(kind: str, body: str) -> Event:
    """A row is read by each command that comes after it, and an event never changes."""
    return read_event(kind, body)


def _short(kind: str, body: str) -> str:
    if kind == "part":
        return body.split("]")[0][9:]
    event = _read_event(kind, body)
    for name in ("upload_id", "read_set_id", "attempt"):
        if hasattr(event, name):
            adopted = " adopted" if getattr(event, "adopted", False) else ""
            return f"{name}={getattr(event, name)}{adopted}"
    return "" if isinstance(event, Completing | ReadSetGone | UploadGone) else body


class SimulatedLock:
    """`turboupload.state.lock.UploadLock` on a simulated disk.

    Args:
        folder: The machine.
        key: As there.
    """

    def __init__(self, folder: Machine, key: str) -> None:
        self._folder = folder
        self._key = key
        self._held = False
        self._owner: object = None

    def __enter__(self) -> SimulatedLock:
        if self._key in self._folder.disk.locks:
            raise UploadBusy("another process is uploading these files", lock=self._key)
        self._owner = self._folder.current()
        self._folder.disk.locks[self._key] = self._owner
        self._held = True
        return self

    def check(self) -> None:
        """Nobody deletes locks here."""

    def __exit__(self, *_: object) -> None:
        locks = self._folder.disk.locks
        if self._held and locks.get(self._key) is self._owner:
            del locks[self._key]
        self._held = False


def holder_of(folder: Machine, key: str) -> str | None:
    """As `turboupload.state.lock.holder_of`."""
    return "1" if key in folder.disk.locks else None


class FileSystem:
    """All files of a world, by path, and the module `os` through which they are read."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self._open: dict[int, File] = {}
        self._descriptors = 10
        self._inodes = 100

    def write(
        self,
        path: str,
        content: bytes,
        *,
        now: float,
        replace: bool = False,
        backdated: bool = False,
    ) -> None:
        """Writes a file anew, in place or as another file; its time may be set back afterwards."""
        found = self.files.get(path)
        written_ns = EPOCH_NS + int(now * 1e9) + 1
        if found is not None:
            # Also where no time has passed on the virtual clock.
            written_ns = max(written_ns, found.ctime_ns + 1)
        if found is None or replace:
            self._inodes += 1
            self.files[path] = File(self._inodes, content, written_ns, written_ns)
        else:
            found.content, found.ctime_ns = content, written_ns
            if not backdated:
                found.mtime_ns = written_ns

    def content(self, paths: Iterable[str]) -> bytes:
        """What files hold, one after the other."""
        return b"".join(self.files[path].content for path in paths)

    # --- as `os` ----------------------------------------------------------------------------

    O_RDONLY = os.O_RDONLY
    O_CLOEXEC = os.O_CLOEXEC
    O_NONBLOCK = os.O_NONBLOCK

    def open(self, path: str, flags: int) -> int:
        """A descriptor."""
        self._descriptors += 1
        self._open[self._descriptors] = self._find(path)
        return self._descriptors

    def close(self, descriptor: int) -> None:
        """Closes it; closing twice is an error."""
        del self._open[descriptor]

    def fstat(self, descriptor: int) -> _Status:
        """What is open there."""
        return _status(self._open[descriptor])

    def stat(self, path: str) -> _Status:
        """What is at this path."""
        return _status(self._find(path))

    def pread(self, descriptor: int, count: int, offset: int) -> bytes:
        """Bytes of an open file."""
        return self._open[descriptor].content[offset : offset + count]

    def preadv(self, descriptor: int, buffers: list[memoryview], offset: int) -> int:
        """Bytes of an open file, into the first buffer."""
        data = self.pread(descriptor, len(buffers[0]), offset)
        buffers[0][: len(data)] = data
        return len(data)

    def regular_size(self, path: str) -> int:
        """As `turboupload.seqcheck.formats.regular_size`."""
        try:
            return self._find(path).content.__len__()
        except FileNotFoundError as error:
            raise InputError("no such file", path=path) from error

    def _find(self, path: str) -> File:
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "no such file", path) from None


def _status(file: File) -> _Status:
    return _Status(7, file.inode, len(file.content), file.mtime_ns, file.ctime_ns)


def etag_of(content: bytes) -> str:
    """The ETag of a file's content; the very bytes stand for the text in them."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
