"""Replies that are odd as real ones may be, when told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.omics import omics_client
from tests.emulator.wire import Wire
from tests.support.emulator import RunningEmulator


def served(*odd: str) -> Iterator[Wire]:
    options = [each for name in odd for each in ("--odd-replies", name)]
    with RunningEmulator("--quotas", "off", "--ingest-delay", "600", *options) as emulator:
        wire = Wire(emulator)
        yield wire
        wire.close()


@pytest.fixture(scope="module")
def odd() -> Iterator[Wire]:
    yield from served("null-members", "extra-members", "new-values")


@pytest.fixture(scope="module")
def sparse() -> Iterator[Wire]:
    yield from served("sparse")


def upload_one(wire: Wire, name: str) -> dict[str, Any]:
    """The replies of an upload's life, by operation."""
    store = wire.emulator.store_id
    created = wire.create(store, name=name).json
    upload = created["uploadId"]
    part = wire.put_part(store, upload, b"x").json
    row = {"partNumber": 1, "partSource": "SOURCE1", "checksum": part["checksum"]}
    listed = wire.list_parts(store, upload).json
    completed = wire.complete(store, upload, [row]).json
    metadata = wire.call(
        "GET", f"/sequencestore/{store}/readset/{completed['readSetId']}/metadata"
    ).json
    return {"created": created, "part": part, "listed": listed, "metadata": metadata}


def test_null_members_extra_members_and_new_values(odd: Wire) -> None:
    replies = upload_one(odd, "odd")
    created, metadata = replies["created"], replies["metadata"]
    assert created["referenceArn"] is None
    assert metadata["etag"] is None
    assert metadata["status"] == "VALIDATING_UPLOAD"
    assert replies["listed"]["nextToken"] is None
    for reply in (*replies.values(), replies["listed"]["parts"][0]):
        assert reply["futureMember"] == {"since": None, "values": [1, "x", {}]}


def test_sparse_replies_have_what_nobody_can_do_without(sparse: Wire) -> None:
    replies = upload_one(sparse, "sparse")
    assert set(replies["created"]) == {"uploadId", "sourceFileType"}
    assert set(replies["listed"]["parts"][0]) == {"partNumber", "partSize", "checksum"}
    assert set(replies["metadata"]) == {"id", "status", "files"}


def test_sparse_pages_leave_out_an_empty_list_where_the_model_lets_them(sparse: Wire) -> None:
    store = sparse.call("POST", "/sequencestore", {"name": "empty"}).json["id"]
    assert sparse.call("POST", f"/sequencestore/{store}/uploads", {}).json == {}
    assert sparse.call("POST", f"/sequencestore/{store}/importjobs", {}).json == {}
    assert sparse.call("POST", f"/sequencestore/{store}/readsets", {}).json == {"readSets": []}


def test_botocores_own_client_takes_them_too(odd: Wire) -> None:
    client = omics_client(odd.emulator, held=False)
    store = odd.emulator.store_id
    odd.create(store, name="listed")
    rows = client.list_multipart_read_set_uploads(sequenceStoreId=store)["uploads"]
    assert "listed" in {row["name"] for row in rows}
    client.close()
