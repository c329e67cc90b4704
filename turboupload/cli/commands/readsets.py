"""`turboupload readsets`: what is in a sequence store."""

from __future__ import annotations

import click

from turboupload.cli.lazy import LazyGroup

__all__ = ["readsets"]

COMMANDS = {
    "list": "List the read sets of a store, all or those that pass a filter.",
    "show": "Show everything that the service knows of read sets.",
    "wait": "Wait until read sets are ACTIVE.",
    "verify": "Compare files with a read set, by its ETag.",
}


@click.group(
    cls=LazyGroup,
    summaries=COMMANDS,
    home="turboupload.cli.commands.readsets_",
    targets={"list": "turboupload.cli.commands.readsets_list:list_"},
)
def readsets() -> None:
    """Look at the read sets of a sequence store."""
