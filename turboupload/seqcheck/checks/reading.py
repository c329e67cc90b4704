"""Reads a file's content from its start on, in this process or in workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Protocol

from turboupload.seqcheck.checks.progress import Meter
from turboupload.seqcheck.checks.report import Report
from turboupload.seqcheck.fast_path import Vectorized, load_vectorized
from turboupload.seqcheck.inflate import DamageKind, Piece, stream_blocks, stream_chain
from turboupload.seqcheck.parallel.result import RangeResult
from turboupload.seqcheck.prefetch import in_pieces

__all__ = ["SHARED_FROM_BYTES", "Reading", "Records"]

SHARED_FROM_BYTES = 64 * 1024 * 1024
"""From this size on, a deep check uses workers: starting them takes as long as reading so much."""


_MAX_WITHOUT_RESULT = 4


class Records(Protocol):
    """Checks a file's records in order: `FastqRecords`, `BamRecords`.

    Attributes:
        vectorized: The checker of many records at once, for large files.
    """

    vectorized: Vectorized | None

    @property
    def lost(self) -> bool:
        """Whether a problem hides where the next record starts."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the content."""

    def finish(self) -> None:
        """Ends the content."""

    def ends_with(self, data: bytes) -> bool:
        """Whether `data`, taken next, would end at a record's end."""

    def absorb(self, found: RangeResult) -> None:
        """Takes the whole records of a range."""


class Reading:
    """One file that is being read.

    Args:
        descriptor: The file, open.
        report: The report to fill in.
        records: The checker of the content.
        meter: Counts the bytes read.
        strict: Whether everything must be BGZF (BAM), or other gzip members may follow (FASTQ).
    """

    def __init__(
        self, descriptor: int, report: Report, records: Records, meter: Meter, *, strict: bool
    ) -> None:
        self._descriptor = descriptor
        self._report = report
        self._records = records
        self._meter = meter
        self._strict = strict
        self._size = report.facts.size_bytes
        self._position = 0
        self._damaged = False

    @property
    def follows(self) -> bool:
        """Whether it is known where the next record starts."""
        return not self._damaged and not self._records.lost

    def blocks(self, *, threads: int) -> Generator[Piece, None, None]:
        """Yields the BGZF blocks from here to the end."""
        return self._blocks(self._size, threads)

    def chain(self) -> Generator[Piece, None, int | None]:
        """Yields the BGZF blocks from here on, until anything else; pieces are whole blocks."""
        return stream_chain(self._descriptor, self._size, threads=1, start=self._position)

    def read(
        self, pieces: Generator[Piece, None, object], *, until: Callable[[int], bool] | None = None
    ) -> bool:
        """Reads pieces up to their end.

        Args:
            pieces: The content from here on.
            until: Called after each piece with the bytes of content read; True ends the reading.

        Returns:
            Whether all pieces were read.
        """
        content = 0
        with closing(pieces):
            for piece in pieces:
                self._take(piece)
                content += len(piece.data)
                if until is not None and until(content):
                    return False
        return True

    def read_in_ranges(
        self, *, workers: int, sequences: int | None = None, names: bool = False
    ) -> None:
        """Reads BGZF blocks to the end, most of them in other processes.

        If range after range has no result, for example because records are longer than the window
        in which a start is searched, the rest is read here.

        Args:
            workers: How many processes to use.
            sequences: How many reference sequences a BAM's header lists; None for a FASTQ.
            names: Whether to return the names of a FASTQ's reads.
        """
        # Only deep checks need it: what a quick one imports delays an upload's start.
        from turboupload.seqcheck.parallel.pool import check_ranges

        ranges = check_ranges(
            self._descriptor,
            self._size,
            self._position,
            workers=workers,
            sequences=sequences,
            names=names,
            stopped=lambda: self._meter.stopped,
        )
        without_result = 0
        with closing(ranges):
            for each, found in ranges:
                if found is None or not self._take_checked(found):
                    self.read(self._blocks(each.end, 1))
                    without_result += 1
                else:
                    without_result = 0
                self._move_to(each.end)
                if without_result == _MAX_WITHOUT_RESULT:
                    break
        self._meter.add(0)
        if self._position < self._size:
            self._records.vectorized = load_vectorized(self._size)
            self.read(self.blocks(threads=workers))

    def read_in_texts(
        self,
        pieces: Generator[Piece, None, None],
        *,
        workers: int,
        use_workers: Callable[[], bool],
        names: bool = False,
    ) -> None:
        """Reads a FASTQ's pieces up to their end, most of them checked in other processes.

        Args:
            pieces: The content from here on.
            workers: How many processes to use.
            use_workers: Returns whether a worker shall check the next text.
            names: Whether to return the names of its reads.
        """
        without_result = 0
        # Count only texts that were handed to workers.
        sent: deque[bool] = deque()

        def send_next() -> bool:
            sent.append(without_result < _MAX_WITHOUT_RESULT and self.follows and use_workers())
            return sent[-1]

        from turboupload.seqcheck.parallel.pool import check_texts  # as above

        texts = check_texts(
            pieces,
            workers=workers,
            names=names,
            still_useful=send_next,
            stopped=lambda: self._meter.stopped,
        )
        with closing(pieces), closing(texts):
            for text, found in texts:
                was_sent = bool(sent) and sent.popleft()
                if found is None or not self._take_checked(found):
                    without_result += was_sent
                    if was_sent and without_result == _MAX_WITHOUT_RESULT:
                        self._records.vectorized = load_vectorized(self._size)
                    for piece in in_pieces([text]):
                        self._take(piece)
                else:
                    without_result = 0
                    self._take(Piece(b"", text.position, text.damages))

    def finish(self) -> None:
        """Ends the file."""
        if not self._damaged:
            self._records.finish()

    def _blocks(self, end: int, threads: int) -> Generator[Piece, None, None]:
        return stream_blocks(
            self._descriptor, end, threads=threads, strict=self._strict, start=self._position
        )

    def _take(self, piece: Piece) -> None:
        for damage in piece.damages:
            self._report.damage(damage, strict=self._strict)
            self._damaged |= self._strict or damage.kind is not DamageKind.PADDING
        # After a gap it is unknown where the next record starts.
        if not self._damaged:
            self._records.feed(piece.data)
        self._move_to(piece.position)

    def _take_checked(self, found: RangeResult) -> bool:
        """Takes a worker's result; False if the range must be read here."""
        records = self._records
        if not self.follows:
            return True
        if not records.ends_with(found.head):
            return False
        records.feed(found.head)
        if not records.lost:
            records.absorb(found)
            records.feed(found.tail)
        return True

    def _move_to(self, position: int) -> None:
        self._meter.add(position - self._position)
        self._position = position
