"""The journal, written from the event loop: durable before it returns, many rows a sync."""

from __future__ import annotations

import anyio
import anyio.to_thread

from turboupload.core.events import Event
from turboupload.local.journal import Journal

__all__ = ["Recorder"]


class Recorder:
    """Group commit: whoever gets the lock writes for all who wait for it.

    A thousand parts that finish together cost a few syncs, not a thousand; and nobody goes on
    before their own row is on the disk.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(1)
        self._waiting: list[tuple[str, Event]] = []
        self._taken = 0
        self._written = 0

    async def record(self, key: str, event: Event) -> None:
        """Returns when the event is durable; a cancellation waits for that moment.

        Raises:
            Stopped: The journal can't be written.
        """
        self._waiting.append((key, event))
        self._taken += 1
        ticket = self._taken
        with anyio.CancelScope(shield=True):
            async with self._lock:
                if self._written >= ticket:
                    return
                batch, self._waiting = self._waiting, []
                upto = self._taken
                try:
                    await anyio.to_thread.run_sync(
                        self._journal.append, batch, limiter=self._limiter
                    )
                except BaseException:
                    # Nobody whose row is in this batch may believe that it was written.
                    self._waiting[:0] = batch
                    raise
                self._written = upto
