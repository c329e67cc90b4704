"""The journal's file: locks, transactions, errors, and setting a damaged file aside.

It is set aside only on proof of damage: SQLite reports that it isn't a database or is corrupt, or a
header, a row or an index contradicts its checksum. Any other failure (a lock, a full disk, a folder
that can't be written, a constraint) is a problem of this machine: it is reported, and the file
stays.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from turboupload.errors import ConfigError, Stopped
from turboupload.state.folder import (
    check_file,
    hold,
    journal_path,
    prepare_folder,
    share,
    try_alone,
)
from turboupload.state.journal_errors import (
    ERRORS,
    FORBIDDEN,
    LOCKED,
    MACHINE_ERRORS,
    code_of,
    is_proof,
    is_unreadable,
)
from turboupload.state.journal_schema import (
    CREATE_SQL,
    contradicts_itself,
    lacks_tables,
    require_version,
)
from turboupload.state.lock import unusable

__all__ = ["JournalFile"]

T = TypeVar("T")

BUSY_S = 30.0
"""How long to wait for another process's lock on the journal, in seconds."""

_BUSY_STEP_S = 0.1
"""How long SQLite itself waits before we decide whether to wait on, in seconds."""

OTHERS_S = 1.0
"""How long to wait for processes that have a damaged journal open, in seconds: most end soon."""

CLOSE_S = 5.0
"""How long closing waits for a writing thread, in seconds; then that thread closes the file."""

_CONTINUE_HINT = "what was sent is kept at the service; {do}, then run the same command again"

_Doing = Literal["opened", "read", "written"]


