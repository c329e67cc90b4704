"""The library's functions for many read sets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
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
from turboupload.batch.elsewhere import Elsewhere, Senders
from turboupload.batch.listing import StoreListing
from turboupload.batch.receipts import receipt_places
from turboupload.batch.reporting import OnBatchNotice
from turboupload.batch.run import Batch
from turboupload.config import UploadConfig
from turboupload.core.batch import (
    BatchNotice,
    BatchRehearsal,
    BatchResult,
    BatchRow,
    RowNotice,
)
from turboupload.core.controls import Controls
from turboupload.core.metadata import check_id
from turboupload.core.model import ReadSet
from turboupload.core.next_step import ResultsFormat
from turboupload.core.notices import Notice, Rehearsal
from turboupload.core.shards import Shard
from turboupload.core.sheet.model import Sheet, SheetFinding
from turboupload.engine import Engine
from turboupload.engine.compose import open_engine
from turboupload.engine.load import Forced
from turboupload.errors import ConfigError, TurbouploadError
from turboupload.eventloop import run_alone
from turboupload.listening import Listener
from turboupload.state.forced import ForcedRows
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import Following, log_notice

if TYPE_CHECKING:
    from turboupload.core.measures import Kind

__all__ = [
    "Ready",
    "checked",
    "parse_shard",
    "rehearse_batch",
    "rehearse_batch_sync",
    "results_file",
    "upload_batch",
    "upload_batch_sync",
]

OnBatchEvent = Callable[[BatchNotice], object]
"""Called with every event, on the event loop; what an `async` function returns is awaited."""

REHEARSED_AT_A_TIME = 16


async def upload_batch(
    rows: Sheet | Sequence[ReadSet],
    *,
    store_id: str,
    config: UploadConfig | None = None,
    max_failures: int | None = None,
    results: str | os.PathLike[str] | None = None,
    results_format: ResultsFormat | None = None,
    receipts: str | os.PathLike[str] | None = None,
    shard: str | None = None,
    on_event: OnBatchEvent | None = None,
    on_start: Callable[[Controls], None] | None = None,
    elsewhere: Elsewhere | None = None,
) -> BatchResult:
    """Uploads many read sets, or resumes their uploads; data already at the service is not resent.

    A row that fails doesn't stop the others. Call it again with the same rows until all are
    done.

    Args:
        rows: A sheet as `read_sheet` gives it, or read sets, which are numbered from 1.
        store_id: The sequence store, 10 to 36 digits.
        config: How to upload.
        max_failures: The number of failed rows that stops the batch; None never stops it.
        results: A file (`.csv` or `.json`) that is kept up to date with each row's status.
        results_format: What it holds instead: `nf-core`, a sample sheet with S3 URIs (`.csv`), or
            `healthomics-run`, what StartRunBatch takes (`.json`).
        receipts: A folder for each read set's receipt; it is made where it is missing.
        shard: Send the rows of one shard only: `3/10` is the third of ten, `auto` that of this task
            of an array job. A row's name, sample and subject decide in which it is. The results get
            the shard in their name: `run.3-of-10.csv`.
        on_event: Called with everything that happens, on the event loop; it may be `async`. An
            exception from it stops the batch, which can be resumed.
        on_start: Called on the event loop before anything is sent, with what pauses, caps and
            widens the batch while it runs.
        elsewhere: Other machines that look at the files and send them, such as
            `turboupload.DaskWorkers(client)`; None sends them from this process.

    Returns:
        The result of each row. If an error stopped all rows, such as expired credentials,
        `stopped_by` has it.

    Raises:
        SheetRejected: Something is wrong with rows or files; nothing was sent.
        ConfigError: The Region, the profile or the state folder can't be used; or none of the
            other machines can.

    Example:
        ```python
        sheet = turboupload.read_sheet("run42.csv")
        result = await turboupload.upload_batch(sheet, store_id="1234567890")
        for row in result.failed:
            print(row.row, row.message, row.what_to_do)
        ```
    """
    listener = Listener(on_event)
    mine = parse_shard(shard)
    kept = results_file(results, mine, results_format)
    check_id("a store", store_id)
    if elsewhere is not None:
        _refuse_what_is_kept_here(receipts, config)
    async with open_engine(config or UploadConfig()) as engine:
        if on_start is not None:
            on_start(engine)

        async def run() -> BatchResult:
            async with (
                _opened(elsewhere, engine, store_id, listener) as senders,
                checked(engine, rows, store_id, mine, senders=senders) as ready,
            ):
                places = receipt_places(receipts, ready.rows) if receipts is not None else None
                with ready.forced() as forced:
                    batch = ready.batch(
                        max_failures=max_failures,
                        tell=listener,
                        results=kept,
                        receipts=places,
                        forced=forced.decide if forced is not None else None,
                    )
                    result = await batch.run()
                    if forced is not None:
                        forced.done = not (result.failed or result.left)
                return result

        return await listener.during(run)


def _refuse_what_is_kept_here(
    receipts: str | os.PathLike[str] | None, config: UploadConfig | None
) -> None:
    """Refuses what other machines can't do, since it hangs on this one's files.

    Raises:
        ConfigError: It was asked for.
    """
    if receipts is not None:
        raise ConfigError(
            "a folder of receipts is written where the files are, and other machines send them",
            hint="leave it out: the journal keeps the receipts, for `turboupload receipt show`",
        )
    if config is not None and config.force:
        raise ConfigError(
            "what is uploaded anew is remembered on one machine, and other machines send the rows",
            hint="leave `force` out, or the other machines",
        )


@asynccontextmanager
async def _opened(
    elsewhere: Elsewhere | None, engine: Engine, store_id: str, tell: OnBatchNotice
) -> AsyncIterator[Senders | None]:
    """The machines that send the rows; None where this one does."""

    def hear(notice: Notice) -> None:
        log_notice(notice)
        tell(RowNotice(None, notice))

    if elsewhere is None:
        yield None
    else:
        async with elsewhere.opened(engine, store_id, hear) as senders:
            yield senders


async def rehearse_batch(
    rows: Sheet | Sequence[ReadSet],
    *,
    store_id: str,
    config: UploadConfig | None = None,
    shard: str | None = None,
) -> BatchRehearsal:
    """Finds out what `upload_batch` would do, without changing anything anywhere.

    Raises:
        SheetRejected: Something is wrong with rows or files.
        ConfigError: The Region, the profile or the state folder can't be used.
    """
    check_id("a store", store_id)
    mine = parse_shard(shard)
    async with (
        open_engine(config or UploadConfig()) as engine,
        checked(engine, rows, store_id, mine, kind="calls") as ready,
    ):
        return await ready.rehearse()


def upload_batch_sync(
    rows: Sheet | Sequence[ReadSet],
    *,
    store_id: str,
    config: UploadConfig | None = None,
    max_failures: int | None = None,
    results: str | os.PathLike[str] | None = None,
    results_format: ResultsFormat | None = None,
    receipts: str | os.PathLike[str] | None = None,
    shard: str | None = None,
    on_event: OnBatchEvent | None = None,
    on_start: Callable[[Controls], None] | None = None,
    elsewhere: Elsewhere | None = None,
) -> BatchResult:
    """Uploads many read sets from code without an event loop; see `upload_batch`."""

    async def run() -> BatchResult:
        return await upload_batch(
            rows,
            store_id=store_id,
            config=config,
            max_failures=max_failures,
            results=results,
            results_format=results_format,
            receipts=receipts,
            shard=shard,
            on_event=on_event,
            on_start=on_start,
            elsewhere=elsewhere,
        )

    return run_alone(run, "upload_batch")


def rehearse_batch_sync(
    rows: Sheet | Sequence[ReadSet],
    *,
    store_id: str,
    config: UploadConfig | None = None,
    shard: str | None = None,
) -> BatchRehearsal:
    """Finds out what `upload_batch` would do, from code without an event loop."""

    async def run() -> BatchRehearsal:
        return await rehearse_batch(rows, store_id=store_id, config=config, shard=shard)

    return run_alone(run, "rehearse_batch")


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

    async def rehearse(self) -> BatchRehearsal:
        """See `rehearse_batch`."""
        found: dict[int, Rehearsal | TurbouploadError] = {}
        places = anyio.CapacityLimiter(REHEARSED_AT_A_TIME)

        async def rehearse(index: int) -> None:
            read_set = self.rows[index].read_set
            async with places:
                try:
                    found[index] = await self.engine.rehearse(
                        read_set,
                        self.store_id,
                        self.following.hear,
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
        kind: As what the sinks of telemetry follow this.
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
        engine.calls.service_for(following.hear), store_id, list(read_sets.values()), engine.clock
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


def parse_shard(text: str | None) -> Shard | None:
    """The shard that was asked for.

    Raises:
        ConfigError: There is no such shard, or no array job.
    """
    try:
        return None if text is None else Shard.parse(text, os.environ)
    except ValueError as error:
        raise ConfigError(f"shard: {error}") from None


def results_file(
    path: str | os.PathLike[str] | None, shard: Shard | None, form: ResultsFormat | None = None
) -> ResultsFile | None:
    """The file of the results; each shard has its own.

    Raises:
        ConfigError: Its name doesn't say its form, or another file would be lost.
    """
    if path is None:
        return None
    return ResultsFile(path if shard is None else shard.beside(Path(path)), form)


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
