"""The library's functions for read sets whose files are in S3."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from turboupload.clock import Clock
from turboupload.config import UploadConfig, config_of
from turboupload.core.imports.jobs import ImportSource
from turboupload.core.imports.rows import ImportNotice, ImportResult, ImportRow, import_rows
from turboupload.core.metadata import check_id, check_role_arn
from turboupload.core.notices import Notice
from turboupload.core.sheet.model import Sheet, SheetFinding, SheetRejected, rows_given
from turboupload.engine.imports import Import, ImportOptions
from turboupload.errors import ConfigError
from turboupload.listening import Listener
from turboupload.runtime.eventloop import blocking
from turboupload.state.results_file import ResultsFile
from turboupload.stores import SequenceStores

__all__ = ["OnImportEvent", "checked_rows", "import_read_sets", "import_read_sets_sync"]

OnImportEvent = Callable[[ImportNotice | Notice], object]
"""Called with every event, on the event loop; what an `async` function returns is awaited. An
exception ends the call."""


async def import_read_sets(
    rows: Sheet | Sequence[ImportSource],
    *,
    store_id: str,
    role_arn: str,
    config: UploadConfig | None = None,
    again: bool = False,
    retry_failed: int = 0,
    dry_run: bool = False,
    results: str | os.PathLike[str] | None = None,
    on_event: OnImportEvent | None = None,
) -> ImportResult:
    """Imports read sets from S3, in jobs of up to 100, and follows them to their end.

    Skips a row if the store has a read set with its metadata, and follows a job that already
    imports it. So the call can be repeated after anything that ended it early. A row that fails
    doesn't stop the others.

    Args:
        rows: A sheet as `read_sheet` gives it, or sources, which are numbered from 1.
        store_id: The sequence store, 10 to 36 digits.
        role_arn: The role with which the service reads the sources.
        config: How to reach the service; `wait`, `wait_timeout_s` and `poll_interval_s` say how the
            jobs are followed.
        again: Also import what is already in the store.
        retry_failed: How often failed sources are put into a job again.
        dry_run: Change nothing anywhere; rows that would be imported are `waiting`.
        results: A file (`.csv` or `.json`) that always has the current status of each row.
        on_event: Called with every event, on the event loop; it may be `async`. An exception that
            it raises ends the call; the jobs go on at the service.

    Returns:
        The result of each row. If an error stopped jobs from starting, such as a forbidden role, it
            is in `stopped_by`.

    Raises:
        SheetRejected: Rows have errors; nothing was started.
        ConfigError: The role, the Region or the profile can't be used.
        ServiceRefused: The service denies access, or has no such store.
        Stopped: The service could not be reached; jobs that were started go on.

    Example:
        ```python
        sheet = turboupload.read_sheet("run42.csv")
        result = await turboupload.import_read_sets(
            sheet, store_id="1234567890", role_arn="arn:aws:iam::111122223333:role/omics-import"
        )
        for row in result.failed:
            print(row.row, row.message, row.what_to_do)
        ```
    """
    config = config_of(config)
    check_id("a store", store_id)
    check_role_arn(role_arn)
    kept = ResultsFile(results) if results is not None else None
    if not isinstance(retry_failed, int) or retry_failed < 0:
        raise ConfigError(f"retry_failed is a whole number from 0, not {retry_failed!r}")
    checked, _ = checked_rows(rows_given(rows, ImportSource))
    listener = Listener(on_event)
    async with SequenceStores(config, on_event=listener) as stores:
        options = ImportOptions(
            role_arn=role_arn,
            where=stores.where,
            again=again,
            wait=config.wait,
            wait_timeout_s=config.wait_timeout_s,
            poll_interval_s=config.poll_interval_s,
            patience_s=stores.patience_s,
            retry_failed=retry_failed,
        )
        work = Import(
            stores, store_id, checked, options, clock=Clock(), tell=listener, results=kept
        )
        return await listener.during(work.rehearse if dry_run else work.run)


import_read_sets_sync = blocking(import_read_sets)


def checked_rows(
    rows: Sheet | Sequence[ImportSource],
) -> tuple[list[ImportRow], list[SheetFinding]]:
    """Returns the rows to import, if none of them has an error.

    Returns:
        The rows, and the warnings about them.

    Raises:
        SheetRejected: A row has an error.
    """
    if isinstance(rows, Sheet):
        found, more = import_rows(rows.rows)
        findings = [*rows.findings, *more]
    else:
        found = [ImportRow(number=number, source=source) for number, source in enumerate(rows, 1)]
        findings = list(_ambiguous(found))
    if not found and not any(each.severity == "error" for each in findings):
        findings.append(SheetFinding(0, None, "there is nothing to import"))
    findings.sort(key=lambda each: each.row)
    if any(each.severity == "error" for each in findings):
        raise SheetRejected(findings)
    return found, findings


def _ambiguous(rows: Sequence[ImportRow]) -> Iterator[SheetFinding]:
    """Finds rows that can't be distinguished in the store; for a sheet, its reader does this."""
    seen: dict[tuple[str, str, str], int] = {}
    for row in rows:
        source = row.source
        if source.name is None:
            hint = "without one it can't be recognised in the store"
            yield SheetFinding(row.number, None, f"{source.source1} has no name", hint)
            continue
        title = (source.name, source.sample_id, source.subject_id)
        if (other := seen.setdefault(title, row.number)) != row.number:
            message = f"has the name, sample and subject of row {other}"
            yield SheetFinding(row.number, None, message, "give one of them another name")
