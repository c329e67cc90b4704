"""Which settings hold, and where each came from: an option, a variable, or the settings file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from turboupload.cli.options.config_file import ConfigChoice
from turboupload.cli.options.configurations import connection_config
from turboupload.cli.options.values import DURATION
from turboupload.core.characters import without_passwords
from turboupload.errors import ConfigError

if TYPE_CHECKING:
    from turboupload.config import UploadConfig
    from turboupload.core.doctor.facts import Setting
    from turboupload.core.doctor.line import Line

__all__ = ["Settings"]

_PREFIX: Final = "TURBOUPLOAD_"
_WITHOUT_OPTION: Final = frozenset({"TURBOUPLOAD_OTEL_NAMES", "TURBOUPLOAD_TRACEBACK"})
_OF_AWS: Final = frozenset({"region", "profile", "endpoint_url", "ca_bundle"})
"""Told with what AWS's own variables and files say of them."""

_NO_SETTING: Final = frozenset({"files", "as_json", "quiet", "verbose"})
_OF_UPLOADS: Final = ("part_size_bytes", "concurrency", "checksum", "max_bandwidth")
"""What `doctor` has no option for, and the expected rate depends on; from variables alone."""


class Settings:
    """The settings of a run of `doctor`, with those that an upload would find in the environment.

    Args:
        context: Of the run.
        variables: As in `os.environ`.

    Attributes:
        settings: Those that were told, without those of AWS's own.
        told: Where an option's value came from, by the option's name.
    """

    def __init__(self, context: click.Context, variables: Mapping[str, str]) -> None:
        self._given = context.params
        self._variables = variables
        self._root = context.find_root()
        self._upload = _command(self._root, "upload")
        self._wrong: ConfigError | None = None
        self._of_uploads: dict[str, Any] = {}
        choice = context.find_object(ConfigChoice)
        self._file = choice.read() if choice is not None else None
        self.settings: list[Setting] = []
        self.told: dict[str, str] = {}
        self._known = _WITHOUT_OPTION | {"TURBOUPLOAD_STATE_DIR"}
        for parameter in context.command.params:
            self._take(context, parameter)
        self._take_variables(context)

    def config(self) -> tuple[UploadConfig, ConfigError | None]:
        """How an upload would go, and what is wrong with that; then it is the defaults."""
        from turboupload.config import UploadConfig

        try:
            found = replace(connection_config(self._given), **self._of_uploads)
        except ConfigError as error:
            return UploadConfig(state_dir=self._given["state_dir"]), self._wrong or error
        return found, self._wrong

    def unread(self) -> Iterator[Line]:
        """Variables of ours that no command reads."""
        from turboupload.core.doctor.machine import judge_variables

        ours = {name for name in self._variables if name.startswith(_PREFIX)}
        if ours <= self._known:
            return iter(())
        return judge_variables(ours, self._known | _variables_of_all(self._root.command))

    def _take(self, context: click.Context, parameter: click.Parameter) -> None:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        variable = str(parameter.envvar)
        self._known |= {variable}
        if source is ParameterSource.COMMANDLINE:
            origin = max(parameter.opts, key=len)
        elif source is ParameterSource.ENVIRONMENT:
            origin = variable
        elif source is ParameterSource.DEFAULT_MAP and self._file is not None:
            origin = self._file.origin(parameter, ["doctor"])
        else:
            return
        self.told[name] = origin
        if name not in _NO_SETTING | _OF_AWS:
            self._add(parameter, self._given[name], origin)

    def _take_variables(self, context: click.Context) -> None:
        """What an upload would find elsewhere, beside what `doctor` has options for."""
        said = self._file.defaults(self._upload, ["upload"]) if self._file is not None else {}
        for parameter in self._upload.params:
            name, variable = parameter.name or "", str(parameter.envvar)
            self._known |= {variable}
            if name in self._given or name in _NO_SETTING:
                continue
            if self._variables.get(variable):
                text, origin, remedy = (
                    parameter.value_from_envvar(context), variable, f"unset {variable}",
                )  # fmt: skip
            elif name in said:
                assert self._file is not None
                text, origin = said[name], self._file.origin(parameter, ["upload"])
                remedy = f"mend {self._file.path}"
            else:
                continue
            try:
                value = parameter.type_cast_value(context, text)
            except click.BadParameter as error:
                self._wrong = ConfigError(f"{origin} makes no sense: {error.message}", hint=remedy)
                continue
            self._add(parameter, value, origin)
            if name in _OF_UPLOADS:
                self._of_uploads[name] = value

    def _add(self, parameter: click.Parameter, value: Any, origin: str) -> None:
        from turboupload.core.doctor.facts import Setting

        name = max(parameter.opts, key=len).removeprefix("--")
        self.settings.append(Setting(name, _shown(parameter, value), origin))


def _shown(parameter: click.Parameter, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if parameter.type is DURATION:
        return f"{value:g}s"
    if isinstance(value, tuple):
        return ", ".join(f"{key}={word}" for key, word in value)
    return without_passwords(str(value))


def _command(root: click.Context, name: str) -> click.Command:
    assert isinstance(root.command, click.Group)
    found = root.command.get_command(root, name)
    assert found is not None
    return found


def _variables_of_all(command: click.Command) -> set[str]:
    """The variables of a command and all below it; that imports all of them."""
    found = {str(each.envvar) for each in command.params if each.envvar}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                found |= _variables_of_all(below)
    return found
