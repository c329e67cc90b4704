"""`turboupload stores list`: the sequence stores of an account and Region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import option
from turboupload.cli.ui.session import LookingCommand, look, looking_options

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores

__all__ = ["list_"]


@click.command("list", cls=LookingCommand)
@option("--name", prefix="STORES_", metavar="NAME", help="Only those of exactly this name.")
@option(
    "--status",
    prefix="STORES_",
    type=click.Choice(
        ("ACTIVE", "CREATING", "DELETING", "FAILED", "UPDATING"), case_sensitive=False
    ),
    metavar="STATUS",
    help="Only those in this state: ACTIVE, CREATING, UPDATING, DELETING or FAILED.",
)
@looking_options
def list_(**given: Any) -> None:
    """List the sequence stores of the account and Region."""
    look("stores list", given, lambda stores, report: _list(given, stores, report))


async def _list(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.ui.reporter import fields_of
    from turboupload.cli.ui.rows import Rows
    from turboupload.cli.ui.tables import Column, moment_text
    from turboupload.core.filters import SequenceStoreFilter
    from turboupload.core.records import SequenceStoreDetails

    columns: tuple[Column[SequenceStoreDetails], ...] = (
        Column("ID", lambda row: row.store_id),
        Column("STATUS", lambda row: row.status),
        Column("NAME", lambda row: row.name, whole=False),
        Column("DESCRIPTION", lambda row: row.description, whole=False),
        Column("ETAGS", lambda row: row.etag_algorithm_family),
        Column("CREATED (UTC)", lambda row: moment_text(row.created_at, seconds=False)),
    )
    rows = Rows(report, "store", columns, fields=fields_of, id_of=lambda row: row.store_id)
    wanted = SequenceStoreFilter(name=given["name"], status=given["status"])
    async for page in stores.list_sequence_stores(wanted).pages():
        rows.write(page.rows)
    if not rows.count:
        report.note(f"no sequence stores in {stores.where}")
    return report.done(where=stores.where, count=rows.count)
