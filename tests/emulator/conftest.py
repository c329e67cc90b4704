from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulator.omics import omics_client
from tests.emulator.wire import Wire
from tests.support.emulator import RunningEmulator


@pytest.fixture(scope="session")
def s3_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s3")


@pytest.fixture(scope="session")
def emulator(s3_root: Path) -> Iterator[RunningEmulator]:
    """One emulator for all tests that leave it as they found it."""
    options = ("--quotas", "off", "--ingest-delay", "0", "--s3-root", str(s3_root))
    with RunningEmulator(*options) as running:
        yield running
        assert "Traceback" not in running.stderr(), running.stderr()


@pytest.fixture(scope="session")
def wire(emulator: RunningEmulator) -> Iterator[Wire]:
    wire = Wire(emulator)
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def client(emulator: RunningEmulator) -> Iterator[Any]:
    client = omics_client(emulator)
    yield client
    client.close()


@pytest.fixture
def store(client: Any) -> str:
    """The id of a store of this test's own."""
    return str(client.create_sequence_store(name="test")["id"])
