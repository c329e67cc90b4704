"""Listings that show what was there some seconds ago, by a clock that is told the time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turboupload.emulator.config import EmulatorConfig
from turboupload.emulator.errors import ServiceError
from turboupload.emulator.operations import readsets, stores, uploads
from turboupload.emulator.storage.blobs import BlobFolder
from turboupload.emulator.storage.database import Database, RootOutdated
from turboupload.emulator.storage.listing import Pager
from turboupload.emulator.storage.state import State
from turboupload.emulator.world import MAX_LAG_S, World, Worlds

Shown = tuple[set[str], dict[str, str], dict[str, list[int]]]


class Service:
    """The operations without a wire, and a clock that only goes on when it is told."""

    def __init__(self, root: Path) -> None:
        self.now = 1_000_000.0
        self.worlds = Worlds(World())
        clock = lambda: self.now  # noqa: E731 - one line says it
        database = Database(root / "db", synchronous="NORMAL", clock=clock)
        self.state = State(
            config=EmulatorConfig(root=root),
            worlds=self.worlds,
            database=database,
            blobs=BlobFolder(root, sync=False),
            pager=Pager(secret=b"s", worlds=self.worlds, clock=clock),
            part_secret=b"s",
            clock=clock,
            wake_ingest=lambda: None,
        )
        self.store = stores.default_store(self.state)
        self.place = {"sequenceStoreId": self.store}
        self.uploads: list[str] = []
        self.read_sets: list[str] = []

    def create(self) -> None:
        params = {"sourceFileType": "FASTQ", "subjectId": "u", "sampleId": "a", "name": "n"}
        self.uploads.append(uploads.create_upload(self.state, self.place | params)["uploadId"])

    def put(self, upload: str) -> None:
        incoming = self.state.blobs.receive()
        incoming.write([bytes(int(self.now) % 1000 + 1)])
        uploads.keep_part(self.state, self._part_of(upload), incoming)

    def _part_of(self, upload: str) -> dict[str, Any]:
        return self.place | {"uploadId": upload, "partSource": "SOURCE1", "partNumber": 1}

    def complete(self, upload: str) -> None:
        (part,) = self.parts(upload)
        chosen = {"partSource": "SOURCE1", "partNumber": 1, "checksum": part["checksum"]}
        reply = uploads.complete_upload(
            self.state, self.place | {"uploadId": upload, "parts": [chosen]}
        )
        self.read_sets.append(reply["readSetId"])

    def abort(self, upload: str) -> None:
        uploads.abort_upload(self.state, self.place | {"uploadId": upload})

    def finish(self, read_set: str) -> None:
        with self.state.database.transaction() as rows:
            rows.execute(
                "UPDATE read_sets SET status = 'ACTIVE', used = ? WHERE id = ?",
                (self.now, read_set),
            )
            uploads.end_upload(self.state, rows, read_set)

    def delete(self, read_set: str) -> None:
        readsets.batch_delete(self.state, self.place | {"ids": [read_set]})

    def parts(self, upload: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = uploads.list_parts(self.state, self._part_of(upload))["parts"]
        return found

    def shown(self) -> Shown:
        listed = uploads.list_uploads(self.state, dict(self.place))["uploads"]
        sets = readsets.list_read_sets(self.state, dict(self.place))["readSets"]
        parts = {}
        for upload in self.uploads:
            try:
                parts[upload] = [row["partSize"] for row in self.parts(upload)]
            except ServiceError:
                continue  # What is over has no parts, however old the answer.
        return (
            {row["uploadId"] for row in listed},
            {row["id"]: row["status"] for row in sets},
            parts,
        )

    def looked_up(self) -> dict[str, str]:
        found = {}
        for read_set in self.read_sets:
            try:
                reply = readsets.get_metadata(self.state, self.place | {"id": read_set})
            except ServiceError:
                continue
            found[read_set] = reply["status"]
        return found

    def lag(self, seconds: float) -> None:
        names = ("uploads", "parts", "read_sets", "metadata")
        self.worlds.change({f"{name}_lag_s": seconds for name in names})


ACTIONS: dict[str, Callable[[Service, int], object]] = {
    "create": lambda service, _: service.create(),
    "put": lambda service, which: service.put(service.uploads[which % len(service.uploads)]),
    "abort": lambda service, which: service.abort(service.uploads[which % len(service.uploads)]),
    "complete": lambda service, which: service.complete(
        service.uploads[which % len(service.uploads)]
    ),
    "finish": lambda service, which: service.finish(
        service.read_sets[which % len(service.read_sets)]
    ),
    "delete": lambda service, which: service.delete(
        service.read_sets[which % len(service.read_sets)]
    ),
}


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(sorted(ACTIONS)), st.integers(0, 5)), min_size=1, max_size=25
    )
)
def test_an_answer_is_what_was_shown_so_many_seconds_ago(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        service = Service(Path(folder))
        history: list[tuple[float, Shown, dict[str, str]]] = []
        for name, which in [("create", 0), ("put", 0), *steps]:
            # Some can't be done at this moment.
            with contextlib.suppress(ServiceError, ValueError, ZeroDivisionError):
                ACTIONS[name](service, which)
            history.append((service.now + 0.5, service.shown(), service.looked_up()))
            service.now += 1
        for moment, shown, looked_up in history:
            service.lag(service.now - moment)
            listed, sets, parts = service.shown()
            assert (listed, sets) == shown[:2]
            for upload, sizes in parts.items():
                assert sizes == shown[2].get(upload, [])
            assert service.looked_up() == looked_up
        service.state.database.close()


def test_the_past_is_forgotten_when_nobody_can_ask_for_it(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.create()
    service.put(service.uploads[0])
    service.abort(service.uploads[0])

    def rows() -> int:
        with service.state.database.transaction() as found:
            tables = ("uploads_past", "parts_past", "read_sets_past")
            return sum(
                found.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own names
                for table in tables
            )

    service.now += MAX_LAG_S
    service.state.database.forget_past()
    assert rows() == 2
    service.now += 1
    service.state.database.forget_past()
    assert rows() == 0
    service.state.database.close()


def test_a_root_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    old = sqlite3.connect(path)
    old.execute("CREATE TABLE stores (id TEXT PRIMARY KEY)")
    old.close()
    with pytest.raises(RootOutdated, match="another version"):
        Database(path, synchronous="NORMAL", clock=lambda: 1.0)
