"""`turboupload uploads abort`: gives named uploads up."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from turboupload.cli.ui.options import option
from turboupload.cli.ui.session import STORE, LookingCommand, look, looking_options
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.cli.ui.reporter import Report
    from turboupload.stores import SequenceStores

__all__ = ["abort"]


@click.command("abort", cls=LookingCommand, no_args_is_help=True)
@click.argument("uploads", metavar="ID…", nargs=-1, required=True)
@STORE
@option("--yes", prefix="UPLOADS_", is_flag=True, help="Don't ask.")
@looking_options
def abort(**given: Any) -> None:
    """Give each open upload ID up: what was sent of it is gone.

    Asks first, on a terminal; elsewhere --yes is needed. An upload that a process of this machine
    is sending is left alone. Ends when the service lists none of them any more.

    \b
    Exit codes:
      0    they are gone
      2    nobody said yes
      4    one is not open, or the service refused; the others are gone
      5    one is being sent here, or is still listed; the others are gone
      130  interrupted
    """  # noqa: D301 - click's own mark for text that must not be wrapped
    look("uploads abort", given, lambda stores, report: _abort(given, stores, report))


def _can_ask(given: Mapping[str, Any]) -> bool:
    return not given["as_json"] and sys.stdin is not None and sys.stdin.isatty()


async def _abort(given: Mapping[str, Any], stores: SequenceStores, report: Report) -> int:
    from turboupload.cli.commands.giving_up import GivingUp
    from turboupload.cli.commands.uploads_rows import rows_of_uploads
    from turboupload.cli.commands.uploads_wanted import wanted_uploads
    from turboupload.cli.ui.connecting import connection_config
    from turboupload.open_uploads import Housekeeping

    if not given["yes"] and not _can_ask(given):
        raise ConfigError(
            "nobody can be asked here whether to give these uploads up",
            hint="say so with --yes; nothing was done",
        )
    here = Housekeeping(stores, given["store"], connection_config(given).state_folder)
    wanted, missing = await wanted_uploads(here, given["store"], given["uploads"])
    if wanted and not given["yes"]:
        asked = [await here.with_parts(state) for state in wanted]
        rows_of_uploads(report, with_parts=True).write(asked)
        if not await _confirmed(len(wanted)):
            raise ConfigError("not confirmed; nothing was done")
    giving_up = GivingUp(here, report)
    if missing is not None:
        giving_up.fail(missing)
    return await giving_up.run(wanted, store_id=given["store"])


async def _confirmed(count: int) -> bool:
    import anyio.to_thread

    what = "this upload" if count == 1 else f"these {count:,} uploads"
    prompt = f"Give {what} up? What was sent is gone [y/N]: "
    click.echo(prompt, nl=False, err=True)
    # In a thread that is left behind by an interrupt: a signal ends the wait at once.
    answer = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return answer.strip().lower() in ("y", "yes")
