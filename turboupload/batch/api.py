"""The library's functions for many read sets."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from turboupload.batch.elsewhere import Elsewhere, Senders
from turboupload.batch.ready import checked
from turboupload.batch.receipts import receipt_places
from turboupload.batch.reporting import OnBatchNotice
from turboupload.config import UploadConfig, config_of
from turboupload.core.batch import (
    BatchNotice,
    BatchRehearsal,
    BatchResult,
    RowNotice,
)
from turboupload.core.controls import Controls
from turboupload.core.metadata import check_id
from turboupload.core.model import ReadSet
from turboupload.core.next_step import ResultsFormat
from turboupload.core.notices import Notice
from turboupload.core.shards import Shard
from turboupload.core.sheet.model import Sheet, rows_given
from turboupload.engine import Engine
from turboupload.engine.compose import open_engine
from turboupload.errors import ConfigError
from turboupload.listening import Listener
from turboupload.runtime.eventloop import blocking
from turboupload.state.results_file import ResultsFile
from turboupload.telemetry import log_notice

if TYPE_CHECKING:
    pass

__all__ = [
    "parse_shard",
    "rehearse_batch",
    "rehearse_batch_sync",
    "results_file",
    "upload_batch",
    "upload_batch_sync",
]

OnBatchEvent = Callable[[BatchNotice], object]
"""Called with every event, on the event loop; what an `async` function returns is awaited."""


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
    given = rows_given(rows, ReadSet)
    if max_failures is not None and (not isinstance(max_failures, int) or max_failures < 1):
        raise ConfigError(f"max_failures is a whole number from 1, or None, not {max_failures!r}")
    mine = parse_shard(shard)
    kept = results_file(results, mine, results_format)
    check_id("a store", store_id)
    if elsewhere is not None:
        _refuse_what_is_kept_here(receipts, config)
    async with open_engine(config_of(config)) as engine:
        if on_start is not None:
            on_start(engine)

        async def run() -> BatchResult:
            async with (
                _opened(elsewhere, engine, store_id, listener) as senders,
                checked(engine, given, store_id, mine, senders=senders) as ready,
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


upload_batch_sync = blocking(upload_batch)


def _refuse_what_is_kept_here(
    receipts: str | os.PathLike[str] | None, config: UploadConfig | None
) -> None:
    """Refuses options that depend on this machine's files, where other machines send.

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
            "what is uploaded again is remembered on one machine, and other machines send the rows",
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
    on_event: OnBatchEvent | None = None,
) -> BatchRehearsal:
    """Finds out what `upload_batch` would do, without changing anything anywhere.

    Args:
        rows: As `upload_batch` takes them.
        store_id: The sequence store.
        config: How to upload.
        shard: As `upload_batch` takes it.
        on_event: Called with every remark about a row; it may be `async`.

    Raises:
        SheetRejected: Something is wrong with rows or files.
        ConfigError: The Region, the profile or the state folder can't be used.
    """
    check_id("a store", store_id)
    listener = Listener(on_event)
    given = rows_given(rows, ReadSet)
    mine = parse_shard(shard)

    async def run() -> BatchRehearsal:
        async with (
            open_engine(config_of(config)) as engine,
            checked(engine, given, store_id, mine, kind="calls") as ready,
        ):
            return await ready.rehearse(listener)

    return await listener.during(run)


rehearse_batch_sync = blocking(rehearse_batch)


def parse_shard(text: str | None) -> Shard | None:
    """The shard that was asked for.

    Raises:
        ConfigError: There is no such shard, or no array job.
    """
    try:
        return None if text is None else Shard.parse(str(text), os.environ)
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
