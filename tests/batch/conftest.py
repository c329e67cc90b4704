"""A batch over the service in memory, with files that are real."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Bench
from tests.support.memory_service import MemoryService
from tests.support.scripted import FastClock, QuickClock
from turboupload.batch.ready import checked
from turboupload.core.batch import (
    BatchNotice,
    BatchProgress,
    BatchRehearsal,
    BatchResult,
    RowChanged,
)
from turboupload.core.model import ReadSet
from turboupload.core.records import ETag, ReadSetDetails
from turboupload.core.rows import RowStatus
from turboupload.core.shards import Shard
from turboupload.core.sheet.model import Sheet
from turboupload.state.results_file import ResultsFile


class KnowingService(MemoryService):
    """One that shows the ETags of what it stores, of a FASTQ that is ACTIVE.

    Attributes:
        content: The uncompressed content, by the read set's name.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.content: dict[str | None, bytes] = {}

    async def get_read_set(self, store_id: str, read_set_id: str) -> ReadSetDetails:
        record = await super().get_read_set(store_id, read_set_id)
        if record.status != "ACTIVE" or record.name not in self.content:
            return record
        digest = hashlib.md5(self.content[record.name], usedforsecurity=False).hexdigest()
        return replace(record, etag=ETag(algorithm="FASTQ_MD5up", source1=digest))

    def stores(self, read_sets: list[ReadSet]) -> None:
        """These are what it is sent from now on."""
        for each in read_sets:
            path = Path(each.paths[0])
            self.content[each.name] = zlib.decompress(path.read_bytes(), 31)


@dataclass
class BatchBench(Bench):
    """What a test of a batch has in hand."""

    fast: FastClock = field(default_factory=QuickClock)  # type: ignore[assignment] # as good here
    heard_of: list[BatchNotice] = field(default_factory=list)

    def read_sets(self, count: int, size: int = 3000) -> list[ReadSet]:
        return [
            self.read_set(self.file(f"{index}.gz", size, index), name=f"lane {index}")
            for index in range(count)
        ]

    async def batch(
        self,
        rows: Sheet | list[ReadSet],
        *,
        max_failures: int | None = None,
        results: Path | None = None,
        shard: Shard | None = None,
        **more: Any,
    ) -> BatchResult:
        self.heard_of.clear()
        with self.engine(**more) as engine:
            async with checked(engine, rows, self.store, shard) as ready:
                return await ready.batch(
                    max_failures=max_failures,
                    tell=self.heard_of.append,
                    results=ResultsFile(results) if results else None,
                ).run()

    async def rehearse_batch(self, rows: Sheet | list[ReadSet]) -> BatchRehearsal:
        with self.engine() as engine:
            async with checked(engine, rows, self.store) as ready:
                self.heard_of.clear()
                return await ready.rehearse(self.heard_of.append)

    def statuses_of(self, row: int) -> list[RowStatus]:
        """The statuses a row went through."""
        return [
            notice.result.status
            for notice in self.heard_of
            if isinstance(notice, RowChanged) and notice.result.row == row
        ]

    @property
    def progress(self) -> list[BatchProgress]:
        return [notice for notice in self.heard_of if isinstance(notice, BatchProgress)]


@pytest.fixture
def bench(tmp_path: Path) -> BatchBench:
    return BatchBench(tmp_path)
