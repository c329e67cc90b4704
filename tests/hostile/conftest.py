"""One service and one launcher for all; each test has a file of its own, in six parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.site import Site, Subject
from tests.support.launcher import Ending, Launched
from tests.support.samples import fastq

PARTS = 6
PART_SIZE = 10_000
READS = 560
PATIENCE_S = 30.0

CREATE = "CreateMultipartReadSetUpload"
SEND = "UploadReadSetPart"
COMPLETE = "CompleteMultipartReadSetUpload"
GET = "GetReadSetMetadata"
LIST_PARTS = "ListReadSetUploadParts"
LIST_READ_SETS = "ListReadSets"


def wait_until(condition: Callable[[], object]) -> None:
    """Waits for a condition, with a bound."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


class Trial:
    """An upload of six parts, one at a time, against the shared service."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.site = site
        self.folder = folder
        self.path = fastq(folder / "reads.fastq.gz", reads=READS).path
        self.subject = Subject(name, (self.path,), PART_SIZE, 1, folder / "state")

    def start(self, *more: str | Path, state: Path | None = None, **launch: Any) -> Launched:
        """Starts the command with further options."""
        arguments = [*self.subject.arguments(self.site.emulator.store_id), *more]
        return self.site.launcher.start(*arguments, state=state or self.subject.state, **launch)

    def run(self, *more: str | Path, **launch: Any) -> Ending:
        """Starts the command and waits until it ends, or stops."""
        return self.start(*more, **launch).wait()

    def verify(self, ending: Ending) -> None:
        """Checks that it arrived once and whole."""
        self.site.verify(self.subject, ending)

    def goes_on(self, *, reused: int) -> None:
        """Checks that the same command goes on with at least so many parts, and ends well.

        A part that was in flight may have arrived after all.
        """
        ending = self.run()
        self.verify(ending)
        assert ending.last["parts_reused"] >= reused, ending.last

    def faults(self, *rules: dict[str, Any]) -> None:
        """Puts the service's misbehaviour in place of any before."""
        self.site.emulator.set_faults(rules)

    def well(self) -> None:
        """Ends the service's misbehaviour."""
        self.site.emulator.clear_faults()

    def count(self, operation: str) -> int:
        """How many requests of an operation there were."""
        operations = self.site.emulator.stats()["operations"]
        return int(operations.get(operation, {}).get("requests", 0))

    @property
    def stored(self) -> dict[int, int]:
        """How often each part was received whole and stored."""
        rows = self.site.emulator.stats()["parts"]
        return {row["partNumber"]: row["stored"] for row in rows if row["stored"]}

    def under_way(self, operation: str) -> bool:
        """Whether a request of this operation is under way."""
        rows = self.site.emulator.stats()["underWay"]
        return any(row["operation"] == operation for row in rows)


def stall(operation: str, **more: Any) -> dict[str, Any]:
    """A request that nothing is done about."""
    return {"operation": operation, "action": {"type": "stall", "seconds": 600}, **more}


@pytest.fixture(scope="session")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("hostile")) as site:
        yield site


@pytest.fixture
def trial(shared_site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trial]:
    shared_site.emulator.clear_faults()
    shared_site.emulator.reset_stats()
    yield Trial(shared_site, tmp_path, request.node.name[:120])
    shared_site.emulator.clear_faults()
