from __future__ import annotations

import contextlib
import http.client
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.emulator.wire import Reply, Wire
from tests.support.emulator import RunningEmulator
from turboupload.emulator.wire.faults import BadRule, Faults

MIB = 2**20
PART = {"operation": "UploadReadSetPart"}
Ended = (urllib3.exceptions.HTTPError, OSError)


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def faulty(request: pytest.FixtureRequest) -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", tls=request.param) as running:
        yield running


@pytest.fixture
def wire(faulty: RunningEmulator) -> Iterator[Wire]:
    faulty.clear_faults()
    faulty.reset_stats()
    wire = Wire(faulty)
    yield wire
    wire.close()
    faulty.clear_faults()


@pytest.fixture
def upload(wire: Wire) -> str:
    return wire.open_upload(wire.emulator.store_id)


def put(wire: Wire, upload: str, number: int = 1, data: bytes = b"part") -> Reply:
    return wire.put_part(wire.emulator.store_id, upload, data, number=number)


def listed(wire: Wire, upload: str) -> list[int]:
    rows = wire.list_parts(wire.emulator.store_id, upload).json["parts"]
    return [row["partNumber"] for row in rows]


def codes(emulator: RunningEmulator) -> dict[str, int]:
    found: dict[str, int] = emulator.stats()["operations"]["UploadReadSetPart"]["errorCodes"]
    return found


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("InternalServerException", 500),
        ("RequestTimeoutException", 408),
        ("ServiceQuotaExceededException", 402),
        ("AccessDeniedException", 403),
    ],
)
def test_an_error_of_the_service(wire: Wire, upload: str, code: str, status: int) -> None:
    wire.emulator.set_faults([{**PART, "action": {"type": "error", "code": code}}])
    reply = put(wire, upload)
    assert (reply.status, reply.error) == (status, code)
    assert reply.message == "injected fault"
    assert listed(wire, upload) == []
    assert put(wire, upload).status == 200
    assert codes(wire.emulator) == {code: 1}


def test_a_reply_that_no_service_sends(wire: Wire, upload: str) -> None:
    html = {"type": "error", "status": 502, "body": "<html>Bad Gateway</html>"}
    empty = {"type": "error", "status": 503, "body": "", "contentType": "text/plain"}
    wire.emulator.set_faults([{**PART, "action": html}, {**PART, "action": empty}])
    reply = put(wire, upload)
    assert (reply.status, reply.body, reply.error) == (502, b"<html>Bad Gateway</html>", None)
    assert reply.headers["Content-Type"].startswith("text/html")
    reply = put(wire, upload)
    assert (reply.status, reply.body) == (503, b"")
    assert codes(wire.emulator) == {"HTTP 502": 1, "HTTP 503": 1}


def test_a_truncated_reply(wire: Wire, upload: str) -> None:
    action = {"type": "error", "status": 500, "body": "x" * 100, "truncateTo": 10}
    wire.emulator.set_faults([{**PART, "action": action}])
    with pytest.raises(Ended) as ended:
        put(wire, upload)
    # Cut in the reply or, where the rest of the request is still in the socket, reset.
    assert any(word in repr(ended.value) for word in ("IncompleteRead", "closed", "reset"))
    assert put(wire, upload).status == 200


@pytest.mark.parametrize("after", [0, 1, 3 * MIB, 100 * MIB])
@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_drops(wire: Wire, upload: str, after: int, reset: bool) -> None:
    action = {"type": "drop", "afterBytes": after, "reset": reset}
    wire.emulator.set_faults([{**PART, "action": action}])
    with pytest.raises(Ended):
        put(wire, upload, data=bytes(8 * MIB))
    assert listed(wire, upload) == []
    assert codes(wire.emulator) == {"Dropped": 1}
    (part,) = wire.emulator.stats()["parts"]
    assert part["attempts"] == 1
    assert part["stored"] == 0
    assert part["received"] == (after > 8 * MIB)
    assert part["bodyBytes"] >= min(after, 8 * MIB)
    assert put(wire, upload).status == 200


def test_a_reset_is_seen_as_one(wire: Wire, upload: str) -> None:
    wire.emulator.set_faults([{**PART, "action": {"type": "drop", "afterBytes": 10}}])
    with pytest.raises(Ended, match=r"reset by peer|Connection aborted|Broken pipe|EOF"):
        put(wire, upload, data=bytes(MIB))


