"""The services that are held to one contract: the fake, and aiobotocore against the emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pytest

from tests.support.client import open_client
from tests.support.emulator import RunningEmulator
from tests.support.memory_service import MemoryService
from turboupload.config import UploadConfig
from turboupload.omics.base import ReadSetService, UploadRef


class Contracted(ReadSetService, Protocol):
    """What an upload needs, and what ends one."""

    async def abort_upload(self, upload: UploadRef) -> None: ...


@dataclass(frozen=True)
class Subject:
    """A service under test, and its store.

    Attributes:
        hold: Lets read sets stay PROCESSING_UPLOAD.
        release: Lets them go on.
    """

    service: Contracted
    store_id: str
    hold: Callable[[], None]
    release: Callable[[], None]


@pytest.fixture(scope="session")
def https_emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0", tls=True) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def http_emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator(
        "--quotas", "off", "--ingest-delay", "0", "--page-size", "2", "--checksum", "hex"
    ) as emulator:
        yield emulator


@pytest.fixture(params=["memory", "https", "http, pages of two, hex"])
async def subject(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Subject]:
    if request.param == "memory":
        # It goes on when somebody looks.
        service = MemoryService(looks_until_active=2)
        yield Subject(service, service.store_id, lambda: None, lambda: None)
        return
    name = "https_emulator" if request.param == "https" else "http_emulator"
    emulator: RunningEmulator = request.getfixturevalue(name)
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    async with open_client(UploadConfig(), workers=4) as omics:
        yield Subject(
            omics,
            emulator.store_id,
            hold=lambda: emulator.set_world(ingest_delay_s=3600),
            release=emulator.reset_world,
        )
    emulator.reset_world()
