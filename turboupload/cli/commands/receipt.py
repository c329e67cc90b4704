"""`turboupload receipt`: what was sent, what became of it, and what that proves."""

from __future__ import annotations

import click

from turboupload.cli.lazy import LazyGroup

__all__ = ["receipt"]

COMMANDS = {
    "show": "Print the receipt of a read set, as the journal has it.",
    "verify": "Compare files with a receipt: are they proven to be in the store?",
}


@click.group(cls=LazyGroup, summaries=COMMANDS, home="turboupload.cli.commands.receipt_")
def receipt() -> None:
    """The receipts of what was uploaded."""
