"""Files that mark the end of a run, by what writes them.

A sentinel is the last thing that an instrument, or the program behind it, writes. What it finishes
is the folder it lies in, or the one above where its own is only for such files.

Illumina's are flag files of the instrument (CopyComplete.txt when all is copied, RTAComplete.txt
when base calling is over) and of BCL Convert (Logs/FastqComplete.txt); final_summary*.txt is
MinKNOW's, *.transferdone SMRT Link's.

Source: Illumina knowledge base, "NovaSeq 6000 File paths" and "File paths on the NextSeq 1000/2000"
(flag files; read 2026-11). Of the others there is no page of the makers' that we know: where a
site's differ, its rule names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["SENTINELS", "Sentinel", "sentinel_for", "sentinels_of"]


@dataclass(frozen=True, slots=True)
class Sentinel:
    """A file that ends a run.

    Attributes:
        pattern: Its name, as shells have patterns.
        inside: The folder that it lies in, below the run's; empty where that is the run's own.
    """

    pattern: str
    inside: str = ""


SENTINELS: Final[Sequence[Sentinel]] = (
    Sentinel("CopyComplete.txt"),
    Sentinel("RTAComplete.txt"),
    Sentinel("FastqComplete.txt", "Logs"),
    Sentinel("final_summary*.txt"),
    Sentinel("*.transferdone"),
    Sentinel("*.transferdone", "metadata"),
)
"""Those of the instruments; where a run has several, the first of this order is its sentinel."""


def sentinels_of(pattern: str) -> tuple[Sentinel, ...]:
    """A sentinel of one's own, such as `done.txt` or `Logs/FastqComplete.txt`."""
    inside, _, name = pattern.rpartition("/")
    return (Sentinel(name, inside),)


def sentinel_for(
    names: Iterable[str], inside: str, wanted: Sequence[Sentinel] = SENTINELS
) -> tuple[int, str] | None:
    """The foremost sentinel among the files of a folder.

    Args:
        names: The files in it.
        inside: Where the folder is below the run's; empty for the run's own.
        wanted: The sentinels, in their order.

    Returns:
        Its rank, and the file's name; None where there is none.
    """
    found = [
        (rank, name)
        for name in sorted(names)
        for rank, each in enumerate(wanted)
        if each.inside == inside and fnmatchcase(name, each.pattern)
    ]
    return min(found, default=None)
