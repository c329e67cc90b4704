from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulator import RunningEmulator


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """Over TLS and with the real quotas: just what an unsuspecting tool would meet."""
    with RunningEmulator("--ingest-delay", "0.1", tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def aws_environment(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools take everything from the environment, and nothing from this user's own set-up."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in emulator.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path
