r"""Which characters the service takes in names, ids and free texts, and what others are called.

The model's pattern of all these fields is `[\p{L}||\p{M}||\p{Z}||\p{S}||\p{N}||\p{P}]+`: any
character but those of the categories C, which nobody sees: control characters, zero-width and
direction marks (Cf), private ones, and those that Unicode has not assigned. Of the last kind only
noncharacters are refused here, which never will be: the service may know a newer Unicode than this
Python does, and with it the newest letters and emoji.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["called", "character_fault", "printable", "without_passwords"]

_CONTROLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\0": "NULL",
        "\t": "TAB",
        "\n": "LINE FEED",
        "\r": "CARRIAGE RETURN",
        "\x1b": "ESCAPE",
        "\x7f": "DELETE",
    }
)
_NAMELESS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cc": "a control character",
        "Cs": "half a character, or a byte that is not UTF-8",
        "Co": "a character for private use",
        "Cn": "not assigned by Unicode",
    }
)


_USER_OF_A_URL = re.compile(r"(?<=://)[^/\s]*@")
_REDIS = re.compile(r"((?:rediss?|unix)://)([^\s?]*)(\?\S*)?")


def without_passwords(text: str) -> str:
    """The text with "…" for the users and passwords of the URLs in it, and for options of Redis."""
    return _USER_OF_A_URL.sub("…@", _REDIS.sub(_redis_shown, text))


def _redis_shown(found: re.Match[str]) -> str:
    """A Redis server's URL without what may be a secret.

    A password may stand before the host or among the options, and one with an unencoded "/" or "?"
    stands where another parser looks for the host.
    """
    scheme, place, options = found.groups(default="")
    if "@" in options:
        return f"{scheme}…"
    user, at, place = place.rpartition("@")
    return f"{scheme}{'…' if user else ''}{at}{place}{'?…' if options else ''}"


def character_fault(text: str) -> str | None:
    """The first character that the service doesn't take, and where it is; None where all are fine.

    Args:
        text: What a field holds.
    """
    if text.isprintable():
        return None
    for position, character in enumerate(text, start=1):
        if _is_unseen(character):
            return f"{called(character)} at position {position}"
    return None


def _is_unseen(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cn":
        code = ord(character)
        return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return category.startswith("C")


def called(character: str) -> str:
    """What a character is called, such as `U+200B ZERO WIDTH SPACE`."""
    name = _CONTROLS.get(character) or unicodedata.name(character, "")
    code = f"U+{ord(character):04X}"
    return f"{code} {name}" if name else f"{code} ({_NAMELESS[unicodedata.category(character)]})"


def printable(text: str) -> str:
    """The text with its control characters escaped: names come from others, and may have any."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
