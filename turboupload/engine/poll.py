"""Looking what becomes of a read set: while it is waited for, and once."""

from __future__ import annotations

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.upload.actions import Action, Follow
from turboupload.core.upload.events import Event, ReadSetGone, StatusSeen
from turboupload.core.upload.matching import is_gone
from turboupload.core.upload.patience import patience_for
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, Stopped
from turboupload.omics.base import NOT_FOUND

__all__ = ["Looker"]

FIRST_LOOK_S = 0.25
LOOK_FACTOR = 1.6
"""The pause between two looks at a read set, in seconds, and how it grows."""


class Looker:
    """Looks at read sets.

    Args:
        clock: The time.
        config: Whether, how often and how long to look.
    """

    def __init__(self, clock: Clock, config: UploadConfig) -> None:
        self._clock = clock
        self._config = config
        self._patience_s = patience_for(config.listing_lag_s)

    def waited_enough(self, run: Run, action: Action) -> bool:
        """Whether to stop following: after one look where the caller doesn't wait."""
        if not isinstance(action, Follow):
            return False
        if not run.follows:
            return True
        if run.looks == 0:
            return False
        if not self._config.wait and not run.upload.unproven and run.unshown_since is None:
            return True
        if run.deadline is not None and self._clock.now() >= run.deadline:
            raise Stopped(
                f"read set {action.read_set_id} is still {run.last_status or 'not shown'}",
                operation="GetReadSetMetadata",
                hint="all bytes arrived; run the same command again to go on waiting",
            )
        return False

    async def look(self, run: Run, read_set_id: str) -> Event | None:
        """Asks after a pause that grows; see `glance`."""
        if not run.looks and self._config.wait_timeout_s is not None:
            run.deadline = self._clock.now() + self._config.wait_timeout_s
        if run.looks:
            pause = FIRST_LOOK_S * LOOK_FACTOR ** min(run.looks, 20)
            pause = min(pause, self._config.poll_interval_s)
            if run.deadline is not None:
                pause = min(pause, max(0.0, run.deadline - self._clock.now()))
            await self._clock.sleep(pause)
        run.looks += 1
        return await self.glance(run, read_set_id)

    async def glance(self, run: Run, read_set_id: str) -> Event | None:
        """Asks once; None where it isn't shown, and may be there all the same."""
        try:
            record = await run.service.get_read_set(run.upload.store_id, read_set_id)
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            return self._not_shown(run, read_set_id)
        run.unshown_since = None
        if is_gone(record) and record.status != "UPLOAD_FAILED":
            return self._read_set_gone(run, f"read set {read_set_id} is {record.status}")
        return StatusSeen(record)

    def _not_shown(self, run: Run, read_set_id: str) -> ReadSetGone | None:
        """One that was just made may not be shown yet, and a look may miss one that was seen.

        Raises:
            Stopped: The service made it in this run, and never showed it.
        """
        now = self._clock.now()
        if run.unshown_since is None:
            run.unshown_since = now
        if now - run.unshown_since < self._patience_s:
            return None
        if run.completed_at is not None and run.upload.unseen:
            raise Stopped(
                f"the service made read set {read_set_id}, and does not show it",
                operation="GetReadSetMetadata",
                hint="run the same command again: it looks again",
            )
        return self._read_set_gone(run, f"read set {read_set_id} no longer exists")

    @staticmethod
    def _read_set_gone(run: Run, text: str) -> ReadSetGone:
        run.remark("read-set-gone", text)
        run.unshown_since = None
        run.looks = 0  # the one that takes its place is waited for from its own beginning
        return ReadSetGone()
