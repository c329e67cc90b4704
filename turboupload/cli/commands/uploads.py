"""`turboupload uploads`: uploads that were begun and not completed."""

from __future__ import annotations

import click

from turboupload.cli.lazy import LazyGroup

__all__ = ["uploads"]

COMMANDS = {
    "list": "List the open uploads of a store, what they have and who works on them.",
    "show": "Show everything that is known of open uploads.",
    "abort": "Give open uploads up; what was sent is gone.",
    "clean": "Give up all open uploads that nobody has worked on for long.",
}


@click.group(
    cls=LazyGroup,
    summaries=COMMANDS,
    home="turboupload.cli.commands.uploads_",
    targets={"list": "turboupload.cli.commands.uploads_list:list_"},
)
def uploads() -> None:
    """Look after uploads that were begun and not completed."""
