"""Text laid out by the columns there are: names fold in the middle, and no word is split."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["SEPARATOR", "flowed", "folded", "width_of"]

SEPARATOR = " · "
ELLIPSIS = "…"


def width_of(text: str) -> int:
    """How many columns a terminal takes for it."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def folded(text: str, width: int) -> str:
    """The text in so many columns: what is too much is left out in its middle.

    Names of samples differ at their ends, and files of a run begin alike.

    Args:
        text: Without line breaks.
        width: Columns, at least 1.
    """
    if width_of(text) <= width:
        return text
    room = width - 1
    tail = _head(text[::-1], room // 2)[::-1]
    return f"{_head(text, room - width_of(tail))}{ELLIPSIS}{tail}"


def _head(text: str, width: int) -> str:
    taken = 0
    for place, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return text[:place]
    return text


def flowed(pieces: Iterable[str], width: int, *, first: int | None = None) -> list[str]:
    """Pieces in lines, `·` between them, each piece whole as long as a line has room for it.

    Args:
        pieces: Empty ones are left out.
        width: Columns of a line.
        first: Columns of the first line, where they are fewer; a piece that it has no room for
            leaves it empty.
    """
    lines = [""] if first is not None else []
    for piece in filter(None, pieces):
        room = first if first is not None and len(lines) == 1 else width
        if lines and lines[-1] and width_of(lines[-1] + SEPARATOR + piece) <= room:
            lines[-1] += SEPARATOR + piece
        elif lines and not lines[-1] and width_of(piece) <= room:
            lines[-1] = piece
        else:
            lines.append(folded(piece, width))
    return lines
