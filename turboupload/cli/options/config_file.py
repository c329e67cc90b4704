"""The settings file: values for options, for every command or for one, and profiles of them.

It is TOML. Keys at the top apply to every command that has such an option; a table named like a
command, to that command alone; `[profiles.NAME]`, with both forms inside, where that profile is
chosen. An option on the command line or in the environment takes precedence over all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from turboupload.errors import ConfigError

__all__ = ["ConfigChoice", "ConfigFile", "default_file", "option_key", "read_toml", "users_folder"]

_PROFILES = "profiles"


def users_folder(variable: str, below: str) -> Path | None:
    """A folder of the user's own, as the XDG base directories have it.

    Args:
        variable: Names another one, such as `XDG_CONFIG_HOME`.
        below: Where it is in the home, such as `.config`.

    Returns:
        None where the user has no home, as in some containers.
    """
    if told := os.environ.get(variable):
        return Path(told)
    try:
        return Path.home() / below
    except RuntimeError:
        return None


def default_file() -> Path | None:
    """Where the file is looked for; None where the user has no home."""
    folder = users_folder("XDG_CONFIG_HOME", ".config")
    return None if folder is None else folder / "turboupload" / "config.toml"


def option_key(parameter: click.Parameter) -> str | None:
    """What an option is called in the file, such as `max-bandwidth`; None for an argument."""
    if not isinstance(parameter, click.Option):
        return None
    longest = next((each for each in parameter.opts if each.startswith("--")), None)
    return longest.removeprefix("--") if longest else None


class _Value(NamedTuple):
    """A value and where it stands: `[profiles.nova.batch]`, for example; empty at the top."""

    value: Any
    table: str


class ConfigFile:
    """What the file says.

    Args:
        path: The file.
        content: Its tables.
        profile: The profile that was chosen.
    """

    def __init__(self, path: Path, content: Mapping[str, Any], profile: str | None) -> None:
        self.path = path
        self._content = content
        self._profile = profile

    def require_profile(self) -> None:
        """Makes sure that the profiles are tables, and that the chosen one is there.

        Raises:
            click.UsageError: It isn't so.
        """
        known = self._content.get(_PROFILES, {})
        if not isinstance(known, Mapping) or not all(
            isinstance(each, Mapping) for each in known.values()
        ):
            raise click.UsageError(
                f"{self.path}: write a profile as a table, such as [{_PROFILES}.nova]"
            )
        if self._profile is not None and self._profile not in known:
            names = ", ".join(known) or "none"
            raise click.UsageError(
                f"{self.path}: there is no profile {self._profile!r}; it has {names}"
            )

    def values(self, words: list[str]) -> dict[str, _Value]:
        """What is said for a command, by the options' keys; later tables take precedence.

        Args:
            words: The command, such as `["readsets", "list"]`.
        """
        found: dict[str, _Value] = {}
        for name, table in self._tables():
            below: Any = table
            found |= {key: _Value(each, name) for key, each in _plain(below)}
            for count, word in enumerate(words, start=1):
                below = below.get(word) if isinstance(below, Mapping) else None
                if not isinstance(below, Mapping):
                    break
                inner = ".".join([*([name] if name else []), *words[:count]])
                found |= {key: _Value(each, inner) for key, each in _plain(below)}
        return found

    def _tables(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        yield "", {key: each for key, each in self._content.items() if key != _PROFILES}
        if self._profile is not None:
            yield f"{_PROFILES}.{self._profile}", self._content[_PROFILES][self._profile]

    def defaults(self, command: click.Command, words: list[str]) -> dict[str, Any]:
        """The values for a command, by its parameters' names, as click takes them.

        Raises:
            click.UsageError: A value has another type than its option.
        """
        said = self.values(words)
        return {
            str(parameter.name): self._fitting(parameter, key, said[key])
            for parameter in command.params
            if isinstance(parameter, click.Option)
            and (key := option_key(parameter)) is not None
            and key in said
        }

    def _fitting(self, option: click.Option, key: str, said: _Value) -> Any:
        value = said.value
        if option.is_flag or option.count:
            wanted: type = int if option.count else bool
            if isinstance(value, wanted) and (option.is_flag or not isinstance(value, bool)):
                return value
            form = "a number" if option.count else "true or false"
            raise click.UsageError(f"{self.place(said, key)} must be {form}, not {value!r}")
        many = isinstance(value, list)
        if many and not option.multiple:
            raise click.UsageError(f"{self.place(said, key)} must be one value, not a list")
        each = value if many else [value]
        if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in each):
            raise click.UsageError(f"{self.place(said, key)} must be text or a number")
        texts = [str(one) for one in each]
        return texts if option.multiple else texts[0]

    def origin(self, parameter: click.Parameter, words: list[str]) -> str:
        """Where the value of an option of a command stands, for people."""
        key = option_key(parameter) or ""
        return self.place(self.values(words)[key], key)

    def place(self, said: _Value, key: str) -> str:
        """Where a value stands, for messages."""
        table = f" in [{said.table}]" if said.table else ""
        return f"{self.path}: `{key}`{table}"

    def with_place(self, error: click.BadParameter, words: list[str]) -> click.BadParameter:
        """The error, with where the value stands, if it came from here."""
        ctx, parameter = error.ctx, error.param
        key = option_key(parameter) if parameter is not None else None
        if ctx is None or parameter is None or parameter.name is None or key is None:
            return error
        if ctx.get_parameter_source(parameter.name) is not ParameterSource.DEFAULT_MAP:
            return error
        place = self.origin(parameter, words)
        return click.BadParameter(f"{error.message} ({place})", ctx, parameter)

    def check(self, root: click.Context) -> None:
        """Makes sure that every key names an option of a command, and every table a command.

        Args:
            root: The context of all commands.

        Raises:
            click.UsageError: One doesn't.
        """
        for name, table in [*self._tables(), *self._other_profiles()]:
            self._check_table(root.command, root, table, name)

    def _other_profiles(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, table in self._content.get(_PROFILES, {}).items():
            if name != self._profile:
                yield f"{_PROFILES}.{name}", table

    def _check_table(
        self,
        command: click.Command,
        ctx: click.Context,
        table: Mapping[str, Any],
        name: str,
    ) -> None:
        names = command.list_commands(ctx) if isinstance(command, click.Group) else []
        for key, value in table.items():
            inner = ".".join([*([name] if name else []), key])
            if isinstance(value, Mapping) and key in names:
                assert isinstance(command, click.Group)
                below = command.get_command(ctx, key)
                assert below is not None
                self._check_table(below, ctx, value, inner)
            elif isinstance(value, Mapping):
                self._refuse(f"[{inner}]", key, names, "there is no such command")
        self._check_keys(command, ctx, [key for key, _ in _plain(table)], name)

    def _check_keys(
        self, command: click.Command, ctx: click.Context, keys: list[str], name: str
    ) -> None:
        left, known = set(keys), set[str]()
        for each in _leaves(command, ctx):
            if not left:
                return
            here = {key for parameter in each.params if (key := option_key(parameter))}
            left -= here
            known |= here
        for key in keys:
            if key in left:
                said = _Value(None, name)
                self._refuse(self.place(said, key), key, sorted(known), "there is no such option")

    def _refuse(self, place: str, word: str, known: list[str], why: str) -> None:
        from difflib import get_close_matches  # needed for a mistake alone

        alike = get_close_matches(word, known, n=1, cutoff=0.6)
        meant = f"; did you mean `{alike[0]}`?" if alike else ""
        where = place if place.startswith(str(self.path)) else f"{self.path}: {place}"
        raise click.UsageError(f"{where}: {why}{meant}")


class ConfigChoice(NamedTuple):
    """Which settings were asked for, before any command is known.

    Attributes:
        path: The file; None for the usual one, which need not be there.
        profile: The profile in it.
    """

    path: str | None
    profile: str | None

    @property
    def file(self) -> Path | None:
        """The file that is meant; None where the usual one has no place."""
        return Path(os.path.expanduser(self.path)) if self.path else default_file()  # noqa: PTH111 - never raises

    def read(self) -> ConfigFile | None:
        """What the file says; None where nothing was asked for, and there is none.

        A folder that this user may not look into has no file for them: with the HOME of another
        user, as in containers, the usual place is often of that kind.

        Raises:
            click.UsageError: It can't be read, is no TOML, or has no such profile.
        """
        where = self.file
        if where is None or not os.path.exists(where):  # noqa: PTH110 - never raises
            if self.path is None and self.profile is None:
                return None
            raise click.UsageError(
                f"{where}: there is no such settings file"
                if where is not None
                else "there is no settings file: this user has no home (--config names one)"
            )
        try:
            content = read_toml(where)
        except ConfigError as error:
            raise click.UsageError(str(error)) from None
        settings = ConfigFile(where, content, self.profile)
        settings.require_profile()
        return settings


def read_toml(path: Path) -> dict[str, Any]:
    """What a file of TOML says.

    Raises:
        ConfigError: It can't be read, or is no TOML.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", path=str(path)) from error
    except ValueError as error:
        raise ConfigError(f"is not TOML: {error}", path=str(path)) from error
    except RecursionError:
        raise ConfigError("is not TOML: nested too deep", path=str(path)) from None


def _plain(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in table.items() if not isinstance(value, Mapping))


def _leaves(command: click.Command, ctx: click.Context) -> Iterator[click.Command]:
    """The command, or those of a group, which are imported one after the other.

    The emulator isn't among them: it is a program of its own, with its own variables.
    """
    if not isinstance(command, click.Group):
        if command.name != "emulator":
            yield command
        return
    for name in command.list_commands(ctx):
        below = command.get_command(ctx, name)
        if below is not None:
            yield from _leaves(below, ctx)
