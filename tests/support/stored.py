"""What a store has of alignments: a comment more in the header, and the same records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pysam

__all__ = ["check_comment"]


def check_comment(sent: Path, kept: Path, store: str, reference: Path | None = None) -> None:
    """A line was added to the header, and nothing else is other than it was."""
    options: dict[str, Any] = {"check_sq": False, "reference_filename": reference}
    with pysam.AlignmentFile(str(sent), **options) as one:
        before, records = str(one.header).split("\n"), [str(each) for each in one]
    with pysam.AlignmentFile(str(kept), **options) as two:
        after = str(two.header).split("\n")
        assert [str(each) for each in two] == records
    *same, comment = filter(None, after)
    assert same == list(filter(None, before))
    assert comment.startswith(f"@CO\tHealthOmics sequence store {store}, ingested 20")
