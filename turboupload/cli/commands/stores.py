"""`turboupload stores`: the sequence stores of an account and Region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.options.shared import STORE_COMMAND, option
from turboupload.cli.reporters.tables import Column, Rows, moment_text
from turboupload.cli.session.command import Command, Group, run_on_stores
from turboupload.cli.ui.events import fields_of

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.core.records import SequenceStoreDetails
    from turboupload.stores import SequenceStores

__all__ = ["stores"]


@click.group(cls=Group)
def stores() -> None:
    """Look at the sequence stores."""


@stores.command(
    "list",
    cls=Command,
    words="stores list",
    examples=("stores list --region eu-central-1",),
    short_help="List the sequence stores of the account and Region.",
)
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
@STORE_COMMAND
def list_(**given: Any) -> None:
    """List the sequence stores of the account and Region."""
    run_on_stores(given, _list)


async def _list(given: Mapping[str, Any], stores: SequenceStores, reporter: Reporter) -> int:
    from turboupload.core.filters import SequenceStoreFilter

    columns: tuple[Column[SequenceStoreDetails], ...] = (
        Column("ID", lambda row: row.store_id),
        Column("STATUS", lambda row: row.status),
        Column("NAME", lambda row: row.name, whole=False),
        Column("DESCRIPTION", lambda row: row.description, whole=False),
        Column("ETAGS", lambda row: row.etag_algorithm_family),
        Column("CREATED (UTC)", lambda row: moment_text(row.created_at, seconds=False)),
    )
    rows = Rows(reporter, "store", columns, fields=fields_of, id_of=lambda row: row.store_id)
    wanted = SequenceStoreFilter(name=given["name"], status=given["status"])
    await rows.write_listing(stores.list_sequence_stores, wanted)
    if not rows.count:
        exact = " of exactly this name" if given["name"] is not None else ""
        reporter.note(f"no sequence stores{exact} in {stores.where}")
    return reporter.done(where=stores.where, count=rows.count)
