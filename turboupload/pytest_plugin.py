"""Fixtures of pytest: a HealthOmics of one's own. It loads nothing until one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turboupload.testing import Emulator, Faults

__all__ = ["healthomics", "healthomics_faults", "healthomics_options", "healthomics_session"]


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    config.addinivalue_line(
        "markers",
        "healthomics(**options): how the test's `healthomics` is started, by the arguments of "
        "turboupload.testing.Emulator",
    )


@pytest.fixture(scope="session")
def healthomics_options() -> dict[str, Any]:
    """How emulators are started, by the arguments of `Emulator`; override it in conftest.py."""
    return {}


@pytest.fixture(scope="session")
def healthomics_session(healthomics_options: dict[str, Any]) -> Iterator[Emulator]:
    """One HealthOmics for the session (with xdist: for each worker), and the environment set."""
    from turboupload.testing import Emulator

    with Emulator(**healthomics_options) as emulator, emulator.environment():
        yield emulator


@pytest.fixture
def healthomics(
    request: pytest.FixtureRequest, healthomics_options: dict[str, Any]
) -> Iterator[Emulator]:
    """A HealthOmics for this test, with an empty store, and the environment set to reach it."""
    from turboupload.testing import Emulator

    marker = request.node.get_closest_marker("healthomics")
    options = {**healthomics_options, **(marker.kwargs if marker else {})}
    with Emulator(**options) as emulator, emulator.environment():
        yield emulator


@pytest.fixture
def healthomics_faults(healthomics: Emulator) -> Faults:
    """Makes this test's HealthOmics misbehave."""
    return healthomics.faults
