"""Rows that go into one import job, and the jobs that they were in before."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from turboupload.value import Value

__all__ = ["UNSEEN", "Bundle"]

UNSEEN: Final = "unseen"
"""In place of the id of a job that used a token and that the service doesn't show."""


class Bundle(Value, frozen=True):
    """Rows that go into one job.

    Attributes:
        rows: Their indices.
        after: The jobs that they were in before, oldest first.
        tries: How often they may fail yet.
    """

    rows: tuple[int, ...]
    after: tuple[str, ...]
    tries: int

    def then(self, job_id: str) -> Bundle:
        """The same rows, for the next job."""
        return Bundle(self.rows, (*self.after, job_id), self.tries)

    def without(self, rows: Collection[int]) -> Bundle:
        """The rows that are left."""
        left = tuple(each for each in self.rows if each not in rows)
        return Bundle(left, self.after, self.tries)
