"""`turboupload config`: the settings of a command, and where each of them comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from turboupload.cli.options.config_file import ConfigChoice, ConfigFile, option_key
from turboupload.cli.options.shared import option
from turboupload.cli.session.command import Command, Group
from turboupload.core.characters import without_passwords

if TYPE_CHECKING:
    from turboupload.cli.reporters.reporter import Reporter

__all__ = ["config"]


@click.group(cls=Group)
def config() -> None:
    """Look at the settings, and where each comes from.

    Every option of every command can be set in three ways. Whichever comes first is used:

    \b
    1. on the command line: --max-bandwidth 200MiB/s
    2. in the environment:  TURBOUPLOAD_MAX_BANDWIDTH=200MiB/s
    3. in a file, ~/.config/turboupload/config.toml:

    \b
         store = "1234567890"            # every command that has such an option
         max-bandwidth = "200MiB/s"
         quota = ["UploadReadSetPart=20"]
         [batch]                         # this command alone
         fail-fast = true
         [profiles.nova]                 # with --config-profile nova
         store = "2345678901"

    `turboupload --config FILE COMMAND` takes another file.
    """  # noqa: D301 - click's own mark for text that must not be wrapped


@config.command(
    "show",
    cls=Command,
    words="config show",
    examples=("config show upload", "config show batch --all"),
    short_help="Show the settings of a command, and where each comes from.",
)
@click.argument("words", metavar="[COMMAND]…", nargs=-1)
@option(
    "--all", "everything", is_flag=True, prefix="CONFIG_", help="Also options that are not set."
)
@option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
def show(**given: Any) -> None:
    """Show the settings of COMMAND (upload, if left out), and where each comes from."""
    from turboupload.cli.reporters.reporter import Reporter

    ctx = click.get_current_context()
    root, choice = ctx.find_root(), ctx.find_object(ConfigChoice)
    assert choice is not None
    settings = choice.read()
    if settings is not None:
        settings.check(root)
    words = list(given["words"]) or ["upload"]
    found = list(_found(_command(root, words), root, settings, words))
    ctx.exit(_tell(found, settings, choice, Reporter("config show", given), given))


@dataclass(frozen=True, slots=True)
class _Setting:
    option: str
    value: Any
    source: str


def _command(root: click.Context, words: list[str]) -> click.Command:
    command, ctx = root.command, root
    for word in words:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"`{command.name}` has no commands of its own")
        _, below, _ = command.resolve_command(ctx, [word])
        assert below is not None
        command, ctx = below, click.Context(below, info_name=word, parent=ctx)
    if isinstance(command, click.Group):
        names = ", ".join(command.list_commands(ctx))
        raise click.UsageError(f"which of its commands: {names}?")
    return command


def _found(
    command: click.Command, root: click.Context, settings: ConfigFile | None, words: list[str]
) -> Iterator[_Setting]:
    defaults = settings.defaults(command, words) if settings is not None else {}
    ctx = click.Context(command, parent=root, default_map=defaults)
    for parameter in command.params:
        if (key := option_key(parameter)) is None:
            continue
        value, source = parameter.consume_value(ctx, {})
        if isinstance(value, str):
            value = without_passwords(value)
        match source:
            case ParameterSource.ENVIRONMENT:
                yield _Setting(key, value, f"environment: {_variable(parameter)}")
            case ParameterSource.DEFAULT_MAP:
                assert settings is not None
                yield _Setting(key, value, f"file: {settings.origin(parameter, words)}")
            case _:
                default = parameter.get_default(ctx)
                # click marks what has no default by an object of its own.
                known = isinstance(default, str | int | float | list | tuple)
                yield _Setting(key, default if known else None, "default")


def _variable(parameter: click.Parameter) -> str:
    names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
    return next(each for each in names if each in os.environ)


def _tell(
    found: list[_Setting],
    settings: ConfigFile | None,
    choice: ConfigChoice,
    reporter: Reporter,
    given: Mapping[str, Any],
) -> int:
    from turboupload.cli.reporters.tables import Column, Rows

    columns: tuple[Column[_Setting], ...] = (
        Column("OPTION", lambda row: f"--{row.option}"),
        Column("VALUE", lambda row: _text(row.value), whole=False),
        Column("FROM", lambda row: row.source, whole=False),
    )
    rows = Rows(
        reporter,
        "setting",
        columns,
        fields=lambda row: {"option": row.option, "value": row.value, "source": row.source},
        id_of=lambda row: row.option,
    )
    rows.write([each for each in found if given["everything"] or each.source != "default"])
    where = choice.file
    there = "" if settings is not None else ", which is not there"
    reporter.note(f"settings file: {where}{there}" if where else "settings file: none, and no home")
    if not rows.count:
        reporter.note("nothing is set: every option has its default (--all shows them)")
    return reporter.done(
        path=str(where) if where else None, exists=settings is not None, count=rows.count
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
