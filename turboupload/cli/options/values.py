"""What the values of options are, as click takes them: sizes, rates, times, paths, quotas."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from turboupload.config import MAX_CONCURRENCY
from turboupload.core.fields import id_fault
from turboupload.core.folders.naming import NamePattern
from turboupload.core.formats import FileType
from turboupload.core.subjects import SubjectRule
from turboupload.errors import ConfigError
from turboupload.limits import MAX_PART_BYTES
from turboupload.operations import require_quota
from turboupload.units import (
    KIB,
    format_rate,
    format_sizes_apart,
    parse_duration,
    parse_rate,
    parse_size,
)

__all__ = [
    "ADDRESS",
    "COUNT_OR_AUTO",
    "DURATION",
    "FILE_TYPE",
    "LABEL",
    "MATES",
    "MOMENT",
    "NAME_PATTERN",
    "PART_SIZE",
    "PATH",
    "PATHS",
    "QUOTA",
    "RATE",
    "RATE_OR_NONE",
    "SIZE",
    "STORE_ID",
    "SUBJECT_RULE",
    "TAG",
    "Parsed",
    "StoreOfArn",
    "parse_store",
    "tags_of",
]

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # generic only since click 8.4


_ARN = re.compile(r"arn:[^:]+:omics:([^:]+):[^:]*:sequenceStore/([0-9]{10,36})(?:/.*)?")


class StoreOfArn(str):
    """A store's id that was taken from its ARN.

    Attributes:
        region: The ARN's Region.
    """

    __slots__ = ("region",)
    region: str


def parse_store(text: str) -> str:
    """An id or a name as it is, and of an ARN the id.

    Raises:
        ValueError: What has only digits is no id, or an ARN is not that of a sequence store, or of
            something in one.
    """
    if not text.startswith("arn:"):
        # What has only digits is meant for an id, also where it is none.
        if text.isascii() and text.isdigit() and (fault := id_fault("a store", text)):
            raise ValueError(fault)
        return text
    match = _ARN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not the ARN of a sequence store: those look like "
            "arn:aws:omics:REGION:ACCOUNT:sequenceStore/ID"
        )
    store = StoreOfArn(match[2])
    store.region = match[1]
    return store


class Parsed(_ParamType):
    """A value that a parser reads from text.

    Args:
        name: What stands for it in the help.
        parse: The parser; its ValueError says what is wrong.
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See `click.ParamType`."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parse_label(text: str) -> str:
    """A name or an id, which a blank copied with it would make another one for good.

    Raises:
        ValueError: It begins or ends with a blank.
    """
    if text != text.strip():
        raise ValueError(
            f"{text!r} begins or ends with a blank, and can't be changed in a store: leave it out"
        )
    return text


class _Path(Parsed):
    """A shell completes the names of files."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """See `click.ParamType`."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


class _Paths(_Path):
    """In the environment variable, colons are between the values, as in PATH."""

    envvar_list_splitter = os.pathsep


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


def _parse_size(text: str) -> int:
    size = parse_size(text)
    _refuse_bare(text, size)
    return size


def _parse_part_size(text: str) -> int:
    size = _parse_size(text)
    if size == 0:
        raise ValueError("a part has more than no bytes: leave it out, and a size is chosen")
    if size > MAX_PART_BYTES:
        asked, most = format_sizes_apart(size, MAX_PART_BYTES)
        raise ValueError(f"parts have at most {most}, not {asked}: leave it out, and one is chosen")
    return size


def _parse_rate(text: str) -> int:
    if (bits := _BITS.fullmatch(text.strip())) is not None:
        rate = float(bits[1]) * _BITS_OF[bits[2].lower()] / 8
        raise ValueError(f"{text!r} is in bits: write {format_rate(rate).replace(' ', '')}")
    rate = parse_rate(text)
    _refuse_bare(text, rate)
    return rate


# `MBps` are bytes.
_BITS = re.compile(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT])i?(?:bps|[bB]it(?:s|/s|ps)?)")
_BITS_OF = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
"""Of a link's rate, whose units are decimal."""

