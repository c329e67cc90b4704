"""`turboupload import list`: the import jobs of a store, page by page as they come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import MOMENT, option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores

__all__ = ["list_"]

_STATUSES = (
    "SUBMITTED", "IN_PROGRESS", "CANCELLING", "CANCELLED", "FAILED", "COMPLETED",
    "COMPLETED_WITH_FAILURES",
)  # fmt: skip

_filter = partial(option, prefix="IMPORT_")


@click.command("list", cls=LookingCommand)
@STORE
@_filter(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help="Only those in this state, such as IN_PROGRESS or COMPLETED_WITH_FAILURES.",
)
@_filter(
    "--created-after",
    type=MOMENT,
    help="Only those started after this moment (2026-11-24T09:30Z, UTC without a zone) or within "
    "this time (7d).",
)
@_filter(
    "--created-before",
    type=MOMENT,
    help="Only those started before this moment, or longer ago than this time (7d).",
)
@_filter("--limit", metavar="N", type=click.IntRange(min=1), help="Stop after so many.")
@looking_options
def list_(**given: Any) -> None:
    """List the import jobs of a store, all or those for which every filter holds.

    A listing doesn't say what the jobs import: `import show` does.
    """
    look("import list", given, lambda stores, report: _list(given, stores, report))


async def _list(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.import_columns import JOB_COLUMNS, job_fields
    from turboupload.cli.ui.rows import Rows
    from turboupload.core.filters import ImportJobFilter

    limit: int | None = given["limit"]
    wanted = ImportJobFilter(
        status=given["status"],
        created_after=given["created_after"],
        created_before=given["created_before"],
    )
    listing = stores.list_read_set_import_jobs(
        given["store"], wanted, page_size=min(limit or 100, 100)
    )
    rows = Rows(report, "job", JOB_COLUMNS, fields=job_fields, id_of=lambda job: job.job_id)
    complete = True
    async for page in listing.pages():
        left = None if limit is None else limit - rows.count
        rows.write(page.rows[:left])
        if rows.count == limit:
            complete = len(page.rows) == left and page.next_token is None
            break
    if not rows.count:
        which = " that pass the filter" if wanted != ImportJobFilter() else ""
        report.note(f"no import jobs{which} in store {given['store']}")
    elif not complete:
        report.note(f"stopped after {limit:,}: there may be more")
    return report.done(store_id=given["store"], count=rows.count, complete=complete)
