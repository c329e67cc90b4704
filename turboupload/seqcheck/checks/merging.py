"""Files that become one source, such as the lanes of a sample: which are R1's, and which R2's."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from turboupload.core.formats import without_suffix
from turboupload.errors import InputError
from turboupload.seqcheck.checks.names import find_pairs, is_beside, lettered_mark_of, mark_of

__all__ = ["UNTERMINATED", "UNTERMINATED_HINT", "check_lanes", "split_mates"]

UNTERMINATED: Final = (
    "its last line has no line end, so the first line of the file that follows it would be part of "
    "that line"
)
UNTERMINATED_HINT: Final = "add the line end that is missing, and compress the file again"

BY_HAND: Final = (
    "a sheet says which files are which, with ';' between the files of a cell: columns source1 and "
    "source2"
)

_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d+)")


def split_mates(paths: Iterable[str | os.PathLike[str]]) -> tuple[tuple[str, ...], ...]:
    """The sources that files become, by their names: R1's files and R2's, or one source.

    Args:
        paths: The files. R1's keep this order, and R2's follow it.

    Returns:
        The files of each source.

    Raises:
        InputError: The names don't say which files are R1's and which R2's, or say that a file
            holds neither.
    """
    names = tuple(os.fspath(path) for path in paths)
    for name in filter(is_beside, names):
        raise InputError(
            "holds index reads or a third read by its name, and neither R1 nor R2",
            path=name,
            hint=f"leave it out; {BY_HAND}",
        )
    pairs = _mates(names)
    if not pairs:
        _check_one_mate(names, mark_of)
        return (names,)
    paired = {name for pair in pairs for name in pair}
    for name in names:
        if name not in paired:
            raise InputError(
                "has no mate by its name, and other files have one",
                path=name,
                hint=f"name the R1 and the R2 of each lane; {BY_HAND}",
            )
    return tuple(first for first, _ in pairs), tuple(second for _, second in pairs)


def check_lanes(sources: Sequence[Sequence[str]]) -> None:
    """Makes sure, by the names, that merged files are in the right source and in the same order.

    Sources of one file are left to the checks of pairs.

    Args:
        sources: The files of each source; of a pair as many of R1 as of R2.

    Raises:
        InputError: A source holds R1 and R2, or R1 and R2 are not mates, file by file.
    """
    if all(len(files) < 2 for files in sources):
        return
    for files in sources:
        _check_one_mate(files, lettered_mark_of)
    if len(sources) < 2:
        return
    names = Counter(_name(path) for path in sources[0])
    for first, second in zip(*sources, strict=True):
        mates = (_name(first), _name(second))
        # The same names in several folders, such as those of two runs: the folder tells them apart.
        same_place = names[mates[0]] == 1 or _folder(first) == _folder(second)
        if find_pairs(mates).pairs != (mates,) or not same_place:
            raise InputError(
                f"is not the mate of {first} by its name, which may differ in nothing but 1 and 2",
                path=second,
                hint="name the files of R2 in the order of those of R1",
            )


def _check_one_mate(paths: Sequence[str], mark: Callable[[str], str | None]) -> None:
    """Makes sure that the files of one source aren't both R1 and R2 by their names.

    Raises:
        InputError: They are.
    """
    numbers = _numbers(paths)
    # A number alone is a chunk's, where more than two are numbered.
    marks = {p: mark(p) for p in paths if numbers[_series(p)[0]] <= {-1, 1, 2}}
    first = next((path for path, which in marks.items() if which == "1"), None)
    second = next((path for path, which in marks.items() if which == "2"), None)
    if first is not None and second is not None:
        raise InputError(
            f"is R2 by its name, and {first} is R1, but not its mate: they can't be one source",
            path=second,
            hint=f"name the R1 and the R2 of each lane; {BY_HAND}",
        )


def _mates(paths: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs among files; chunks that are numbered on, such as `_0` to `_12`, are none."""
    numbers = _numbers(paths)
    return [
        (first, second)
        for first, second in find_pairs(paths).pairs
        if _series(first)[0] != _series(second)[0] or numbers[_series(first)[0]] <= {1, 2}
    ]


def _numbers(paths: Iterable[str]) -> dict[str, set[int]]:
    """The numbers of each series."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for path in paths:
        series, number = _series(path)
        numbers[series].add(number)
    return numbers


def _series(path: str) -> tuple[str, int]:
    """A path without its ending and the number before that, and the number; -1 where is none."""
    stem = without_suffix(_name(path))
    match = _NUMBERED.fullmatch(stem)
    if match is None:
        return f"{_folder(path)}/{stem}", -1
    return f"{_folder(path)}/{match['before']}", int(match["number"])


def _name(path: str) -> str:
    return Path(path).name


def _folder(path: str) -> str:
    return str(Path(path).parent)
