"""`turboupload stores`: the sequence stores of an account and Region."""

from __future__ import annotations

import click

from turboupload.cli.lazy import LazyGroup

__all__ = ["stores"]

COMMANDS = {"list": "List the sequence stores of the account and Region."}


@click.group(
    cls=LazyGroup,
    summaries=COMMANDS,
    home="turboupload.cli.commands.stores_",
    targets={"list": "turboupload.cli.commands.stores_list:list_"},
)
def stores() -> None:
    """Look at the sequence stores."""
