from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import error_of, omics_client, wait_for
from tests.emulator.wire import Wire, begin_part
from tests.support.emulator import RunningEmulator

MIB = 2**20


def sha256_base64(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def create(client: Any, store: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "sequenceStoreId": store,
        "sourceFileType": "FASTQ",
        "subjectId": "subject",
        "sampleId": "sample",
        "name": "name",
        **changes,
    }
    created: dict[str, Any] = client.create_multipart_read_set_upload(**fields)
    return created


def put(
    client: Any, store: str, upload: str, data: bytes, number: int = 1, source: str = "SOURCE1"
) -> dict[str, Any]:
    checksum = client.upload_read_set_part(
        sequenceStoreId=store, uploadId=upload, partSource=source, partNumber=number, payload=data
    )["checksum"]
    return {"partNumber": number, "partSource": source, "checksum": checksum}


def listed(client: Any, store: str, upload: str, source: str = "SOURCE1") -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = client.list_read_set_upload_parts(
        sequenceStoreId=store, uploadId=upload, partSource=source
    )["parts"]
    return parts


def open_uploads(client: Any, store: str) -> list[str]:
    reply = client.list_multipart_read_set_uploads(sequenceStoreId=store)
    return [upload["uploadId"] for upload in reply["uploads"]]


class TestCreate:
    def test_returns_what_it_was_given_and_a_ten_digit_id(self, client: Any, store: str) -> None:
        details = {
            "generatedFrom": "a run",
            "referenceArn": "arn:aws:omics:us-east-1:1:referenceStore/1/reference/2",
            "description": "described",
            "tags": {"k": "v"},
        }
        created = create(client, store, **details)
        assert created["uploadId"].isdigit()
        assert len(created["uploadId"]) == 10
        assert {name: created[name] for name in details} == details
        assert created["sequenceStoreId"] == store

    def test_the_same_token_and_parameters_return_the_same_upload(
        self, client: Any, store: str
    ) -> None:
        first = create(client, store, clientToken=f"same-{store}")
        again = create(client, store, clientToken=f"same-{store}")
        assert first["uploadId"] == again["uploadId"]
        assert open_uploads(client, store) == [first["uploadId"]]

    def test_without_a_token_each_create_is_another_upload(self, client: Any, store: str) -> None:
        assert create(client, store)["uploadId"] != create(client, store)["uploadId"]

    @pytest.mark.parametrize(
        "changed",
        [
            {"name": "another"},
            {"sampleId": "another"},
            {"tags": {"k": "v"}},
            {"description": "new"},
            {"sourceFileType": "UBAM"},
        ],
    )
    def test_the_same_token_with_other_parameters_is_refused(
        self, client: Any, store: str, changed: dict[str, Any]
    ) -> None:
        create(client, store, clientToken=f"other-{store}")
        with pytest.raises(ClientError, match="clientToken") as refused:
            create(client, store, clientToken=f"other-{store}", **changed)
        assert error_of(refused) == ("ValidationException", 400)

    def test_the_token_outlives_completion_and_not_abort(self, client: Any, store: str) -> None:
        token = f"life-{store}"
        aborted = create(client, store, clientToken=token)["uploadId"]
        client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=aborted)
        upload = create(client, store, clientToken=token)["uploadId"]
        assert upload != aborted
        part = put(client, store, upload, b"x")
        client.complete_multipart_read_set_upload(
            sequenceStoreId=store, uploadId=upload, parts=[part]
        )
        assert create(client, store, clientToken=token)["uploadId"] == upload
        wait_for(lambda: open_uploads(client, store) == [], "the end of the upload")

    def test_an_unknown_store_is_not_found(self, client: Any) -> None:
        with pytest.raises(ClientError) as refused:
            create(client, "9999999999")
        assert error_of(refused) == ("ResourceNotFoundException", 404)


