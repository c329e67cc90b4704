"""The part transport's threads with next to no bytes: what Python and its lock take for each chunk.

A part is read, hashed and "sent" by the transport's own code, in chunks so small that the work
without the interpreter lock is next to nothing, and into /dev/null.
"""

from __future__ import annotations

import os
import resource
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.clients.common import Job, measured
from turboupload.core.model import Part, PartSource
from turboupload.files.source import PartReaders, inspect_source
from turboupload.http.connection import CancelToken, Connection
from turboupload.http.route import Route
from turboupload.http.transfer import CpuSlots, PartRequest, Transfer
from turboupload.runtime.processors import processors

URL = "http://localhost/part"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Nowhere(Connection):
    """Takes everything at once, and answers."""

    def __init__(self, sink: int) -> None:
        ours, self._theirs = socket.socketpair()
        super().__init__(ours, Route.to(URL, {}))
        self._sink = sink

    def send_now(self, data: memoryview) -> int:
        return os.write(self._sink, data)

    def receive(self, cancel_token: CancelToken, timeout_s: float) -> bytes:
        return REPLY


def main() -> None:
    job = Job.from_arguments()
    threads, chunk_bytes, chunks = (
        job.options[key] for key in ("threads", "chunk_bytes", "chunks")
    )
    slots = CpuSlots(processors())
    size = chunks // threads * chunk_bytes
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("wb") as sink:
        file = Path(folder) / "reads"
        with file.open("wb") as made:
            made.truncate(size)
        source = inspect_source(str(file), PartSource.SOURCE1)
        readers = PartReaders([source], checksum="sha256")

        def send(number: int) -> None:
            body = readers.reader(Part(PartSource.SOURCE1, number, 0, size))
            Transfer(
                Nowhere(sink.fileno()),
                PartRequest("PUT", URL, [], body),
                CancelToken(),
                slots,
                memoryview(bytearray(chunk_bytes)),
                stall_timeout_s=60,
                reply_timeout_s=60,
                on_bytes=lambda _: None,
                pace=None,
            ).run()

        with measured(chunks=chunks // threads * threads) as line:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(send, range(1, threads + 1)))
            line["waits"] = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before


if __name__ == "__main__":
    main()
