"""Names for the rows that have none: those of their files, told apart where they are alike."""

from __future__ import annotations

import dataclasses
import posixpath
from collections import Counter
from collections.abc import Callable, Iterable

from turboupload.core.fields import text_fault
from turboupload.core.model import paths_of
from turboupload.core.sheet.filenames import default_name, merged_name
from turboupload.core.sheet.model import SheetFinding, SheetRow

__all__ = ["name_of_files", "name_rows", "title"]

Title = tuple[str | None, str | None, str | None]


def title(row: SheetRow) -> Title:
    """What tells read sets apart: name, sample and subject."""
    return (row.name, row.sample_id, row.subject_id)


def name_of_files(row: SheetRow) -> str:
    """What the names of its files have in common, lane by lane; else the sample."""
    lanes = list(zip(*map(paths_of, row.sources), strict=False))
    if len(lanes) == 1:
        return default_name(lanes[0])
    return merged_name(lanes) or row.sample_id or default_name(lanes[0])


def name_rows(
    rows: Iterable[SheetRow], proposed: Callable[[SheetRow], str] = name_of_files
) -> tuple[list[SheetRow], list[SheetFinding]]:
    """Gives a name to each row without one.

    Where an earlier row of the same sample has that name already, the folder's name is added, and
    where that doesn't help, a number. So rows that are added below others don't rename those.

    Args:
        rows: All rows.
        proposed: A row's name; by default what its files' names have in common.

    Returns:
        The rows, and findings about their names.
    """
    rows = list(rows)
    findings = _lanes(rows)
    taken = {title(row) for row in rows if row.name is not None}
    alike: Counter[Title] = Counter()
    named = []
    for row in rows:
        if row.name is None:
            plain = dataclasses.replace(row, name=proposed(row))
            row = plain
            while title(row) in taken:
                alike[title(plain)] += 1
                row = _told_apart(plain, alike[title(plain)])
            findings += _about(plain, row)
        taken.add(title(row))
        named.append(row)
    return named, findings


def _told_apart(row: SheetRow, count: int) -> SheetRow:
    """The row with its folder's name added, and with numbers from then on."""
    folder = posixpath.basename(posixpath.dirname(row.paths[0]))
    ending = folder if folder and count == 1 else str(count if folder else count + 1)
    return dataclasses.replace(row, name=f"{row.name}_{ending}")


def _about(plain: SheetRow, named: SheetRow) -> list[SheetFinding]:
    if fault := text_fault("name", named.name):
        message = f"made of the file's name, the {fault}"
        return [SheetFinding(named.number, None, message, "add a column `name`")]
    if named is plain:
        return []
    message = f"{plain.name!r} is taken by another row of this sample"
    hint = f"it is named {named.name!r}; a column `name` would say it otherwise"
    return [SheetFinding(named.number, None, message, hint, "note")]


def _lanes(rows: Iterable[SheetRow]) -> list[SheetFinding]:
    counts = Counter((row.sample_id, row.subject_id) for row in rows if row.name is None)
    several = [sample for (sample, _), count in counts.items() if sample and count > 1]
    if not several:
        return []
    which = f"sample {several[0]!r}" if len(several) == 1 else f"{len(several)} samples"
    message = f"{which} in several rows: each row becomes a read set with a name of its own"
    return [SheetFinding(0, None, message, severity="note")]
