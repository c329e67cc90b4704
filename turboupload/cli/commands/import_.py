"""`turboupload import`: read sets from S3. Its first word may be a verb, a sheet or an S3 URI."""

from __future__ import annotations

import click

from turboupload.cli.lazy import LazyGroup

__all__ = ["import_"]

COMMANDS = {
    "start": "Import the rows of a sheet, or S3 URIs; the word may be left out.",
    "list": "List the import jobs of a store.",
    "show": "Show everything that the service knows of import jobs.",
}


class _Import(LazyGroup):
    """A group whose first command is meant where no other is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the word in that was left out."""
        if args and args[0] not in (*COMMANDS, *ctx.help_option_names):
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(
    "import",
    cls=_Import,
    summaries=COMMANDS,
    home="turboupload.cli.commands.import_",
    targets={"list": "turboupload.cli.commands.import_list:list_"},
    subcommand_metavar="SHEET|S3_URI [S3_URI2]|COMMAND [ARGS]…",
)
def import_() -> None:
    """Import read sets from S3 into a sequence store.

    Without a command, `start` is meant: `turboupload import run42.csv --store …` imports the rows
    of a sheet. A sheet that is called like a command is written as a path, such as ./list.
    """
