"""`turboupload readsets show`: everything that GetReadSetMetadata says."""

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
@click.argument("read_sets", metavar="ID…", nargs=-1, required=True)
@STORE
@looking_options
def show(**given: Any) -> None:
    """Show everything that the service knows of each read set ID.

    What it doesn't say is left out; with --json it is null. Ends at the first ID that isn't there.
    """
    look("readsets show", given, lambda stores, report: _show(given, stores, report))


async def _show(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.readsets_columns import properties
    from turboupload.cli.ui.reporter import fields_of
    from turboupload.cli.ui.tables import record_lines
    from turboupload.core.metadata import check_id

    for read_set_id in given["read_sets"]:
        check_id("a read set", read_set_id)
    for count, read_set_id in enumerate(given["read_sets"]):
        found = await stores.get_read_set_metadata(given["store"], read_set_id)
        report.event("read_set", fields_of(found))
        if report.for_people:
            report.result(("\n" if count else "") + record_lines(properties(found)))
        elif not report.as_json:
            report.result(found.read_set_id)
    return report.done(store_id=given["store"], count=len(given["read_sets"]))
