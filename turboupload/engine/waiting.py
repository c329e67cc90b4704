"""Waits for a read set of which only its id is known."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

from turboupload.clock import Clock
from turboupload.core.polling import Absence, is_active, pause_before
from turboupload.core.records import ReadSetDetails
from turboupload.errors import ServiceRefused, Stopped
from turboupload.omics.base import NOT_FOUND

__all__ = ["until_active"]

UNSEEN_S: Final = 10.0
"""How long to look for a read set of which only the caller knows, in seconds.

It may have been made a moment ago, and its id may be wrong; how long metadata lag isn't documented.
"""


async def until_active(
    look: Callable[[], Awaitable[ReadSetDetails]],
    *,
    clock: Clock,
    timeout_s: float | None,
    poll_interval_s: float,
    patience_s: float,
    on_status: Callable[[ReadSetDetails], None] | None,
) -> ReadSetDetails:
    """Looks at a read set until it is ACTIVE.

    Args:
        look: Asks for it.
        clock: Time.
        timeout_s: How long to wait, in seconds; None waits for ever.
        poll_interval_s: The longest pause between two looks, in seconds.
        patience_s: How long to look for it once it was shown, in seconds.
        on_status: Called when its status has changed.

    Raises:
        ReadSetRejected: The service rejected it.
        ServiceRefused: It isn't shown for too long, or won't become ACTIVE by itself.
        Stopped: It was not ACTIVE in time.
    """
    deadline = float("inf") if timeout_s is None else clock.now() + timeout_s
    found: ReadSetDetails | None = None
    absence = Absence(min(UNSEEN_S, patience_s))
    for poll in itertools.count():
        pause = pause_before(poll, longest_s=poll_interval_s)
        await clock.sleep(min(pause, max(0.0, deadline - clock.now())))
        try:
            shown = await look()
        except ServiceRefused as error:
            now = clock.now()
            if error.code != NOT_FOUND or now >= deadline or absence.is_believed(now):
                raise
            continue
        if found is None:
            absence = Absence(patience_s)
        absence.ends()
        if on_status is not None and (found is None or shown.status != found.status):
            on_status(shown)
        found = shown
        if is_active(found):
            return found
        if clock.now() >= deadline:
            raise Stopped(
                f"read set {found.read_set_id} is still {found.status}",
                operation="GetReadSetMetadata",
                hint="the service is working on it; run the same command again to go on waiting",
            )
    raise AssertionError("unreachable")
