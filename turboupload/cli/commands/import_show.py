"""`turboupload import show`: everything that GetReadSetImportJob says."""

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
@click.argument("jobs", metavar="JOB…", nargs=-1, required=True)
@STORE
@looking_options
def show(**given: Any) -> None:
    """Show everything that the service knows of each import JOB, and of each of its sources.

    What it doesn't say is left out; with --json it is null. With --quiet, each source is a line of
    status, read set id, name and first file, tabs between. Ends at the first JOB that isn't there.
    """
    look("import show", given, lambda stores, report: _show(given, stores, report))


async def _show(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.import_columns import described, source_lines
    from turboupload.cli.ui.reporter import fields_of
    from turboupload.core.metadata import check_id

    for job_id in given["jobs"]:
        check_id("an import job", job_id)
    for count, job_id in enumerate(given["jobs"]):
        job = await stores.get_read_set_import_job(given["store"], job_id)
        report.event("job", fields_of(job))
        if report.for_people:
            report.result(("\n" if count else "") + described(job))
        elif not report.as_json:
            report.result(source_lines(job))
    return report.done(store_id=given["store"], count=len(given["jobs"]))
