"""What every client does: take its job from the command line, do it once, print one line of JSON.

Imports nothing but the standard library, since the peers live in an environment of their own.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Job", "Ticker", "measured", "parts_of", "peak_rss_bytes", "run_loop"]

STORE = "1234567890"
TICK_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Job:
    """One upload.

    Attributes:
        file: What to upload.
        part_size: In bytes, for clients that can be told.
        concurrency: Parts in flight, for clients that can be told.
        options: What only one client understands.
    """

    file: str
    part_size: int = 100 * 1024 * 1024
    concurrency: int = 10
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_arguments(cls) -> Job:
        """From JSON on the command line, or from the file that follows an @."""
        given = sys.argv[1]
        text = Path(given[1:]).read_text() if given.startswith("@") else given
        return cls(**json.loads(text))

    @property
    def size(self) -> int:
        return Path(self.file).stat().st_size


def parts_of(job: Job) -> list[tuple[int, int, int]]:
    """Number, offset and size of each part."""
    return [
        (number, offset, min(job.part_size, job.size - offset))
        for number, offset in enumerate(range(0, job.size, job.part_size), 1)
    ]


def read_part(file: str, offset: int, size: int) -> bytes:
    with Path(file).open("rb", buffering=0) as source:
        source.seek(offset)
        data = source.read(size)
    assert data is not None
    assert len(data) == size
    return data


@contextmanager
def measured(**more: Any) -> Iterator[dict[str, Any]]:
    """Measures the block and prints the line; what the block puts into the dict goes with it."""
    line: dict[str, Any] = dict(more)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    yield line
    line["wall_s"] = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    line["user_s"] = after.ru_utime - before.ru_utime
    line["system_s"] = after.ru_stime - before.ru_stime
    line["peak_rss_bytes"] = peak_rss_bytes()
    print(json.dumps(line), flush=True)


def peak_rss_bytes() -> int:
    """This process's peak resident memory.

    Linux's own counter first: getrusage's starts with what the parent had.
    """
    try:
        for row in Path("/proc/self/status").read_text().splitlines():
            if row.startswith("VmHWM:"):
                return int(row.split()[1]) * 1024
    except OSError:
        pass
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


class Ticker:
    """Wakes every 5 ms in the client's own event loop, and notes how late it was."""

    def __init__(self) -> None:
        self.lags_s: list[float] = []

    async def run(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.lags_s.append(max(0.0, time.perf_counter() - before - TICK_S))

    def summary(self) -> dict[str, Any]:
        lags = sorted(self.lags_s)
        if not lags:
            return {"ticks": 0}
        return {
            "ticks": len(lags),
            "p50_ms": lags[len(lags) // 2] * 1000,
            "p99_ms": lags[min(len(lags) - 1, int(len(lags) * 0.99))] * 1000,
            "worst_ms": lags[-1] * 1000,
        }


def run_loop(main: Callable[[Ticker], Coroutine[Any, Any, None]]) -> None:
    """Runs `main` under uvloop, with a ticker beside it; prints nothing."""
    import uvloop

    async def ticking() -> None:
        ticker = Ticker()
        task = asyncio.ensure_future(ticker.run())
        try:
            await main(ticker)
        finally:
            task.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ticking())
