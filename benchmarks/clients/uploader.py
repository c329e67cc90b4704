"""turboupload's `Uploader`, as its own `upload_sync` runs it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from typing import Any

import structlog

from benchmarks.clients.common import STORE, Job, Ticker, measured, run_loop
from turboupload import ReadSet, UploadConfig, Uploader
from turboupload.core.notices import Calling, Notice, Planned, Progress, Retrying, WindowChanged

__all__ = ["main"]

UNLIMITED = 100_000.0
"""Transactions a second, where the sink has no quota either."""


class Witness:
    """What the upload said of itself."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.windows: list[tuple[float, int]] = []
        self.calls: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.progress: list[tuple[float, int]] = []
        self.planned_s: float | None = None

    def __call__(self, notice: Notice) -> None:
        now = time.perf_counter() - self.began
        match notice:
            case WindowChanged(size=size):
                self.windows.append((round(now, 2), size))
            case Calling(operation=operation, outcome=outcome):
                self.calls[f"{operation} {outcome}"] += 1
            case Retrying(reason=reason):
                self.retries[reason] += 1
            case Progress(sent_bytes=sent):
                self.progress.append((round(now, 3), sent))
            case Planned():
                self.planned_s = now


def _config(job: Job, state_dir: str) -> UploadConfig:
    options: dict[str, Any] = dict(job.options)
    if not options.pop("quota", False):
        options["transactions_per_s"] = {"UploadReadSetPart": UNLIMITED}
    return UploadConfig(state_dir=state_dir, poll_interval_s=1.0, **options)


def main() -> None:
    # As the command line has it: events are made, and not printed.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    job = Job.from_arguments()

    async def upload(ticker: Ticker) -> None:
        with tempfile.TemporaryDirectory(prefix="state-") as state_dir:
            async with Uploader(_config(job, state_dir)) as uploader:
                witness = Witness()
                read_set = ReadSet(sources=[job.file], name="n", sample_id="s", subject_id="s")
                # The tick that saw the client being made is not of the time that is measured.
                await asyncio.sleep(0.05)
                ticker.lags_s.clear()
                with measured() as line:
                    result = await uploader.upload(read_set, STORE, on_event=witness)
                    line["lag"] = ticker.summary()
                    line["status"] = result.status
                    line["bytes_sent"] = result.bytes_sent
                    line["parts"] = result.parts
                    line["retries"] = dict(witness.retries)
                    line["windows"] = witness.windows
                    line["calls"] = dict(witness.calls)
                    line["progress"] = witness.progress
                    line["planned_s"] = witness.planned_s

    run_loop(upload)


if __name__ == "__main__":
    main()
