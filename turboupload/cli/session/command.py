"""The base classes of commands that can write JSON. Imports next to nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.lazy import SuggestingGroup, importing
from turboupload.cli.options.help import HelpfulCommand
from turboupload.cli.options.shared import is_set

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter
    from turboupload.stores import SequenceStores

__all__ = ["Command", "Group", "run_on_stores"]


class Command(HelpfulCommand):
    """With `--json` its last line comes on every ending, also where the options make no sense.

    Args:
        arguments: As `HelpfulCommand` takes them.
        words: What follows `turboupload`, such as `readsets list`; names the last event.
        more: As `HelpfulCommand` takes it.
    """

    def __init__(self, *arguments: Any, words: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.words = words

    def reporter(self, given: Mapping[str, Any]) -> Reporter:
        """The reporter of a run.

        Args:
            given: The options' values by name; those that are left out are off.
        """
        from turboupload.cli.reporters.reporter import Reporter

        return Reporter(self.words, given)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Parses the command line."""
        as_json = "--json" in args or is_set("TURBOUPLOAD_JSON")
        try:
            return super().make_context(info_name, args, parent, **more)
        except click.UsageError as error:
            if as_json:
                no_words = isinstance(error, click.exceptions.NoArgsIsHelpError)
                message = "no arguments were given" if no_words else error.format_message()
                self.reporter({"as_json": True}).misused(message)
            raise


class Group(SuggestingGroup):
    """A group whose commands are listed in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(self.commands)


def run_on_stores(
    given: Mapping[str, Any],
    act: Callable[[Mapping[str, Any], SequenceStores, Any], Awaitable[int]],
) -> None:
    """Runs the current command on the service's stores, and ends the process with its exit code.

    Args:
        given: The options' values by name.
        act: Takes them, the stores and the command's reporter; returns the exit code.
    """
    command = click.get_current_context().command
    assert isinstance(command, Command)
    with importing():
        from turboupload.cli.session.run import Session

        reporter = command.reporter(given)

    async def run() -> int:
        from turboupload.cli.options.configurations import connection_config
        from turboupload.cli.options.store import with_store_id
        from turboupload.stores import SequenceStores

        async with SequenceStores(connection_config(given), on_event=reporter.hear) as stores:
            return await act(await with_store_id(given, stores), stores, reporter)

    Session(reporter).run(run, int, needs=("turboupload.stores", "turboupload.config"))
