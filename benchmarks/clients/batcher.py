"""turboupload's `upload_batch` on a sheet: how long, at what cost, and when it began."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from benchmarks.clients.common import Ticker, measured, peak_rss_bytes, run_loop
from turboupload import UploadConfig, upload_batch
from turboupload.core.batch import BatchNotice, BatchStarted, RowChanged, RowNotice
from turboupload.core.notices import Calling, Retrying
from turboupload.files.sheets import read_sheet
from turboupload.operations import CREATE_UPLOAD, SEND_PART

__all__ = ["main"]


class Witness:
    """What the batch said of itself."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self.began = now()
        self.retries = 0
        self.line: dict[str, Any] = {}

    def __call__(self, notice: BatchNotice) -> None:
        match notice:
            case BatchStarted():
                self._note("checked")
            case RowChanged(result) if result.status == "processing":
                self._note("first_row")
            case RowNotice(_, Retrying()):
                self.retries += 1
            case RowNotice(_, Calling(operation=CREATE_UPLOAD.name)):
                self.line.setdefault("first_create_s", self._now() - self.began)
            case RowNotice(_, Calling(operation=SEND_PART.name)):
                self.line["last_part_s"] = self._now() - self.began

    def _note(self, what: str) -> None:
        if f"{what}_s" not in self.line:
            self.line[f"{what}_s"] = self._now() - self.began
            self.line[f"{what}_rss_bytes"] = peak_rss_bytes()


def main() -> None:
    # As the command line has it: events are made, and not printed.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    options = json.loads(Path(sys.argv[1].removeprefix("@")).read_text())
    rates = options["transactions_per_s"]

    async def upload(ticker: Ticker) -> None:
        with tempfile.TemporaryDirectory(prefix="state-") as state_dir:
            config = UploadConfig(
                state_dir=state_dir, transactions_per_s=rates, **options.get("config", {})
            )
            with measured() as line:
                witness = Witness()
                result = await upload_batch(
                    read_sheet(options["sheet"]),
                    store_id=options["store"],
                    config=config,
                    results=Path(state_dir) / "results.csv",
                    on_event=witness,
                )
                line |= witness.line
                line["retries"] = witness.retries
                line["counts"] = dict(result.counts)
                line["limited_by"], line["quota"] = result.limited_by, result.quota
                line["bytes_sent"] = result.bytes_sent
                line["lag"] = ticker.summary()

    run_loop(upload)


if __name__ == "__main__":
    main()
