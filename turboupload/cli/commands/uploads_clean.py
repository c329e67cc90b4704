"""`turboupload uploads clean`: gives up what nobody has worked on for long."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import DURATION, option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.open_uploads import Housekeeping, OpenUploadState
    from turboupload.stores import SequenceStores

__all__ = ["clean"]


@click.command("clean", cls=LookingCommand, no_args_is_help=True)
@STORE
@option(
    "--older-than",
    prefix="UPLOADS_",
    type=DURATION,
    required=True,
    help="Those that were opened, and got their last part, longer ago than this, such as 7d.",
)
@option(
    "--yes", prefix="UPLOADS_", is_flag=True, help="Give them up; without it they are only listed."
)
@looking_options
def clean(**given: Any) -> None:
    """Give up all open uploads that nobody has worked on for long.

    Without --yes it only lists them. An upload counts as worked on when it was opened and whenever
    it got a part, by the service's clock, from whichever machine, and for a minute longer, since
    listings may lag; one that a process of this machine holds is never given up, however old, nor
    one that got a part meanwhile.
    """
    look("uploads clean", given, lambda stores, report: _clean(given, stores, report))


async def _clean(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.giving_up import GivingUp
    from turboupload.cli.commands.uploads_rows import rows_of_uploads
    from turboupload.cli.ui.connecting import connection_config
    from turboupload.open_uploads import Housekeeping
    from turboupload.units import format_duration

    here = Housekeeping(stores, given["store"], connection_config(given).state_folder)
    idle, held = await _idle_for(given["older_than"], here)
    if not (given["yes"] and report.quiet):
        rows_of_uploads(report, with_parts=True).write(idle)
    for state in held:
        report.note(
            f"upload {state.upload.upload_id} is left alone: process {state.held_by or 'unknown'} "
            "is sending it"
        )
    if not idle:
        report.note(f"nothing to give up: no upload is older than "
                    f"{format_duration(given['older_than'])}")  # fmt: skip
    if given["yes"] and idle:

        async def still_idle(state: OpenUploadState) -> bool:
            now = await here.with_parts(state)
            return now.sources is not None and _is_idle(now, given["older_than"])

        return await GivingUp(here, report, still=still_idle).run(
            idle, store_id=given["store"], dry_run=False, held=len(held)
        )
    if idle:
        report.note(f"nothing was done: add --yes to give {_these(len(idle))} up")
    return report.done(
        store_id=given["store"],
        dry_run=not given["yes"],
        found=len(idle),
        aborted=0,
        held=len(held),
    )


async def _idle_for(
    seconds: float, here: Housekeeping
) -> tuple[list[OpenUploadState], list[OpenUploadState]]:
    """Those that nobody has worked on for so long, and those that would be but for a live process.

    Only what was opened as long ago costs calls for its parts.
    """
    idle: list[OpenUploadState] = []
    held: list[OpenUploadState] = []
    async for state in here.uploads():
        if not _is_idle(state, seconds):
            continue
        if state.held_by is not None:
            held.append(state)
            continue
        full = await here.with_parts(state)
        # Without parts to look at it is gone, or its read set is being made.
        if full.sources is not None and _is_idle(full, seconds):
            idle.append(full)
    return idle, held


def _is_idle(state: OpenUploadState, seconds: float) -> bool:
    """Whether nobody has worked on it for so long; one without any time is not known to be old."""
    idle_s = state.idle_s(time.time())
    return idle_s is not None and idle_s > seconds


def _these(count: int) -> str:
    return "it" if count == 1 else f"these {count:,}"
