"""`max_bandwidth`: how well it holds, with the relay as the witness."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.files import MIB, folder_for, sparse_file
from benchmarks.peers import upload
from benchmarks.relay import Link, Relay
from benchmarks.report import Figure, Outcome
from benchmarks.sink import Sink

__all__ = ["cap", "rate_over"]

CAP = 100_000_000
SETTLE_S = 1.0


def cap(sink: Sink, *, quick: bool) -> Outcome:
    """Two uploads of one process under a cap of 100 MB/s together."""
    seconds, settle_s = (1.0, 0.5) if quick else (10.0, SETTLE_S)
    size = int(CAP * (seconds + 2 * settle_s) / 2)
    with tempfile.TemporaryDirectory(dir=folder_for(64 * MIB)) as folder:
        first = sparse_file(Path(folder) / "first.fastq.gz", size)
        second = sparse_file(Path(folder) / "second.fastq.gz", size + 1)
        options = {"max_bandwidth": CAP, "more_files": [str(second)]}
        with Relay(sink.port, Link()) as relay:
            upload(sink, first, options, relay.endpoint_url)
            rate = rate_over(relay.marks, settle_s, seconds)
    off = abs(rate / CAP - 1) * 100
    figure = Figure(f"bandwidth cap: off by, over {seconds:g} s", off, "%", 5.0)
    return [], [figure], {"cap": CAP, "bytes_per_s": rate, "seconds": seconds}


def rate_over(marks: list[tuple[float, int]], after_s: float, seconds: float) -> float:
    """Bytes a second over so many seconds, beginning a while after the first mark.

    Args:
        marks: Times and running totals, in order.
        after_s: What is left out at the beginning, in seconds.
        seconds: Over how long.

    Raises:
        ValueError: The marks do not reach that far.
    """
    begin = next((mark for mark in marks if mark[0] >= marks[0][0] + after_s), None)
    if begin is None:
        raise ValueError("nothing moved for long enough")
    end = next((mark for mark in marks if mark[0] >= begin[0] + seconds), None)
    if end is None:
        raise ValueError(f"bytes moved for less than {after_s + seconds:g} s")
    return (end[1] - begin[1]) / (end[0] - begin[0])
