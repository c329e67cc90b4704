"""What is wrong with this machine.

Resources that it or the process has run out of, with the limit and how much is enough; packages
that aren't there.
"""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from typing import Final

from turboupload.errors import ConfigError, Stopped, TurbouploadError

__all__ = ["no_descriptor_left", "trouble_here", "used_up"]

_FILES: Final = 256
_THREADS: Final = 128
_MEMORY_KIB: Final = 2_000_000
"""Enough for 64 parts at a time, with room to spare. Address space is mostly threads' stacks."""

_AT_ONCE: Final = 8
"""More files than a database opens with its journal."""

_NO_THREAD = "can't start new thread"
"""Python's words; it has no exception of its own for that."""

_OF_THE_NETWORK: Final = (ConnectionError, TimeoutError)


def used_up(error: BaseException) -> str | None:
    """What there is no more of, where an error says so, or what led to it; else None.

    Args:
        error: What was raised; of a group, and of causes, each is looked at.
    """
    return next((what for each in _led_to(error) if (what := _one(each)) is not None), None)


def trouble_here(error: BaseException) -> TurbouploadError | None:
    """What is wrong with this machine, as an unexpected exception says; None if it is a bug.

    A disk, a terminal, memory or threads may fail anywhere. A package may be gone, or another one
    than at the start, where the environment is changed while a command runs.
    """
    what = used_up(error)
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if what is None and isinstance(error, ImportError):
        return ConfigError(
            f"this installation of turboupload isn't whole: {error}",
            hint="install it anew, then run the same command again: what was sent is kept "
            "(python -m pip install --force-reinstall turboupload)",
        )
    if what is None and isinstance(error, OSError):
        who = "the network" if isinstance(error, _OF_THE_NETWORK) else "this machine"
        what = f"{who} says: {error.strerror or str(error) or type(error).__name__}"
    if what is None:
        return None
    path = error.filename if isinstance(error, OSError) else None
    return Stopped(
        what,
        path=os.fsdecode(path) if isinstance(path, str | bytes) else None,
        hint="once that is solved, run the same command again: what was sent is kept",
    )


def no_descriptor_left() -> str | None:
    """What `used_up` says where no more files can be opened; SQLite, for one, doesn't tell why."""
    opened: list[int] = []
    try:
        while len(opened) < _AT_ONCE:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return _one(error)
    finally:
        for each in opened:
            os.close(each)
    return None


def _led_to(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        # aiobotocore keeps what it wraps in `kwargs`, aiohttp in `os_error`.
        wrapped = getattr(each, "kwargs", None)
        inner = wrapped.get("error") if isinstance(wrapped, dict) else None
        causes = [inner, getattr(each, "os_error", None), each.__cause__]
        causes += [] if each.__suppress_context__ else [each.__context__]
        causes += each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting += [cause for cause in causes if isinstance(cause, BaseException)]


def _one(error: BaseException) -> str | None:
    if getattr(error, "reason", None) == "MALLOC_FAILURE":  # OpenSSL's word, of an `ssl.SSLError`
        error = MemoryError()
    match error:
        case MemoryError() | OSError(errno=errno.ENOMEM):
            limit = _limit(resource.RLIMIT_AS)
            if limit is None:
                return "this machine has not enough memory"
            return (
                f"this process has not enough memory (ulimit -v is {limit // 1024:,}; "
                f"{_MEMORY_KIB:,} are enough, and fewer with --concurrency 4)"
            )
        case OSError(errno=errno.EMFILE):
            limit = _limit(resource.RLIMIT_NOFILE)
            return (
                f"this process has too many files open (ulimit -n is {limit}; "
                f"{_FILES} are enough, and fewer with --concurrency 4)"
            )
        case OSError(errno=errno.ENFILE):
            return "this machine has too many files open"
        case RuntimeError() if _NO_THREAD in str(error):
            limit = _limit(resource.RLIMIT_NPROC)
            told = (
                "a limit of the machine or container" if limit is None else f"ulimit -u is {limit}"
            )
            return (
                f"no more threads can be started ({told}; {_THREADS} more are enough, and 24 with "
                "--concurrency 4)"
            )
    return None


def _limit(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft
