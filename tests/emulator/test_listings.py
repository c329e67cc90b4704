from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.omics import error_of, omics_client
from tests.support.emulator import RunningEmulator
from turboupload.emulator.errors import ServiceError
from turboupload.emulator.storage.listing import Pager
from turboupload.emulator.world import ListingOrder, World, Worlds

ROLE = "arn:aws:iam::000000000000:role/import"


@pytest.fixture
def filled(client: Any, store: str) -> tuple[str, str]:
    """A store with seven open uploads, jobs and read sets, and seven parts in the first upload."""
    uploads = []
    for number in range(7):
        details = {"subjectId": "u", "sampleId": f"sample{number}", "name": f"name{number % 2}"}
        upload = client.create_multipart_read_set_upload(
            sequenceStoreId=store, sourceFileType="UBAM", **details
        )["uploadId"]
        uploads.append(upload)
        done = client.create_multipart_read_set_upload(
            sequenceStoreId=store, sourceFileType="UBAM", **details
        )["uploadId"]
        part = {"uploadId": done, "partSource": "SOURCE1", "partNumber": 1}
        checksum = client.upload_read_set_part(sequenceStoreId=store, payload=b"x", **part)
        client.complete_multipart_read_set_upload(
            sequenceStoreId=store,
            uploadId=done,
            parts=[
                {
                    "partNumber": 1,
                    "partSource": "SOURCE1",
                    "checksum": checksum["checksum"],
                }
            ],
        )
        source = {"source1": f"s3://nothing/{number}"}
        client.start_read_set_import_job(
            sequenceStoreId=store,
            roleArn=ROLE,
            sources=[
                {
                    "sourceFiles": source,
                    "sourceFileType": "UBAM",
                    "subjectId": "u",
                    "sampleId": "a",
                }
            ],
        )
    for number in range(1, 8):
        client.upload_read_set_part(
            sequenceStoreId=store,
            uploadId=uploads[0],
            partSource="SOURCE1",
            partNumber=number,
            payload=b"part",
        )
    return store, uploads[0]


LISTINGS: list[tuple[str, str, Callable[[str, str], dict[str, Any]], str]] = [
    (
        "list_read_set_upload_parts",
        "parts",
        lambda store, upload: {
            "sequenceStoreId": store,
            "uploadId": upload,
            "partSource": "SOURCE1",
        },
        "partNumber",
    ),
    (
        "list_multipart_read_set_uploads",
        "uploads",
        lambda store, _: {"sequenceStoreId": store},
        "uploadId",
    ),
    ("list_read_sets", "readSets", lambda store, _: {"sequenceStoreId": store}, "id"),
    ("list_read_set_import_jobs", "importJobs", lambda store, _: {"sequenceStoreId": store}, "id"),
]


