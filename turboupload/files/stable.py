"""Waiting for a file that is still being written: a sequencer or a copy at work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from turboupload.errors import InputError
from turboupload.paths import regular_size
from turboupload.units import format_duration

__all__ = ["wait_for_sentinel", "wait_until_stable"]

_POLL_S = 0.5


def wait_until_stable(
    paths: Iterable[str | os.PathLike[str]],
    quiet_s: float,
    *,
    timeout_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits until no file's size, time of change or inode has changed for `quiet_s` seconds.

    The files are watched together, so that many take no longer than one. The time that a file has
    been resting before it was first looked at doesn't count: clocks of file servers differ.

    Args:
        paths: The files; each must exist.
        quiet_s: How long they must rest, in seconds; 0 returns at once.
        timeout_s: After how many seconds to give up; None never does.
        clock: Seconds that only go forward.
        sleep: Waits for that many seconds.

    Raises:
        InputError: A file is missing or vanished, or was still changing after `timeout_s`.
    """
    names = [os.fspath(path) for path in paths]
    began = clock()
    seen = {name: (_look(name), began) for name in names}
    while True:
        now = clock()
        for name in names:
            state = _look(name)
            if state != seen[name][0]:
                seen[name] = (state, now)
        rested = {name: now - since for name, (_, since) in seen.items()}
        busy = [name for name in names if rested[name] < quiet_s]
        if not busy:
            return
        if timeout_s is not None and now - began >= timeout_s:
            raise InputError(
                f"was still changing after {format_duration(timeout_s)}",
                path=busy[0],
                hint="wait until it is written, or give it more time",
            )
        sleep(min(_POLL_S, quiet_s - rested[busy[0]]))


def wait_for_sentinel(
    path: str | os.PathLike[str],
    *,
    timeout_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits until a file exists, such as the CopyComplete.txt that ends a sequencing run.

    Args:
        path: The file that will appear; its folder must exist.
        timeout_s: After how many seconds to give up; None never does.
        clock: Seconds that only go forward.
        sleep: Waits for that many seconds.

    Raises:
        InputError: Its folder doesn't exist, or the file had not appeared after `timeout_s`.
    """
    name = os.fspath(path)
    if not Path(path).parent.is_dir():
        raise InputError("can't appear, since its folder doesn't exist", path=name)
    began = clock()
    while not Path(path).exists():
        if timeout_s is not None and clock() - began >= timeout_s:
            raise InputError(
                f"had not appeared after {format_duration(timeout_s)}",
                path=name,
                hint="check the run, or give it more time",
            )
        sleep(_POLL_S)


def _look(name: str) -> tuple[int, int, int]:
    regular_size(name)
    try:
        status = Path(name).stat()
    except FileNotFoundError:
        raise InputError("vanished while it was waited for", path=name) from None
    return status.st_size, status.st_mtime_ns, status.st_ino
