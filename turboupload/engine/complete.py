"""Completes an upload: the one call that must not be repeated before looking for its result."""

from __future__ import annotations

from typing import TypeGuard

from turboupload import limits
from turboupload.clock import Clock
from turboupload.core.rate import retry
from turboupload.core.records import UploadPart
from turboupload.core.upload.events import Completed, CompleteLost, Event
from turboupload.core.upload.plan import Plan
from turboupload.engine.run import Run
from turboupload.engine.same_bytes import require_same_bytes
from turboupload.errors import CallFailed, LinkFailed, Stopped, TurbouploadError
from turboupload.omics.base import NOT_FOUND
from turboupload.units import MIB, format_duration, format_size

__all__ = ["Completer"]

MAX_REFUSALS = 2
"""How often Complete may be refused for good, for each way in which the service has written the
parts' checksums; after each refusal, the state looks for a read set."""

SLOW_STATUS = frozenset({409, 504})
"""With these the service may still be at work on a Complete: a conflict, a gateway's time-out."""


class Completer:
    """Completes uploads; where the answer leaves open whether that worked, the state looks for it.

    Args:
        clock: The time.
        give_up_after_s: How long Complete may fail, over all its tries, in seconds.
    """

    def __init__(self, clock: Clock, *, give_up_after_s: float) -> None:
        self._clock = clock
        self._give_up_after_s = give_up_after_s

    async def complete(self, run: Run, parts: tuple[UploadPart, ...]) -> Event:
        """Calls Complete once, and returns the fact that this brought.

        Raises:
            SourceChanged: A file is no longer the one that was sent.
            CallFailed: It was refused.
            LinkFailed: No answer came, for too long.
            ServiceRefused: It is refused again and again while the upload is open.
            Stopped: The service has told no checksum of a part, in reply or listed.
        """
        if not run.upload.plan.streamed:
            await require_same_bytes(run)
        _check_checksums(parts)
        if run.completing != run.ref:
            # What befell the Complete of another upload says nothing of this one's.
            run.completing, run.complete_failing_since = run.ref, None
            run.complete_failures, run.complete_refusals = 0, []
        if len(run.complete_refusals) >= _most_refusals(run):
            raise _refused_for_good(run) from run.complete_refusals[-1]
        try:
            read_set_id = await run.service.complete_upload(run.ref, parts)
        except (CallFailed, LinkFailed) as failure:
            now = self._clock.now()
            if run.complete_failing_since is None:
                run.complete_failing_since = now
            failure.failing_for_s = now - run.complete_failing_since
            if not _may_have_completed(failure):
                raise
            if _is_refusal(failure):
                run.complete_refusals.append(failure)
                run.remark(
                    "complete-refused",
                    f"Complete was refused ({failure.message}): looking whether it worked all the "
                    "same",
                )
            elif failure.failing_for_s >= self._give_up_after_s:
                if _is_conflict(failure):
                    raise _conflict(failure) from failure
                raise
            run.complete_failures += 1
            run.retries += 1
            await self._clock.sleep(retry.backoff(run.complete_failures, jitter=0.5))
            if isinstance(failure, LinkFailed):
                return CompleteLost(slow=failure.fault == "stalled")
            gone = failure.code == NOT_FOUND
            return CompleteLost(
                gone=gone,
                slow=failure.status in SLOW_STATUS,
                refused=not gone and not retry.may_retry(failure),
            )
        run.completed = self._clock.now()
        return Completed(read_set_id=read_set_id)


def _most_refusals(run: Run) -> int:
    """After so many, Complete isn't called again. One that knows no upload is of no spelling."""
    if any(each.code == NOT_FOUND for each in run.complete_refusals):
        return MAX_REFUSALS
    return MAX_REFUSALS * max(1, len(run.upload.ledger.spellings))


def _check_checksums(parts: tuple[UploadPart, ...]) -> None:
    """Complete names each part by the service's own checksum, so there must be one.

    Raises:
        Stopped: There is none.
    """
    without = [part for part in parts if not part.checksum]
    if without:
        raise Stopped(
            f"the service has told no checksum of {len(without)} of {len(parts)} parts, neither "
            "in reply nor in its listing, and Complete needs one of each",
            operation="CompleteMultipartReadSetUpload",
            hint="all parts have arrived, and nothing was completed: run the same command again "
            "later; if this stays, ask AWS support about the upload",
        )


def _may_have_completed(failure: CallFailed | LinkFailed) -> bool:
    """Whether a Complete may have worked in spite of this answer: this one or an earlier one.

    What a second Complete answers is not documented, so any refusal of the upload's state may only
    mean that it is done. Throttling says that it was not carried out, and has been tried for as
    long as calls are.
    """
    if retry.is_throttling(failure):
        return False
    if retry.may_retry(failure):
        return True
    return isinstance(failure, CallFailed) and (failure.status == 404 or retry.turns_away(failure))


def _is_refusal(failure: CallFailed | LinkFailed) -> TypeGuard[CallFailed]:
    """Whether another Complete would bring the same answer, however long one waits.

    A conflict (409) may mean that the service is at work on the upload, so that is none, and
    Complete is tried for as long as any call.
    """
    return (
        isinstance(failure, CallFailed)
        and not retry.may_retry(failure)
        and not _is_conflict(failure)
    )


def _refused_for_good(run: Run) -> TurbouploadError:
    """Why Complete isn't called again.

    After each refusal, the last one too, the state has found the upload open, with all its parts,
    and no read set for longer than a listing may lag. Without that last look, what refuses may be
    the end of the upload: another host completes it at any time.
    """
    failure = run.complete_refusals[-1]
    error = retry.explain(failure)
    upload = run.upload
    error.message = (
        f"Complete was refused {len(run.complete_refusals)} times, and the upload was still open "
        f"with all its parts: {error.message}"
    )
    error.hint = (
        "nothing is lost. To send the files anew in a new upload, use `turboupload upload` with "
        "--no-resume"
        + (_small_parts_hint(upload.plan) if failure.status == 400 else "")
        + f"; `turboupload uploads abort {upload.upload_id} --store {upload.store_id} --force` "
        "gives this one up"
    )
    return error


def _is_conflict(failure: CallFailed | LinkFailed) -> bool:
    return isinstance(failure, CallFailed) and failure.status == 409


def _conflict(failure: CallFailed | LinkFailed) -> Stopped:
    return Stopped(
        f"Complete was refused as a conflict for {format_duration(failure.failing_for_s)}, and no "
        f"read set has come: {failure.message}",
        operation=failure.operation,
        hint="run the same command again later: it looks for the read set first",
    )


def _small_parts_hint(plan: Plan) -> str:
    """Whether the service takes parts under 100 MiB that aren't the last is not documented."""
    cut = any(source.size > plan.part_size for source in plan.sources)
    if not cut or plan.part_size >= limits.MAX_PART_BYTES:
        return ""
    return (
        f" --part-size {limits.MAX_PART_BYTES // MIB}MiB (parts of {format_size(plan.part_size)} "
        "may be too small for this service)"
    )
