"""What came of each row of a sheet: one value, and the two forms in which it is kept.

`batch` and `import` both write it, so that whoever reads one can read the other.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal

__all__ = ["UNFINISHED", "RowResult", "RowStatus", "as_csv", "as_json"]

RowStatus = Literal[
    "waiting", "running", "stopped", "processing", "active", "exists", "failed", "rejected"
]
"""Where a row stands.

- `waiting`: its turn has not come.
- `running`: it is being worked on.
- `stopped`: ended part-way by an interrupt or by another row's failure; the same command goes on.
- `processing`: everything has arrived, and the service is working on it.
- `active`: the read set was made, and is ACTIVE.
- `exists`: the read set was there before this run.
- `failed`: see `message` and `what_to_do`.
- `rejected`: turned down before anything was sent.
"""

UNFINISHED: frozenset[RowStatus] = frozenset({"waiting", "running", "stopped", "processing"})
"""What the same command would go on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What came of a row.

    Attributes:
        row: Its line in the sheet, as an editor counts.
        name: The read set's name.
        sample: The sample's id.
        status: Where it stands.
        read_set_id: Once there is a read set.
        bytes: Of its files; None where they aren't known, as of an import.
        message: One sentence: what happened; empty where nothing need be said.
        what_to_do: What to do next; empty where nothing is left to do.
    """

    row: int
    name: str
    sample: str | None
    status: RowStatus
    read_set_id: str | None = None
    bytes: int | None = None
    message: str = ""
    what_to_do: str = ""


def as_csv(rows: Sequence[RowResult]) -> str:
    """The rows as CSV with a header; lines end as RFC 4180 has it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(RowResult)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def as_json(rows: Sequence[RowResult]) -> str:
    """The rows as one JSON array, a row a line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    return f"[\n{lines}\n]\n"
