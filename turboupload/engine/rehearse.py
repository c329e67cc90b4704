"""Finds out what an upload would do, with calls that only read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec.structs import replace

from turboupload.core.model import Phase
from turboupload.core.notices import Rehearsal
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
from turboupload.core.upload.events import Completed, Event, Opened
from turboupload.core.upload.parts.facts import Verdict
from turboupload.engine.result import tell_differences
from turboupload.engine.run import Run

__all__ = ["rehearse"]

_Verdict = Literal["create", "resume", "exists", "complete"]


async def rehearse(
    run: Run, perform: Callable[[Run, Action], Awaitable[Event | None]]
) -> Rehearsal:
    """Drives the state by calls that only read, up to the first action that would change anything.

    Args:
        run: A fresh run.
        perform: Carries an action out.
    """
    verdict = await _verdict(run, perform)
    upload = run.upload
    verdicts = [(part, upload.ledger.verdict(part)) for part in upload.plan.parts()]
    nothing_to_send = verdict in ("exists", "complete")
    return Rehearsal(
        verdict=verdict,
        file_type=upload.file_type,
        part_size=upload.plan.part_size,
        parts=upload.plan.total_parts,
        total_bytes=upload.plan.total_bytes,
        parts_there=upload.ledger.counts.proven_parts,
        parts_to_check=sum(each is Verdict.CHECK for _, each in verdicts),
        bytes_to_send=0
        if nothing_to_send
        else sum(part.size for part, each in verdicts if each in (Verdict.SEND, Verdict.LIST)),
        read_set_id=upload.read_set_id,
        upload_id=upload.upload_id,
    )


async def _verdict(run: Run, perform: Callable[[Run, Action], Awaitable[Event | None]]) -> _Verdict:
    while True:
        action = run.upload.next()
        match action:
            case Declare(Completed() as found):
                listed = run.upload.survey.read_sets if run.upload.survey is not None else ()
                run.upload.receive(found)
                tell_differences(run, listed)
                return "exists"
            case PollReadSet() | Done():
                return "exists"
            case Declare(Opened() as opened):
                run.upload.receive(opened)
            case Declare() | Create():
                return "complete" if run.upload.phase is Phase.OPEN else "create"
            case SendParts():
                return "resume"
            case Complete():
                return "complete"
            case Survey(after_s) if after_s > 0:
                # To find out whether Complete worked would take too long for a rehearsal.
                return "complete"
            case Survey() | ListParts() | Prove():
                if isinstance(action, ListParts):
                    action = replace(action, send=False)
                event = await perform(run, action)
                if event is not None:
                    run.upload.receive(event)