_BARE = re.compile(r"\s*[0-9.]+\s*")


def _refuse_bare(text: str, size: int) -> None:
    """Refuses a small number without a unit, such as parts of 64 bytes: it must be a mistake.

    Raises:
        ValueError: It is one.
    """
    if 0 < size < KIB and _BARE.fullmatch(text):
        number = text.strip()
        raise ValueError(f"{number!r} has no unit: write {number}MiB, or {number}B for bytes")


def _parse_rate_or_none(text: str) -> int:
    """A rate, in bytes a second; 0 for `none`."""
    if text.strip().lower() == "none":
        return 0
    rate = _parse_rate(text)
    if not rate:
        raise ValueError("a rate is more than zero; `none` lifts the cap, `jobs pause` stops it")
    return rate


def _parse_count_or_auto(text: str) -> int:
    """A number of parts at a time; 0 for `auto`."""
    if text.strip().lower() == "auto":
        return 0
    if not text.strip().isdecimal() or not 1 <= int(text) <= MAX_CONCURRENCY:
        raise ValueError(f"{text!r} is neither a number from 1 to {MAX_CONCURRENCY} nor auto")
    return int(text)


def _parse_mates(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"\s*(R[1-4])\s*,\s*(R[1-4])\s*", text, re.IGNORECASE)
    if found is None or found[1].upper() == found[2].upper():
        raise ValueError(f"{text!r} names no two reads: write them like R1,R3")
    return found[1].upper(), found[2].upper()


def _parse_address(text: str) -> tuple[str, int]:
    """A host, or none for the loopback, and a port: `9464`, `10.0.0.5:9464`, `[::1]:9464`."""
    host, _, port = text.strip().rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(f"{text!r} is not an address: write it like 9464 or 10.0.0.5:9464")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} is not an address: an IPv6 one is written like [::1]:9464")
    return host or "127.0.0.1", int(port)


ADDRESS = Parsed("ADDRESS", _parse_address)
LABEL = Parsed("TEXT", _parse_label)
SIZE = Parsed("SIZE", _parse_size)
PART_SIZE = Parsed("SIZE", _parse_part_size)
RATE = Parsed("RATE", _parse_rate)
RATE_OR_NONE = Parsed("RATE", _parse_rate_or_none)
COUNT_OR_AUTO = Parsed("N", _parse_count_or_auto)
DURATION = Parsed("T", parse_duration)
MOMENT = Parsed("WHEN", _parse_moment)
PATH = _Path("PATH", os.path.expanduser)
"""A file or folder. A shell leaves the `~` of `--option=~/…` and of a quoted variable as it is."""

PATHS = _Paths("PATH", os.path.expanduser)
"""The same for an option that may be given several times."""


def _parse_quota(text: str) -> tuple[str, float]:
    operation, _, rate = text.partition("=")
    try:
        per_s = float(rate)
    except ValueError:
        raise ValueError(f"{text!r} is not a quota: write it like UploadReadSetPart=20") from None
    require_quota(operation, per_s)
    return operation, per_s


def tags_of(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The tags of an option that may be given several times.

    Raises:
        ConfigError: A key has two values.
    """
    tags: dict[str, str] = {}
    for key, value in given:
        if tags.setdefault(key, value) != value:
            raise ConfigError(f"the tag {key!r} is given twice: as {tags[key]!r} and as {value!r}")
    return tags


class _Line(Parsed):
    """In the environment variable, each value is a line of its own."""

    envvar_list_splitter = "\n"


class _Quota(Parsed):
    """In the environment variable, blanks or commas are between the values."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return [each for each in re.split(r"[\s,]+", rv) if each]


STORE_ID = Parsed("STORE", parse_store)
TAG = _Line("K=V", _parse_tag)
QUOTA = _Quota("OPERATION=RATE", _parse_quota)
SUBJECT_RULE = Parsed("sample|PATTERN", SubjectRule.parse)
NAME_PATTERN = Parsed("PATTERN", NamePattern.parse)
MATES = Parsed("READ,READ", _parse_mates)
FILE_TYPE = click.Choice([str(each) for each in FileType], case_sensitive=False)
