"""The actions that an upload's state asks for, carried out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from msgspec.structs import replace

from turboupload.clock import Clock
from turboupload.core.model import Phase
from turboupload.core.notices import Planned
from turboupload.core.rate.retry import explain, turns_away
from turboupload.core.upload.actions import (
    Action,
    Complete,
    Create,
    Declare,
    Done,
    ListParts,
    PollReadSet,
    Prove,
    SendParts,
    Survey,
)
from turboupload.core.upload.events import (
    Completed,
    Completing,
    Event,
    Opened,
    Opening,
    PartsListed,
    Surveyed,
    UploadGone,
    UploadRefused,
)
from turboupload.engine.complete import Completer
from turboupload.engine.create import Creator
from turboupload.engine.parts import PartSender
from turboupload.engine.poll import ReadSetPoller
from turboupload.engine.proving.proof import Prover
from turboupload.engine.run import Run
from turboupload.engine.survey import OpenUploads, list_all_parts, survey
from turboupload.errors import CallFailed
from turboupload.omics.base import NOT_FOUND
from turboupload.units import format_size

__all__ = ["Performer"]


class Performer:
    """Carries actions out, and returns the facts that they brought.

    Args:
        clock: The time.
        creator: Creates uploads.
        sender: Sends and compares their parts.
        completer: Completes them.
        poller: Asks for their read sets.
        prover: Computes the ETags of their files.
        open_uploads: What is open in a store.
        made_otherwise: Which read sets came of other uploads, as far as the journal knows.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        creator: Creator,
        sender: PartSender,
        completer: Completer,
        poller: ReadSetPoller,
        prover: Prover,
        open_uploads: Callable[[str], OpenUploads],
        made_otherwise: Callable[[Run, frozenset[str]], Awaitable[frozenset[str]]],
    ) -> None:
        self._clock = clock
        self._creator = creator
        self._sender = sender
        self._completer = completer
        self._poller = poller
        self._prover = prover
        self._open_uploads = open_uploads
        self._made_otherwise = made_otherwise

    async def perform(self, run: Run, action: Action) -> Event | None:
        """Carries one action out.

        Returns:
            The fact that it brought; None where it brought none, or delivered its facts itself.

        Raises:
            CallFailed: The service refused, or went on failing.
            LinkFailed: No answer came, for too long.
            TurbouploadError: See `turboupload.errors`.
        """
        match action:
            case Survey():
                return await self._survey(run, action)
            case Declare(event):
                if isinstance(event, Completing):
                    await run.agree_with_manifests()
                if isinstance(event, Opening):
                    run.resumed = False
                elif isinstance(event, Opened | Completed) and event.adopted:
                    run.resumed = True
                if run.upload.cut_of_others is not None:
                    run.remark(
                        "cut-of-others",
                        "another host uploads the same files in parts of "
                        f"{format_size(run.upload.cut_of_others)}: its parts are compared with "
                        "these files, and the upload continues in the same way",
                    )
                return event
            case Create(token):
                return await self._creator.create(run, token)
            case ListParts(upload_id, send=False):
                return await self._list_parts(run, upload_id)
            case ListParts(upload_id):
                return await self._send(run, upload_id, list_first=True)
            case SendParts(upload_id, compare_only):
                return await self._send(run, upload_id, compare_only=compare_only)
            case Complete(parts=parts):
                # An earlier run may have declared it without manifests.
                await run.agree_with_manifests()
                return await self._completer.complete(run, parts)
            case PollReadSet(read_set_id):
                return await self._poller.poll(run, read_set_id)
            case Prove(family):
                return await self._prover.answer(run, family)
            case Done():
                return None

    async def _survey(self, run: Run, action: Survey) -> Surveyed:
        upload = run.upload
        if action.after_s > 0 and upload.phase is Phase.OPENING:
            run.remark(
                "create-unanswered",
                "Create was not answered in time, and an open upload without parts may be the one "
                "that it made, or another host's: it is used when no parts come up in it",
            )
        if action.after_s > 0 and upload.waits_for_others:
            run.remark(
                "waits-for-others",
                "all parts were there when this run began, so a read set may have been made of "
                "them: it is looked for before Complete is called"
                if upload.ledger.complete_before
                else "a read set may have been made of an earlier upload of these files: it is "
                "looked for before Complete is called"
                if upload.unsettled
                else "all parts are there; another upload of this name, sample and subject "
                "may hold the same files, so Complete waits: it may become a read set",
            )
        if action.after_s > 0:
            await self._clock.sleep(action.after_s)
        first = upload.phase is Phase.PLANNED and not run.surveyed
        run.surveyed = True
        ask = run.surveyor if first else None
        found = await (ask or partial(survey, uploads=self._open_uploads(upload.store_id)))(
            run.service,
            store_id=upload.store_id,
            read_set=upload.read_set,
            file_type=upload.file_type,
            plan=upload.plan,
            probe=action.probe,
            ours=upload.upload_id,
        )
        if upload.phase is Phase.PLANNED and upload.plan.streamed:
            _tell_left_open(run, found)
        new = frozenset(each.read_set_id for each in found.read_sets) - upload.known_read_sets
        if new and upload.phase in (Phase.OPEN, Phase.COMPLETING):
            # A listing that lags may show only now what was made before this upload was opened.
            found = replace(found, made_otherwise=await self._made_otherwise(run, new))
        return found

    async def _send(
        self, run: Run, upload_id: str, *, compare_only: bool = False, list_first: bool = False
    ) -> Event | None:
        _tell_plan(run, upload_id)
        await self._sender.send(run, compare_only=compare_only, list_first=list_first)
        if run.recut is not None:
            # Durable before its first part is sent, and listed once more.
            return Opened(upload_id=upload_id, adopted=False, part_size=run.recut)
        return _gone(run, upload_id, run.turned_away) if run.turned_away is not None else None

    async def _list_parts(self, run: Run, upload_id: str) -> Event:
        try:
            parts = await list_all_parts(
                run.service, run.ref, run.upload.plan.sources, run.upload.file_type
            )
        except CallFailed as failure:
            if not turns_away(failure):
                raise
            return _gone(run, upload_id, failure)
        return PartsListed(parts)


