"""`turboupload uploads`: uploads that were begun and not completed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.options.configurations import connection_config
from turboupload.cli.options.shared import STORE, STORE_COMMAND, option
from turboupload.cli.options.values import DURATION
from turboupload.cli.reporters.open_uploads import upload_fields, upload_properties, upload_rows
from turboupload.cli.reporters.tables import record_lines
from turboupload.cli.session.aborting import Aborter
from turboupload.cli.session.command import Command, Group, run_on_stores
from turboupload.cli.ui.asking import can_ask, confirmed
from turboupload.errors import ConfigError, ServiceRefused
from turboupload.units import format_duration

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.open_uploads import OpenUploads, OpenUploadState
    from turboupload.stores import SequenceStores

__all__ = ["uploads"]


@click.group(cls=Group)
def uploads() -> None:
    """Look after uploads that were begun and not completed."""


# --- list -----------------------------------------------------------------------------------

_PIECE = 100


@uploads.command(
    "list",
    cls=Command,
    words="uploads list",
    examples=("uploads list --store 1234567890",),
    short_help="List the open uploads of a store, what they have and who works on them.",
)
@STORE
@option(
    "--parts/--no-parts",
    prefix="UPLOADS_",
    default=True,
    show_default=True,
    help="Whether to count what each one has: that takes a call for every hundred parts, of "
    "which the service allows five a second.",
)
@STORE_COMMAND
def list_(**given: Any) -> None:
    """List the open uploads of a store, what they have and who works on them.

    HERE says what this machine knows: whether its journal has the upload, so that the same
    `turboupload upload` goes on with it, and whether a process is sending it just now. An upload
    of another machine, or of another state folder, has nothing there. One that was just completed
    may still be listed.
    """
    run_on_stores(given, _list)


async def _list(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.open_uploads import OpenUploads

    here = OpenUploads(stores, given["store"], connection_config(given).state_folder)
    rows = upload_rows(reporter, with_parts=given["parts"])
    waiting: list[OpenUploadState] = []
    # Widths are those of a piece; a program, or ids, need not wait for one.
    piece = _PIECE if reporter.for_people else 1
    async for state in here.uploads():
        waiting.append(await here.with_parts(state) if given["parts"] else state)
        if len(waiting) >= piece:
            rows.write(waiting)
            waiting = []
    rows.write(waiting)
    if here.journal_error is not None:
        reporter.note(f"note: {here.journal_error}; what it knows is not shown")
    if not rows.count:
        reporter.note(f"no open uploads in store {given['store']}")
    return reporter.done(store_id=given["store"], count=rows.count)


# --- show -----------------------------------------------------------------------------------


@uploads.command(
    "show",
    cls=Command,
    words="uploads show",
    examples=("uploads show 7890123456 --store 1234567890",),
    short_help="Show everything that is known about open uploads.",
    no_args_is_help=True,
)
@click.argument("uploads", metavar="ID…", nargs=-1, required=True)
@STORE
@STORE_COMMAND
def show(**given: Any) -> None:
    """Show everything that is known about each open upload ID, here and at the service."""
    run_on_stores(given, _show)


async def _show(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.open_uploads import OpenUploads

    here = OpenUploads(stores, given["store"], connection_config(given).state_folder)
    wanted, missing = await _wanted_uploads(here, given["store"], given["uploads"])
    for count, state in enumerate(wanted):
        full = await here.with_parts(state)
        reporter.event("upload", upload_fields(full))
        if reporter.for_people:
            reporter.result(("\n" if count else "") + record_lines(upload_properties(full)))
        elif not reporter.as_json:
            reporter.result(full.upload.upload_id)
    if here.journal_error is not None:
        reporter.note(f"note: {here.journal_error}; what it knows is not shown")
    if missing is not None:
        raise missing
    return reporter.done(store_id=given["store"], count=len(wanted))


# --- abort and clean ------------------------------------------------------------------------


@uploads.command(
    "abort",
    cls=Command,
    words="uploads abort",
    examples=("uploads abort 7890123456 --store 1234567890",),
    short_help="Abort open uploads; what was sent is deleted.",
    no_args_is_help=True,
)
@click.argument("uploads", metavar="ID…", nargs=-1, required=True)
@STORE
@option("--yes", prefix="UPLOADS_", is_flag=True, help="Don't ask.")
@option(
    "--force",
    prefix="UPLOADS_",
    is_flag=True,
    help="Abort even what may be a read set in the making; that may destroy the read set.",
)
@STORE_COMMAND
def abort(**given: Any) -> None:
    """Give each open upload ID up: what was sent of it is gone.

    Asks first, on a terminal; elsewhere --yes is needed. An upload that a process of this machine
    is sending is left alone, and so is one that may be a read set in the making: the store shows a
    read set of its name, sample and subject, or Complete was called for it from here. Ends when the
    service lists none of those any more whose Abort it took.

    \b
    Exit codes:
      0    they are gone, or the service says that they are not open any more
      2    nobody said yes
      4    one is not listed as open, or the service refused; the others are gone
      5    one is being sent here, may be a read set in the making, or is still listed;
           the others are gone
      130  interrupted
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    run_on_stores(given, _abort)


