"""An engine over the service in memory, with files that are real."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.memory_service import MemoryService
from tests.support.scripted import FastClock, Rule, Script, scripted
from turboupload.config import UploadConfig
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, UploadResult
from turboupload.engine import Engine
from turboupload.state.journal import Journal


def gzip_fastq(path: Path, size: int, *, seed: int = 1) -> Path:
    """A valid gzip FASTQ of about `size` bytes: its records are random, stored uncompressed."""
    rng = random.Random(seed)
    bases = "".join(rng.choices("ACGT", k=max(1, (size - 80) // 2)))
    text = f"@read\n{bases}\n+\n{'I' * len(bases)}\n".encode()
    packer = zlib.compressobj(level=0, wbits=31)
    path.write_bytes(packer.compress(text) + packer.flush())
    return path


@dataclass
class Bench:
    """What a test of the engine has in hand."""

    folder: Path
    service: MemoryService = field(default_factory=MemoryService)
    script: Script = field(default_factory=Script)
    fast: FastClock = field(default_factory=FastClock)
    told: list[Notice] = field(default_factory=list)

    @property
    def store(self) -> str:
        return self.service.store_id

    def file(self, name: str = "reads.fastq.gz", size: int = 10_000, seed: int = 1) -> Path:
        return gzip_fastq(self.folder / name, size, seed=seed)

    def read_set(self, *paths: Path, **more: Any) -> ReadSet:
        fields: dict[str, Any] = {
            "sources": list(paths),
            "name": "lane 1",
            "sample_id": "HG002",
            "subject_id": "NA24385",
            **more,
        }
        return ReadSet(**fields)

    @contextmanager
    def engine(self, **more: Any) -> Iterator[Engine]:
        fields: dict[str, Any] = {
            "part_size_bytes": 1000,
            "state_dir": self.folder / "state",
            **more,
        }
        link = fields.pop("link", None)
        config = UploadConfig(**fields)
        journal = Journal(config.state_folder)
        try:
            yield Engine(
                scripted(self.service, self.script),
                journal,
                config,
                where="memory",
                clock=self.fast.clock(),
                link=link,
            )
        finally:
            journal.close()

    async def upload(self, read_set: ReadSet, **more: Any) -> UploadResult:
        with self.engine(**more) as engine:
            return await engine.upload(read_set, self.store, self.told.append)

    def heard(self, kind: type[Any]) -> list[Any]:
        return [notice for notice in self.told if isinstance(notice, kind)]

    def forget_journal(self) -> None:
        for each in (self.folder / "state").glob("journal.sqlite3*"):
            each.unlink()

    @property
    def resent(self) -> int:
        """How many parts arrived more than once."""
        return sum(count - 1 for count in self.service.received.values())

    async def interrupt_at(self, rule: Rule, **more: Any) -> None:
        """Uploads all files until the rule's call hangs, then cancels as a caller would."""
        rule.error = None
        self.script.rules = [rule]
        self.script.hanging = anyio.Event()
        with self.engine(**more) as engine:
            async with anyio.create_task_group() as group:
                read_set = self.read_set(*sorted(self.folder.glob("*.gz")))
                group.start_soon(engine.upload, read_set, self.store, self.told.append)
                with anyio.fail_after(10):
                    await self.script.hanging.wait()
                group.cancel_scope.cancel()
        self.script.rules = []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
