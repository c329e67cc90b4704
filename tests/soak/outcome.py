"""What must hold once a batch has come to its end, whoever was killed on the way."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from turboupload.state.journal import Journal

__all__ = ["Stored", "faults_of"]

DONE = ("active", "exists")


class Stored:
    """What a store has of a sheet's rows, read back through botocore.

    Args:
        service: The emulator.
        files: The file of each row, by the read set's name.
    """

    def __init__(self, service: RunningEmulator, files: Mapping[str, Path]) -> None:
        self._client = omics_client(service)
        self._store = {"sequenceStoreId": service.store_id}
        self.ids: dict[str, str] = {}
        self.faults = [fault for name, path in files.items() for fault in self._look_at(name, path)]
        left = self._client.list_multipart_read_set_uploads(**self._store)["uploads"]
        if open_still := [each["name"] for each in left if each["name"] in files]:
            self.faults.append(f"uploads were left open: {open_still}")

    def _look_at(self, name: str, path: Path) -> Iterator[str]:
        found = self._client.list_read_sets(**self._store, filter={"name": name})["readSets"]
        if len(found) != 1 or found[0]["status"] != "ACTIVE":
            yield f"{name} is {len(found)} read sets: {[each['status'] for each in found]}"
            return
        self.ids[name] = read_set_id = found[0]["id"]
        about = self._client.get_read_set_metadata(**self._store, id=read_set_id)
        content = b""
        for part in range(1, about["files"]["source1"]["totalParts"] + 1):
            reply = self._client.get_read_set(**self._store, id=read_set_id, partNumber=part)
            content += reply["payload"].read()
        if content != path.read_bytes():
            yield f"{name} has other bytes"


def faults_of(stored: Stored, state: Path, results: Path) -> Iterator[str]:
    """What is not as it must be: in the store, in the results file, and in the journal.

    Args:
        stored: What the store has.
        state: The coordinator's state folder.
        results: The results file.
    """
    yield from stored.faults
    with results.open() as text:
        rows = {row["name"]: row for row in csv.DictReader(text)}
    with closing(Journal(state)) as journal:
        for name, read_set_id in stored.ids.items():
            row = rows.get(name, {})
            if row.get("read_set_id") != read_set_id or row.get("status") not in DONE:
                yield f"the results say of {name}: {row}"
            if not journal.receipts(read_set_id):
                yield f"{name} has no receipt"
