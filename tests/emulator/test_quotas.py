from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.omics import refusal_of
from tests.emulator.wire import Wire
from tests.support.emulator import RunningEmulator
from turboupload.emulator.operations.service import OPERATIONS
from turboupload.emulator.wire.quotas import Quotas


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def taken(quotas: Quotas, operation: str, tries: int) -> int:
    refusals = [refusal_of(lambda: quotas.take(operation)) for _ in range(tries)]
    assert {(error.code, error.status) for error in refusals if error} <= {
        ("ThrottlingException", 429)
    }
    return refusals.count(None)


def test_every_operation_has_its_documented_rate() -> None:
    assert all(each.per_s > 0 for each in OPERATIONS.values())
    for operation, tps in {
        "CreateMultipartReadSetUpload": 1,
        "CompleteMultipartReadSetUpload": 1,
        "AbortMultipartReadSetUpload": 1,
        "UploadReadSetPart": 10,
        "ListReadSetUploadParts": 5,
        "GetReadSet": 30,
    }.items():
        clock = Clock()
        quotas = Quotas(mode="real", tps={}, clock=clock)
        assert taken(quotas, operation, 100) == tps
        assert taken(quotas, operation, 100) == 0
        clock.now += 1
        assert taken(quotas, operation, 100) == tps


def test_operations_do_not_share_a_bucket() -> None:
    quotas = Quotas(mode="real", tps={}, clock=Clock())
    assert taken(quotas, "CreateMultipartReadSetUpload", 2) == 1
    assert taken(quotas, "CompleteMultipartReadSetUpload", 2) == 1


def test_single_rates_go_over_the_mode() -> None:
    off = Quotas(mode="off", tps={"UploadReadSetPart": 2}, clock=Clock())
    assert taken(off, "UploadReadSetPart", 10) == 2
    assert taken(off, "CreateMultipartReadSetUpload", 1000) == 1000
    real = Quotas(mode="real", tps={"UploadReadSetPart": 200}, clock=Clock())
    assert taken(real, "UploadReadSetPart", 1000) == 200


def test_a_rate_below_one_still_lets_one_through() -> None:
    clock = Clock()
    quotas = Quotas(mode="off", tps={"GetReadSet": 0.5}, clock=clock)
    assert taken(quotas, "GetReadSet", 5) == 1
    clock.now += 1
    assert taken(quotas, "GetReadSet", 5) == 0
    clock.now += 1
    assert taken(quotas, "GetReadSet", 5) == 1


@given(steps=st.lists(st.floats(0, 3), min_size=1, max_size=60), tps=st.integers(1, 20))
def test_never_more_than_rate_times_time_and_one_burst(steps: list[float], tps: int) -> None:
    clock = Clock()
    quotas = Quotas(mode="off", tps={"GetReadSet": tps}, clock=clock)
    granted = taken(quotas, "GetReadSet", 50)
    for step in steps:
        clock.now += step
        granted += taken(quotas, "GetReadSet", 50)
    assert granted <= tps + tps * sum(steps) + 1e-6


def test_over_the_wire_the_answer_is_429() -> None:
    with RunningEmulator() as emulator:
        wire = Wire(emulator)
        # Several are far faster than one a second, however slow the machine.
        replies = [wire.create(emulator.store_id) for _ in range(20)]
        assert replies[0].status == 200
        refused = [reply for reply in replies if reply.status != 200]
        assert {(reply.status, reply.error) for reply in refused} == {(429, "ThrottlingException")}
        errors = emulator.stats()["operations"]["CreateMultipartReadSetUpload"]["errorCodes"]
        assert errors == {"ThrottlingException": len(refused)}
        wire.close()


def test_an_invalid_request_counts_and_an_unsigned_one_does_not() -> None:
    with RunningEmulator("--quota", "CreateMultipartReadSetUpload=0.001") as emulator:
        wire = Wire(emulator)
        path = f"/sequencestore/{emulator.store_id}/upload"
        assert wire.raw("POST", wire.url(path), b"{}", {}).status == 403
        assert wire.call("POST", path, {}).error == "ValidationException"
        assert wire.call("POST", path, {}).error == "ThrottlingException"
        wire.close()


@pytest.mark.parametrize("operation", ["UploadReadSetPart"])
def test_a_throttled_part_is_answered_while_its_body_is_on_the_way(operation: str) -> None:
    with RunningEmulator("--quota", f"{operation}=0.001") as emulator:
        wire = Wire(emulator)
        upload = wire.open_upload(emulator.store_id)
        body = bytes(8 * 2**20)
        assert wire.put_part(emulator.store_id, upload, body).status == 200
        refused = wire.put_part(emulator.store_id, upload, body, number=2)
        assert (refused.status, refused.error) == (429, "ThrottlingException")
        # The connection is still good for the next request.
        assert wire.list_parts(emulator.store_id, upload).status == 200
        wire.close()
