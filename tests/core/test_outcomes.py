"""The word that programs branch on, of many uploads, imports or runs together."""

from __future__ import annotations

import pytest

from tests.support.values import read_set
from turboupload.cli.ui.errors import exit_code_of
from turboupload.core.batch import BatchRehearsal, BatchResult, BatchRow
from turboupload.core.formats import FileType
from turboupload.core.imports.rows import ImportResult
from turboupload.core.rows import RowResult, RowStatus
from turboupload.core.watch.notices import WatchedRun, WatchedRunStatus, WatchResult
from turboupload.errors import InputError, ServiceRefused, TurbouploadError

REFUSED = ServiceRefused("the credentials have expired")


def rows(*statuses: RowStatus, message: str = "") -> tuple[RowResult, ...]:
    return tuple(
        RowResult(row=number, name="n", sample="s", status=status, message=message)
        for number, status in enumerate(statuses, start=2)
    )


@pytest.mark.parametrize(
    ("found", "error", "outcome", "code"),
    [
        ((), None, "active", 0),
        (rows("active", "exists"), None, "active", 0),
        (rows("active", "processing"), None, "processing", 0),
        (rows("processing", message="the wait is over"), None, "stopped", 5),
        (rows("active", "waiting"), None, "stopped", 5),
        (rows("stopped", "failed"), None, "some_failed", 8),
        (rows("active", "rejected"), None, "some_failed", 8),
        (rows("active", "failed"), REFUSED, "refused", 4),
    ],
)
def test_a_batch(
    found: tuple[RowResult, ...], error: TurbouploadError | None, outcome: str, code: int
) -> None:
    result = BatchResult(rows=found, bytes_sent=0, retries=0, seconds=1.0, stopped_by=error)
    assert (result.outcome, exit_code_of(result.outcome, error)) == (outcome, code)


def test_a_rehearsal_of_a_batch() -> None:
    row = BatchRow(number=2, read_set=read_set(), file_type=FileType.BAM, identities=())
    assert BatchRehearsal(rows=()).outcome == "rehearsed"
    refused = BatchRehearsal(rows=((row, InputError("is empty")),)).outcome
    assert (refused, exit_code_of(refused)) == ("some_failed", 8)


@pytest.mark.parametrize(
    ("found", "timed_out", "error", "outcome", "code"),
    [
        (rows("active"), False, None, "active", 0),
        (rows("active", "processing"), False, None, "processing", 0),
        (rows("active", "processing"), True, None, "stopped", 5),
        (rows("failed", "processing"), True, None, "some_failed", 8),
        (rows("failed", "waiting"), False, REFUSED, "refused", 4),
    ],
)
def test_an_import(
    found: tuple[RowResult, ...],
    timed_out: bool,
    error: TurbouploadError | None,
    outcome: str,
    code: int,
) -> None:
    result = ImportResult(rows=found, jobs=(), seconds=1.0, timed_out=timed_out, stopped_by=error)
    assert (result.outcome, exit_code_of(result.outcome, error)) == (outcome, code)


@pytest.mark.parametrize(
    ("statuses", "outcome", "code"),
    [
        ((), "ok", 0),
        (("done", "waiting"), "ok", 0),
        (("done", "retrying"), "stopped", 5),
        (("failed", "retrying"), "some_failed", 8),
    ],
)
def test_the_runs_of_a_folder(
    statuses: tuple[WatchedRunStatus, ...], outcome: str, code: int
) -> None:
    result = WatchResult(runs=tuple(WatchedRun(run="r", status=each) for each in statuses))
    assert (result.outcome, exit_code_of(result.outcome)) == (outcome, code)