class TestParts:
    def test_a_part_is_listed_as_it_was_sent(self, client: Any, store: str) -> None:
        upload = create(client, store)["uploadId"]
        data = bytes(range(256)) * 5_000
        part = put(client, store, upload, data, number=10_000, source="SOURCE2")
        assert part["checksum"] == sha256_base64(data)
        (row,) = listed(client, store, upload, "SOURCE2")
        assert row["partNumber"] == 10_000
        assert row["partSize"] == len(data)
        assert row["partSource"] == "SOURCE2"
        assert row["checksum"] == part["checksum"]
        assert row["creationTime"] <= row["lastUpdatedTime"]
        assert listed(client, store, upload, "SOURCE1") == []

    def test_sent_again_it_is_replaced(
        self, client: Any, store: str, emulator: RunningEmulator
    ) -> None:
        upload = create(client, store)["uploadId"]
        put(client, store, upload, b"first")
        before = set((emulator.root / "blobs").iterdir())
        part = put(client, store, upload, b"second, longer")
        (row,) = listed(client, store, upload)
        assert (row["partSize"], row["checksum"]) == (14, part["checksum"])
        assert len(set((emulator.root / "blobs").iterdir())) == len(before)

    def test_100_mib_is_the_most(self, wire: Wire, store: str) -> None:
        upload = wire.open_upload(store)
        reply = wire.put_part(store, upload, bytes(100 * MIB))
        assert reply.status == 200
        refused = wire.put_part(store, upload, bytes(100 * MIB + 1), number=2)
        assert (refused.status, refused.error) == (400, "ValidationException")
        assert "104857600" in refused.message

    def test_memory_does_not_grow_with_the_part(self) -> None:
        with RunningEmulator("--quotas", "off", tls=True) as emulator:
            wire = Wire(emulator)
            upload = wire.open_upload(emulator.store_id)

            def peak_bytes_after(size: int) -> int:
                assert wire.put_part(emulator.store_id, upload, bytes(size)).status == 200
                status = Path(f"/proc/{emulator.pid}/status").read_text()
                return int(status.partition("VmHWM:")[2].split()[0]) * 1024

            small = peak_bytes_after(4 * MIB)
            assert peak_bytes_after(100 * MIB) - small < 16 * MIB
            wire.close()

    def test_a_body_is_invited_only_when_it_is_wanted(
        self, client: Any, emulator: RunningEmulator
    ) -> None:
        expecting = {"Expect": "100-continue"}
        upload = create(client, emulator.store_id)["uploadId"]
        with begin_part(emulator, upload, length=4, sent=0, headers=expecting) as connection:
            assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"part")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        with begin_part(emulator, "1" * 10, length=4, sent=0, headers=expecting) as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")

    def test_a_refusal_does_not_wait_for_the_body(self, emulator: RunningEmulator) -> None:
        with begin_part(emulator, "1" * 10, length=50 * MIB, sent=MIB) as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 404 ")

    def test_many_at_once(self, client: Any, emulator: RunningEmulator, store: str) -> None:
        upload = create(client, store)["uploadId"]
        bodies = {number: bytes([number]) * (number * 50_000) for number in range(1, 41)}
        # Every part twice, so that replacing is part of the race.
        sent = [*bodies.items()] * 2

        def send(part: tuple[int, bytes]) -> dict[str, Any]:
            return put(client, store, upload, part[1], part[0])

        with ThreadPoolExecutor(16) as threads:
            replies = list(threads.map(send, sent))
        rows = {row["partNumber"]: row for row in listed(client, store, upload)}
        assert {number: row["partSize"] for number, row in rows.items()} == {
            number: len(body) for number, body in bodies.items()
        }
        assert all(rows[reply["partNumber"]]["checksum"] == reply["checksum"] for reply in replies)
        stored = [path.stat().st_size for path in (emulator.root / "blobs").iterdir()]
        for body in bodies.values():
            assert stored.count(len(body)) == 1
        client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload)

    def test_an_empty_part_is_refused(self, wire: Wire, store: str) -> None:
        reply = wire.put_part(store, wire.open_upload(store), b"")
        assert (reply.status, reply.error) == (400, "ValidationException")

    def test_a_part_for_no_upload_is_refused(self, wire: Wire, store: str) -> None:
        reply = wire.put_part(store, "1234567890", b"x")
        assert (reply.status, reply.error) == (404, "ResourceNotFoundException")

    def test_an_upload_is_only_known_in_its_own_store(
        self, wire: Wire, client: Any, store: str
    ) -> None:
        other = client.create_sequence_store(name="other")["id"]
        upload = wire.open_upload(store)
        assert wire.put_part(other, upload, b"x").error == "ResourceNotFoundException"
        assert wire.list_parts(other, upload).error == "ResourceNotFoundException"


