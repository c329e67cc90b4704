"""The table of the rows' results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from turboupload.core.batch import BatchRow, RowChanged
from turboupload.core.rows import RowResult, RowStatus
from turboupload.core.sheet.columns import SEPARATOR

__all__ = ["RowTable"]


class RowTable:
    """The rows' results so far, updated while the batch runs.

    Args:
        rows: All rows.
        tell: Called with every change.

    Attributes:
        results: The result of each row so far, in the order of the sheet.
        counts: Rows by status.
        changes: The number of changes so far.
    """

    def __init__(self, rows: Sequence[BatchRow], tell: Callable[[RowChanged], None]) -> None:
        self.results = [
            RowResult(
                row=row.number,
                name=row.read_set.name,
                sample=row.read_set.sample_id,
                status="waiting",
                bytes=row.total_bytes,
                subject=row.read_set.subject_id,
                file_type=str(row.file_type),
                source1=SEPARATOR.join(row.read_set.files[0]),
                source2=SEPARATOR.join(row.read_set.files[1]) if row.read_set.files[1:] else None,
            )
            for row in rows
        ]
        self.counts: Counter[RowStatus] = Counter(result.status for result in self.results)
        self.changes = 0
        self._tell = tell

    def change(self, index: int, **fields: Any) -> None:
        """Changes fields of a row's result, and reports the change if there is one."""
        before = self.results[index]
        after = replace(before, **fields)
        if after == before:
            return
        self.results[index] = after
        self.counts[before.status] -= 1
        self.counts[after.status] += 1
        self.changes += 1
        self._tell(RowChanged(after))

    def stop(self) -> None:
        """Marks the rows that are still being sent as stopped."""
        for index, result in enumerate(self.results):
            if result.status == "running":
                self.change(
                    index, status="stopped", what_to_do="run the same command again: it goes on"
                )
