"""boto3, unchanged, against the emulator."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import samples
from tests.support.emulator import RunningEmulator

boto3 = pytest.importorskip("boto3", reason="needs the dependency group `peers`: boto3")

pytestmark = pytest.mark.peers

DEADLINE_S = 60.0


def processed(client: Any, store: str, read_set: str) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        metadata: dict[str, Any] = client.get_read_set_metadata(sequenceStoreId=store, id=read_set)
        if metadata["status"] != "PROCESSING_UPLOAD":
            return metadata
        time.sleep(0.3)
    raise AssertionError(f"{read_set} is still being processed after {DEADLINE_S:.0f} s")


def test_a_paired_upload_from_open_files(emulator: RunningEmulator, workspace: Path) -> None:
    pair = samples.fastq_pair(workspace, reads=2_000)
    client = boto3.client("omics")
    store = emulator.store_id
    upload = client.create_multipart_read_set_upload(
        sequenceStoreId=store,
        sourceFileType="FASTQ",
        name="boto3",
        subjectId="subject",
        sampleId="sample",
        clientToken="boto3",
        tags={"tool": "boto3"},
    )["uploadId"]
    parts = []
    for source, mate in zip(("SOURCE1", "SOURCE2"), pair, strict=True):
        with mate.path.open("rb") as payload:
            checksum = client.upload_read_set_part(
                sequenceStoreId=store,
                uploadId=upload,
                partSource=source,
                partNumber=1,
                payload=payload,
            )["checksum"]
        parts.append({"partNumber": 1, "partSource": source, "checksum": checksum})
    listed = client.get_paginator("list_read_set_upload_parts").paginate(
        sequenceStoreId=store, uploadId=upload, partSource="SOURCE2"
    )
    assert [row["checksum"] for page in listed for row in page["parts"]] == [parts[1]["checksum"]]
    read_set = client.complete_multipart_read_set_upload(
        sequenceStoreId=store, uploadId=upload, parts=parts
    )["readSetId"]
    metadata = processed(client, store, read_set)
    assert metadata["status"] == "ACTIVE"
    assert metadata["sequenceInformation"]["totalReadCount"] == 4_000
    payload = client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1, file="SOURCE2")[
        "payload"
    ]
    assert payload.read() == pair[1].path.read_bytes()
    assert client.list_tags_for_resource(resourceArn=metadata["arn"])["tags"] == {"tool": "boto3"}
    client.batch_delete_read_set(sequenceStoreId=store, ids=[read_set])
    client.close()