class TestComplete:
    def test_returns_a_read_set_at_once_and_ends_the_upload(self, client: Any, store: str) -> None:
        upload = create(client, store)["uploadId"]
        parts = [put(client, store, upload, b"abc", number) for number in (2, 1, 3)]
        reply = client.complete_multipart_read_set_upload(
            sequenceStoreId=store, uploadId=upload, parts=parts
        )
        assert len(reply["readSetId"]) == 10
        # It is listed until its read set is ACTIVE or failed.
        wait_for(lambda: open_uploads(client, store) == [], "the end of the upload")
        for call in (
            lambda: listed(client, store, upload),
            lambda: put(client, store, upload, b"x"),
            lambda: client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload),
            lambda: client.complete_multipart_read_set_upload(
                sequenceStoreId=store, uploadId=upload, parts=parts
            ),
        ):
            with pytest.raises(ClientError) as refused:
                call()
            assert error_of(refused) == ("ResourceNotFoundException", 404)

    def test_parts_that_are_not_listed_are_dropped(self, client: Any, store: str) -> None:
        upload = create(client, store)["uploadId"]
        kept = put(client, store, upload, b"kept")
        put(client, store, upload, b"dropped", 2)
        read_set = client.complete_multipart_read_set_upload(
            sequenceStoreId=store, uploadId=upload, parts=[kept]
        )["readSetId"]
        assert read_set

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (lambda parts: [], "parts"),
            (lambda parts: [*parts, parts[0]], "more than once"),
            (lambda parts: [*parts, {**parts[0], "partNumber": 9}], "part 9 of SOURCE1 was not"),
            (lambda parts: [parts[0], parts[2]], "part 2 of SOURCE1 is missing"),
            (lambda parts: parts[1:], "part 1 of SOURCE1 is missing"),
            (lambda parts: [*parts[:2], {**parts[2], "checksum": "wrong"}], "checksum of part 3"),
            (
                lambda parts: [*parts[:2], {**parts[2], "checksum": parts[0]["checksum"]}],
                "checksum of part 3",
            ),
            (
                lambda parts: [{**part, "partSource": "SOURCE2"} for part in parts],
                "no part of SOURCE1",
            ),
        ],
    )
    def test_a_wrong_list_is_refused_and_the_upload_stays_open(
        self, client: Any, store: str, change: Any, sentence: str
    ) -> None:
        upload = create(client, store)["uploadId"]
        parts = [put(client, store, upload, f"{number}".encode(), number) for number in (1, 2, 3)]
        with pytest.raises(ClientError, match=sentence) as refused:
            client.complete_multipart_read_set_upload(
                sequenceStoreId=store, uploadId=upload, parts=change(parts)
            )
        assert error_of(refused) == ("ValidationException", 400)
        assert open_uploads(client, store) == [upload]
        assert len(listed(client, store, upload)) == 3
        client.complete_multipart_read_set_upload(
            sequenceStoreId=store, uploadId=upload, parts=parts
        )

    @pytest.mark.parametrize("file_type", ["BAM", "UBAM", "CRAM"])
    def test_source2_is_for_fastq_only(self, client: Any, store: str, file_type: str) -> None:
        upload = create(client, store, sourceFileType=file_type)["uploadId"]
        parts = [put(client, store, upload, b"x", 1, source) for source in ("SOURCE1", "SOURCE2")]
        with pytest.raises(ClientError, match="SOURCE2 is for FASTQ only") as refused:
            client.complete_multipart_read_set_upload(
                sequenceStoreId=store, uploadId=upload, parts=parts
            )
        assert error_of(refused) == ("ValidationException", 400)
        assert open_uploads(client, store) == [upload]

    def test_an_unknown_upload_is_not_found(self, wire: Wire, store: str) -> None:
        part = {"partNumber": 1, "partSource": "SOURCE1", "checksum": "x"}
        reply = wire.complete(store, "1234567890", [part])
        assert (reply.status, reply.error) == (404, "ResourceNotFoundException")


def test_abort_forgets_upload_parts_and_bytes(
    client: Any, store: str, emulator: RunningEmulator
) -> None:
    upload = create(client, store)["uploadId"]
    before = set((emulator.root / "blobs").iterdir())
    put(client, store, upload, b"bytes")
    (blob,) = set((emulator.root / "blobs").iterdir()) - before
    client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload)
    assert open_uploads(client, store) == []
    assert not blob.exists()
    with pytest.raises(ClientError) as refused:
        client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload)
    assert error_of(refused) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("form", "reply_form", "listing_form"),
    [
        ("hex", lambda data: hashlib.sha256(data).hexdigest(), "same"),
        ("opaque", None, "same"),
        ("absent-in-listing", sha256_base64, "absent"),
    ],
)
def test_other_forms_of_the_checksum(form: str, reply_form: Any, listing_form: str) -> None:
    with RunningEmulator("--quotas", "off", "--checksum", form) as emulator:
        client = omics_client(emulator, held=listing_form != "absent")
        store = emulator.store_id
        upload = create(client, store)["uploadId"]
        part = put(client, store, upload, b"data")
        if reply_form is not None:
            assert part["checksum"] == reply_form(b"data")
        else:
            digest = hashlib.sha256(b"data")
            assert part["checksum"] not in (sha256_base64(b"data"), digest.hexdigest())
            assert put(client, store, upload, b"data", 2)["checksum"] != part["checksum"]
            assert put(client, store, upload, b"data")["checksum"] == part["checksum"]
        rows = listed(client, store, upload)
        wanted = None if listing_form == "absent" else part["checksum"]
        assert rows[0].get("checksum") == wanted
        client.complete_multipart_read_set_upload(
            sequenceStoreId=store, uploadId=upload, parts=[part]
        )
        client.close()


def test_a_completed_upload_may_still_be_listed_for_a_while() -> None:
    with RunningEmulator("--quotas", "off", "--completed-uploads-listed", "3600") as emulator:
        client = omics_client(emulator)
        upload = create(client, emulator.store_id)["uploadId"]
        part = put(client, emulator.store_id, upload, b"x")
        client.complete_multipart_read_set_upload(
            sequenceStoreId=emulator.store_id, uploadId=upload, parts=[part]
        )
        assert open_uploads(client, emulator.store_id) == [upload]
        with pytest.raises(ClientError) as refused:
            put(client, emulator.store_id, upload, b"x")
        assert error_of(refused) == ("ResourceNotFoundException", 404)
        client.close()
