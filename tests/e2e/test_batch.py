"""A batch that is killed, and its service: one read set a row, nothing sent twice in vain."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import PATIENCE_S, Lab, wait_until
from tests.support import samples
from tests.support.emulator import RunningEmulator
from tests.support.quickstart import start
from turboupload.state.journal import Journal

ROWS = 16
MANY = 12
QUOTA = "CreateMultipartReadSetUpload=100\nCompleteMultipartReadSetUpload=100\nListReadSets=100"


class Batches:
    """The command on one sheet, run again and again."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.results = lab.folder / "results.json"
        self.started: list[subprocess.Popen[str]] = []
        lines = ["sample,subject,name,source1,source2,reference"]
        for index in range(ROWS - 2):
            name = f"f{index}.fastq.gz"
            samples.fastq(lab.folder / name, reads=80, seed=index)
            lines.append(f"S,U,lane{index},{name},,")
        one, two = samples.fastq_pair(lab.folder)
        lines.append(f"S,U,pair,{one.path.name},{two.path.name},")
        samples.bam(lab.folder / "a.bam")
        lines.append(f"S,U,bam,a.bam,,{samples.REFERENCE_ARN}")
        self.sheet = lab.folder / "sheet.csv"
        self.sheet.write_text("\n".join(lines) + "\n")

    def start(self, results: Path | None = None) -> subprocess.Popen[str]:
        process = start(
            "turboupload",
            ["batch", str(self.sheet), "--json",
             "--store", self.lab.emulator.store_id, "--part-size", "3000",
             "--results", str(results or self.results)],
            env={
                **{key: value for key, value in os.environ.items() if "TURBOUPLOAD" not in key},
                **self.lab.emulator.env(),
                "TURBOUPLOAD_STATE_DIR": str(self.lab.state),
                "TURBOUPLOAD_QUOTA": f"{QUOTA}\nUploadReadSetPart=100\nGetReadSetMetadata=100",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.started.append(process)
        return process

    def wait_for_parts(self, process: subprocess.Popen[str]) -> None:
        wait_until(lambda: self.parts >= MANY or process.poll() is not None, "many parts")
        assert process.poll() is None, process.communicate(timeout=PATIENCE_S)

    @property
    def parts(self) -> int:
        return sum(self.stored().values())

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        last: dict[str, Any] = json.loads(out.splitlines()[-1])
        return last

    def stored(self) -> Counter[tuple[str, str, int]]:
        """How often each part of each upload was stored."""
        rows = self.lab.emulator.stats()["parts"]
        return Counter(
            {(row["uploadId"], row["partSource"], row["partNumber"]): row["stored"] for row in rows}
        )

    def check(self, last: dict[str, Any]) -> None:
        assert sum(last["counts"].values()) == ROWS
        assert set(last["counts"]) <= {"active", "exists"}
        rows = json.loads(self.results.read_text())
        shown = {
            each["name"]: each["id"]
            for page in self.lab.client()
            .get_paginator("list_read_sets")
            .paginate(sequenceStoreId=self.lab.emulator.store_id)
            for each in page["readSets"]
        }
        assert len(shown) == ROWS
        assert {row["name"]: row["read_set_id"] for row in rows} == shown
        assert self.lab.open_uploads() == []


@contextmanager
def running(lab: Lab) -> Iterator[Batches]:
    made = Batches(lab)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def batches(lab: Lab) -> Iterator[Batches]:
    with running(lab) as made:
        yield made


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Batches]:
    """With a service that takes a second to read a file, in which a batch follows its rows."""
    with (
        RunningEmulator("--quotas", "off", "--ingest-delay", "1", tls=True) as emulator,
        running(Lab(tmp_path, emulator)) as made,
    ):
        yield made


@pytest.mark.parametrize("keep_journal", [True, False], ids=["journal kept", "journal lost"])
def test_a_batch_killed_in_the_middle_makes_one_read_set_a_row(
    batches: Batches, keep_journal: bool
) -> None:
    process = batches.start()
    batches.wait_for_parts(process)
    process.kill()
    process.wait(timeout=PATIENCE_S)
    done = batches.stored()
    if not keep_journal:
        batches.lab.forget()
    last = batches.finish(batches.start())
    batches.check(last)
    whole = sum(count - 1 for count in batches.stored().values())
    # What was in flight when it died: at the most a window of sixteen.
    assert whole <= (16 if keep_journal else len(done)), whole
    assert sum(batches.stored().values()) < 2 * len(batches.stored())


def test_a_batch_whose_service_dies_goes_on_when_it_is_back(batches: Batches) -> None:
    process = batches.start()
    batches.wait_for_parts(process)
    batches.lab.emulator.kill()
    batches.lab.emulator.restart()
    batches.check(batches.finish(process))


@pytest.mark.parametrize("killed", [False, True], ids=["all end", "one is killed"])
def test_batches_of_one_sheet_side_by_side_make_one_read_set_a_row(
    slow: Batches, killed: bool
) -> None:
    batches = slow
    first = batches.start()
    batches.wait_for_parts(first)
    others = [batches.start(batches.lab.folder / f"results{number}.json") for number in range(2)]
    if killed:
        wait_until(lambda: batches.lab.read_sets("lane0"), "the first batch is well under way")
        first.kill()
        first.wait(timeout=PATIENCE_S)
    for process in others if killed else [*others, first]:
        last = batches.finish(process)
        assert set(last["counts"]) <= {"active", "exists"}, last
    batches.check(batches.finish(batches.start()))
    stored = batches.stored()
    # Only what was in flight when one was killed may have come twice.
    assert sum(count - 1 for count in stored.values()) <= (16 if killed else 0)
    assert list(batches.lab.state.glob("journal.damaged*")) == []
    journal = Journal(batches.lab.state)
    try:
        assert all(journal.receipts(f"lane{index}") for index in range(ROWS - 2))
    finally:
        journal.close()
