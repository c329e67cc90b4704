"""The files of jobs: one for each, locked by its process, so that a dead one is known as dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from turboupload.core.jobs import Job, outlived, read_job, written
from turboupload.jobs.listener import PREFIX
from turboupload.state.folder import prepare_folder
from turboupload.state.lock import unusable

__all__ = ["JobFile", "JobFolder", "this_host"]

_EMPTY_S: Final = 60.0
"""A file that is empty for so long was left by a process that died as it began, in seconds."""

_READS: Final = 3
"""A file may be read while it is being written; so often it is read again."""


def this_host() -> str:
    """The name of this machine; a state folder may be shared."""
    return socket.gethostname()


class JobFile:
    """The file of a job of this process. Its lock ends with the process, however that ends.

    Attributes:
        job: As it was written last.
    """

    def __init__(self, descriptor: int, job: Job) -> None:
        self._descriptor = descriptor
        self.job = job

    def write(self, job: Job) -> None:
        """Writes the job as it is now.

        Raises:
            OSError: The disk is full, or gone.
        """
        self.job = job
        text = f"{written(job)}\n".encode()
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def close(self) -> None:
        """Closes the file, which stays."""
        os.close(self._descriptor)


class JobFolder:
    """The folder `jobs` in a state folder: `7.json` is job 7, `7.sock` where it listens.

    Args:
        state_folder: Its path.
    """

    def __init__(self, state_folder: Path) -> None:
        self._state_folder = state_folder
        # As an absolute path: others read it, and have another working folder.
        self.path = Path(os.path.abspath(state_folder)) / "jobs"  # noqa: PTH100 - links stay

    def prepare(self) -> None:
        """Makes the folder if it is missing, for its owner alone.

        Raises:
            ConfigError: It can't be made, or is another user's.
            Stopped: Its disk is full, or failed.
        """
        prepare_folder(self._state_folder)
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            found = self.path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise unusable(self.path, "it belongs to another user, or is not a folder")
            if stat.S_IMODE(found.st_mode) != 0o700:
                self.path.chmod(0o700)
        except OSError as error:
            raise unusable(self.path, error) from error

    def socket_of(self, number: int) -> Path:
        """Where a job listens, if the file system has sockets."""
        return self.path / f"{number}.sock"

    def begin(self, job: Job) -> JobFile:
        """Makes the file of a new job, under the next free number.

        Args:
            job: Its number is replaced.

        Raises:
            OSError: It can't be made, or locked.
        """
        number = max((each for each, _ in self._files()), default=0) + 1
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            try:
                descriptor = os.open(self.path / f"{number}.json", flags, 0o600)
                break
            except FileExistsError:
                number += 1
        try:
            # Testing whether it is locked holds the lock for a moment.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            file = JobFile(descriptor, job)
            file.write(replace(job, id=number))
        except BaseException:
            os.close(descriptor)
            raise
        return file

    def jobs(self) -> list[tuple[Job, bool]]:
        """All jobs by their number, each with whether its process lives.

        What dead ones have left behind is removed, and what is too old is forgotten.

        Raises:
            ConfigError: The folder can't be read, or is none.
            Stopped: Its disk failed.
        """
        try:
            files = list(self._files())
        except OSError as error:
            raise unusable(self.path, error) from error
        found = [seen for number, path in files if (seen := self._look(number, path))]
        dead = [job for job, alive in found if not alive]
        forgotten = {job.id for job in outlived(dead, time.time())}
        for number in forgotten:
            self._remove(self.path / f"{number}.json")
        self._tidy(alive={job.id for job, alive in found if alive})
        return sorted(
            ((job, alive) for job, alive in found if job.id not in forgotten),
            key=lambda each: each[0].id,
        )

    def _files(self) -> Iterator[tuple[int, Path]]:
        with contextlib.suppress(FileNotFoundError):
            for path in self.path.iterdir():
                if path.suffix == ".json" and path.stem.isdecimal():
                    yield int(path.stem), path

    def _look(self, number: int, path: Path) -> tuple[Job, bool] | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            alive = _is_locked(descriptor)
            job = _read(descriptor)
            age = time.time() - os.fstat(descriptor).st_mtime
        except OSError:
            return None
        finally:
            os.close(descriptor)
        if job is None or job.id != number:
            if not alive and age > _EMPTY_S:
                self._remove(path)
            return None
        if not alive and job.socket is not None and job.host == this_host():
            _remove_socket(job.socket)
        return job, alive

    def _tidy(self, *, alive: set[int]) -> None:
        """Removes sockets without a living process; a new job's file comes before its socket."""
        for path in self.path.glob("*.sock"):
            json = path.with_suffix(".json")
            if not path.stem.isdecimal() or int(path.stem) in alive:
                continue
            if not json.exists() or not _locked(json):
                self._remove(path)

    @staticmethod
    def _remove(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _read(descriptor: int) -> Job | None:
    for _ in range(_READS):
        job = read_job(os.pread(descriptor, 1 << 20, 0).decode(errors="replace"))
        if job is not None:
            return job
        time.sleep(0.005)
    return None


def _remove_socket(path: str) -> None:
    """Removes the socket of a dead process, with the folder that was made for it, if any."""
    with contextlib.suppress(OSError):
        found = os.lstat(path)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            return
        Path(path).unlink()
    folder = Path(path).parent
    if folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
