"""What commands share: options with environment variables, and values as people write them."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from turboupload.core.limits import TRANSACTIONS_PER_S
from turboupload.units import parse_duration, parse_rate, parse_size

__all__ = [
    "DURATION",
    "MOMENT",
    "QUOTA",
    "RATE",
    "SIZE",
    "TAG",
    "connection_options",
    "is_set",
    "listing_lag_option",
    "option",
]

F = TypeVar("F", bound=Callable[..., Any])


if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic only since click 8.4


class _Parsed(_ParamType):
    """A value that one of the parsers of `turboupload.units` reads."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parse_tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"{text!r} is not a tag: write it like key=value")
    return key, value


def _parse_moment(text: str) -> datetime:
    """A moment as ISO 8601 has it, or so long ago; without a time zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            if text.strip().isdigit():
                raise ValueError  # a year, or seconds: nobody can tell
            return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
        except (ValueError, OverflowError):
            raise ValueError(
                f"{text!r} is not a moment: write it like 2026-11-24, 2026-11-24T09:30Z, or 7d "
                "for seven days ago"
            ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


SIZE = _Parsed("SIZE", parse_size)
RATE = _Parsed("RATE", parse_rate)
DURATION = _Parsed("T", parse_duration)
MOMENT = _Parsed("WHEN", _parse_moment)


def _parse_quota(text: str) -> tuple[str, float]:
    operation, _, rate = text.partition("=")
    if operation not in TRANSACTIONS_PER_S:
        known = ", ".join(TRANSACTIONS_PER_S)
        raise ValueError(f"{operation!r} is no operation with a quota: those are {known}")
    try:
        value = float(rate)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not a quota: write it like UploadReadSetPart=20")
    return operation, value


class _Line(_Parsed):
    """In the environment variable, each value is a line of its own."""

    envvar_list_splitter = "\n"


TAG = _Line("K=V", _parse_tag)
QUOTA = _Line("OPERATION=N", _parse_quota)


def option(*names: str, prefix: str = "", **more: Any) -> Callable[[F], F]:
    """An option that is also the environment variable TURBOUPLOAD_ and its name.

    Args:
        names: As click takes them.
        prefix: Comes before the name in the variable, where commands share an option's name but
            not its meaning, such as `READSETS_`.
        more: As click takes it.
    """
    longest = next(name for name in names if name.startswith("--"))
    word = longest.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=f"TURBOUPLOAD_{prefix}{word}", show_envvar=True, **more)


def is_set(variable: str) -> bool:
    """Whether an environment variable of a flag says yes."""
    try:
        return bool(click.BOOL.convert(os.environ.get(variable) or "false", None, None))
    except click.BadParameter:
        return False


def listing_lag_option(command: F) -> F:
    """How long the service's listings may lag: what makes read sets needs to know."""
    return option(
        "--listing-lag",
        type=DURATION,
        default="60s",
        show_default=True,
        help="How long what the service lists may lag behind what it has. So long a read set is "
        "looked for before a Complete is made again or an upload begun anew.",
    )(command)


def connection_options(command: F) -> F:
    """How to reach the service: the same for every command that does."""
    for each in reversed(
        (
            option(
                "--region", metavar="NAME", help="AWS Region; else AWS_REGION or the profile's."
            ),
            option("--profile", metavar="NAME", help="AWS profile; else AWS_PROFILE."),
            option(
                "--endpoint-url",
                metavar="URL",
                help="Another endpoint than AWS's own; else AWS_ENDPOINT_URL_OMICS.",
            ),
            option(
                "--ca-bundle",
                metavar="FILE",
                help="Certificate authorities to trust, PEM; else AWS_CA_BUNDLE.",
            ),
            option(
                "--insecure-accept-any-certificate",
                is_flag=True,
                help="Don't verify whom we are talking to. Anyone on the way can read and change "
                "your data.",
            ),
            option(
                "--connect-timeout",
                type=DURATION,
                default="20s",
                show_default=True,
                help="For name, connection and TLS handshake together.",
            ),
            option(
                "--stall-timeout",
                type=DURATION,
                default="60s",
                show_default=True,
                help="Give a connection up on which no byte moves for so long.",
            ),
            option(
                "--give-up-after",
                type=DURATION,
                default="15m",
                show_default=True,
                help="Stop (resumable) when a call has failed for so long, over all its tries.",
            ),
            option(
                "--state-dir",
                metavar="DIR",
                help="Folder of the journal; else ~/.local/state/turboupload.",
            ),
        )
    ):
        command = each(command)
    return command
