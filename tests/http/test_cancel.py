"""A cancelled send ends within two seconds, whatever it waits for, and leaves nothing behind."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

import turboupload.http.transport as transport_module
from tests.support.bodies import MIB, TOO_MUCH, Bytes, Zeros, put
from tests.support.https_sink import (
    Peer,
    Sink,
    accepting,
    black_hole,
    server_tls,
    write_authority,
)
from turboupload.http.connection import CancelToken, Connection
from turboupload.http.route import Route
from turboupload.http.transport import PartRequest, PartTransport, TransportConfig

PROMPT_S = 8.0


@pytest.fixture
def config(tmp_path: Path) -> TransportConfig:
    return TransportConfig(ca_bundle=write_authority(tmp_path))


@pytest.fixture(autouse=True)
def asyncio_has_nothing_to_report(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    gc.collect()
    records = caplog.get_records("call") + caplog.records
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors of every wait that was entered, for a look at where the worker is."""
    entered: list[int] = []
    wait = CancelToken.wait

    def noted(
        cancel_token: CancelToken, events: Mapping[int, int], timeout_s: float
    ) -> dict[int, int]:
        entered.extend(events or [-1])
        return wait(cancel_token, events, timeout_s)

    monkeypatch.setattr(CancelToken, "wait", noted)
    return entered


async def until_stuck(waits: list[int]) -> None:
    """Until no new wait has been entered for a while, so that the last one is still under way."""
    async with asyncio.timeout(10):
        seen = 0
        while not waits or len(waits) != seen:
            seen = len(waits)
            await asyncio.sleep(0.05)


async def no_worker_thread() -> bool:
    """Whether the threads of a closed transport have ended, which only those that are done can."""
    threads = [t for t in threading.enumerate() if t.name.startswith("turboupload-part")]
    for thread in threads:
        await asyncio.to_thread(thread.join, PROMPT_S)
    return not any(thread.is_alive() for thread in threads)


def holding(peer: Peer) -> None:
    peer.hold()


def not_reading_on(peer: Peer) -> None:
    peer.read_head()
    peer.hold()


def not_replying(peer: Peer) -> None:
    request = peer.read_head()
    assert request is not None
    peer.read_body(request, keep=False)
    peer.hold()


@contextmanager
def in_the_resolver() -> Iterator[PartRequest]:
    answer = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10) and [])
        yield PartRequest("PUT", "https://localhost/part", [], Bytes(b"x"))
        answer.set()


@contextmanager
def while_connecting() -> Iterator[PartRequest]:
    with black_hole() as port:
        yield PartRequest("PUT", f"https://127.0.0.1:{port}/part", [], Bytes(b"x"))


@contextmanager
def in_the_handshake() -> Iterator[PartRequest]:
    with Sink(holding, server_tls(), handshake=False) as sink:
        yield put(sink, Bytes(b"x"))


@contextmanager
def in_the_body() -> Iterator[PartRequest]:
    with Sink(not_reading_on, server_tls()) as sink:
        yield put(sink, Zeros(TOO_MUCH))


@contextmanager
def in_the_body_in_clear() -> Iterator[PartRequest]:
    with Sink(not_reading_on) as sink:
        yield put(sink, Zeros(TOO_MUCH))


@contextmanager
def before_the_reply() -> Iterator[PartRequest]:
    with Sink(not_replying, server_tls()) as sink:
        yield put(sink, Zeros(MIB))


STAGES = [
    in_the_resolver,
    while_connecting,
    in_the_handshake,
    in_the_body,
    in_the_body_in_clear,
    before_the_reply,
]


async def cancel_when_stuck(
    transport: PartTransport, request: PartRequest, waits: list[int], heard: list[int]
) -> None:
    loop = asyncio.get_running_loop()
    send = asyncio.create_task(transport.send(request, on_bytes=heard.append))
    await until_stuck(waits)
    assert not send.done()
    start = loop.time()
    send.cancel()
    with pytest.raises(asyncio.CancelledError):
        await send
    assert loop.time() - start < PROMPT_S


