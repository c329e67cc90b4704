"""Bodies for the transport, and requests that carry them."""

from tests.support.https_sink import Sink
from turboupload.http.transport import PartRequest

KIB = 1024
MIB = 1024 * KIB
TOO_MUCH = 64 * MIB
"""More bytes than the socket buffers of both ends take."""


class Bytes:
    """A body from memory."""

    def __init__(self, data: bytes, *, at_most: int = MIB) -> None:
        self._data = memoryview(data)
        self._length = len(data)
        self._at_most = at_most
        self.reads = 0
        self.hashed = bytearray()

    def __len__(self) -> int:
        return self._length

    def readinto(self, buffer: memoryview) -> int:
        self.reads += 1
        chunk = self._data[: min(len(buffer), self._at_most)]
        buffer[: len(chunk)] = chunk
        self._data = self._data[len(chunk) :]
        return len(chunk)

    def hash_chunk(self, chunk: memoryview) -> None:
        self.hashed += chunk


class Zeros:
    """A body of any length that takes no memory."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._left = length
        self.reads = 0

    def __len__(self) -> int:
        return self._length

    def readinto(self, buffer: memoryview) -> int:
        self.reads += 1
        count = min(self._left, len(buffer))
        self._left -= count
        return count

    def hash_chunk(self, chunk: memoryview) -> None:
        pass


def put(sink: Sink, body: Bytes | Zeros) -> PartRequest:
    return PartRequest("PUT", sink.url, [("X-Amz-Date", "20260101T000000Z")], body)
