"""The rules of `turboupload watch`, from TOML: patterns of runs, and options of the command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from turboupload.cli.options.config_file import option_key, read_toml
from turboupload.errors import ConfigError
from turboupload.units import parse_duration

__all__ = ["RuleOfFile", "read_rules"]

_OWN: Final = frozenset({"match", "skip", "sentinel", "settle"})
_OF_THE_WATCHER: Final = frozenset(
    {
        "again", "dry-run", "every", "json", "metrics", "once", "output", "poll", "quiet", "report",
        "rules", "state-dir", "status", "verbose",
    }
)  # fmt: skip
"""What a rule can't change: it holds for the watcher as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOfFile:
    """A rule as its file has it.

    Attributes:
        match: The pattern of the runs that it is for.
        skip: Leave them alone.
        sentinel: The file that ends them; None is as the command says.
        settle_s: How long their files must be at rest, in seconds; None is as the command says.
        given: The command's options that the rule has, by their names.
    """

    match: str
    skip: bool
    sentinel: str | None
    settle_s: float | None
    given: Mapping[str, Any]


def read_rules(path: str, command: click.Command) -> tuple[RuleOfFile, ...]:
    """The rules of a file, in its order.

    Args:
        path: The file.
        command: The command whose options a rule may have.

    Raises:
        ConfigError: It can't be read, or a rule makes no sense.
    """
    content = read_toml(Path(path))
    tables = content.pop("run", [])
    if content or not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
        raise ConfigError("has rules only, each a table [[run]]", path=path)
    if not tables:
        raise ConfigError("has no rule", path=path, hint="write [[run]], and what holds below it")
    return tuple(_rule(number, table, path, command) for number, table in enumerate(tables, 1))


def _rule(number: int, table: Mapping[str, Any], path: str, command: click.Command) -> RuleOfFile:
    place = f"rule {number}"
    known = {key: each for each in command.params if (key := option_key(each)) is not None}
    allowed = sorted((known.keys() | _OWN) - _OF_THE_WATCHER)
    for key in table:
        if key not in allowed:
            alike = get_close_matches(key, allowed, n=1, cutoff=0.6)
            meant = f"; did you mean `{alike[0]}`?" if alike else ""
            raise ConfigError(f"{place}: there is no `{key}` in a rule{meant}", path=path)
    settle = table.get("settle")
    try:
        settle_s = None if settle is None else parse_duration(str(settle))
    except ValueError as error:
        raise ConfigError(f"{place}: `settle`: {error}", path=path) from None
    skip = table.get("skip", False)
    if not isinstance(skip, bool):
        raise ConfigError(f"{place}: `skip` is true or false, not {skip!r}", path=path)
    return RuleOfFile(
        match=_text(table, "match", place, path) or "*",
        skip=skip,
        sentinel=_text(table, "sentinel", place, path),
        settle_s=settle_s,
        given=_given(place, table, path, command, known),
    )


def _text(table: Mapping[str, Any], key: str, place: str, path: str) -> str | None:
    value = table.get(key)
    if value is not None and not (isinstance(value, str) and value):
        raise ConfigError(f"{place}: `{key}` is text, not {value!r}", path=path)
    return value


def _given(
    place: str,
    table: Mapping[str, Any],
    path: str,
    command: click.Command,
    known: Mapping[str, click.Parameter],
) -> dict[str, Any]:
    """The options of a rule as the command reads them, by their names."""
    words = [
        word
        for key, value in table.items()
        if key not in _OWN
        for word in _words(known[key], value, f"{place}: `{key}`", path)
    ]
    try:
        context = click.Command.make_context(command, command.name, ["-", *words])
    except click.UsageError as error:
        raise ConfigError(f"{place}: {error.format_message()}", path=path) from None
    with context:
        return {
            name: value
            for name, value in context.params.items()
            if name != "folder"
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }


def _words(parameter: click.Parameter, value: Any, place: str, path: str) -> Iterator[str]:
    """An option as a command line has it."""
    assert isinstance(parameter, click.Option)
    longest = max(parameter.opts, key=len)
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise ConfigError(f"{place} is true or false, not {value!r}", path=path)
        if value:
            yield longest
        elif parameter.secondary_opts:
            yield parameter.secondary_opts[0]
        return
    values = value if isinstance(value, list) else [value]
    if len(values) != 1 and not parameter.multiple:
        raise ConfigError(f"{place} is one value, not a list", path=path)
    for each in values:
        if isinstance(each, bool) or not isinstance(each, str | int | float):
            raise ConfigError(f"{place} is text or a number, not {each!r}", path=path)
        yield f"{longest}={each}"