@pytest.mark.parametrize("stage", STAGES)
async def test_a_cancelled_send_ends_at_once(
    config: TransportConfig, waits: list[int], stage: Callable[[], Any]
) -> None:
    heard: list[int] = []
    with stage() as request:
        async with PartTransport(config) as transport:
            await cancel_when_stuck(transport, request, waits, heard)
            facts = (request.body.reads, len(heard), len(waits))
        # The server is as deaf as before: only a worker that has left can be joined.
        assert await no_worker_thread()
        assert facts == (request.body.reads, len(heard), len(waits))


async def test_a_connection_that_is_being_made_ahead_keeps_nobody(
    config: TransportConfig, waits: list[int]
) -> None:
    with Sink(holding, server_tls(), handshake=False) as sink:
        began = time.monotonic()
        async with PartTransport(config) as transport:
            transport.connect_ahead(sink.url)
            await until_stuck(waits)
        assert time.monotonic() - began < PROMPT_S
        assert await no_worker_thread()


async def test_a_send_waiting_for_a_proxy_ends_at_once(
    config: TransportConfig, waits: list[int]
) -> None:
    with Sink(not_reading_on) as proxy:
        through = replace(config, proxies={"https": f"http://localhost:{proxy.port}"})
        async with PartTransport(through) as transport:
            request = PartRequest("PUT", "https://storage.example/part", [], Bytes(b"x"))
            await cancel_when_stuck(transport, request, waits, [])
        assert await no_worker_thread()


async def test_a_send_kept_back_by_the_pace_ends_at_once(
    config: TransportConfig, waits: list[int]
) -> None:
    with Sink(accepting, server_tls()) as sink:
        async with PartTransport(config, pace=lambda _: 3600.0) as transport:
            body = Zeros(MIB)
            await cancel_when_stuck(transport, put(sink, body), waits, [])
        assert await no_worker_thread()
        assert body.reads == 0


async def test_a_send_without_a_worker_ends_at_once(
    config: TransportConfig, waits: list[int]
) -> None:
    with Sink(not_replying) as sink:
        async with PartTransport(replace(config, workers=1)) as transport:
            first = asyncio.create_task(transport.send(put(sink, Bytes(b"x"))))
            await until_stuck(waits)
            body = Bytes(b"y")
            await cancel_when_stuck(transport, put(sink, body), waits, [])
            assert (body.reads, first.done()) == (0, False)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first


async def test_the_scopes_of_anyio_and_asyncio_cancel_too(config: TransportConfig) -> None:
    with Sink(not_replying, server_tls()) as sink:
        async with PartTransport(config) as transport:
            with anyio.move_on_after(0.3) as scope:
                await transport.send(put(sink, Bytes(b"x")))
            assert scope.cancelled_caught
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await transport.send(put(sink, Bytes(b"x")))
        assert await no_worker_thread()


async def test_the_connection_of_a_cancelled_send_is_not_used_again(
    config: TransportConfig, waits: list[int]
) -> None:
    def script(peer: Peer) -> None:
        if peer.sink.connections == 1:
            accepting_once(peer)
            not_replying(peer)
        accepting(peer)

    def accepting_once(peer: Peer) -> None:
        request = peer.read_head()
        assert request is not None
        peer.read_body(request)
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Sink(script, server_tls()) as sink:
        async with PartTransport(config) as transport:
            await transport.send(put(sink, Bytes(b"1")))
            waits.clear()
            await cancel_when_stuck(transport, put(sink, Bytes(b"2")), waits, [])
            assert (await transport.send(put(sink, Bytes(b"3")))).status == 200
    assert sink.connections == 2


