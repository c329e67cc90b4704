"""A batch whose rows were checked, before anything of it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from turboupload.batch.check import (
    SheetRejected,
    check_rows,
    check_store,
    read_sets_of,
    rows_of,
    same_names,
)
from turboupload.batch.elsewhere import Senders
from turboupload.batch.listing import StoreListing
from turboupload.batch.reporting import OnBatchNotice
from turboupload.batch.run import Batch
from turboupload.core.batch import BatchRehearsal, BatchRow, RowNotice
from turboupload.core.model import ReadSet
from turboupload.core.notices import Notice, Rehearsal, Remark
from turboupload.core.shards import Shard
from turboupload.core.sheet.model import Sheet, SheetFinding
from turboupload.engine import Engine
from turboupload.engine.load import Forced
from turboupload.errors import ConfigError, TurbouploadError
from turboupload.state.forced import ForcedRows
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import Following

if TYPE_CHECKING:
    from turboupload.core.measures import Kind

__all__ = ["Ready", "checked"]

REHEARSED_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class Ready:
    """Checked rows, with the engine and the listing of the store that send them."""

    engine: Engine
    store_id: str
    listing: StoreListing
    rows: list[BatchRow]
    following: Following
    senders: Senders | None = None

    def batch(
        self,
        *,
        max_failures: int | None,
        tell: OnBatchNotice,
        results: ResultsFile | None,
        receipts: Sequence[Path] | None = None,
        forced: Forced | None = None,
    ) -> Batch:
        """The batch that sends them; see `upload_batch`."""
        return Batch(
            self.engine,
            self.store_id,
            self.rows,
            listing=self.listing,
            max_failures=max_failures,
            tell=tell,
            results=results,
            receipts=receipts,
            forced=forced,
            following=self.following,
            senders=self.senders,
        )

    @contextmanager
    def forced(self) -> Iterator[ForcedRows | None]:
        """Which rows are still to be uploaded anew, where that was asked for."""
        if not self.engine.config.force:
            yield None
            return
        about = [self.store_id, *(str(title) for title in map(_title, self.rows))]
        digest = hashlib.sha256("\0".join(about).encode()).hexdigest()[:16]
        rows = ForcedRows(self.engine.config.state_folder / f"forced-{digest}.jsonl")
        try:
            yield rows
        finally:
            rows.close()

    async def rehearse(self, tell: OnBatchNotice) -> BatchRehearsal:
        """See `rehearse_batch`."""
        found: dict[int, Rehearsal | TurbouploadError] = {}

        def hear(number: int, notice: Notice) -> None:
            self.following.hear(notice)
            if isinstance(notice, Remark):
                tell(RowNotice(number, notice))

        places = anyio.CapacityLimiter(REHEARSED_AT_A_TIME)

        async def rehearse(index: int) -> None:
            row = self.rows[index]
            async with places:
                try:
                    found[index] = await self.engine.rehearse(
                        row.read_set,
                        self.store_id,
                        partial(hear, row.number),
                        surveyor=self.listing.survey,
                        forced=would,
                    )
                except TurbouploadError as error:
                    found[index] = error

        with self.forced() as forced:
            would = forced.would if forced is not None else None
            async with anyio.create_task_group() as group:
                for index in range(len(self.rows)):
                    group.start_soon(rehearse, index)
        return BatchRehearsal(
            rows=tuple((each, found[index]) for index, each in enumerate(self.rows))
        )


def _title(row: BatchRow) -> tuple[str, str | None, str | None]:
    return row.read_set.name, row.read_set.sample_id, row.read_set.subject_id


@asynccontextmanager
async def checked(
    engine: Engine,
    rows: Sheet | Sequence[ReadSet],
    store_id: str,
    shard: Shard | None = None,
    *,
    kind: Kind = "batch",
    senders: Senders | None = None,
) -> AsyncIterator[Ready]:
    """Checks the rows, and keeps the listing of the store current inside the `async with`.

    Args:
        engine: Asks the service.
        rows: The rows.
        store_id: The sequence store.
        shard: Only the rows of this one.
        kind: The kind of work that telemetry's sinks are told.
        senders: Other machines that look at the files; None looks here.

    Raises:
        SheetRejected: Something is wrong with rows or files.
    """
    config = engine.config
    if config.upload_id is not None:
        raise ConfigError("an upload id is for one read set, not for many")
    await engine.manifests.load()
    read_sets, findings = _numbered(rows)
    if shard is not None:
        read_sets, more = rows_of(shard, read_sets)
        findings += more
    following = Following(kind)
    listing = StoreListing(
        engine.calls.service_for(following.hear),
        store_id,
        list(read_sets.values()),
        engine.clock,
        engine.open_uploads(store_id),
    )
    with following:
        async with _beside(listing.keep_fresh):
            if senders is None:
                looked_at, more = await check_rows(read_sets, config)
            else:
                looked_at, more = await senders.look(read_sets)
                more = [*more, *same_names(read_sets)]
            findings += more
            if await listing.wait() and not config.force:
                findings += check_store(looked_at, listing)
            if any(each.severity == "error" for each in findings):
                raise SheetRejected(sorted(findings, key=lambda each: each.row))
            if listing.failure is not None:
                raise engine.calls.explain(listing.failure, store_id) from listing.failure
            yield Ready(engine, store_id, listing, looked_at, following, senders)


def _numbered(
    rows: Sheet | Sequence[ReadSet],
) -> tuple[dict[int, ReadSet], list[SheetFinding]]:
    """The read sets by row number, and the findings of the sheet."""
    if not isinstance(rows, Sheet):
        return dict(enumerate(rows, 1)), []
    told = {each.row for each in rows.errors}
    # Reading the sheet has already reported what is wrong with the others.
    usable = [
        each
        for each in rows.rows
        if each.number not in told and None not in (each.sample_id, each.subject_id)
    ]
    found, findings = read_sets_of(usable)
    if not rows.rows and not rows.errors:
        findings.append(SheetFinding(0, None, "there is no row in the sheet"))
    return found, [*rows.findings, *findings]


@asynccontextmanager
async def _beside(task: Callable[[], Coroutine[Any, Any, object]]) -> AsyncIterator[None]:
    """Runs a task during the block, and cancels it at its end; exceptions stay unwrapped."""
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(task)
        try:
            yield
        except Exception as error:  # raised again outside the group, which would wrap it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
