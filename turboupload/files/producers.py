"""Where a stream's bytes come from: standard input, a command, or an object of a program's.

All of them block, in the spool's thread, and end at once when they are closed.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from turboupload.errors import ConfigError, InputError

__all__ = ["Command", "Descriptor", "PipeWithExitCode", "Producer", "Reader", "producer_of"]

_LOOK_S = 0.2
"""How long a read that waits for the producer goes on after it was closed, in seconds."""

_LEAVE_S = 2.0
"""How long a command that is asked to end is waited for before it is killed, in seconds."""


_EXIT_CODE_S = 60.0
"""How long a shell may take to write an exit code after the last byte, in seconds."""

_EARLIER_S = 2.0
"""A file is an earlier run's if it was written so long before this process began, in seconds: a
shell starts all of a pipeline at once, and file systems have times of their own."""


class Producer(Protocol):
    """Gives bytes, once, from front to back.

    Attributes:
        name: What messages call it.
        tells_success: Whether `finish` tells that the producer succeeded.
    """

    name: str
    tells_success: bool

    def readinto(self, view: memoryview) -> int:
        """Fills the view with the next bytes and returns how many; 0 at the end; blocks.

        Raises:
            OSError: They can't be read.
        """
        ...

    def finish(self) -> None:
        """Called once after the last byte.

        Raises:
            InputError: The producer failed, so that what it gave isn't whole.
        """
        ...

    def stop(self) -> None:
        """Ends a read that waits, from another thread, and asks what was started to end."""
        ...

    def close(self) -> None:
        """Called by the reader at its end; it may take two seconds."""
        ...


class Descriptor:
    """An open file descriptor that stays its owner's, such as standard input."""

    tells_success = False

    def __init__(self, descriptor: int, name: str) -> None:
        self.name = name
        self._descriptor = descriptor
        self._closed = False

    def readinto(self, view: memoryview) -> int:
        """See `Producer`."""
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        while not self._closed:
            if waiting.poll(_LOOK_S * 1000):
                # Another process that shares the descriptor may have made it non-blocking.
                with suppress(BlockingIOError):
                    return os.readv(self._descriptor, [view])
        return 0

    def finish(self) -> None:
        """Nothing is known about the writer."""

    def stop(self) -> None:
        """See `Producer`."""
        self._closed = True

    def close(self) -> None:
        """It stays its owner's."""


class PipeWithExitCode(Descriptor):
    """A descriptor whose producer's exit code a shell writes into a file.

    Args:
        descriptor: What is read.
        name: What messages call it.
        exit_file: The file; it may come a minute after the last byte. Of several numbers, as of
            bash's PIPESTATUS, all must be 0.

    Raises:
        ConfigError: The file is an earlier run's, or no regular file.
    """

    tells_success = True

    def __init__(self, descriptor: int, name: str, exit_file: str) -> None:
        super().__init__(descriptor, name)
        self._exit_file = exit_file
        try:
            found = Path(exit_file).stat()
        except (OSError, ValueError):
            return  # it comes later, or `finish` says that it doesn't
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError("the producer's exit code must be in a regular file", path=exit_file)
        if found.st_mtime < _process_began() - _EARLIER_S:
            raise ConfigError(
                "is there already, so that its exit code is an earlier command's",
                path=exit_file,
                hint="remove it before the commands start",
            )

    def finish(self) -> None:
        """See `Producer`."""
        until = time.monotonic() + _EXIT_CODE_S
        while not (text := self._text()):
            if self._closed:
                return
            if time.monotonic() > until:
                raise self._failed(f"{self._exit_file} doesn't say how the command ended")
            time.sleep(_LOOK_S)
        codes = text.split()
        if any(code.strip("0") for code in codes):
            raise self._failed(f"{self._exit_file} has the exit code {' '.join(codes)}")

    def _text(self) -> str:
        try:
            with Path(self._exit_file).open("rb") as file:
                return file.read(200).decode("ascii", "replace").strip()
        except (OSError, ValueError):
            return ""

    def _failed(self, how: str) -> InputError:
        return InputError(
            f"{how}, so that what it wrote isn't known to be whole",
            code="producer.failed",
            path=self.name,
            hint="see what it said, remove the file, and run the same commands again",
        )


def _process_began() -> float:
    """When this process began, in seconds since the epoch; without Linux's /proc, about now."""
    try:
        # The 22nd field, in ticks since the machine began: proc(5). The second may hold blanks.
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.time() - up_s + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.time()


class Command:
    """A command that is run, whose standard output is read and whose exit code counts.

    Args:
        arguments: The command line, as `execvp` takes it; no shell reads it.

    Raises:
        ConfigError: It can't be run.
    """

    tells_success = True

    def __init__(self, arguments: Sequence[str]) -> None:
        self.name = f"the output of {os.path.basename(arguments[0])}"  # noqa: PTH119
        self._words = shlex.join(arguments)
        try:
            self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, bufsize=0)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self._words} can't be run: {getattr(error, 'strerror', None) or error}",
                hint="the command and its arguments follow `--`, without quotes around all of them",
            ) from error
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        self._output = Descriptor(self._pipe.fileno(), self.name)

    def readinto(self, view: memoryview) -> int:
        """See `Producer`."""
        return self._output.readinto(view)

    def finish(self) -> None:
        """See `Producer`."""
        code = self._process.wait()
        if code == 0:
            return
        how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        raise InputError(
            f"{self._words} {how}, so that what it wrote isn't whole",
            code="producer.failed",
            path=self.name,
            hint="read its messages above, and run the same command again",
        )

    def stop(self) -> None:
        """See `Producer`."""
        self._output.stop()
        if self._process.returncode is None:
            with suppress(OSError):
                self._process.terminate()

    def close(self) -> None:
        """See `Producer`."""
        # This also ends a process that still writes.
        self._pipe.close()
        try:
            self._process.wait(_LEAVE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Reader:
    """A program's binary stream: anything with `readinto`, or with `read(size)`."""

    tells_success = False

    def __init__(self, stream: Any, name: str) -> None:
        self.name = name
        self._stream = stream
        self._readinto = getattr(stream, "readinto", None)
        self._closed = False

    def readinto(self, view: memoryview) -> int:
        """See `Producer`."""
        if self._closed:
            return 0
        if self._readinto is not None:
            return int(self._readinto(view) or 0)
        data = self._stream.read(len(view))
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputError(
                f"the stream gave {type(data).__name__}, not bytes",
                path=self.name,
                hint="open it in binary mode",
            )
        view[: len(data)] = data
        return len(data)

    def finish(self) -> None:
        """A program that fails says so by what `readinto` or `read` raises."""

    def stop(self) -> None:
        """See `Producer`; a read that waits is its program's to end."""
        self._closed = True

    def close(self) -> None:
        """It stays its program's."""


def producer_of(stream: object) -> Producer:
    """What reads a stream that a program gives.

    Args:
        stream: An open file descriptor, or a binary stream with `readinto` or `read`.

    Raises:
        ConfigError: It is none of them.
    """
    if isinstance(stream, Command | Descriptor | Reader):
        return stream
    if isinstance(stream, int) and not isinstance(stream, bool):
        return Descriptor(stream, "the stream")
    if callable(getattr(stream, "readinto", None)) or callable(getattr(stream, "read", None)):
        return Reader(stream, "the stream")
    raise ConfigError(
        f"a stream is a file descriptor, or has `readinto` or `read`, unlike what is of type "
        f"{type(stream).__name__}"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
