"""Every command of the command line, those of groups too."""

from __future__ import annotations

from collections.abc import Iterator

import click

from turboupload.cli.main import cli

__all__ = ["COMMAND_NAMES", "command"]


def _walk(group: click.Group, before: tuple[str, ...]) -> Iterator[str]:
    for name in group.list_commands(click.Context(group)):
        words = (*before, name)
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from _walk(found, words)
        else:
            yield " ".join(words)


COMMAND_NAMES = tuple(_walk(cli, ()))
"""Such as `upload` and `readsets list`."""


def command(name: str) -> click.Command:
    """The command of a name, such as `readsets list`."""
    found: click.Command | None = cli
    for word in name.split():
        assert isinstance(found, click.Group), name
        found = found.get_command(click.Context(found), word)
    assert found is not None, name
    return found
