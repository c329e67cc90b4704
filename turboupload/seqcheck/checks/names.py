"""Pairs FASTQ files by their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from turboupload.core.formats import without_suffix

__all__ = ["Paired", "find_pairs"]

# Separators on both sides, so that "S1", "L001" and "_001" don't count as a mate's mark.
_MARK = re.compile(r"(?<=[._-])(R|read|p|pair)?([12])(?=[._-]|$)", re.IGNORECASE)
# Index reads, cell barcodes and molecular identifiers, as bcl2fastq and Cell Ranger name them.
_BESIDE = re.compile(r"(?<=[._-])(I[12]|R[3-9]|UMI)(?=[._-]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paired:
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
    is a pair of its own. Where a name could have several mates, none is chosen.
    """
    names = [os.fspath(path) for path in paths]
    mates: dict[str, str] = {}
    free = list(dict.fromkeys(names))
    for level in range(3):
        by_key: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"1": [], "2": []})
        for name in free:
            for key, mark in _keys(name, level):
                by_key[key][mark].append(name)
        for sides in by_key.values():
            first, second = sides["1"], sides["2"]
            if len(first) == len(second) == 1 and not {*first, *second} & mates.keys():
                mates[first[0]] = second[0]
                mates[second[0]] = ""
        free = [name for name in free if name not in mates]
    pairs = tuple((name, mates[name]) for name in dict.fromkeys(names) if mates.get(name))
    return Paired(pairs, tuple(free))


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


def is_beside(path: str) -> bool:
    """Whether a file name says that it holds index reads or a third read, and no mate."""
    return _BESIDE.search(_stem(path)) is not None


def _keys(name: str, level: int) -> Iterator[tuple[str, str]]:
    """The names with the mate's mark blanked out, and the mark; level 0 is the most certain.

    Level 0: the last mark with a letter (`R1`). Level 1: all marks of the same number at once
    (`_R1_val_1`). Level 2: the last bare number.
    """
    stem = _stem(name)
    prefix = str(Path(name).parent)
    rest = Path(name).name[len(stem) :].lower()
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
    key = stem
    for match in reversed(chosen):
        key = f"{key[: match.start(2)]}\0{key[match.end(2) :]}"
    yield f"{prefix}/{key}{rest}", chosen[-1][2]


def _stem(path: str) -> str:
    return without_suffix(Path(path).name)


def _marks(stem: str) -> list[re.Match[str]]:
    return list(_MARK.finditer(stem))