async def test_sixty_four_cancelled_sends_end_together(
    config: TransportConfig, waits: list[int]
) -> None:
    loop = asyncio.get_running_loop()
    small = replace(config, chunk_bytes=64 * 1024)
    with Sink(not_reading_on, server_tls()) as sink:
        async with PartTransport(small) as transport:
            sends = [
                asyncio.create_task(transport.send(put(sink, Zeros(TOO_MUCH)))) for _ in range(64)
            ]
            async with asyncio.timeout(20):
                while len(sink.requests) < 64:  # noqa: ASYNC110 - they come from other threads
                    await asyncio.sleep(0.01)
            await until_stuck(waits)
            start = loop.time()
            for send in sends:
                send.cancel()
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            assert loop.time() - start < PROMPT_S
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        assert await no_worker_thread()


async def test_a_cancelled_send_waits_for_its_worker_to_leave(config: TransportConfig) -> None:
    reading, go_on, left = threading.Event(), threading.Event(), threading.Event()

    class Slow(Zeros):
        def readinto(self, buffer: memoryview) -> int:
            reading.set()
            go_on.wait(20)
            left.set()
            return super().readinto(buffer)

    with Sink(not_replying, server_tls()) as sink:
        async with PartTransport(config) as transport:
            send = asyncio.create_task(transport.send(put(sink, Slow(MIB))))
            await asyncio.to_thread(reading.wait, 5)
            send.cancel()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
            with pytest.raises(asyncio.CancelledError):
                await send
            assert left.is_set()


async def test_a_worker_stuck_in_a_read_does_not_hold_up_the_cancellation(
    config: TransportConfig,
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    class Hung(Zeros):
        def readinto(self, buffer: memoryview) -> int:
            reading.set()
            go_on.wait(20)
            return super().readinto(buffer)

    with Sink(not_replying, server_tls()) as sink:
        async with PartTransport(config) as transport:
            heard: list[int] = []
            send = asyncio.create_task(transport.send(put(sink, Hung(MIB)), on_bytes=heard.append))
            await asyncio.to_thread(reading.wait, 5)
            loop = asyncio.get_running_loop()
            start = loop.time()
            send.cancel()
            with pytest.raises(asyncio.CancelledError):
                await send
            assert loop.time() - start < PROMPT_S + 0.5
            go_on.set()
        assert await no_worker_thread()
    assert heard == []


async def test_a_cancellation_that_comes_when_the_worker_has_just_left_is_a_cancellation(
    config: TransportConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending: list[asyncio.Task[Any]] = []
    has_left = transport_module._release

    def left_and_cancelled(cancel_token: CancelToken, work: asyncio.Future[Any]) -> None:
        has_left(cancel_token, work)
        sending[0].cancel()

    monkeypatch.setattr(transport_module, "_release", left_and_cancelled)
    with Sink(accepting, server_tls()) as sink:
        async with PartTransport(config) as transport:
            sending.append(asyncio.create_task(transport.send(put(sink, Bytes(b"x")))))
            with pytest.raises(asyncio.CancelledError):
                await sending[0]


async def test_what_a_cancelled_send_leaves_in_the_kernel_has_never_left(
    config: TransportConfig, waits: list[int]
) -> None:
    with Sink(not_reading_on, server_tls()) as sink:
        async with PartTransport(config) as transport:
            sending = asyncio.create_task(transport.send(put(sink, Bytes(bytes(64 * MIB)))))
            await until_stuck(waits)
            assert transport.queued_bytes() > 0
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert transport.queued_bytes() == 0
            # Not as many as just now, perhaps: the kernels on both sides go on moving bytes.
            assert transport.dropped_bytes() > 0


def test_what_the_kernel_holds_is_known_and_dropped_with_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        mine.setblocking(False)
        connection = Connection(mine, Route.to("https://localhost/", {}))
        taken = 0
        while count := connection.send_now(memoryview(bytes(MIB))):
            taken += count
        assert 0 < connection.queued_bytes() <= taken
        connection.drop()
        assert connection.queued_bytes() == 0
        theirs.settimeout(PROMPT_S)
        with theirs, pytest.raises(ConnectionResetError):
            _read_to_the_end(theirs)


def _read_to_the_end(peer: socket.socket) -> None:
    while peer.recv(MIB):
        pass
