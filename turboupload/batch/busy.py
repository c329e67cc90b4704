"""Waits for a row that another process is sending, as long as that or this batch makes progress."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from turboupload.engine import Engine
from turboupload.errors import UploadBusy

__all__ = ["until_free"]

PAUSE_S: Final = 0.25
FACTOR: Final = 1.6
LONGEST_PAUSE_S: Final = 5.0
"""The pause between two looks whether the other process still has it, in seconds."""

IDLE_PAUSE_S: Final = 1.0
"""The longest pause while this process gets nothing done. Where several wait for the rows of one
that was killed, those go to who has nothing else to do."""


async def until_free(
    engine: Engine,
    busy: UploadBusy,
    *,
    here: Callable[[], object] = lambda: None,
    draw: Callable[[], float] = random.random,
) -> None:
    """Waits until another process has ended its work on an upload.

    Args:
        engine: Its `give_up_after_s` holds; pauses don't count.
        busy: Which upload.
        here: A value that changes whenever this process makes progress with anything.
        draw: Draws between 0 and 1: of several that wait for a row, not always the same is first.

    Raises:
        UploadBusy: Neither has made progress for `give_up_after_s`.
    """
    seen: tuple[object, object] | None = None
    since, pause_s = engine.working_time(), PAUSE_S
    while (there := await engine.progress_elsewhere(busy.lock)) is not None:
        idle = seen is not None and seen[1] == here()
        if (there, here()) != seen:
            seen, since = (there, here()), engine.working_time()
        elif engine.working_time() - since >= engine.config.give_up_after_s:
            raise busy
        pause_s = min(pause_s, IDLE_PAUSE_S if idle else LONGEST_PAUSE_S)
        await engine.clock.sleep(pause_s * (0.5 + draw() / 2))
        pause_s *= FACTOR
