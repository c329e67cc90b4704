"""Names of read sets of runs whose files don't name the run."""

from __future__ import annotations

from dataclasses import replace

from turboupload.core.sheet.model import Sheet

__all__ = ["named_by_folder"]


def named_by_folder(sheet: Sheet, folder: str) -> Sheet:
    """The sheet with the run's folder in names and origins, so that runs don't collide.

    The files of instruments tell their run, which is in the names already.

    Args:
        sheet: As proposed for a folder.
        folder: Its name.
    """
    rows = tuple(
        replace(
            row,
            name=f"{row.name}_{folder}" if row.name else None,
            generated_from=row.generated_from or folder,
        )
        for row in sheet.rows
    )
    return replace(sheet, rows=rows)
