"""The relay does to a connection what it says, and nothing else."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from benchmarks.relay import Link, Relay

KIB = 1024
MIB = 1024 * KIB
BOUND_S = 10.0


@dataclass
class Server:
    """Reads each connection to its end, and answers with the SHA-256 of what came."""

    listener: socket.socket
    received: list[int] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        digest, count = hashlib.sha256(), 0
        with connection, suppress(OSError):
            connection.settimeout(BOUND_S)
            while data := connection.recv(MIB):
                digest.update(data)
                count += len(data)
            connection.sendall(digest.digest())
        self.received.append(count)


@pytest.fixture
def server() -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Server(listener)
        thread = threading.Thread(target=found.serve, daemon=True)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(BOUND_S)


def _send(relay: Relay, data: bytes, *, timeout_s: float = BOUND_S) -> bytes:
    with socket.create_connection(("127.0.0.1", relay.port), timeout_s) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(KIB):
            answer += more
        return answer


def test_every_byte_arrives_in_order(server: Server) -> None:
    data = bytes(range(256)) * (8 * KIB)
    with Relay(server.port, Link()) as relay:
        assert _send(relay, data) == hashlib.sha256(data).digest()
        assert relay.forwarded == len(data)
        assert relay.connections == 1


def test_bytes_stay_in_order_with_delay_window_and_caps(server: Server) -> None:
    link = Link(bytes_per_s=20e6, total_bytes_per_s=15e6, round_trip_s=0.02, window_bytes=MIB)
    data = hashlib.shake_128(b"seed").digest(2 * MIB)
    with Relay(server.port, link) as relay:
        assert _send(relay, data) == hashlib.sha256(data).digest()


def test_a_connection_is_as_slow_as_its_cap(server: Server) -> None:
    with Relay(server.port, Link(bytes_per_s=4e6)) as relay:
        began = time.perf_counter()
        _send(relay, bytes(2_000_000))
        assert 0.3 <= time.perf_counter() - began < BOUND_S


def test_the_total_cap_is_shared(server: Server) -> None:
    with Relay(server.port, Link(total_bytes_per_s=4e6)) as relay:
        began = time.perf_counter()
        threads = [threading.Thread(target=_send, args=(relay, bytes(1_000_000))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND_S)
        assert 0.3 <= time.perf_counter() - began < BOUND_S


def test_a_round_trip_is_paid_for_the_connection_and_for_the_exchange(server: Server) -> None:
    with Relay(server.port, Link(round_trip_s=0.1)) as relay:
        began = time.perf_counter()
        _send(relay, b"x")
        assert 0.2 <= time.perf_counter() - began < BOUND_S


def test_a_window_limits_what_is_on_the_way(server: Server) -> None:
    # 2 MB at 250 KB a round trip of 50 ms take eight of them.
    with Relay(server.port, Link(round_trip_s=0.05, window_bytes=250_000)) as relay:
        began = time.perf_counter()
        _send(relay, bytes(2_000_000))
        assert time.perf_counter() - began >= 0.25


def test_only_the_chosen_connections_are_reset(server: Server) -> None:
    with Relay(server.port, Link(drop_after_bytes=100_000, every=2)) as relay:
        _send(relay, bytes(500_000))
        with pytest.raises(OSError, match=r"[Rr]eset|[Bb]roken"):
            _send(relay, bytes(20 * MIB))
        assert relay.faults == 1


def test_a_stalled_connection_stays_open_and_takes_nothing(server: Server) -> None:
    with Relay(server.port, Link(stall_after_bytes=100_000)) as relay:
        with pytest.raises(TimeoutError):
            _send(relay, bytes(20 * MIB), timeout_s=0.3)
        assert relay.faults == 1
        assert relay.forwarded <= 100_000 + 256 * KIB
