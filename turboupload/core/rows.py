"""The result of each row of a sheet, and its two file formats.

`batch` and `import` write the same formats, so that a program can read both.
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
"""A row's status.

- `waiting`: not started.
- `running`: in progress.
- `stopped`: interrupted, or stopped by another row's failure; the same command continues it.
- `processing`: everything has arrived, and the service is working on it.
- `active`: the read set was made, and is ACTIVE.
- `exists`: the read set existed before this run.
- `failed`: see `message` and `what_to_do`.
- `rejected`: rejected before anything was sent.
"""

UNFINISHED: frozenset[RowStatus] = frozenset({"waiting", "running", "stopped", "processing"})
"""The statuses that the same command continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """The result of a row.

    Attributes:
        row: Its line in the sheet, counted as in an editor.
        name: The read set's name.
        sample: The sample's id.
        status: Its status.
        read_set_id: The read set's id, once it exists.
        bytes: Total size of its files; None if unknown, as for an import.
        message: One sentence about what happened; may be empty.
        what_to_do: What to do next; empty if nothing is left to do.
        subject: The subject's id.
        file_type: The name of a `FileType`, once it is known.
        source1: Its file, as the sheet names it; of a pair R1.
        source2: R2 of a pair.
        read_set_arn: The read set's ARN, once the service has said it.
        s3_source1: Where the stored file can be read through S3, if the store gives access.
        s3_source2: The same of R2.
        etag_algorithm: Such as `FASTQ_MD5up`, once the read set is ACTIVE.
        etag_source1: In hex.
        etag_source2: In hex; of pairs only.
        verified: How the parts were proven, as in `UploadResult`.
        proven: Whether the files are proven to be in the store, by the receipt; None if there is
            none yet.
        manifest: `equal` where its files were compared with manifests.
        worker: Which of several machines sends it, or sent it last; empty on one machine.
    """

    row: int
    name: str
    sample: str | None
    status: RowStatus
    read_set_id: str | None = None
    bytes: int | None = None
    message: str = ""
    what_to_do: str = ""
    subject: str | None = None
    file_type: str | None = None
    source1: str | None = None
    source2: str | None = None
    read_set_arn: str | None = None
    s3_source1: str | None = None
    s3_source2: str | None = None
    etag_algorithm: str | None = None
    etag_source1: str | None = None
    etag_source2: str | None = None
    verified: str | None = None
    proven: bool | None = None
    manifest: str | None = None
    worker: str = ""


def as_csv(rows: Sequence[RowResult]) -> str:
    """The rows as CSV with a header; line ends as in RFC 4180."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(RowResult)])
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def as_json(rows: Sequence[RowResult]) -> str:
    """The rows as one JSON array, one row a line."""
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    return f"[\n{lines}\n]\n"
