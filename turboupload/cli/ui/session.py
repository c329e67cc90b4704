"""Commands that look at a store and after it: one way to run them, and to end."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from turboupload.cli.lazy import importing
from turboupload.cli.ui.misuse import PromisingCommand
from turboupload.cli.ui.options import connection_options, option
from turboupload.errors import TurbouploadError

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.cli.ui.signals import Signals
    from turboupload.stores import SequenceStores

__all__ = ["STORE", "Act", "LookingCommand", "look", "looking_options"]

F = TypeVar("F", bound=Callable[..., Any])

Act = Callable[["SequenceStores", "Report"], Awaitable[int]]
"""What a command does; returns the exit code."""

STORE = option("--store", metavar="ID", required=True, help="The sequence store: 10 to 36 digits.")
"""The store, for every command that looks at one."""


class LookingCommand(PromisingCommand):
    """One whose results are told by a `Report`."""

    def tell_misuse(self, error: click.UsageError, words: str) -> None:
        """See `PromisingCommand`."""
        from turboupload.cli.ui.reporter import Report

        Report(words, as_json=True, quiet=False, verbosity=0).misused(error)


def looking_options(command: F) -> F:
    """How results are told and the service is reached: the same for every one of these commands."""
    command = connection_options(command)
    for each in reversed(
        (
            option(
                "--json",
                "as_json",
                is_flag=True,
                help="One JSON object a line on stdout, the last one how it ended.",
            ),
            option("--quiet", is_flag=True, help="Print ids, one a line, and nothing but errors."),
            option(
                "--verbose", "-v", count=True, help="Log calls that fail on stderr; -vv every call."
            ),
        )
    ):
        command = each(command)
    return command


def look(command: str, given: Mapping[str, Any], act: Act) -> None:
    """Runs a command to its end, and ends the process with its exit code.

    Args:
        command: Its words, such as `readsets list`.
        given: The options' values by name.
        act: What it does.
    """
    with importing():
        from turboupload.cli.ui.reporter import Report
        from turboupload.cli.ui.signals import Signals

    report = Report(
        command, as_json=given["as_json"], quiet=given["quiet"], verbosity=given["verbose"]
    )
    with Signals(report.interrupted) as signals:
        sys.exit(_perform(given, act, report, signals))


def _perform(given: Mapping[str, Any], act: Act, report: Report, signals: Signals) -> int:
    from turboupload.cli.ui.reporter import StdoutLost

    try:
        # A third of a second of imports, in which a signal is heard as well.
        with importing():
            from turboupload.cli.ui.connecting import connection_config
            from turboupload.cli.ui.logs import configure_logs
            from turboupload.stores import SequenceStores

        async def run() -> int:
            async with SequenceStores(connection_config(given), on_event=report.hear) as stores:
                return await act(stores, report)

        configure_logs(given["verbose"], report.line)
        return signals.run(run)
    except KeyboardInterrupt:
        return report.interrupted()
    except StdoutLost as lost:
        return report.interrupted() if signals.caught else report.lost_stdout(lost)
    except TurbouploadError as error:
        return report.interrupted() if signals.caught else report.failed(error)
    except Exception as error:  # a program that reads JSON gets its last line for a bug, too
        return report.interrupted() if signals.caught else report.unexpected(error)