def _tell_left_open(run: Run, found: Surveyed) -> None:
    """Tells the user of unfinished uploads of a stream, and how to remove them.

    They can't be resumed.
    """
    for each in found.candidates:
        upload_id = each.upload.upload_id
        run.remark(
            f"left-open-{upload_id}",
            f"upload {upload_id} of this name, sample and subject is open, with {len(each.parts)} "
            "parts: perhaps an earlier run's, that ended early. What a pipe gave can't be read "
            "again, so this run starts from the beginning; `turboupload uploads abort "
            f"{upload_id} --store {run.upload.store_id}` removes what is left",
        )


def _gone(run: Run, upload_id: str, failure: CallFailed) -> UploadGone | UploadRefused:
    if failure.code != NOT_FOUND:
        run.remark(
            "upload-refused",
            f"upload {upload_id} was refused ({failure.message}): looking whether it is still open",
        )
        return UploadRefused(failure.operation, failure.code, explain(failure).message)
    run.remark(
        "upload-gone",
        f"upload {upload_id} is no longer open: it was completed, aborted, or it expired",
    )
    return UploadGone()


def _tell_plan(run: Run, upload_id: str) -> None:
    plan, ledger = run.upload.plan, run.upload.ledger
    run.notify(
        Planned(
            upload_id=upload_id,
            resumed=run.resumed,
            part_size=plan.part_size,
            parts=plan.total_parts,
            total_bytes=plan.total_bytes,
            # By the journal, where the listing is yet to come.
            parts_there=ledger.listed_parts if run.upload.listed else ledger.counts.arrived_parts,
        )
    )
