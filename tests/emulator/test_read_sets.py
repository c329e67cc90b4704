from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import error_of, upload_files, wait_for_read_set
from tests.support import samples
from tests.support.emulator import RunningEmulator

MIB = 2**20


@pytest.fixture
def active(client: Any, store: str, tmp_path: Any) -> tuple[str, list[bytes]]:
    pair = samples.fastq_pair(tmp_path)
    files = [sample.path for sample in pair]
    read_set = upload_files(client, store, "FASTQ", files, parts=3)
    assert wait_for_read_set(client, store, read_set)["status"] == "ACTIVE"
    return read_set, [file.read_bytes() for file in files]


def test_the_bytes_come_back_as_they_were_sent(
    client: Any, store: str, active: tuple[str, list[bytes]]
) -> None:
    read_set, (first, second) = active
    for file, data in (("SOURCE1", first), ("SOURCE2", second)):
        reply = client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1, file=file)
        assert reply["payload"].read() == data
    reply = client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1)
    assert reply["payload"].read() == first


def test_what_a_read_set_does_not_have(
    client: Any, store: str, active: tuple[str, list[bytes]]
) -> None:
    read_set, _ = active
    wanted = {"sequenceStoreId": store, "id": read_set, "partNumber": 1}
    for change, code in (
        ({"partNumber": 2}, ("RangeNotSatisfiableException", 416)),
        ({"partNumber": 10_000}, ("RangeNotSatisfiableException", 416)),
        ({"file": "INDEX"}, ("ResourceNotFoundException", 404)),
        ({"id": "9999999999"}, ("ResourceNotFoundException", 404)),
        ({"sequenceStoreId": "9999999999"}, ("ResourceNotFoundException", 404)),
    ):
        with pytest.raises(ClientError) as refused:
            client.get_read_set(**{**wanted, **change})
        assert error_of(refused) == code


def test_parts_of_100_mib_whatever_they_were_sent_in(client: Any, store: str) -> None:
    import gzip

    # One stored (not deflated) member, so that it is large in next to no time.
    record = b"@r\n" + b"A" * 500_000 + b"\n+\n" + b"F" * 500_000 + b"\n"
    data = gzip.compress(record * 108, compresslevel=0)
    assert 100 * MIB < len(data) < 110 * MIB
    read_set = upload_files(client, store, "FASTQ", [data], parts=7)
    metadata = wait_for_read_set(client, store, read_set)
    assert metadata["status"] == "ACTIVE"
    source1 = metadata["files"]["source1"]
    assert source1.pop("s3Access")["s3Uri"].endswith(f"/readSet/{read_set}/source1.fastq.gz")
    assert source1 == {
        "totalParts": 2,
        "partSize": 100 * MIB,
        "contentLength": len(data),
    }
    assert metadata["sequenceInformation"]["totalBaseCount"] == 108 * 500_000
    parts = [
        client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=number)["payload"].read()
        for number in (1, 2)
    ]
    assert [len(part) for part in parts] == [100 * MIB, len(data) - 100 * MIB]
    assert b"".join(parts) == data


def test_a_failed_read_set_has_no_bytes(client: Any, store: str, emulator: RunningEmulator) -> None:
    before = set((emulator.root / "blobs").iterdir())
    read_set = upload_files(client, store, "FASTQ", [b"not gzip"])
    metadata = wait_for_read_set(client, store, read_set)
    assert metadata["status"] == "UPLOAD_FAILED"
    assert "files" not in metadata
    assert set((emulator.root / "blobs").iterdir()) <= before
    with pytest.raises(ClientError) as refused:
        client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1)
    assert error_of(refused) == ("ConflictException", 409)


def test_delete_in_batches(
    client: Any, store: str, active: tuple[str, list[bytes]], emulator: RunningEmulator
) -> None:
    read_set, _ = active
    reply = client.batch_delete_read_set(sequenceStoreId=store, ids=[read_set, "9999999999"])
    assert [(error["id"], error["code"]) for error in reply["errors"]] == [("9999999999", "")]
    assert "does not exist" in reply["errors"][0]["message"]
    with pytest.raises(ClientError) as refused:
        client.get_read_set_metadata(sequenceStoreId=store, id=read_set)
    assert error_of(refused) == ("ResourceNotFoundException", 404)
    assert client.list_read_sets(sequenceStoreId=store)["readSets"] == []


def test_while_it_is_processed_there_is_nothing_to_read() -> None:
    from tests.emulator.omics import omics_client

    with RunningEmulator("--quotas", "off", "--ingest-delay", "3600") as emulator:
        client, store = omics_client(emulator), emulator.store_id
        read_set = upload_files(client, store, "FASTQ", [b"bytes"])
        metadata = client.get_read_set_metadata(sequenceStoreId=store, id=read_set)
        assert metadata["status"] == "PROCESSING_UPLOAD"
        for name in ("etag", "sequenceInformation", "statusMessage"):
            assert name not in metadata
        assert metadata["files"] == {
            "source1": {"totalParts": 1, "partSize": 100 * MIB, "contentLength": 5}
        }
        with pytest.raises(ClientError) as refused:
            client.get_read_set(sequenceStoreId=store, id=read_set, partNumber=1)
        assert error_of(refused) == ("ConflictException", 409)
        (error,) = client.batch_delete_read_set(sequenceStoreId=store, ids=[read_set])["errors"]
        assert error["code"] == ""
        assert "being processed" in error["message"]
        client.close()