def test_a_lost_reply_is_applied(wire: Wire, upload: str) -> None:
    wire.emulator.set_faults([{**PART, "action": {"type": "lose_reply"}}])
    with pytest.raises(Ended):
        put(wire, upload)
    assert listed(wire, upload) == [1]
    (part,) = wire.emulator.stats()["parts"]
    assert (part["attempts"], part["received"], part["stored"]) == (1, 1, 1)
    assert codes(wire.emulator) == {"ReplyLost": 1}


def test_a_lost_reply_to_create_and_complete(wire: Wire) -> None:
    store = wire.emulator.store_id
    lose = {"type": "lose_reply"}
    wire.emulator.set_faults(
        [
            {"operation": "CreateMultipartReadSetUpload", "action": lose},
            {"operation": "CompleteMultipartReadSetUpload", "action": lose},
        ]
    )
    token = f"lost-{time.monotonic_ns()}"
    with pytest.raises(Ended):
        wire.create(store, clientToken=token)
    upload = wire.open_upload(store, clientToken=token)
    checksum = put(wire, upload).json["checksum"]
    parts = [{"partNumber": 1, "partSource": "SOURCE1", "checksum": checksum}]
    with pytest.raises(Ended):
        wire.complete(store, upload, parts)
    assert wire.complete(store, upload, parts).error == "ResourceNotFoundException"


@pytest.mark.parametrize("after", [0, 2 * MIB])
def test_a_stall_is_waited_out(wire: Wire, upload: str, after: int) -> None:
    action = {"type": "stall", "seconds": 0.5, "afterBytes": after}
    wire.emulator.set_faults([{**PART, "action": action}])
    started = time.monotonic()
    assert put(wire, upload, data=bytes(4 * MIB)).status == 200
    assert time.monotonic() - started >= 0.5


def test_a_delayed_reply(wire: Wire, upload: str) -> None:
    wire.emulator.set_faults([{**PART, "action": {"type": "delay", "seconds": 0.5}}])
    started = time.monotonic()
    assert put(wire, upload).status == 200
    assert time.monotonic() - started >= 0.5


def test_a_corrupt_part(wire: Wire, upload: str) -> None:
    store = wire.emulator.store_id
    right = put(wire, upload, 1).json["checksum"]
    wire.emulator.set_faults([{**PART, "partNumber": 2, "action": {"type": "corrupt"}}])
    wrong = put(wire, upload, 2).json["checksum"]
    assert wrong != right
    rows = wire.list_parts(store, upload).json["parts"]
    assert [row["checksum"] for row in rows] == [right, wrong]
    assert [row["partSize"] for row in rows] == [4, 4]
    assert put(wire, upload, 2).json["checksum"] == right


def test_a_signed_body_is_still_verified_when_it_is_corrupted(wire: Wire, upload: str) -> None:
    wire.emulator.set_faults([{**PART, "action": {"type": "corrupt"}}])
    path = f"/sequencestore/{wire.emulator.store_id}/upload/{upload}/part"
    reply = wire.call("PUT", path, b"part", query={"partSource": "SOURCE1", "partNumber": 1})
    assert reply.status == 200


def test_matching_counting_and_appending(wire: Wire, upload: str) -> None:
    error = {"type": "error", "code": "InternalServerException"}
    wire.emulator.set_faults(
        [
            {
                **PART,
                "partNumber": 2,
                "partSource": "SOURCE1",
                "after": 1,
                "times": 2,
                "action": error,
            }
        ]
    )
    statuses = [put(wire, upload, number).status for number in (1, 2, 2, 1, 2, 2, 3)]
    assert statuses == [200, 200, 500, 200, 500, 200, 200]
    (rule,) = wire.emulator.faults()
    assert (rule["fired"], rule["remaining"]) == (2, 0)
    wire.emulator.add_faults([{"times": None, "action": error}])
    assert [put(wire, upload).status for _ in range(4)] == [500] * 4
    assert wire.list_parts(wire.emulator.store_id, upload).status == 500
    assert wire.emulator.faults()[1]["remaining"] is None
    wire.emulator.clear_faults()
    assert wire.emulator.faults() == []
    assert put(wire, upload).status == 200


