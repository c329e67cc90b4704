"""turboupload's `Uploader`, as its own `upload_sync` runs it: one read set, or several at once."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from typing import Any

import anyio
import structlog

from benchmarks.clients.common import STORE, Job, Ticker, measured, run_loop
from turboupload import ReadSet, UploadConfig, Uploader, UploadResult
from turboupload.core.notices import Calling, Notice, Planned, Progress, Retrying, WindowChanged
from turboupload.core.upload.events import PartSeen

__all__ = ["main"]

UNLIMITED = 100_000.0
"""Transactions a second, where the sink has no quota either."""


class Witness:
    """What the uploads said of themselves."""

    def __init__(self, crash_after_parts: int | None = None) -> None:
        self.began = time.perf_counter()
        self.windows: list[tuple[float, int]] = []
        self.calls: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.in_flight = 0
        self.planned_s: float | None = None
        self.first_part_s: float | None = None
        self._crash_after = crash_after_parts
        self._sent = 0

    def __call__(self, notice: Notice) -> None:
        now = time.perf_counter() - self.began
        match notice:
            case WindowChanged(size=size):
                self.windows.append((round(now, 2), size))
            case Calling(operation=operation, outcome=outcome):
                self.calls[f"{operation} {outcome}"] += 1
            case Retrying(reason=reason):
                self.retries[reason] += 1
            case Progress(in_flight=in_flight):
                self.in_flight = max(self.in_flight, in_flight)
            case Planned():
                self.planned_s = now
            case PartSeen(origin="sent"):
                self.first_part_s = self.first_part_s or now
                self._sent += 1
                if self._sent == self._crash_after:
                    self._crash()

    def _crash(self) -> None:
        """Ends the process at once, with what was seen until then as its line."""
        wall_s = time.perf_counter() - self.began
        print(json.dumps({**self.lines(), "wall_s": wall_s}), flush=True)
        os._exit(0)

    def lines(self) -> dict[str, Any]:
        return {
            "retries": dict(self.retries),
            "windows": self.windows,
            "calls": dict(self.calls),
            "in_flight": self.in_flight,
            "planned_s": self.planned_s,
            "first_part_s": self.first_part_s,
        }


def _config(options: dict[str, Any], state_dir: str) -> UploadConfig:
    rates = options.pop("transactions_per_s", {"UploadReadSetPart": UNLIMITED})
    options.setdefault("state_dir", state_dir)
    # Most files here are no FASTQ behind their head.
    options.setdefault("preflight", False)
    return UploadConfig(transactions_per_s=rates, poll_interval_s=1.0, **options)


async def _upload_all(
    uploader: Uploader, files: list[str], store: str, witness: Witness
) -> list[UploadResult]:
    results: list[UploadResult] = []

    async def upload(index: int, file: str) -> None:
        read_set = ReadSet(
            sources=[file], name=f"n{index}", sample_id="s", subject_id="s", file_type="FASTQ"
        )
        results.append(await uploader.upload(read_set, store, on_event=witness))

    async with anyio.create_task_group() as group:
        for index, file in enumerate(files):
            group.start_soon(upload, index, file)
    return results


def main() -> None:
    # As the command line has it: events are made, and not printed.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    job = Job.from_arguments()
    options = dict(job.options)
    files = [job.file, *options.pop("more_files", [])]
    store = options.pop("store", STORE)
    crash_after = options.pop("crash_after_parts", None)

    async def upload(ticker: Ticker) -> None:
        with tempfile.TemporaryDirectory(prefix="state-") as state_dir:
            async with Uploader(_config(options, state_dir)) as uploader:
                witness = Witness(crash_after)
                # The tick that saw the client being made is not of the time that is measured.
                await anyio.sleep(0.05)
                ticker.lags_s.clear()
                with measured() as line:
                    results = await _upload_all(uploader, files, store, witness)
                    line["lag"] = ticker.summary()
                    line["statuses"] = dict(Counter(result.status for result in results))
                    line["bytes_sent"] = sum(result.bytes_sent for result in results)
                    line["parts"] = sum(result.parts for result in results)
                    line["parts_reused"] = sum(result.parts_reused for result in results)
                    line |= witness.lines()

    run_loop(upload)


if __name__ == "__main__":
    main()
