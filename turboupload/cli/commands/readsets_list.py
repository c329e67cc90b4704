"""`turboupload readsets list`: the read sets of a store, page by page as they come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import MOMENT, option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.core.filters import ReadSetFilter
    from turboupload.stores import SequenceStores

__all__ = ["list_", "wanted_read_sets"]

_STATUSES = (
    "ACTIVE", "ACTIVATING", "ARCHIVED", "DELETING", "DELETED", "PROCESSING_UPLOAD", "UPLOAD_FAILED",
)  # fmt: skip


_filter = partial(option, prefix="READSETS_")


@click.command("list", cls=LookingCommand)
@STORE
@_filter("--name", metavar="NAME", help="Only those of exactly this name.")
@_filter("--sample", metavar="ID", help="Only those of exactly this sample.")
@_filter("--subject", metavar="ID", help="Only those of exactly this subject.")
@_filter(
    "--status",
    type=click.Choice(_STATUSES, case_sensitive=False),
    metavar="STATUS",
    help="Only those in this state, such as ACTIVE, ARCHIVED, PROCESSING_UPLOAD or UPLOAD_FAILED.",
)
@_filter("--reference", metavar="ARN", help="Only those aligned to this reference.")
@_filter("--generated-from", metavar="TEXT", help="Only those of exactly this origin.")
@_filter(
    "--creation-type",
    type=click.Choice(("IMPORT", "UPLOAD"), case_sensitive=False),
    metavar="IMPORT|UPLOAD",
    help="Only those that came in this way.",
)
@_filter(
    "--created-after",
    type=MOMENT,
    help="Only those made after this moment (2026-11-24T09:30Z, UTC without a zone) or within "
    "this time (7d).",
)
@_filter(
    "--created-before",
    type=MOMENT,
    help="Only those made before this moment, or longer ago than this time (7d).",
)
@_filter("--limit", metavar="N", type=click.IntRange(min=1), help="Stop after so many.")
@looking_options
def list_(**given: Any) -> None:
    """List the read sets of a store, all or those for which every filter holds.

    Rows are printed as they come, a hundred at a time. A listing says neither sizes nor files:
    `readsets show` does.
    """
    look("readsets list", given, lambda stores, report: _list(given, stores, report))


async def _list(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.readsets_columns import COLUMNS
    from turboupload.cli.ui.reporter import fields_of
    from turboupload.cli.ui.rows import Rows

    limit: int | None = given["limit"]
    listing = stores.list_read_sets(
        given["store"], wanted_read_sets(given), page_size=min(limit or 100, 100)
    )
    rows = Rows(report, "read_set", COLUMNS, fields=fields_of, id_of=lambda row: row.read_set_id)
    complete = True
    async for page in listing.pages():
        left = None if limit is None else limit - rows.count
        rows.write(page.rows[:left])
        if rows.count == limit:
            complete = len(page.rows) == left and page.next_token is None
            break
    if not rows.count:
        report.note(f"no read sets{_in_words(given)} in store {given['store']}")
    elif not complete:
        report.note(f"stopped after {limit:,}: there may be more")
    return report.done(store_id=given["store"], count=rows.count, complete=complete)


def wanted_read_sets(given: Mapping[str, Any]) -> ReadSetFilter:
    """The filter of the options."""
    from turboupload.core.filters import ReadSetFilter

    return ReadSetFilter(
        name=given["name"],
        sample_id=given["sample"],
        subject_id=given["subject"],
        status=given["status"],
        reference_arn=given["reference"],
        generated_from=given["generated_from"],
        creation_type=given["creation_type"],
        created_after=given["created_after"],
        created_before=given["created_before"],
    )


def _in_words(given: Mapping[str, Any]) -> str:
    filters = (
        "name", "sample", "subject", "status", "reference", "generated_from", "creation_type",
        "created_after", "created_before",
    )  # fmt: skip
    return " that pass the filter" if any(given[name] is not None for name in filters) else ""
