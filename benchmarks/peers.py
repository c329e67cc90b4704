"""The clients that are compared, and how they take turns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.files import GIB
from benchmarks.process import ClientFailed, Run, module, run_process
from benchmarks.sink import Sink

__all__ = [
    "BYTES",
    "BYTESIO",
    "CRT",
    "CURL",
    "PEERS_PYTHON",
    "SHA256",
    "THREADS",
    "TOOLS",
    "XXH3",
    "Client",
    "alternate",
    "cpu_s",
    "left_out_because",
    "per_gib",
    "run_client",
    "upload",
]

_PEERS = Path(__file__).resolve().parents[1] / ".venv-peers"
PEERS_PYTHON = _PEERS / "bin" / "python"
_PEERS_READY = _PEERS / "ready"
"""What scripts/env leaves when all of the packages are installed."""


@dataclass(frozen=True, slots=True)
class Client:
    """One way to upload a file.

    Attributes:
        name: As the table has it.
        module: The client's module under `benchmarks.clients`; empty for curl.
        options: What it understands.
        peer: Whether it lives in the peers' environment.
        needs_443: Whether it knows no other port.
        rounds: In how many rounds it takes part at the most; slow ones in fewer.
    """

    name: str
    module: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    peer: bool = False
    needs_443: bool = False
    rounds: int = 100

    def missing(self, sink: Sink) -> str | None:
        """Why it can't take part."""
        if not self.module and shutil.which("curl") is None:
            return "curl is not installed"
        if self.peer and not _PEERS_READY.exists():
            return "the peers' environment is not there"
        if self.needs_443 and not sink.has_443:
            return "the sink may not listen on port 443, and it knows no other"
        return None


XXH3 = Client("turboupload, xxh3", "uploader", {"checksum": "xxh3"})
SHA256 = Client("turboupload, sha256", "uploader", {"checksum": "sha256"})
CURL = Client("curl, one connection")
TOOLS = Client("aws-healthomics-tools", "healthomics_tools", peer=True)
CRT = Client("awscrt S3", "awscrt_s3", peer=True, needs_443=True)
THREADS = Client("boto3, 10 threads", "boto3_threads", peer=True, rounds=2)
BYTESIO = Client("aiobotocore, BytesIO", "aiobotocore_payload", {"payload": "bytesio"}, rounds=3)
BYTES = Client("aiobotocore, bytes", "aiobotocore_payload", {"payload": "bytes"}, rounds=1)


def run_client(client: Client, sink: Sink, file: Path, endpoint: str | None = None) -> Run:
    """Has a client upload a file, once.

    Raises:
        ClientFailed: It did not, or not all bytes arrived.
    """
    reason = client.missing(sink)
    if reason is not None:
        raise ClientFailed(reason)
    environment = sink.environment(endpoint)
    sink.forget()
    if client.module:
        job = json.dumps({"file": str(file), "options": client.options})
        python = {"python": str(PEERS_PYTHON)} if client.peer else {}
        run = run_process(module(f"clients.{client.module}", job, **python), environment)
    else:
        url = f"{endpoint or sink.endpoint_url}/sequencestore/1234567890/upload/1/part"
        command = ["curl", "-sS", "--fail", "--cacert", str(sink.ca), "-o", "/dev/null"]
        run = run_process([*command, "-T", str(file), url], environment, prints_json=False)
    size = file.stat().st_size
    arrived = sink.received(at_least=size).part_bytes
    if arrived < size:
        raise ClientFailed(f"only {arrived:,} of {size:,} bytes arrived")
    return run


def upload(
    sink: Sink, file: Path, options: dict[str, Any] | None = None, endpoint: str | None = None
) -> Run:
    """Has turboupload upload a file, once, with these options.

    Raises:
        ClientFailed: It did not, or not all bytes arrived.
    """
    return run_client(Client("turboupload", "uploader", options or {}), sink, file, endpoint)


def alternate(
    clients: Sequence[Client],
    sink: Sink,
    file: Path,
    rounds: int,
    *,
    endpoint: str | None = None,
    between: Callable[[], None] = lambda: None,
    strict: bool = False,
) -> tuple[dict[str, list[Run]], list[str]]:
    """A B C A B C …, so that a slow moment of the machine hits all alike.

    Args:
        clients: In their order.
        sink: Where to.
        file: What.
        rounds: How many.
        endpoint: What stands in front of the sink.
        between: Done once a round.
        strict: Whether a client that is there may not fail.

    Returns:
        The runs by client, and a sentence for each that is missing or failed.

    Raises:
        ClientFailed: One that is there failed, and it is strict.
    """
    runs: dict[str, list[Run]] = {}
    left_out = {each.name: said for each in clients if (said := left_out_because(each, sink))}
    for index in range(rounds):
        between()
        for client in clients:
            if client.name in left_out or index >= client.rounds:
                continue
            try:
                run = run_client(client, sink, file, endpoint)
            except ClientFailed as error:
                if strict:
                    raise
                last = str(error).splitlines()[-1][:200]
                left_out[client.name] = f"{client.name}: left out: {last}"
                continue
            runs.setdefault(client.name, []).append(run)
    return runs, list(left_out.values())


def left_out_because(client: Client, sink: Sink) -> str | None:
    """A sentence on a client that can't take part; None where it can."""
    reason = client.missing(sink)
    return f"{client.name}: left out: {reason}" if reason else None


def cpu_s(run: Run, *, baseline_s: float = 0.0) -> float:
    """Processor time of the job alone: as the client tells it, or the process's over a baseline."""
    if "user_s" in run.line:
        return float(run.line["user_s"]) + float(run.line["system_s"])
    return run.cpu_s - baseline_s


def per_gib(value: float, size: int) -> float:
    """What it is for each GiB of the file."""
    return value * GIB / size