def test_a_storm_is_the_same_every_time() -> None:
    def storm(seed: int) -> list[bool]:
        faults = Faults()
        action = {"type": "error", "code": "InternalServerException"}
        faults.add([{"times": None, "probability": 0.3, "seed": seed, "action": action}])
        return [faults.draw("UploadReadSetPart", None) is not None for _ in range(1_000)]

    assert storm(1) == storm(1)
    assert storm(1) != storm(2)
    assert 200 < sum(storm(1)) < 400


@pytest.mark.parametrize(
    "rule",
    [
        {},
        [],
        {"action": "drop"},
        {"action": {"type": "explode"}},
        {"action": {"type": "error"}},
        {"action": {"type": "error", "status": 200}},
        {"action": {"type": "error", "status": 200, "body": "x", "code": "ValidationException"}},
        {"action": {"type": "error", "status": 199, "body": "x"}},
        {"action": {"type": "stall"}},
        {"action": {"type": "stall", "seconds": -1}},
        {"action": {"type": "drop", "afterBytes": "10"}},
        {"action": {"type": "drop", "seconds": 1}},
        {"action": {"type": "drop"}, "operation": "Nothing"},
        {"action": {"type": "drop"}, "partSource": "SOURCE3"},
        {"action": {"type": "drop"}, "partNumber": -1},
        {"action": {"type": "drop"}, "probability": 2},
        {"action": {"type": "drop"}, "time": 1},
    ],
)
def test_a_rule_that_makes_no_sense(rule: Any) -> None:
    faults = Faults()
    with pytest.raises(BadRule):
        faults.add([rule])
    assert faults.as_json() == {"rules": []}


class TestAdmin:
    def raw(self, emulator: RunningEmulator, method: str, path: str, body: bytes = b"") -> int:
        if emulator.ca_bundle:
            context = ssl.create_default_context(cafile=emulator.ca_bundle)
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", emulator.port, timeout=10, context=context
            )
        else:
            made = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
        with contextlib.closing(made) as connection:
            connection.request(method, f"/_emulator/{path}", body)
            return connection.getresponse().status

    def test_bad_rules_change_nothing(self, wire: Wire) -> None:
        emulator = wire.emulator
        emulator.set_faults([{"action": {"type": "drop"}}])
        for body in (b"", b"{", b"7", b'[{"action": {}}]', b'{"rules": [], "mode": "x"}'):
            assert self.raw(emulator, "POST", "faults", body) == 400
        assert len(emulator.faults()) == 1

    def test_a_list_and_a_single_rule_replace(self, wire: Wire) -> None:
        rule = b'{"action": {"type": "drop"}}'
        assert self.raw(wire.emulator, "POST", "faults", b"[" + rule + b"," + rule + b"]") == 200
        assert len(wire.emulator.faults()) == 2
        assert self.raw(wire.emulator, "POST", "faults", rule) == 200
        assert len(wire.emulator.faults()) == 1

    def test_a_body_that_was_answered_early_is_counted_whole(self, wire: Wire, upload: str) -> None:
        error = {"type": "error", "code": "InternalServerException", "afterBytes": 1}
        wire.emulator.set_faults([{**PART, "action": error}])
        assert put(wire, upload, data=bytes(8 * MIB)).status == 500
        (part,) = wire.emulator.stats()["parts"]
        assert part["bodyBytes"] == 8 * MIB
        assert (part["attempts"], part["received"], part["stored"]) == (1, 1, 0)

    def test_unknown_routes(self, wire: Wire) -> None:
        assert self.raw(wire.emulator, "GET", "nothing") == 404
        assert self.raw(wire.emulator, "GET", "../stats") == 404
        assert self.raw(wire.emulator, "PUT", "stats") == 404

    def test_stats_count_bytes_and_resends(self, wire: Wire, upload: str) -> None:
        for number, size in ((1, 10), (2, 20), (1, 30)):
            put(wire, upload, number, bytes(size))
        stats = wire.emulator.stats()
        counts = stats["operations"]["UploadReadSetPart"]
        assert counts == {
            "requests": 3,
            "bodyBytes": 60,
            "successes": 3,
            "errors": 0,
            "errorCodes": {},
        }
        assert [(part["partNumber"], part["received"]) for part in stats["parts"]] == [
            (1, 2),
            (2, 1),
        ]
        wire.emulator.reset_stats()
        assert wire.emulator.stats()["requests"] == 0
        assert wire.emulator.stats()["parts"] == []
