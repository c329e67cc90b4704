"""Completing an upload: the one call that can't be made again without looking first."""

from __future__ import annotations

import anyio.to_thread

from turboupload.clock import Clock
from turboupload.core import retry
from turboupload.core.events import Completed, CompleteLost, Event
from turboupload.core.model import ListedPart
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, LinkFailed
from turboupload.local.source import check_unchanged
from turboupload.service.base import NOT_FOUND

__all__ = ["Completer"]

MAX_REFUSALS = 4
"""How often Complete may be refused in a row, with a look at the upload after each."""


class Completer:
    """Completes uploads; whatever leaves it open whether that worked is settled by looking.

    Args:
        clock: The time.
        give_up_after_s: How long Complete may fail, over all its tries, in seconds.
    """

    def __init__(self, clock: Clock, *, give_up_after_s: float) -> None:
        self._clock = clock
        self._give_up_after_s = give_up_after_s

    async def complete(self, run: Run, parts: tuple[ListedPart, ...]) -> Event:
        """Completes, once, and says what came of it.

        Raises:
            SourceChanged: A file is no longer the one that was sent.
            CallFailed: It was refused.
            LinkFailed: No answer came, for too long.
            ServiceRefused: It is refused again and again while the upload is open.
        """
        await anyio.to_thread.run_sync(check_unchanged, run.upload.plan.sources)
        try:
            read_set_id = await run.service.complete_upload(run.ref, parts)
        except (CallFailed, LinkFailed) as failure:
            now = self._clock.now()
            if run.complete_failing_since is None:
                run.complete_failing_since = now
            failure.failing_for_s = now - run.complete_failing_since
            if not _may_have_completed(run, failure):
                raise
            _count_refusal(run, failure)
            run.complete_failures += 1
            run.retries += 1
            if failure.failing_for_s >= self._give_up_after_s:
                raise
            await self._clock.sleep(retry.backoff(run.complete_failures, jitter=0.5))
            return CompleteLost(gone=getattr(failure, "code", "") == NOT_FOUND)
        run.completed_at = self._clock.now()
        return Completed(read_set_id=read_set_id)


def _may_have_completed(run: Run, failure: CallFailed | LinkFailed) -> bool:
    """Whether this answer, or a lost one before it, may hide a Complete that worked.

    What a second Complete answers is not documented, so after a lost reply any refusal may
    only mean that the first one did its work.
    """
    if retry.is_throttling(failure):
        # Not carried out, and tried for as long as calls are.
        return False
    if retry.may_retry(failure):
        return True
    return isinstance(failure, CallFailed) and (
        failure.status in (404, 409) or (run.complete_failures > 0 and failure.status == 400)
    )


def _count_refusal(run: Run, failure: CallFailed | LinkFailed) -> None:
    """Ends a Complete that is refused again and again while the upload stays open.

    A refusal may only mean that an earlier Complete is still at work, so it is looked into a
    few times. Each look that leads back here found the upload open, with all its parts.

    Raises:
        ServiceRefused: It isn't that.
    """
    if not isinstance(failure, CallFailed) or retry.may_retry(failure):
        run.complete_refusals = 0
        return
    run.complete_refusals += 1
    if run.complete_refusals < MAX_REFUSALS:
        return
    error = retry.explain(failure)
    error.message = (
        f"Complete was refused {MAX_REFUSALS} times in a row, and each time the upload was "
        f"still open with all its parts: {error.message}"
    )
    error.hint = error.hint or (
        "nothing is lost: run the same command again later; if it is refused again, "
        "--no-resume begins a new upload"
    )
    raise error from failure
