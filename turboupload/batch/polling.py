"""Polls the read sets of a batch that the service is working on, many with one call.

Hundreds of read sets, each polled every half minute, would use up GetReadSetMetadata's five
transactions a second. One page of the list of PROCESSING_UPLOAD covers a hundred.
A read set that isn't in the list is asked for once, which also brings the ETag, the sizes and the
counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from turboupload.clock import Clock
from turboupload.core.filters import ReadSetFilter
from turboupload.core.notices import UploadResult
from turboupload.engine import Engine
from turboupload.engine.run import Run
from turboupload.errors import CallFailed, LinkFailed, TurbouploadError
from turboupload.omics.base import ReadSetService
from turboupload.omics.pager import all_pages

__all__ = ["BatchPoller", "OnEnd"]

FIRST_PAUSE_S: Final = 0.5
PAUSE_FACTOR: Final = 1.6
"""The pause between two rounds, in seconds, and its growth while no read set reaches its end."""

FEW: Final = 4
"""Up to this many are asked for one by one: a listing would cost as much."""

AT_A_TIME: Final = 16
"""How many are asked for at a time, since an answer takes longer than the quota's interval."""

OnEnd = Callable[[int, Run, UploadResult | TurbouploadError | None], None]
"""Receives a row's result or error; None where it must be sent again, or the wait is over."""


class BatchPoller:
    """Polls the read sets of many rows until their status is final.

    Args:
        engine: Asks for one read set.
        service: Asks for all, with the engine's policies around every call.
        store_id: The sequence store.
        clock: The time.
        poll_interval_s: Longest pause between two rounds, in seconds.
        wait_timeout_s: How long one is polled, in seconds; None for ever.
        on_end: Called with each row that isn't polled any more.
    """

    def __init__(
        self,
        engine: Engine,
        service: ReadSetService,
        store_id: str,
        clock: Clock,
        *,
        poll_interval_s: float,
        wait_timeout_s: float | None,
        on_end: OnEnd,
    ) -> None:
        self._engine = engine
        self._service = service
        self._store_id = store_id
        self._clock = clock
        self._longest_pause_s = poll_interval_s
        self._wait_timeout_s = wait_timeout_s
        self._on_end = on_end
        self._rows: dict[int, tuple[Run, float]] = {}
        self._row_added = anyio.Event()
        self._places = anyio.CapacityLimiter(AT_A_TIME)
        self._pages = 0
        self._polls = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: int, run: Run) -> None:
        """Polls the row's read set from now on."""
        self._rows[row] = (run, self._clock.now())
        self._row_added.set()

    def drop(self, row: int) -> None:
        """Doesn't poll the row's read set any more."""
        self._rows.pop(row, None)

    async def run(self) -> None:
        """Polls in rounds until it is cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            if not self._rows:
                self._row_added = anyio.Event()
                await self._row_added.wait()
                pause_s = FIRST_PAUSE_S
            await self._clock.sleep(pause_s)
            before = len(self._rows)
            await self._poll_all()
            # A round uses at most half of the quotas, since the uploads need them, too.
            least_s = max(
                FIRST_PAUSE_S,
                2 * self._pages / self._engine.calls.rate("ListReadSets"),
                2 * self._polls / self._engine.calls.rate("GetReadSetMetadata"),
            )
            ended = len(self._rows) < before
            grown_s = least_s if ended else pause_s * PAUSE_FACTOR
            pause_s = min(max(least_s, grown_s), self._longest_pause_s)

    async def _poll_all(self) -> None:
        processing = await self._processing()
        done = [
            (row, run)
            for row, (run, _) in self._rows.items()
            if run.upload.read_set_id not in processing
        ]
        self._polls = len(done)
        async with anyio.create_task_group() as group:
            for row, run in done:
                group.start_soon(self._poll_one, row, run)
        if self._wait_timeout_s is not None:
            self._drop_overdue(self._wait_timeout_s)

    async def _processing(self) -> set[str]:
        """The read sets that a listing shows as processing; none where single calls are cheaper."""
        self._pages = 0
        if len(self._rows) <= FEW:
            return set()
        found: set[str] = set()
        wanted = ReadSetFilter(status="PROCESSING_UPLOAD")
        try:
            async for page in all_pages(
                lambda token: self._service.list_read_sets(self._store_id, wanted, token)
            ):
                # A row without a status tells nothing, and passes every filter.
                found.update(each.read_set_id for each in page.rows if each.status is not None)
                self._pages += 1
                if self._pages > len(self._rows):
                    break
        except (CallFailed, LinkFailed):
            # Then each is asked for by itself, and that call tells what is wrong.
            return set()
        return found

    async def _poll_one(self, row: int, run: Run) -> None:
        ended: UploadResult | TurbouploadError | None
        try:
            async with self._places:
                ended = await self._engine.poll(run)
        except TurbouploadError as error:
            ended = error
        if row in self._rows and (ended is not None or not run.processing):
            del self._rows[row]
            self._on_end(row, run, ended)

    def _drop_overdue(self, timeout_s: float) -> None:
        now = self._clock.now()
        for row, (run, since) in list(self._rows.items()):
            if now - since >= timeout_s:
                del self._rows[row]
                self._on_end(row, run, None)
