"""Calls on which nothing moves: a name, a connection, a body and a reply have their time-outs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest

from tests.omics.test_client import OPERATIONS, call
from tests.support.client import open_client
from tests.support.https_sink import black_hole
from turboupload.config import UploadConfig
from turboupload.core.model import PartSource
from turboupload.core.rate.retry import may_retry
from turboupload.core.records import UploadPart
from turboupload.errors import LinkFailed
from turboupload.omics.base import UploadRef
from turboupload.omics.client import OmicsClient
from turboupload.omics.resolver import Resolver

STORE = "1234567890"
SHORT_S = 0.3
PLENTY_S = 30.0
AT_MOST_S = 15.0


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "local")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A resolver of the system that does not come back."""
    back = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: back.wait(30) and [])
    yield
    back.set()


@contextmanager
def mute() -> Iterator[int]:
    """A server that accepts, and neither reads nor replies."""
    accepted: list[socket.socket] = []

    def accept(server: socket.socket) -> None:
        try:
            while True:
                accepted.append(server.accept()[0])
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)
    for each in accepted:
        each.close()


def config(url: str, *, connect_s: float = PLENTY_S, stall_s: float = PLENTY_S) -> UploadConfig:
    return UploadConfig(endpoint_url=url, connect_timeout_s=connect_s, stall_timeout_s=stall_s)


async def all_faults(omics: OmicsClient) -> dict[str, str]:
    """Makes a call of each operation, all at once; returns where each broke."""
    faults = {}

    async def one(operation: str) -> None:
        with pytest.raises(LinkFailed) as caught:
            await call(omics, operation, STORE)
        assert may_retry(caught.value)
        faults[operation] = str(caught.value.fault)

    with anyio.fail_after(AT_MOST_S):
        async with anyio.create_task_group() as group:
            for operation in OPERATIONS:
                group.start_soon(one, operation)
    return faults


@pytest.mark.usefixtures("hanging")
async def test_a_resolver_that_hangs_costs_the_connects_time_out() -> None:
    async with open_client(
        config("http://omics.hanging.test:1", connect_s=SHORT_S), workers=2
    ) as omics:
        assert await all_faults(omics) == dict.fromkeys(OPERATIONS, "dns")


async def test_an_address_that_does_not_answer_costs_the_connects_time_out() -> None:
    with black_hole() as port:
        async with open_client(
            config(f"http://127.0.0.1:{port}", connect_s=SHORT_S), workers=2
        ) as omics:
            assert await all_faults(omics) == dict.fromkeys(OPERATIONS, "connect")


async def test_a_server_that_never_replies_costs_one_stall_time_out() -> None:
    with mute() as port:
        async with open_client(
            config(f"http://127.0.0.1:{port}", stall_s=SHORT_S), workers=2
        ) as omics:
            assert await all_faults(omics) == dict.fromkeys(OPERATIONS, "stalled")


async def test_a_handshake_that_does_not_end_costs_the_connects_time_out() -> None:
    with mute() as port:
        async with open_client(
            config(f"https://127.0.0.1:{port}", connect_s=SHORT_S), workers=2
        ) as omics:
            assert await all_faults(omics) == dict.fromkeys(OPERATIONS, "connect")


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_server_that_does_not_read_a_complete_is_given_up() -> None:
    rows = tuple(UploadPart(PartSource.SOURCE1, n, 1, "x" * 2000) for n in range(1, 10_001))
    with mute() as port:
        async with open_client(
            config(f"http://127.0.0.1:{port}", connect_s=SHORT_S, stall_s=SHORT_S), workers=2
        ) as omics:
            with anyio.fail_after(AT_MOST_S), pytest.raises(LinkFailed) as caught:
                await omics.complete_upload(UploadRef(STORE, STORE), rows)
    assert caught.value.fault == "stalled", caught.value


async def test_a_name_is_looked_up_as_the_system_does() -> None:
    found = await Resolver(5.0).resolve("localhost", 80, socket.AF_UNSPEC)
    assert {(each["host"], each["port"]) for each in found} >= {("127.0.0.1", 80)}
    with pytest.raises(socket.gaierror):
        await Resolver(5.0).resolve("nowhere.invalid", 80)


async def test_a_link_local_address_keeps_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 2))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [answer])
    (found,) = await Resolver(5.0).resolve("router", 80)
    assert found["host"] == "fe80::1%2"


@pytest.mark.usefixtures("hanging")
async def test_a_call_that_hangs_in_a_look_up_can_be_cancelled() -> None:
    async with open_client(
        UploadConfig(endpoint_url="http://omics.hanging.test:1"), workers=2
    ) as o:
        with anyio.move_on_after(SHORT_S) as scope, anyio.fail_after(AT_MOST_S):
            await call(o, "ListReadSets", STORE)
        assert scope.cancelled_caught