class JournalFile:
    """The open file; runs one transaction at a time. Every method blocks; any thread may call it.

    Args:
        folder: Made with mode 0700 if it is missing.

    Attributes:
        set_aside: The new path of a damaged journal that this one replaced; None if there was none.

    Raises:
        ConfigError: The folder or the file can't be used.
        Stopped: It can't be used now: the disk is full, or another process keeps it locked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = journal_path(folder)
        self.set_aside: Path | None = None
        prepare_folder(folder)
        self._lock = threading.Lock()
        self._hurried = threading.Event()
        self._closed = threading.Event()
        self._over: Stopped | None = None
        self._in_use = hold(folder / "journal.lock", shared=True)
        try:
            try:
                self._connect()
            except ERRORS as error:
                if not is_proof(error):
                    raise self._not_damaged(error, "opened") from error
                self._replace_damaged(error)
        except BaseException:
            os.close(self._in_use)
            raise

    def hurry(self) -> None:
        """Stops waiting for other processes' locks on the journal."""
        self._hurried.set()

    def close(self) -> None:
        """Closes the file; if a thread still uses it, that thread closes it."""
        self.hurry()
        self._closed.set()
        if self._lock.acquire(timeout=CLOSE_S):
            try:
                self._close_file()
            finally:
                self._lock.release()

    def _close_file(self) -> None:
        if self._in_use >= 0:
            self._db.close()
            os.close(self._in_use)
            self._in_use = -1

    # --- transactions -----------------------------------------------------------------------

    def _read(self, work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """Returns what `work` reads, from one snapshot; nothing if the journal is damaged.

        Raises:
            Stopped: The file can't be read, or was moved.
        """
        with self._use():
            try:
                return self._transact("BEGIN", work)
            except ERRORS as error:
                if not self._is_damage(error):
                    raise self._not_damaged(error, "read") from error
                self._replace_damaged(error)
                return nothing

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Runs `work` in one transaction; durable when it returns.

        Raises:
            Stopped: It can't be written, is damaged, or no longer in its place.
        """
        with self._use():
            try:
                self._transact("BEGIN IMMEDIATE", work)
                # A write to a file that another process has set aside is lost.
                self._check_place()
            except ERRORS as error:
                if not self._is_damage(error):
                    raise self._not_damaged(error, "written") from error
                self._replace_damaged(error)
                raise self._stopped(
                    f"the journal was damaged and set aside as {self.set_aside}: {error}",
                    "run the same command again: what the service has is compared with the "
                    "files instead",
                ) from error

    @contextlib.contextmanager
    def _use(self) -> Iterator[None]:
        with self._lock:
            if self._closed.is_set():
                raise self._stopped(
                    "the journal is closed: the caller that opened it has ended",
                    "what was sent is kept; the same call goes on",
                )
            try:
                self._check_place()
                yield
            finally:
                if self._closed.is_set():
                    self._close_file()

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Waits for other processes in steps, so that `hurry` can end the wait."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._db.execute(begin)
                found = work(self._db)
                self._db.execute("COMMIT")
                return found
            except BaseException as error:
                self._roll_back()
                if (
                    code_of(error) not in LOCKED
                    or self._hurried.is_set()
                    or time.monotonic() >= deadline
                ):
                    raise
                time.sleep(0.005)

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    # --- what went wrong --------------------------------------------------------------------

    def _is_damage(self, error: BaseException) -> bool:
        """Whether the file is damaged; if the error code doesn't say, checks the content."""
        if is_proof(error):
            return True
        if code_of(error) in MACHINE_ERRORS:
            return False
        try:
            return self._transact("BEGIN", contradicts_itself)
        except ERRORS as another:
            return is_proof(another) or is_unreadable(another)

    def _not_damaged(self, error: BaseException, doing: _Doing) -> ConfigError | Stopped:
        """The error to raise if the file is not damaged."""
        code = code_of(error)
        if code in FORBIDDEN and doing == "opened":
            return unusable(self.folder, str(error))
        if code in LOCKED:
            do = "wait until the process that locks it has ended"
        elif code == sqlite3.SQLITE_FULL:
            do = "make room on its disk"
        elif code in FORBIDDEN:
            do = "make it writable"
        elif code in MACHINE_ERRORS:
            do = "check its disk, or set TURBOUPLOAD_STATE_DIR to a folder on another one"
        else:
            do = "the journal is not damaged; if this happens again, set TURBOUPLOAD_STATE_DIR " \
                "to a new folder"  # fmt: skip
        return self._stopped(f"the journal can't be {doing}: {error}", _CONTINUE_HINT.format(do=do))

    def _stopped(self, message: str, hint: str) -> Stopped:
        return Stopped(message, path=str(self.path), operation="journal", hint=hint)

    def _check_place(self) -> None:
        """Checks that the file wasn't removed, or set aside by another process.

        Raises:
            Stopped: It was; a write would be lost.
        """
        try:
            in_place = self._places() == self._place
        except OSError as error:
            raise self._stopped(
                f"the journal can't be reached: {error.strerror}",
                _CONTINUE_HINT.format(do="repair that"),
            ) from error
        if self._over is None and not in_place:
            self._over = self._stopped(
                "the journal was removed or replaced while it was in use",
                "what was sent is kept; run the same command again: what the service has is "
                "compared with the files",
            )
        if self._over is not None:
            raise self._stopped(self._over.message, self._over.hint or "")

    def _places(self) -> tuple[tuple[int, int] | None, ...]:
        """The identities of the files at the database's path and at its log's path."""
        return tuple(_identity(self._named(suffix)) for suffix in ("", "-wal"))

    def _named(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    # --- opening, and setting aside ---------------------------------------------------------

    def _replace_damaged(self, why: BaseException) -> None:
        """Sets a damaged journal aside, and opens an empty one in its place."""
        self._db.close()
        try:
            self._set_aside(why)
            self._connect()
        except ERRORS as error:
            self._over = self._stopped(
                f"the journal was damaged and set aside as {self.set_aside}, and no new one can "
                f"be opened: {error}",
                _CONTINUE_HINT.format(do="check its disk"),
            )
            raise self._over from error
        except Stopped as error:
            self._over = error
            raise

    def _set_aside(self, why: BaseException) -> None:
        """Renames the damaged file, unless another process has it open.

        If several processes find it damaged, one renames it, and the others see that it was done.
        """
        deadline = time.monotonic() + OTHERS_S
        while not try_alone(self._in_use):
            # Hold no lock now: processes that all found the damage would wait for each other.
            if time.monotonic() >= deadline:
                raise self._stopped(
                    f"the journal is damaged ({why}), and another process has it open",
                    "wait until the other process has ended, then run the same command again",
                )
            time.sleep(0.01 + 0.02 * (os.getpid() % 7) / 7)
        try:
            if _identity(self.path) != self._place[0]:
                done = sorted(self.folder.glob("journal.damaged-*.sqlite3"))
                self.set_aside = done[-1] if done else self.path
                return
            aside = self.path.with_name(f"journal.damaged-{time.time_ns()}.sqlite3")
            # The log goes first: SQLite would read a log that was left behind as the new journal's.
            for suffix in ("-wal", "-shm", ""):
                with contextlib.suppress(FileNotFoundError):
                    self._named(suffix).rename(aside.with_name(aside.name + suffix))
            self.set_aside = aside
        except OSError as error:
            raise self._stopped(
                f"the journal is damaged ({why}), and can't be set aside: {error.strerror}",
                _CONTINUE_HINT.format(do=f"move {self.path} away"),
            ) from error
        finally:
            share(self._in_use)

    def _connect(self) -> None:
        check_file(self.path)
        # Create it with its mode, so that other users can never read it. Don't open an existing
        # file: closing it would release the locks of another `Journal` of this process
        # (https://sqlite.org/howtocorrupt.html, section 2.2).
        try:
            with contextlib.suppress(FileExistsError):
                how = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self.path, how, 0o600))
            self._place: tuple[tuple[int, int] | None, ...] = (_identity(self.path),)
        except OSError as error:
            raise unusable(self.folder, error) from error
        # We begin and commit ourselves: sqlite3 would begin as a reader, and a reader that becomes
        # a writer fails if another process has written meanwhile.
        self._db = sqlite3.connect(
            self.path, timeout=_BUSY_STEP_S, check_same_thread=False, isolation_level=None
        )
        try:
            self._retry_locked(lambda: self._db.execute("PRAGMA journal_mode = WAL"))
            # FULL: a committed row survives a power cut. One commit covers all parts that finished
            # meanwhile, so the sync costs little.
            self._db.execute("PRAGMA synchronous = FULL")
            # Check and create in one transaction: several processes may start at the same time.
            if self._transact("BEGIN", lacks_tables):
                self._retry_locked(lambda: self._db.executescript(CREATE_SQL))
            self._transact("BEGIN", lambda db: require_version(db, self.path))
            self._place = self._places()
        except BaseException:
            self._db.close()
            raise

    def _retry_locked(self, work: Callable[[], object]) -> None:
        """Retries work that fails, instead of waiting, while another process does the same."""
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                work()
                return
            except sqlite3.OperationalError as error:
                self._roll_back()
                if code_of(error) not in LOCKED or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None if there is none.

    Raises:
        OSError: The file system can't tell.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino
