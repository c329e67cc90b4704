"""A HealthOmics and some files, for the recipes of docs/examples."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import turboupload
from tests.support import samples
from turboupload.testing import Emulator

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two FASTQ files, whose names no other test uses."""
    names = [f"{tmp_path.name.replace('_', '-')}-{n}" for n in range(2)]
    return [
        samples.fastq(tmp_path / f"{name}.fastq.gz", seed=hash(name) % 2**31).path for name in names
    ]


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """Leads every command and program to the emulator."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        **emulator.env(),
        "PATH": programs,
        "TURBOUPLOAD_STORE": emulator.store_id,
        "PYTHONWARNINGS": "default",
    }


def run(
    command: Sequence[object], env: dict[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*map(str, command)], env=env, cwd=cwd, capture_output=True, text=True, check=False,
        timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def active(emulator: Emulator, name: str) -> bool:
    """Whether the store has one read set of this name, and it is ACTIVE."""

    async def listed() -> int:
        wanted = turboupload.ReadSetFilter(name=name, status="ACTIVE")
        async with turboupload.SequenceStores(emulator.upload_config()) as stores:
            return len([each async for each in stores.list_read_sets(emulator.store_id, wanted)])

    return asyncio.run(listed()) == 1
