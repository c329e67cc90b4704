from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import error_of, upload_files, wait_for_read_set
from tests.emulator.wire import Wire
from tests.support.emulator import RunningEmulator


def test_a_store_is_what_it_was_made_as(client: Any) -> None:
    made = client.create_sequence_store(
        name="a store",
        description="described",
        eTagAlgorithmFamily="SHA256up",
        fallbackLocation="s3://a-bucket/prefix/",
        tags={"k": "v"},
    )
    store = client.get_sequence_store(id=made["id"])
    for name in ("id", "arn", "name", "description", "eTagAlgorithmFamily", "fallbackLocation"):
        assert store[name] == made[name]
    assert store["arn"] == f"arn:aws:omics:us-east-1:000000000000:sequenceStore/{made['id']}"
    assert store["status"] == "ACTIVE"
    rows = client.get_paginator("list_sequence_stores").paginate()
    assert made["id"] in [row["id"] for page in rows for row in page["sequenceStores"]]


def test_the_default_store_is_there(client: Any, emulator: RunningEmulator) -> None:
    store = client.get_sequence_store(id=emulator.store_id)
    assert store["eTagAlgorithmFamily"] == "MD5up"


def test_creating_again_with_the_same_token(client: Any, store: str) -> None:
    first = client.create_sequence_store(name="x", clientToken=f"t-{store}")
    assert client.create_sequence_store(name="x", clientToken=f"t-{store}")["id"] == first["id"]
    with pytest.raises(ClientError) as refused:
        client.create_sequence_store(name="y", clientToken=f"t-{store}")
    assert error_of(refused) == ("ValidationException", 400)


def test_only_an_empty_store_is_deleted(client: Any, store: str) -> None:
    upload = client.create_multipart_read_set_upload(
        sequenceStoreId=store, sourceFileType="UBAM", subjectId="u", sampleId="a", name="n"
    )["uploadId"]
    with pytest.raises(ClientError) as refused:
        client.delete_sequence_store(id=store)
    assert error_of(refused) == ("ConflictException", 409)
    client.abort_multipart_read_set_upload(sequenceStoreId=store, uploadId=upload)
    read_set = upload_files(client, store, "UBAM", [b"x"])
    wait_for_read_set(client, store, read_set)
    with pytest.raises(ClientError) as refused:
        client.delete_sequence_store(id=store)
    assert error_of(refused) == ("ConflictException", 409)
    client.batch_delete_read_set(sequenceStoreId=store, ids=[read_set])
    client.delete_sequence_store(id=store)
    for call in (client.get_sequence_store, client.delete_sequence_store):
        with pytest.raises(ClientError) as refused:
            call(id=store)
        assert error_of(refused) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    "call",
    [
        "list_read_sets",
        "list_multipart_read_set_uploads",
        "list_read_set_import_jobs",
    ],
)
def test_nothing_is_listed_of_an_unknown_store(client: Any, call: str) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(sequenceStoreId="9999999999")
    assert error_of(refused) == ("ResourceNotFoundException", 404)


class TestTags:
    def test_tags_of_a_store(self, client: Any) -> None:
        arn = client.create_sequence_store(name="tagged", tags={"a": "1"})["arn"]
        client.tag_resource(resourceArn=arn, tags={"b": "2", "a": "3"})
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "3", "b": "2"}
        client.untag_resource(resourceArn=arn, tagKeys=["a", "missing"])
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}

    def test_tags_of_an_upload_become_those_of_its_read_set(self, client: Any, store: str) -> None:
        read_set = upload_files(client, store, "UBAM", [b"x"], details={"tags": {"k ": "v+/&="}})
        arn = client.get_read_set_metadata(sequenceStoreId=store, id=read_set)["arn"]
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"k ": "v+/&="}
        client.untag_resource(resourceArn=arn, tagKeys=["k "])
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {}

    def test_fifty_tags_are_the_most(self, client: Any) -> None:
        tags = {str(number): "v" for number in range(50)}
        arn = client.create_sequence_store(name="tagged", tags=tags)["arn"]
        with pytest.raises(ClientError) as refused:
            client.tag_resource(resourceArn=arn, tags={"one": "more"})
        assert error_of(refused) == ("ServiceQuotaExceededException", 402)

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:omics:us-east-1:000000000000:sequenceStore/9999999999",
            "arn:aws:omics:us-east-1:000000000000:sequenceStore/9999999999/readSet/1234567890",
            "arn:aws:omics:us-east-1:000000000000:run/1234567890",
            "arn:aws:omics:us-east-1:111111111111:sequenceStore/9999999999",
            "arn:aws:omics:us-east-1:000000000000:sequenceStore/../../etc/passwd",
        ],
    )
    def test_what_is_no_store_or_read_set_has_none(self, client: Any, arn: str) -> None:
        calls: list[Callable[[], Any]] = [
            lambda: client.list_tags_for_resource(resourceArn=arn),
            lambda: client.tag_resource(resourceArn=arn, tags={"k": "v"}),
            lambda: client.untag_resource(resourceArn=arn, tagKeys=["k"]),
        ]
        for call in calls:
            with pytest.raises(ClientError) as refused:
                call()
            assert error_of(refused) == ("ResourceNotFoundException", 404)

    def test_tagging_answers_204(self, wire: Wire, client: Any) -> None:
        arn = client.create_sequence_store(name="tagged")["arn"]
        path = "/tags/" + arn.replace(":", "%3A").replace("/", "%2F")
        reply = wire.call("POST", path, {"tags": {"k": "v"}})
        assert (reply.status, reply.body) == (204, b"")
