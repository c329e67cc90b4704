"""`turboupload uploads list`: the open uploads of a store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores

__all__ = ["list_"]

_PIECE = 100


@click.command("list", cls=LookingCommand)
@STORE
@option(
    "--parts/--no-parts",
    prefix="UPLOADS_",
    default=True,
    show_default=True,
    help="Whether to count what each one has: that takes a call for every hundred parts, of "
    "which the service allows five a second.",
)
@looking_options
def list_(**given: Any) -> None:
    """List the open uploads of a store, what they have and who works on them.

    HERE says what this machine knows: whether its journal has the upload, so that the same
    `turboupload upload` goes on with it, and whether a process is sending it just now. An upload
    of another machine, or of another state folder, has nothing there. One that was just completed
    may still be listed.
    """
    look("uploads list", given, lambda stores, report: _list(given, stores, report))


async def _list(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.uploads_rows import rows_of_uploads
    from turboupload.cli.ui.connecting import connection_config
    from turboupload.open_uploads import Housekeeping, OpenUploadState

    here = Housekeeping(stores, given["store"], connection_config(given).state_folder)
    rows = rows_of_uploads(report, with_parts=given["parts"])
    waiting: list[OpenUploadState] = []
    # Widths are those of a piece; a program, or ids, need not wait for one.
    piece = _PIECE if report.for_people else 1
    async for state in here.uploads():
        waiting.append(await here.with_parts(state) if given["parts"] else state)
        if len(waiting) >= piece:
            rows.write(waiting)
            waiting = []
    rows.write(waiting)
    if here.journal_error is not None:
        report.note(f"note: {here.journal_error}; what it knows is not shown")
    if not rows.count:
        report.note(f"no open uploads in store {given['store']}")
    return report.done(store_id=given["store"], count=rows.count)