@pytest.mark.parametrize(("call", "rows", "arguments", "key"), LISTINGS)
def test_pages_together_are_the_listing(
    client: Any, filled: tuple[str, str], call: str, rows: str, arguments: Any, key: str
) -> None:
    fields = arguments(*filled)
    whole = [row[key] for row in getattr(client, call)(**fields)[rows]]
    assert len(set(whole)) == 7
    for size in (1, 2, 3, 7, 100):
        pages = list(
            client.get_paginator(call).paginate(**fields, PaginationConfig={"PageSize": size})
        )
        assert [row[key] for page in pages for row in page[rows]] == whole
        assert all(len(page[rows]) <= size for page in pages)
        assert "nextToken" not in pages[-1]
        assert len(pages) == -(-7 // size)


def test_stores_are_paged_too(client: Any, store: str) -> None:
    pages = client.get_paginator("list_sequence_stores").paginate(PaginationConfig={"PageSize": 1})
    ids = [row["id"] for page in pages for row in page["sequenceStores"]]
    assert store in ids
    assert len(set(ids)) == len(ids)


def test_a_token_is_good_for_its_own_listing_only(client: Any, filled: tuple[str, str]) -> None:
    store, upload = filled
    parts = {"sequenceStoreId": store, "uploadId": upload, "partSource": "SOURCE1"}
    token = client.list_read_set_upload_parts(**parts, maxResults=2)["nextToken"]
    assert "partNumber" not in token
    wrong: list[Callable[[], Any]] = [
        lambda: client.list_read_set_upload_parts(**parts, nextToken=token[:-4] + "AAA="),
        lambda: client.list_read_set_upload_parts(**parts, nextToken="made up"),
        lambda: client.list_read_set_upload_parts(**parts, nextToken="2"),
        lambda: client.list_read_set_upload_parts(
            **{**parts, "partSource": "SOURCE2"}, nextToken=token
        ),
        lambda: client.list_multipart_read_set_uploads(sequenceStoreId=store, nextToken=token),
    ]
    for call in wrong:
        with pytest.raises(ClientError, match="nextToken") as refused:
            call()
        assert error_of(refused) == ("ValidationException", 400)


def test_a_page_goes_on_where_the_last_one_ended_whatever_happened(
    client: Any, filled: tuple[str, str]
) -> None:
    store, upload = filled
    parts = {"sequenceStoreId": store, "uploadId": upload, "partSource": "SOURCE1"}
    first = client.list_read_set_upload_parts(**parts, maxResults=3)
    for number in (1, 8):
        client.upload_read_set_part(**parts, partNumber=number, payload=b"meanwhile")
    rest = client.list_read_set_upload_parts(**parts, nextToken=first["nextToken"])
    assert [row["partNumber"] for row in rest["parts"]] == [4, 5, 6, 7, 8]


def test_filters_of_read_sets(client: Any, filled: tuple[str, str]) -> None:
    store, _ = filled

    def found(**wanted: Any) -> list[str]:
        reply = client.list_read_sets(sequenceStoreId=store, filter=wanted)
        return [row["sampleId"] for row in reply["readSets"]]

    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    everyone = [f"sample{number}" for number in range(7)]
    assert found(name="name1") == ["sample1", "sample3", "sample5"]
    assert found(sampleId="sample4") == ["sample4"]
    assert found(name="name0", sampleId="sample4", subjectId="u") == ["sample4"]
    assert found(name="name1", sampleId="sample4") == []
    assert found(subjectId="nobody") == []
    assert found(creationType="UPLOAD") == everyone
    assert found(creationType="IMPORT") == []
    assert found(generatedFrom="nothing") == []
    assert found(referenceArn="") == everyone
    assert found(referenceArn="arn:aws:omics:x") == []
    assert found(createdAfter=past, createdBefore=future) == everyone
    assert found(createdAfter=future) == []
    assert found(createdBefore=past) == []
    assert found(status="DELETED") == []


def test_filters_by_time_and_status_elsewhere(client: Any, filled: tuple[str, str]) -> None:
    store, upload = filled
    past, future = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    parts = {"sequenceStoreId": store, "uploadId": upload, "partSource": "SOURCE1"}
    for wanted, count in (
        ({"createdAfter": past}, 7),
        ({"createdBefore": past}, 0),
        ({"createdAfter": future}, 0),
        ({"createdAfter": past, "createdBefore": future}, 7),
    ):
        assert len(client.list_read_set_upload_parts(**parts, filter=wanted)["parts"]) == count
        jobs = client.list_read_set_import_jobs(sequenceStoreId=store, filter=wanted)
        assert len(jobs["importJobs"]) == count
    cancelled = client.list_read_set_import_jobs(
        sequenceStoreId=store, filter={"status": "CANCELLED"}
    )
    assert cancelled["importJobs"] == []
    named = client.create_sequence_store(name=f"named {store}")["id"]
    stores = client.list_sequence_stores(filter={"name": f"named {store}", "createdAfter": past})
    assert [row["id"] for row in stores["sequenceStores"]] == [named]
    assert client.list_sequence_stores(filter={"status": "DELETING"})["sequenceStores"] == []
    assert client.list_sequence_stores(filter={"updatedBefore": past})["sequenceStores"] == []


@pytest.fixture(params=["recorded", "reversed", "shuffled"])
def odd_emulator(request: pytest.FixtureRequest) -> Iterator[tuple[str, RunningEmulator]]:
    options = ("--quotas", "off", "--page-size", "2", "--listing-order", request.param)
    with RunningEmulator(*options) as running:
        yield request.param, running


def test_odd_orders_and_page_sizes(odd_emulator: tuple[str, RunningEmulator]) -> None:
    order, emulator = odd_emulator
    client = omics_client(emulator)
    parts = {"sequenceStoreId": emulator.store_id, "partSource": "SOURCE1"}
    parts["uploadId"] = client.create_multipart_read_set_upload(
        sequenceStoreId=emulator.store_id,
        sourceFileType="UBAM",
        subjectId="u",
        sampleId="a",
        name="n",
    )["uploadId"]
    numbers = list(range(1, 10))
    for number in numbers:
        client.upload_read_set_part(**parts, partNumber=number, payload=b"part")
    pages = list(
        client.get_paginator("list_read_set_upload_parts").paginate(
            **parts, PaginationConfig={"PageSize": 100}
        )
    )
    assert [len(page["parts"]) for page in pages] == [2, 2, 2, 2, 1]
    listed = [row["partNumber"] for page in pages for row in page["parts"]]
    assert sorted(listed) == numbers
    assert (listed == numbers) == (order == "recorded")
    assert (listed == numbers[::-1]) == (order == "reversed")
    client.close()


@pytest.mark.parametrize("order", ["recorded", "reversed", "shuffled"])
def test_a_token_of_another_emulator_is_refused(order: ListingOrder) -> None:
    worlds = Worlds(World(page_size=2, listing_order=order))
    ours, theirs = (Pager(secret=secret, worlds=worlds, clock=time.time) for secret in (b"a", b"b"))
    rows = [(number,) for number in range(5)]
    _, token = theirs.page(rows, {}, operation="List", key=lambda row: row)
    page, _ = theirs.page(rows, {"nextToken": token}, operation="List", key=lambda row: row)
    assert len(page) == 2
    with pytest.raises(ServiceError):
        ours.page(rows, {"nextToken": token}, operation="List", key=lambda row: row)
