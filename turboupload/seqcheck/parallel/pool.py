"""Checks a file's records in several worker processes.

`check_ranges` deals out ranges of BGZF blocks, which the workers inflate themselves. A plain gzip
file can only be inflated from its start, by one thread: `check_texts` does that in this process,
and deals out the text in shared memory. Both return the results in the file's order. If a range has
no result, the caller checks it itself.

Memory: that of the workers; `check_texts` shares another 4 MiB with each.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TypeVar

from turboupload.seqcheck.bgzf import block_size
from turboupload.seqcheck.inflate import Piece
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.seqcheck.parallel.shared_memory import SharedBuffers
from turboupload.seqcheck.parallel.worker import MAX_IN_FLIGHT, Question, Worker
from turboupload.seqcheck.prefetch import BUFFER_BYTES, Prefetched, Prefetcher, prefetch
from turboupload.value import Value

__all__ = ["Range", "check_ranges", "check_texts"]

_RANGE_BYTES = 1024 * 1024
_CONTENT_BYTES = 8 * 1024 * 1024
_HEADER_BYTES = 64
_LENGTH_BYTES = 4
_BUFFERS_A_WORKER = 4
_TEXTS_IN_FLIGHT = 2

Job = TypeVar("Job")


class Range(Value, frozen=True):
    """Neighbouring whole BGZF blocks: offset and length in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset of the next range, in bytes."""
        return self.offset + self.length


def check_ranges(
    descriptor: int,
    size: int,
    start: int,
    *,
    workers: int,
    sequences: int | None,
    names: bool,
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Range, RangeResult | None], None, None]:
    """Lets workers check the blocks from `start` on, to the chain's end or until all workers died.

    Args:
        descriptor: The file, open.
        size: Its size in bytes.
        start: Offset of a block, in bytes.
        workers: How many processes to use.
        sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
        names: Whether to return the names of a FASTQ's reads.
        stopped: Called now and then; True ends early.
    """

    def questions() -> Iterator[tuple[Range, Question]]:
        for each in _ranges(descriptor, size, start):
            yield each, Question(each.offset, each.length, False, sequences, names)

    with _worker_pool(descriptor, workers) as pool:
        for each, found, lost in _results_in_order(
            questions(), pool, MAX_IN_FLIGHT * workers, stopped
        ):
            if lost or stopped():
                return
            yield each, found


def check_texts(
    pieces: Iterable[Piece],
    *,
    workers: int,
    names: bool,
    still_useful: Callable[[], bool],
    stopped: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Prefetched, RangeResult | None], None, None]:
    """Reads a FASTQ in a thread, and lets workers check its text.

    Args:
        pieces: The text, from any offset on.
        workers: How many processes to use.
        names: Whether to return the names of the reads.
        still_useful: Returns whether results are useful; the caller gets the text in any case.
        stopped: Called now and then; True ends early.
    """
    try:
        shared = SharedBuffers(_BUFFERS_A_WORKER * workers, BUFFER_BYTES)
    except (OSError, MemoryError):
        with closing(prefetch(pieces)) as own_contents:
            for each in own_contents:
                yield each, None
        return
    with (
        shared,
        _worker_pool(shared.descriptor, workers) as pool,
        Prefetcher(pieces, shared.buffers) as contents,
    ):

        def questions() -> Iterator[tuple[Prefetched, Question | None]]:
            for each in contents:
                question = Question(shared.place(each.buffer), each.length, True, names=names)
                yield each, question if still_useful() else None

        for each, found, _ in _results_in_order(
            questions(), pool, _TEXTS_IN_FLIGHT * workers, stopped
        ):
            yield each, found
            contents.release(each)


def _results_in_order(
    questions: Iterable[tuple[Job, Question | None]],
    pool: Sequence[Worker],
    most: int,
    stopped: Callable[[], bool],
) -> Generator[tuple[Job, RangeResult | None, bool], None, None]:
    """Yields each job with its result, in order, and whether its worker has died.

    Args:
        questions: Each job with its question; None if the job needs no worker.
        pool: The workers, asked in turn.
        most: How many jobs may be open at the same time.
        stopped: Called now and then; True if the results are no longer needed.
    """
    pending: deque[tuple[Job, Worker | None]] = deque()

    def oldest() -> tuple[Job, RangeResult | None, bool]:
        job, worker = pending.popleft()
        if worker is None:
            return job, None, False
        return job, worker.answer(stopped), worker.lost

    for number, (job, question) in enumerate(questions):
        worker = None if question is None else pool[number % len(pool)]
        if worker is not None and question is not None:
            worker.ask(question)
        pending.append((job, worker))
        if len(pending) == most:
            yield oldest()
    while pending:
        yield oldest()


@contextmanager
def _worker_pool(descriptor: int, workers: int) -> Generator[Sequence[Worker], None, None]:
    with ExitStack() as stack:
        pool: list[Worker] = []
        for _ in range(workers):
            pool.append(Worker.start(descriptor))
            stack.callback(pool[-1].end)
        yield pool


def _ranges(descriptor: int, size: int, start: int) -> Iterator[Range]:
    """Follows the chain of blocks by their headers, until it breaks or the file ends."""
    first = at = start
    content = 0
    head = os.pread(descriptor, _HEADER_BYTES, at)
    while at < size:
        length = block_size(head)
        if length is None or at + length > size:
            break
        at += length
        # A block ends with the length of its content.
        around = os.pread(descriptor, _LENGTH_BYTES + _HEADER_BYTES, at - _LENGTH_BYTES)
        content += int.from_bytes(around[:_LENGTH_BYTES], "little")
        head = around[_LENGTH_BYTES:]
        if at - first >= _RANGE_BYTES or content >= _CONTENT_BYTES:
            yield Range(first, at - first)
            first, content = at, 0
    if at > first:
        yield Range(first, at - first)
