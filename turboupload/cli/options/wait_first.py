"""`--wait-for` and `--settle`: a sequencer or a copy that is still at work is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from turboupload.cli.options.help import Section
from turboupload.cli.options.shared import option, together
from turboupload.cli.options.values import DURATION, PATH
from turboupload.units import format_duration

__all__ = ["WAIT_FIRST", "wait_first"]

WAIT_FIRST = together(
    option(
        "--settle",
        section=Section.WAITING,
        type=DURATION,
        help="First wait until no file has changed for this long, such as 30s.",
    ),
    option(
        "--wait-for",
        section=Section.WAITING,
        type=PATH,
        metavar="FILE",
        help="First wait until this file exists, such as CopyComplete.txt.",
    ),
)


async def wait_first(
    sentinel: str | None,
    settle_s: float | None,
    paths: Sequence[str] = (),
    *,
    missing_ok: bool = False,
    tell: Callable[[str], None],
) -> None:
    """Waits, as far as that was asked for.

    Args:
        sentinel: A file that must exist.
        settle_s: For how long no file may have changed, in seconds.
        paths: The files.
        missing_ok: Whether files that aren't there are passed over.
        tell: Tells a person what is waited for.

    Raises:
        InputError: A file is missing or vanished, or the sentinel's folder is.
    """
    if sentinel is None and settle_s is None:
        return
    from anyio import from_thread, to_thread

    from turboupload.files.stable import wait_for_sentinel, wait_until_stable

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        from_thread.check_cancelled()

    def wait() -> None:
        if sentinel is not None:
            tell(f"waiting until there is a file {sentinel}")
            wait_for_sentinel(sentinel, sleep=sleep)
        if settle_s is not None:
            watched = [each for each in paths if not missing_ok or Path(each).exists()]
            tell(f"waiting until no file has changed for {format_duration(settle_s)}")
            wait_until_stable(watched, settle_s, sleep=sleep)

    await to_thread.run_sync(wait)
