"""Creates an upload, and reports if the answer doesn't tell which upload that is."""

from __future__ import annotations

from turboupload.clock import Clock
from turboupload.core.rate.retry import turns_away
from turboupload.core.upload.events import CreateUnclear, Event, Opened
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, LinkFailed

__all__ = ["Creator"]

CONFLICT = 409
INVALID = 400


class Creator:
    """Creates uploads under tokens that the service may know already.

    Args:
        clock: The time.
        give_up_after_s: How long Create may go unanswered, over all its tries, in seconds.
    """

    def __init__(self, clock: Clock, *, give_up_after_s: float) -> None:
        self._clock = clock
        self._give_up_after_s = give_up_after_s

    async def create(self, run: Run, token: str) -> Event:
        """Calls Create once, and returns the resulting event.

        It is documented that a known token returns the earlier upload. A service may also refuse a
        known token, as a conflict (409) or, since none is documented, as invalid (400), or answer
        too late. In all cases only the list of open uploads can name the upload that exists. What
        is invalid for another reason is told so on the next token.

        Raises:
            CallFailed: The service refused.
            LinkFailed: No answer came, for too long.
        """
        upload, retries = run.upload, run.retries
        try:
            opened = await run.service.create_upload(
                upload.store_id, upload.read_set, upload.file_type, token
            )
        except CallFailed as failure:
            tried = upload.token_tried or run.retries > retries
            of_token = tried and failure.status == INVALID and turns_away(failure)
            if failure.status != CONFLICT and not of_token:
                raise
            run.remark(
                "token-used",
                f"Create was refused ({failure.message}): looking for what this upload's token "
                "made before",
            )
            return CreateUnclear(token_used=True)
        except LinkFailed as failure:
            if failure.fault != "stalled":
                raise
            now = self._clock.now()
            if run.create_failing_since is None:
                run.create_failing_since = now
            failure.failing_for_s = now - run.create_failing_since
            if failure.failing_for_s >= self._give_up_after_s:
                raise
            run.retries += 1
            return CreateUnclear(token_used=False)
        run.create_failing_since = None
        return Opened(upload_id=opened.upload_id, adopted=False, part_size=upload.plan.part_size)
