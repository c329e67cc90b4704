"""Where the receipts of a batch go: a folder, and a name in it for each row."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from turboupload.core.batch import BatchRow
from turboupload.errors import ConfigError

__all__ = ["receipt_places"]

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+=@-]+")
_LONGEST: Final = 100


def receipt_places(folder: str | os.PathLike[str], rows: Sequence[BatchRow]) -> list[Path]:
    """The file of each row's receipt, called by its read set's name; the folder is made.

    The same rows have the same files in every run. Where a name can't be a file's, or two rows have
    the same name, what else tells the read set apart is added as a digest.

    Raises:
        ConfigError: The folder can't be made.
    """
    place = Path(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder of the receipts can't be made: {error.strerror or error}",
            path=str(place),
            hint="name another one with --receipts; nothing was sent",
        ) from error
    plain = [_UNSAFE.sub("_", row.read_set.name).lstrip(".")[:_LONGEST] or "_" for row in rows]
    # File systems may hold A and a for one.
    alike = Counter(name.casefold() for name in plain)
    return [
        place / f"{_told_apart(row, name, alone=alike[name.casefold()] == 1)}.receipt.json"
        for row, name in zip(rows, plain, strict=True)
    ]


def _told_apart(row: BatchRow, name: str, *, alone: bool) -> str:
    about = row.read_set
    if alone and name == about.name:
        return name
    title = "\0".join((about.name, about.sample_id or "", about.subject_id or ""))
    return f"{name}.{hashlib.sha256(title.encode()).hexdigest()[:8]}"
