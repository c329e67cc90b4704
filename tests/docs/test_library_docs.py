"""The library's surface: its names, its events and their schema, and what is said of them."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import turboupload
from tests.support import events_schema, samples
from tests.support.quickstart import start
from turboupload import events
from turboupload.testing import Emulator

ROOT = Path(__file__).parents[2]
LIBRARY = (ROOT / "docs" / "library.md").read_text()
SCHEMA = json.loads(events_schema.PATH.read_text())
KINDS = dict.fromkeys(
    kind
    for union in (events.UploadEvent, events.BatchEvent, events.ImportEvent, events.WatchEvent)
    for kind in events_schema.classes_of(union)
)

NAMES = """
    Audit AuditedFile BatchProgress BatchRehearsal BatchResult BatchRow ChainFault ChainLink
    ChainVerification ConfigError Controls CreationType DaskWorkers ETag FileCheck FileFacts
    FileType Finding Findings ImportJob ImportJobChanged ImportJobFilter ImportJobSource
    ImportJobStarted ImportJobStatus ImportPlanned ImportResult ImportRowChanged ImportSource
    ImportSourceStatus InputError IntegrityError Listing MultipartUpload NamePattern Page PairFacts
    PartSource Progress ReadSet ReadSetDetails ReadSetFiles ReadSetFilter ReadSetRejected
    ReadSetStatus Receipt ReceiptCheck Rehearsal RowChanged RowResult RunChanged
    SequenceStoreDetails SequenceStoreFilter SequenceStoreStatus SequenceStores ServiceRefused Sheet
    SheetDefaults SheetFinding SheetRejected SheetRow Signature SourceChanged Stopped StoredFile
    SubjectRule TurbouploadError UploadBusy UploadConfig UploadPart UploadResult Uploader
    Verification WatchResult WatchRule WatchedRun audit audit_sync check import_read_sets
    import_read_sets_sync plan_sheet read_sheet rehearse rehearse_batch rehearse_batch_sync
    rehearse_sync sign_receipts upload upload_batch upload_batch_sync upload_stream
    upload_stream_sync upload_sync verify_read_set verify_read_set_sync verify_receipt
    verify_receipts watch watch_status watch_sync write_sheet
""".split()  # noqa: SIM905 # a name a line would be longer than the rest of this
"""A name that is taken away breaks somebody's program: this list only grows."""


def test_the_names_are_those_that_programs_rely_on() -> None:
    assert sorted(turboupload.__all__) == sorted(NAMES)
    assert turboupload.events is events
    assert {"events", "observability", "testing"} <= set(dir(turboupload))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_described(name: str) -> None:
    assert re.search(rf"`(?:turboupload\.)?{name}\b", LIBRARY)
    assert getattr(turboupload, name).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_values_are_frozen(name: str) -> None:
    kind: Any = getattr(turboupload, name)
    if hasattr(kind, "__dataclass_params__"):
        assert kind.__dataclass_params__.frozen


def test_every_event_is_exported_and_described() -> None:
    for kind in KINDS:
        assert getattr(events, kind.__name__) is kind
        assert f"| `{kind.__name__}` |" in LIBRARY
        if kind not in (events.RowNotice, events.RunNotice):
            name, fields = events.describe(events_schema.sample(kind))
            said = re.search(rf"^\| `{kind.__name__}` \| (.*?) \| (.*?) \|", LIBRARY, re.MULTILINE)
            assert said is not None
            assert f"`{name}`" in said[1]
            assert re.findall(r"`(\w+)`", said[2]) == list(fields)
    assert events.__all__ == sorted(events.__all__, key=lambda n: (not n.isupper(), n))
    with pytest.raises(TypeError, match="is no event"):
        events.describe(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
def test_events_are_frozen_and_go_into_another_process(kind: type) -> None:
    event = events_schema.sample(kind)
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301 # our own
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_the_schema_is_that_of_the_dataclasses() -> None:
    assert events_schema.text() == events_schema.PATH.read_text(), (
        "python -m tests.support.events_schema writes it"
    )
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


# --- what the command writes --------------------------------------------------------------------


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What commands write with --json, of uploads, batches, imports, checks and watchers."""
    folder = tmp_path_factory.mktemp("lines")
    samples.fastq(folder / "a.fastq.gz", reads=2000)
    (folder / "bucket").mkdir()
    samples.fastq(folder / "bucket" / "b.fastq.gz")
    (folder / "sheet.csv").write_text(
        "name,sample,subject,source1,type\nb,HG002,NA24385,bucket/b.fastq.gz,FASTQ\n"
    )
    (folder / "import.csv").write_text(
        "name,sample,subject,source1,type\nc,HG002,NA24385,s3://bucket/b.fastq.gz,FASTQ\n"
    )
    (folder / "runs/one").mkdir(parents=True)
    samples.fastq(folder / "runs/one/d.fastq.gz")
    (folder / "runs/one/CopyComplete.txt").touch()
    role = "arn:aws:iam::000000000000:role/omics-import"
    with Emulator(s3_root=folder, world={"checksum": "base64"}) as emulator:
        emulator.faults.throttle("UploadReadSetPart")
        store = ["--store", emulator.store_id]
        about = ["--name", "a", "--sample", "HG002", "--subject", "NA24385"]
        env = {**os.environ, **emulator.env()}

        def told(*words: str) -> list[dict[str, Any]]:
            run = start(
                "turboupload", [*words, "--json"], env=env, cwd=folder,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            said, _ = run.communicate(timeout=60)
            return [json.loads(line) for line in said.splitlines()]

        yield [
            *told("check", "a.fastq.gz", "missing.bam"),
            *told("upload", "a.fastq.gz", *store, *about, "--part-size", "20k", "--prove"),
            *told("upload", "missing.fastq.gz", *store, *about),
            *told("batch", "sheet.csv", *store, "--dry-run"),
            *told("batch", "sheet.csv", *store),
            *told("import", "import.csv", *store, "--role-arn", role),
            *told("watch", "runs", *store, "--once", "--settle", "0.1s", "--subject", "NA24385"),
        ]


def test_what_the_command_writes_is_as_the_schema_says(lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in lines:
        validator.validate(line)
    written = {line["event"] for line in lines}
    assert written <= set(SCHEMA["$defs"]), written - set(SCHEMA["$defs"])
    assert written >= {
        *("check.file", "check.finding", "upload.started", "upload.planned", "upload.opened"),
        *("part.sent", "upload.progress", "call.retrying", "read_set.status", "upload.finished"),
        *("batch.started", "batch.row", "batch.progress", "batch.rehearsed", "batch.finished"),
        *("import.planned", "import.job", "import.row", "import.start.finished"),
        *("watch.started", "watch.run", "watch.sent", "watch.finished"),
    }


def test_the_schema_refuses_what_is_not_so(lines: list[dict[str, Any]]) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    progress = next(line for line in lines if line["event"] == "upload.progress")
    for wrong in ({"done_bytes": "many"}, {"version": 2}, {"time": None}):
        assert not validator.is_valid({**progress, **wrong})
    assert not validator.is_valid({k: v for k, v in progress.items() if k != "window"})
