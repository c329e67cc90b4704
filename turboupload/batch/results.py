"""Where each row of a batch stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from turboupload.core.batch import BatchRow, RowChanged
from turboupload.core.rows import RowResult, RowStatus

__all__ = ["RowTable"]


class RowTable:
    """The rows' results so far.

    Args:
        rows: All of them.
        sizes: Bytes of each.
        tell: Told of every change.

    Attributes:
        results: What came of each row so far, in the order of the sheet.
        counts: Rows by status.
        changes: How often anything changed.
    """

    def __init__(
        self, rows: Sequence[BatchRow], sizes: Sequence[int], tell: Callable[[RowChanged], None]
    ) -> None:
        self.results = [
            RowResult(
                row=row.number,
                name=row.read_set.name,
                sample=row.read_set.sample_id,
                status="waiting",
                bytes=size,
            )
            for row, size in zip(rows, sizes, strict=True)
        ]
        self.counts: Counter[RowStatus] = Counter(result.status for result in self.results)
        self.changes = 0
        self._tell = tell

    def change(self, index: int, **fields: Any) -> None:
        """The row stands elsewhere now."""
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
        """Whatever is under way has stopped."""
        for index, result in enumerate(self.results):
            if result.status == "running":
                self.change(
                    index, status="stopped", what_to_do="run the same command again: it goes on"
                )
