"""What a batch writes for the next step, against a service with and without access through S3."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turboupload
from tests.support import samples
from turboupload import events
from turboupload.testing import Emulator

FAST = dict.fromkeys(
    (
        "CreateMultipartReadSetUpload",
        "CompleteMultipartReadSetUpload",
        "GetReadSetMetadata",
        "ListReadSets",
    ),
    200.0,
)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


class Site:
    """A few read sets, a state folder, and a store."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        one, two = samples.fastq_pair(folder)
        bam = samples.ubam(folder / "u.bam")
        about = {"sample_id": "HG002", "subject_id": folder.name}
        self.rows = [
            turboupload.ReadSet(sources=[one.path, two.path], name="a/b", **about),  # type: ignore[arg-type] # a table
            turboupload.ReadSet(sources=[bam.path], name="u", **about),  # type: ignore[arg-type] # likewise
        ]
        self.heard: list[Any] = []

    def upload(self, *, state: str = "state", **more: Any) -> turboupload.BatchResult:
        self.heard.clear()
        config = self.emulator.upload_config(state_dir=self.folder / state, transactions_per_s=FAST)
        return turboupload.upload_batch_sync(
            self.rows,
            store_id=self.emulator.store_id,
            config=config,
            on_event=self.heard.append,
            **more,
        )

    def results(self, name: str = "results.json") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.folder / name).read_text())
        return found


@pytest.fixture
def site(emulator: Emulator, tmp_path: Path) -> Site:
    return Site(emulator, tmp_path)


def test_results_hold_what_the_next_step_wants(site: Site) -> None:
    kept = site.folder / "results.json"
    receipts = site.folder / "receipts"
    assert not site.upload(results=kept, receipts=receipts).failed
    first = site.results()
    pair, bam = first
    assert pair["subject"] == site.folder.name
    assert [pair["source1"], pair["source2"]] == list(site.rows[0].paths)
    assert pair["read_set_arn"].endswith(f"/readSet/{pair['read_set_id']}")
    assert pair["s3_source2"].startswith("s3://")
    assert pair["s3_source2"].endswith("/source2.fastq.gz")
    assert (pair["verified"], pair["proven"]) == ("sha256", True)
    assert (pair["etag_algorithm"], len(pair["etag_source2"])) == ("FASTQ_MD5up", 32)
    assert (bam["file_type"], bam["source2"], bam["s3_source2"]) == ("UBAM", None, None)
    # A receipt for each, whatever is in a name.
    names = sorted(each.name for each in receipts.iterdir())
    assert names[1] == "u.receipt.json"
    assert names[0].startswith("a_b.")
    assert turboupload.verify_receipt(receipts / names[1]).files_match
    # Run again, by the journal and without it, it says the same.
    for state in ("state", "another"):
        site.upload(results=kept, receipts=receipts, state=state)
        again = site.results()
        assert [each["status"] for each in again] == ["exists", "exists"]
        wanted = ("read_set_arn", "s3_source1", "s3_source2", "etag_source1", "source1", "subject")
        assert [[row[key] for key in wanted] for row in again] == [
            [row[key] for key in wanted] for row in first
        ]
    assert sorted(each.name for each in receipts.iterdir()) == names


def test_the_forms_of_others(site: Site) -> None:
    sheet, runs = site.folder / "nf.csv", site.folder / "runs.json"
    site.upload(results=sheet, results_format="nf-core")
    site.upload(results=sheet, results_format="nf-core")
    pair, bam = list(csv.DictReader(sheet.read_text().splitlines()))
    assert pair["fastq_2"].startswith("s3://")
    assert bam["bam"].startswith("s3://")
    site.upload(results=runs, results_format="healthomics-run")
    assert [each["name"] for each in site.results("runs.json")] == ["a/b", "u"]
    mine = site.folder / "mine.csv"
    mine.write_text("sample,fastq_1,fastq_2\nmine,a.fastq.gz,\n")
    with pytest.raises(turboupload.ConfigError, match="it is not replaced"):
        site.upload(results=mine, results_format="nf-core")
    with pytest.raises(turboupload.ConfigError, match=r"results for nf-core are CSV"):
        site.upload(results=site.folder / "r.json", results_format="nf-core")
    with pytest.raises(turboupload.ConfigError, match="is not a format of results"):
        site.upload(results=sheet, results_format="xlsx")


@pytest.mark.parametrize(("form", "name"), [("nf-core", "r.csv"), ("healthomics-run", "r.json")])
def test_a_service_that_tells_no_uri(form: str, name: str, tmp_path: Path) -> None:
    with Emulator(world={"odd_replies": ["sparse"]}) as emulator:
        site = Site(emulator, tmp_path)
        site.upload(results=tmp_path / name, results_format=form)
        told = [
            each.notice
            for each in site.heard
            if isinstance(each, events.RowNotice) and isinstance(each.notice, events.Remark)
        ]
        assert [each.code for each in told] == ["results-without-uri"]
        assert told[0].text.startswith("2 read sets are not in ")
        assert "URI" not in (tmp_path / name).read_text()


def test_a_folder_for_receipts_that_can_not_be(site: Site) -> None:
    (site.folder / "file").touch()
    with pytest.raises(turboupload.ConfigError, match="the folder of the receipts can't be made"):
        site.upload(receipts=site.folder / "file")
