"""What was acknowledged is there after SIGKILL; what was not leaves nothing behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.emulator.omics import omics_client, upload_files, wait_for, wait_for_read_set
from tests.emulator.wire import Wire, begin_part
from tests.support import samples
from tests.support.emulator import RunningEmulator

MIB = 2**20
OPTIONS = ("--quotas", "off", "--ingest-delay", "0")


@pytest.fixture(params=["process", "power"])
def own_emulator(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningEmulator]:
    """One emulator that the test may kill."""
    options = (*OPTIONS, "--durability", request.param)
    with RunningEmulator(*options, root=tmp_path / "root") as running:
        yield running


@pytest.fixture
def own_client(own_emulator: RunningEmulator) -> Iterator[Any]:
    client = omics_client(own_emulator)
    yield client
    client.close()


def open_upload(client: Any, store: str, file_type: str = "FASTQ", **details: Any) -> str:
    fields = {"subjectId": "u", "sampleId": "a", "name": "n", **details}
    return str(
        client.create_multipart_read_set_upload(
            sequenceStoreId=store, sourceFileType=file_type, **fields
        )["uploadId"]
    )


def incoming(emulator: RunningEmulator) -> list[Path]:
    return list((emulator.root / "incoming").iterdir())


def blobs(emulator: RunningEmulator) -> list[Path]:
    return list((emulator.root / "blobs").iterdir())


def parts_of(client: Any, store: str, upload: str) -> dict[int, str]:
    rows = client.list_read_set_upload_parts(
        sequenceStoreId=store, uploadId=upload, partSource="SOURCE1"
    )["parts"]
    return {row["partNumber"]: row["checksum"] for row in rows}


def test_an_acknowledged_part_survives(own_emulator: RunningEmulator, own_client: Any) -> None:
    store = own_emulator.store_id
    upload = open_upload(own_client, store, clientToken="token")
    part = {"partSource": "SOURCE1", "partNumber": 1}
    checksum = own_client.upload_read_set_part(
        sequenceStoreId=store, uploadId=upload, payload=b"bytes", **part
    )["checksum"]
    own_emulator.kill()
    own_emulator.start(port=own_emulator.port)
    assert own_emulator.store_id == store
    assert parts_of(own_client, store, upload) == {1: checksum}
    assert open_upload(own_client, store, clientToken="token") == upload


def test_killed_in_mid_part_nothing_is_left(own_emulator: RunningEmulator, own_client: Any) -> None:
    upload = open_upload(own_client, own_emulator.store_id)
    connection = begin_part(own_emulator, upload, length=8 * MIB, sent=4 * MIB)
    wait_for(lambda: sum(path.stat().st_size for path in incoming(own_emulator)), "the first write")
    own_emulator.kill()
    connection.close()
    assert len(incoming(own_emulator)) == 1
    own_emulator.restart()
    assert incoming(own_emulator) == []
    assert blobs(own_emulator) == []
    assert parts_of(own_client, own_emulator.store_id, upload) == {}


def test_a_client_that_hangs_up_in_mid_part_leaves_nothing(
    own_emulator: RunningEmulator, own_client: Any
) -> None:
    upload = open_upload(own_client, own_emulator.store_id)
    connection = begin_part(own_emulator, upload, length=8 * MIB, sent=4 * MIB)
    wait_for(lambda: incoming(own_emulator), "the file of the part")
    connection.close()
    wait_for(lambda: not incoming(own_emulator), "the end of the file of the part")
    counts = wait_for(
        lambda: own_emulator.stats()["operations"].get("UploadReadSetPart"), "the count"
    )
    assert counts["errorCodes"] == {"Disconnected": 1}
    assert parts_of(own_client, own_emulator.store_id, upload) == {}


def test_a_completed_upload_is_ingested_after_a_kill(tmp_path: Path) -> None:
    sample = samples.fastq(tmp_path / "reads.fastq.gz")
    with RunningEmulator("--quotas", "off", "--ingest-delay", "3600", root=tmp_path / "r") as first:
        client = omics_client(first)
        store = first.store_id
        read_set = upload_files(client, store, "FASTQ", [sample.path], parts=3)
        client.close()
        first.kill()
    with RunningEmulator(*OPTIONS, root=tmp_path / "r") as second:
        client = omics_client(second)
        assert wait_for_read_set(client, store, read_set)["status"] == "ACTIVE"
        payload = client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1)["payload"]
        assert payload.read() == sample.path.read_bytes()
        client.close()


def test_an_import_goes_on_after_a_kill(tmp_path: Path) -> None:
    bucket = tmp_path / "s3" / "bucket"
    bucket.mkdir(parents=True)
    samples.fastq(bucket / "reads.fastq.gz")
    options = ("--quotas", "off", "--s3-root", str(tmp_path / "s3"))
    source = {
        "sourceFiles": {"source1": "s3://bucket/reads.fastq.gz"},
        "sourceFileType": "FASTQ",
        "subjectId": "u",
        "sampleId": "a",
    }
    root = tmp_path / "root"
    with RunningEmulator(*options, "--ingest-delay", "3600", root=root) as first:
        client = omics_client(first)
        store = first.store_id
        job = client.start_read_set_import_job(
            sequenceStoreId=store, roleArn="arn:aws:iam::000000000000:role/r", sources=[source]
        )["id"]
        client.close()
        first.kill()
    with RunningEmulator(*options, "--ingest-delay", "0", root=root) as second:
        client = omics_client(second)
        wait_for(
            lambda: (
                client.get_read_set_import_job(sequenceStoreId=store, id=job)["status"]
                == "COMPLETED"
            ),
            "the import",
        )
        client.close()


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with RunningEmulator(*OPTIONS, root=tmp_path / "root") as emulator:
        wire = Wire(emulator)
        store = emulator.store_id
        upload = wire.open_upload(store)
        acknowledged: dict[int, set[str]] = {}
        for _ in range(4):
            killer = threading.Timer(rng.uniform(0.01, 0.3), emulator.kill)
            killer.start()
            while True:
                number = rng.randint(1, 6)
                data = rng.randbytes(rng.randint(1, 300_000))
                try:
                    reply = wire.put_part(store, upload, data, number=number)
                except (OSError, urllib3.exceptions.HTTPError):
                    # It was in flight: it may be there, or what was there before.
                    acknowledged.setdefault(number, {""}).add(sha256_base64(data))
                    break
                acknowledged[number] = {reply.json["checksum"]}
            killer.join()
            emulator.restart()
            rows = wire.list_parts(store, upload).json["parts"]
            listed = {row["partNumber"]: row["checksum"] for row in rows}
            for number, allowed in acknowledged.items():
                assert listed.get(number, "") in allowed
            assert set(listed) <= set(acknowledged)
            acknowledged = {number: {checksum} for number, checksum in listed.items()}
            assert len(blobs(emulator)) == len(listed)
        wire.close()


def sha256_base64(data: bytes) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_the_stats_and_faults_do_not_survive(own_emulator: RunningEmulator) -> None:
    own_emulator.set_faults([{"action": {"type": "delay", "seconds": 1}}])
    own_emulator.kill()
    own_emulator.restart()
    assert own_emulator.faults() == []
    assert own_emulator.stats()["requests"] == 0