async def _abort(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.open_uploads import OpenUploads

    if not given["yes"] and not can_ask(given):
        raise ConfigError(
            "there is no terminal to ask whether to abort these uploads",
            hint="say so with --yes; nothing was done",
        )
    here = OpenUploads(stores, given["store"], connection_config(given).state_folder)
    wanted, missing = await _wanted_uploads(here, given["store"], given["uploads"])
    if wanted and not given["yes"]:
        asked = [await here.with_parts(state) for state in wanted]
        upload_rows(reporter, with_parts=True).write(asked)
        what = "this upload" if len(wanted) == 1 else f"these {len(wanted):,} uploads"
        if not await confirmed(f"Give {what} up? What was sent is gone"):
            raise ConfigError("not confirmed; nothing was done")
    aborter = Aborter(here, reporter, spare=not given["force"])
    if missing is not None:
        aborter.fail(missing)
    return await aborter.run(wanted, store_id=given["store"])


@uploads.command(
    "clean",
    cls=Command,
    words="uploads clean",
    examples=(
        "uploads clean --older-than 7d --store 1234567890",
        "uploads clean --older-than 7d --store 1234567890 --yes",
    ),
    short_help="Abort all open uploads that have been idle for long.",
    no_args_is_help=True,
)
@STORE
@option(
    "--older-than",
    prefix="UPLOADS_",
    type=DURATION,
    required=True,
    help="Those that were opened, and got their last part, longer ago than this, such as 7d.",
)
@option(
    "--yes", prefix="UPLOADS_", is_flag=True, help="Abort them; without it they are only listed."
)
@STORE_COMMAND
def clean(**given: Any) -> None:
    """Abort all open uploads that have been idle for long.

    Without --yes it only lists them. An upload counts as worked on when it was opened and whenever
    it got a part, by the service's clock, from whichever machine, and for a minute longer, since
    listings may lag. One that a process of this machine holds is never given up, however old, nor
    one that got a part meanwhile, whose parts can't be looked at, or that may be a read set in the
    making. Those are named, with the reason.
    """
    run_on_stores(given, _clean)


async def _clean(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.open_uploads import OpenUploads

    here = OpenUploads(stores, given["store"], connection_config(given).state_folder)

    async def still_idle(state: OpenUploadState) -> bool:
        now = await here.with_parts(state)
        return now.sources is not None and _is_idle(now, given["older_than"])

    aborter = Aborter(here, reporter, still=still_idle, spare=True)
    found, passed_over = await _idle_for(given["older_than"], here)
    spared = [await here.why_spared(state) for state in found]
    idle = [state for state, why in zip(found, spared, strict=True) if why is None]
    if not (given["yes"] and reporter.quiet):
        upload_rows(reporter, with_parts=True).write(idle)
    for state in passed_over:
        aborter.left.passed_over(state)
    for state, why in zip(found, spared, strict=True):
        if why is not None:
            aborter.left.tell(state, why.reason, why.why)
    about = {
        "store_id": given["store"],
        "dry_run": not given["yes"],
        "held": sum(state.held_by is not None for state in passed_over),
    }
    if idle and given["yes"]:
        return await aborter.run(idle, **about)
    if idle:
        reporter.note(f"nothing was done: add --yes to give {_these(len(idle))} up")
    elif aborter.left.count:
        reporter.note("nothing to abort: all that may have been idle for so long is left alone")
    else:
        reporter.note("nothing to abort: no upload is known to have been idle for longer than "
                    f"{format_duration(given['older_than'])}")  # fmt: skip
    return reporter.done(
        found=len(idle), aborted=0, not_open=0, left_alone=aborter.left.count, **about
    )


async def _idle_for(
    seconds: float, here: OpenUploads
) -> tuple[list[OpenUploadState], list[OpenUploadState]]:
    """Finds the idle uploads, and those that may be idle and are passed over all the same.

    These are held by a live process, have no parts that can be looked at, or no times. Only what
    was opened as long ago costs calls for its parts.
    """
    idle: list[OpenUploadState] = []
    passed_over: list[OpenUploadState] = []
    async for state in here.uploads():
        if state.last_active_at is not None and not _is_idle(state, seconds):
            continue
        if state.last_active_at is None or state.held_by is not None:
            passed_over.append(state)
            continue
        full = await here.with_parts(state)
        # Without parts to look at it is gone, has expired, or its read set is being made.
        if full.sources is None or full.last_active_at is None:
            passed_over.append(full)
        elif _is_idle(full, seconds):
            idle.append(full)
    return idle, passed_over


def _is_idle(state: OpenUploadState, seconds: float) -> bool:
    """Whether an upload has been idle for so long; one without times doesn't count as idle."""
    idle_s = state.idle_s(time.time())
    return idle_s is not None and idle_s > seconds


def _these(count: int) -> str:
    return "it" if count == 1 else f"these {count:,}"


# --- what they share ------------------------------------------------------------------------


async def _wanted_uploads(
    here: OpenUploads, store_id: str, upload_ids: Sequence[str]
) -> tuple[list[OpenUploadState], ServiceRefused | None]:
    """Those that are open, in the order they were named, and what to say of the others.

    Raises:
        ConfigError: One is no id at all.
    """
    from turboupload.core.metadata import check_id
    from turboupload.omics.base import NOT_FOUND

    named = tuple(dict.fromkeys(upload_ids))
    for upload_id in named:
        check_id("an upload", upload_id)
    found = await here.find(named)
    missing = [upload_id for upload_id in named if upload_id not in found]
    error = ServiceRefused(
        f"not an open upload of store {store_id}: {', '.join(missing)}",
        code=NOT_FOUND,
        operation="ListMultipartReadSetUploads",
        hint="it was completed, aborted, or never there; `turboupload uploads list` has those "
        "that are open",
    )
    return [found[each] for each in named if each in found], error if missing else None
