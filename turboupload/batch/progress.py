"""The progress of a batch, added up over its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from turboupload.clock import Clock
from turboupload.core.batch import BatchProgress, BatchRow, RowUnderWay
from turboupload.core.notices import Progress
from turboupload.core.rate.meter import Meter
from turboupload.core.rows import RowStatus

__all__ = ["Tally"]


class Tally:
    """Adds up the progress of the rows.

    Args:
        rows: All rows.
        clock: The time.
        creates_per_s: The quota of Create, which also limits how fast rows can start.

    Attributes:
        retries: Failed calls that were made again.
    """

    def __init__(
        self,
        rows: Sequence[BatchRow],
        clock: Clock,
        *,
        creates_per_s: float,
    ) -> None:
        self._rows = rows
        self._clock = clock
        self._creates_per_s = creates_per_s
        self._total_bytes = sum(row.total_bytes for row in rows)
        self._done: set[int] = set()
        self._done_bytes = 0
        self._under_way: dict[int, Progress] = {}
        self._last: Progress | None = None
        self._sent_before = 0
        self._bytes = Meter()
        self._row_count = Meter()
        self._workers: dict[str, tuple[Meter, int]] = {}
        self.retries = 0

    @property
    def sent_bytes(self) -> int:
        """Body bytes handed to the network, resends included."""
        return self._sent_before + sum(each.bytes_sent for each in self._under_way.values())

    def progressed(self, index: int, notice: Progress) -> None:
        """Records a row's progress."""
        self._under_way[index] = self._last = notice

    def sent_by(self, worker: str, count: int) -> None:
        """Counts bytes that another machine has sent."""
        meter, before = self._workers.get(worker, (Meter(), 0))
        self._workers[worker] = meter, before + count

    def restarted(self, index: int) -> None:
        """Keeps what was sent of a row that another machine goes on with."""
        last = self._under_way.pop(index, None)
        self._sent_before += last.bytes_sent if last is not None else 0

    def done(self, index: int) -> None:
        """Counts a row as done: nothing of it is left to send, as it has arrived or failed."""
        self.restarted(index)
        if index not in self._done:
            self._done.add(index)
            self._done_bytes += self._rows[index].total_bytes

    def again(self, index: int) -> None:
        """Counts a row as not done: it must be sent again."""
        if index in self._done:
            self._done.remove(index)
            self._done_bytes -= self._rows[index].total_bytes

    def progress(
        self,
        counts: Mapping[RowStatus, int],
        *,
        waits_for_create: bool = False,
        paused: bool = False,
    ) -> BatchProgress:
        """The progress of the batch now.

        Args:
            counts: Rows by status.
            waits_for_create: Whether rows wait for the quota of Create.
            paused: Whether nothing new is sent.
        """
        now = self._clock.now()
        sent = self.sent_bytes
        self._bytes.mark(sent, now)
        self._row_count.mark(len(self._done), now)
        for meter, count in self._workers.values():
            meter.mark(count, now)
        under_way = sorted(self._under_way.items())
        done = self._done_bytes + sum(notice.done_bytes for _, notice in under_way)
        in_flight = sum(notice.in_flight_bytes for _, notice in under_way)
        last = self._last if under_way else None
        return BatchProgress(
            rows=len(self._rows),
            counts={status: count for status, count in counts.items() if count},
            total_bytes=self._total_bytes,
            done_bytes=done,
            bytes_sent=sent,
            bytes_per_s=self._bytes.bytes_per_s,
            eta_s=None
            if paused
            else self._eta_s(self._total_bytes - done - in_flight, waits_for_create),
            in_flight=last.in_flight if last is not None else 0,
            window=last.window if last is not None else 0,
            limited_by=last.limited_by if last is not None else None,
            waits_for_create=waits_for_create,
            under_way=tuple(
                RowUnderWay(
                    row=self._rows[index].number,
                    name=self._rows[index].read_set.name,
                    done_bytes=notice.done_bytes,
                    total_bytes=notice.total_bytes,
                    in_flight_bytes=notice.in_flight_bytes,
                )
                for index, notice in under_way
            ),
            in_flight_bytes=in_flight,
            paused=paused,
            workers={name: meter.bytes_per_s for name, (meter, _) in sorted(self._workers.items())},
        )

    def _eta_s(self, left_bytes: int, waits_for_create: bool) -> float | None:
        """The time left, by bytes and by rows: each row, however small, needs a call of Create."""
        left_rows = len(self._rows) - len(self._done)
        by_rows = left_rows / max(self._creates_per_s, self._row_count.bytes_per_s)
        by_bytes = self._bytes.eta_s(left_bytes) if left_bytes else 0.0
        if by_bytes is None or (waits_for_create and by_bytes > by_rows):
            # Nothing was sent yet, or too little to know the rate.
            return None
        return max(by_bytes, by_rows)
