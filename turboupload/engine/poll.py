"""Polls the status of a read set: until it is final, or once."""

from __future__ import annotations

from turboupload.clock import Clock
from turboupload.config import UploadConfig
from turboupload.core.polling import pause_before
from turboupload.core.records import ReadSetStatus
from turboupload.core.upload.actions import Action, PollReadSet
from turboupload.core.upload.events import Event, ReadSetGone, StatusSeen
from turboupload.core.upload.matching import is_gone
from turboupload.core.upload.patience import patience_for
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, Stopped
from turboupload.omics.base import NOT_FOUND

__all__ = ["ReadSetPoller"]


class ReadSetPoller:
    """Polls read sets.

    Args:
        clock: The time.
        config: Whether, how often and how long to poll.
    """

    def __init__(self, clock: Clock, config: UploadConfig) -> None:
        self._clock = clock
        self._config = config
        self._patience_s = patience_for(config.listing_lag_s)

    def waited_enough(self, run: Run, action: Action) -> bool:
        """Whether to stop polling: after one poll where the caller doesn't wait.

        Raises:
            Stopped: The read set's status isn't final by the caller's deadline.
        """
        if not isinstance(action, PollReadSet):
            return False
        if not run.wait_for_end:
            return True
        if run.polls == 0:
            return False
        if not self._config.wait and not run.upload.unproven and run.not_shown_since is None:
            return True
        if run.poll_deadline is not None and self._clock.now() >= run.poll_deadline:
            raise Stopped(
                f"read set {action.read_set_id} is still {run.last_status or 'not shown'}",
                operation="GetReadSetMetadata",
                hint="all bytes arrived; run the same command again to go on waiting",
            )
        return False

    async def poll(self, run: Run, read_set_id: str) -> Event | None:
        """As `poll_once`, after a pause that grows."""
        if not run.polls and self._config.wait_timeout_s is not None:
            run.poll_deadline = self._clock.now() + self._config.wait_timeout_s
        if run.polls:
            pause = pause_before(run.polls, longest_s=self._config.poll_interval_s)
            if run.poll_deadline is not None:
                pause = min(pause, max(0.0, run.poll_deadline - self._clock.now()))
            await self._clock.sleep(pause)
        run.polls += 1
        return await self.poll_once(run, read_set_id)

    async def poll_once(self, run: Run, read_set_id: str) -> Event | None:
        """Asks once; None if the service doesn't show the read set, which may exist nevertheless.

        Raises:
            CallFailed: The service refused, or went on failing.
            LinkFailed: No answer came, for too long.
            Stopped: The service made the read set in this run, and never showed it, or it was
                deleted.
        """
        try:
            record = await run.service.get_read_set(run.upload.store_id, read_set_id)
        except CallFailed as failure:
            if failure.code != NOT_FOUND:
                raise
            return self._not_shown(run, read_set_id)
        run.not_shown_since = None
        if is_gone(record) and record.status != "UPLOAD_FAILED":
            return self._read_set_gone(run, f"read set {read_set_id} is {record.status}")
        if record.status not in set(ReadSetStatus):
            run.remark(
                "status-unknown",
                f"this version does not know what {record.status} means: it waits until read set "
                f"{read_set_id} is ACTIVE, or as long as --wait-timeout says",
            )
        return StatusSeen(record)

    def _not_shown(self, run: Run, read_set_id: str) -> ReadSetGone | None:
        """A new read set may not be shown yet, and one reply may miss one that was shown before.

        Raises:
            Stopped: The service made it in this run.
        """
        now = self._clock.now()
        if run.not_shown_since is None:
            run.not_shown_since = now
        if now - run.not_shown_since < self._patience_s:
            return None
        if run.completed is not None and run.upload.unseen:
            raise Stopped(
                f"the service made read set {read_set_id}, and does not show it",
                operation="GetReadSetMetadata",
                hint="run the same command again: it looks again",
            )
        return self._read_set_gone(run, f"read set {read_set_id} no longer exists")

    @staticmethod
    def _read_set_gone(run: Run, text: str) -> ReadSetGone:
        """A read set of an earlier run is made anew; one that this run made is told.

        Whoever deleted it just now meant it, or deletes the next one, too.

        Raises:
            Stopped: This run made it.
        """
        if run.completed is not None:
            raise Stopped(
                f"{text}: this run made it, and it was deleted meanwhile",
                operation="GetReadSetMetadata",
                hint="find out who, or what, deletes it; the same command then uploads the files "
                "anew",
            )
        run.remark("read-set-gone", text)
        run.not_shown_since = None
        run.polls = 0  # the next read set is polled from the start
        return ReadSetGone()
