"""`turboupload uploads show`: everything that is known of open uploads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores

__all__ = ["show"]


@click.command("show", cls=LookingCommand, no_args_is_help=True)
@click.argument("uploads", metavar="ID…", nargs=-1, required=True)
@STORE
@looking_options
def show(**given: Any) -> None:
    """Show everything that is known of each open upload ID, here and at the service."""
    look("uploads show", given, lambda stores, report: _show(given, stores, report))


async def _show(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.uploads_rows import fields, properties
    from turboupload.cli.commands.uploads_wanted import wanted_uploads
    from turboupload.cli.ui.connecting import connection_config
    from turboupload.cli.ui.tables import record_lines
    from turboupload.open_uploads import Housekeeping

    here = Housekeeping(stores, given["store"], connection_config(given).state_folder)
    wanted, missing = await wanted_uploads(here, given["store"], given["uploads"])
    for count, state in enumerate(wanted):
        full = await here.with_parts(state)
        report.event("upload", fields(full))
        if report.for_people:
            report.result(("\n" if count else "") + record_lines(properties(full)))
        elif not report.as_json:
            report.result(full.upload.upload_id)
    if here.journal_error is not None:
        report.note(f"note: {here.journal_error}; what it knows is not shown")
    if missing is not None:
        raise missing
    return report.done(store_id=given["store"], count=len(wanted))
