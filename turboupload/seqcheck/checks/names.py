"""Pairs FASTQ files by their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from turboupload.core.formats import without_suffix
from turboupload.value import Value

__all__ = ["Paired", "find_pairs", "is_beside", "mark_of", "series"]

# Separators on both sides, so that "S1", "L001" and "_001" don't count as a mate's mark.
_MARK = re.compile(r"(?<=[._-])(R|read|p|pair)?([12])(?=[._-]|$)", re.IGNORECASE)
# Index reads, cell barcodes and molecular identifiers, as bcl2fastq and Cell Ranger name them.
_BESIDE = re.compile(r"(?<=[._-])(I[12]|R[3-9]|UMI)(?=[._-]|$)", re.IGNORECASE)
# What is counted, and has no mates: replicates, lanes, and MinKNOW's files after the run's id.
_COUNTED = re.compile(
    r"(?:^|[._-])(?:(?:bio|tech)?[._-]?rep(?:licate)?|lane|chunk|part|batch|pool|plate|"
    r"[0-9a-f]{8}_[0-9a-f]{8})[._-]$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<=[._-])(\d+)(?=[._-]|$)")


class Paired(Value, frozen=True):
    """Files sorted into pairs and singles.

    Attributes:
        pairs: R1 and R2, in the order of the R1 files given.
        singles: Files whose mate was not among those given.
    """

    pairs: tuple[tuple[str, str], ...]
    singles: tuple[str, ...]


def find_pairs(paths: Iterable[str | os.PathLike[str]]) -> Paired:
    """Pairs files by names such as `S1_L001_R1_001.fastq.gz`, `S1_1.fq.gz`, `S1.1.fastq.gz`.

    Two files are a pair if they lie in the same folder and their names differ by nothing but the
    mate's mark, 1 and 2. Lanes and chunks (`_L001`, `_001`) are part of the name, so that each lane
    is a pair of its own. Where a name could have several mates, none is chosen; nor where a bare
    number counts on (`_1`, `_2`, `_3`), or what it counts is named (`rep_1`).
    """
    names = [os.fspath(path) for path in paths]
    mates: dict[str, str] = {}
    free = list(dict.fromkeys(names))
    counted = _counted_on(free)
    for level in range(3):
        by_key: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"1": [], "2": []})
        for name in free:
            for key, mark in _keys(name, level):
                by_key[key][mark].append(name)
        for key, sides in by_key.items():
            if key in counted:
                continue
            first, second = sides["1"], sides["2"]
            if len(first) == len(second) == 1 and not {*first, *second} & mates.keys():
                mates[first[0]] = second[0]
                mates[second[0]] = ""
        free = [name for name in free if name not in mates]
    pairs = tuple((name, mates[name]) for name in dict.fromkeys(names) if mates.get(name))
    return Paired(pairs, tuple(free))


def series(paths: Iterable[str]) -> list[str]:
    """The files whose last bare number is 1 or 2 where others of the same name count on."""
    names = list(paths)
    counted = _counted_on(names)
    return [name for name in names if any(key in counted for key, _ in _keys(name, 2))]


def mark_of(path: str) -> str | None:
    """The mate's mark in a file name, `1` or `2`: the last one with a letter, or the last one."""
    marks = _marks(_stem(path))
    lettered = [m for m in marks if m[1]]
    chosen: Sequence[re.Match[str]] = lettered or marks
    return chosen[-1][2] if chosen else None


def lettered_mark_of(path: str) -> str | None:
    """The mate's mark in a file name where a letter or word says that it is one, as in `R1`."""
    lettered = [m for m in _marks(_stem(path)) if m[1]]
    return lettered[-1][2] if lettered else None


def mate_name(path: str) -> str | None:
    """The path of the mate, where a letter or word says that a file has one, as in `R1`."""
    stem = _stem(path)
    lettered = [m for m in _marks(stem) if m[1]]
    if not lettered:
        return None
    at = lettered[-1].start(2)
    name = Path(path).name
    return str(Path(path).with_name(f"{name[:at]}{3 - int(name[at])}{name[at + 1 :]}"))


def is_beside(path: str) -> bool:
    """Whether a file name says that it holds index reads or a third read, and no mate.

    Its last mark says so: in `WT_R3_S5_L001_R1_001`, R3 is a replicate.
    """
    stem = _stem(path)
    beside = [each.start() for each in _BESIDE.finditer(stem)]
    mates = [each.start() for each in _marks(stem)]
    return max(beside, default=-1) > max(mates, default=-1)


def _keys(name: str, level: int) -> Iterator[tuple[str, str]]:
    """The names with the mate's mark blanked out, and the mark; level 0 is the most certain.

    Level 0: the last mark with a letter (`R1`). Level 1: all marks of the same number at once
    (`_R1_val_1`). Level 2: the last bare number.
    """
    stem = _stem(name)
    marks = _marks(stem)
    lettered = [m for m in marks if m[1]]
    chosen: list[re.Match[str]] = []
    if level == 0:
        chosen = lettered[-1:]
    elif level == 1 and marks:
        chosen = [m for m in marks if m[2] == marks[-1][2]]
    elif level == 2:
        chosen = marks[-1:]
    if not chosen:
        return
    yield _blanked(name, stem, [match.span(2) for match in chosen]), chosen[-1][2]


def _counted_on(names: Iterable[str]) -> frozenset[str]:
    """The names, a number blanked out, that are there with another number than 1 and 2."""
    found = set()
    for name in names:
        stem = _stem(name)
        numbers = [each for each in _NUMBER.finditer(stem) if each[1] not in ("1", "2")]
        for each in numbers[-1:]:
            found.add(_blanked(name, stem, [(each.start(1), each.end(1))]))
    return frozenset(found)


def _blanked(name: str, stem: str, places: Iterable[tuple[int, int]]) -> str:
    key = stem
    for start, end in reversed(list(places)):
        key = f"{key[:start]}\0{key[end:]}"
    return f"{Path(name).parent}/{key}{Path(name).name[len(stem) :].lower()}"


def _stem(path: str) -> str:
    return without_suffix(Path(path).name)


def _marks(stem: str) -> list[re.Match[str]]:
    return [
        each
        for each in _MARK.finditer(stem)
        if each[1] or not _COUNTED.search(stem[: each.start()])
    ]
