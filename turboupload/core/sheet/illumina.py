"""Illumina's own sample sheet, which people hand over in place of one of ours.

It tells an instrument what to sequence, in sections (`[Header]`, `[Data]`, in version 2 also
`[BCLConvert_Data]`), and names no files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from turboupload.core.sheet.model import SheetFinding

__all__ = ["has_illumina_columns", "has_illumina_sections", "not_ours"]

_SECTION = re.compile(
    r"""\s*["']?\[(?:header|reads|settings|data|manifests|\w+_(?:settings|data))\]["']?[,;\t ]*""",
    re.IGNORECASE,
)
_COLUMNS = frozenset({"lane", "index", "index2", "fcid", "sampleproject", "i7indexid"})
_NOISE = re.compile(r"[\s_-]+")


def has_illumina_sections(text: str) -> bool:
    """Whether a text begins with a section of such a sheet, after blanks and comments."""
    lines = (line for line in text.splitlines() if line.strip(",;\t ") and line[0] != "#")
    return _SECTION.fullmatch(next(lines, "")) is not None


def has_illumina_columns(columns: Iterable[str]) -> bool:
    """Whether columns are those of its samples: cut out of it, or of the days before sections."""
    return len(_COLUMNS & {_NOISE.sub("", each).lower() for each in columns}) >= 2


def not_ours(row: int) -> SheetFinding:
    """The finding about such a sheet, given in place of ours.

    Args:
        row: The line where that is seen.
    """
    return SheetFinding(
        row,
        None,
        "this is Illumina's sample sheet, which names no files",
        "run `turboupload sheet RUNFOLDER`: it writes a sheet of the FASTQ files in the folder",
    )
