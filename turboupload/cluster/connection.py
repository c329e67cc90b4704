"""The coordinator's connection to the scheduler, which may be lost and made again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import distributed

__all__ = ["UNREACHABLE", "Connection", "words"]

UNREACHABLE: Final = (OSError, ValueError, RuntimeError, TypeError)
"""What Dask raises where a scheduler can't be reached; the last one is for TLS without a key."""

ANSWER_S: Final = 30.0
"""How long the scheduler may take to say who is there, in seconds."""

CLOSE_S: Final = 5.0
"""How long a goodbye may take, in seconds: the scheduler may be gone."""


class Connection:
    """A client of Dask's, and another one after it was lost.

    Args:
        connect: Makes a client.
        topic: The Dask topic of the workers' messages about rows.
        hear: Called with what they tell.

    Attributes:
        client: The present one; None where there is none.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[distributed.Client]],
        topic: str,
        hear: Callable[[tuple[float, Any]], None],
    ) -> None:
        self._connect = connect
        self._topic = topic
        self._hear = hear
        self.client: distributed.Client | None = None
        self._line: object = None

    async def open(self) -> None:
        """Connects.

        Raises:
            OSError: Or another of `UNREACHABLE`: the scheduler can't be reached.
        """
        self.client = client = await self._connect()
        self._line = client.scheduler_comm
        client.subscribe_topic(self._topic, self._hear)

    async def close(self) -> None:
        """Disconnects; what was submitted is given up by the scheduler."""
        client, self.client = self.client, None
        if client is not None:
            with anyio.move_on_after(CLOSE_S):
                await client.close(CLOSE_S / 2)

    async def addresses(self) -> Mapping[str, Any]:
        """The addresses of the workers that are there.

        Raises:
            OSError: The scheduler is gone.
        """
        client = self.client
        # Dask's client connects again by itself, to a scheduler that may come back sooner than this
        # is asked. It has cancelled the rows then, and nobody tells us of them any more.
        if client is None or client.status != "running" or client.scheduler_comm is not self._line:
            raise OSError("the connection to the scheduler was lost")
        with anyio.fail_after(ANSWER_S):
            found: Mapping[str, Any] = await client.nthreads()
        return found

    async def run(self, address: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function in a worker's process.

        Raises:
            OSError: The worker or the scheduler is gone.
        """
        if self.client is None:
            raise OSError("there is no connection to the scheduler")
        found = await self.client.run(function, *arguments, workers=[address])
        if address not in found:
            raise OSError(f"worker {address} is gone")
        return found[address]


def words(error: BaseException) -> str:
    """An error of Dask's, for a sentence of ours."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
