"""A run's batch: planned as `plan_sheet` understands folders, sent as `upload_batch` sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from turboupload.batch import upload_batch
from turboupload.core.batch import BatchNotice, BatchResult
from turboupload.core.next_step import ResultsFormat
from turboupload.core.notices import Remark
from turboupload.core.sheet.model import Sheet, SheetRejected
from turboupload.core.watch.names import named_by_folder
from turboupload.core.watch.notices import RunNotice, RunSent, WatchNotice
from turboupload.core.watch.records import Ending, RunRecord
from turboupload.core.watch.rules import WatchRule
from turboupload.errors import ConfigError, ServiceRefused, Stopped, TurbouploadError
from turboupload.files.run_folders import propose_sheet
from turboupload.files.sheets import read_sheet
from turboupload.runtime.exhaustion import trouble_here
from turboupload.runtime.tasks import in_thread
from turboupload.state.results_file import ResultsFile
from turboupload.state.whole_file import write_whole
from turboupload.telemetry import log_notice
from turboupload.units import counted
from turboupload.watching.controls import WatchControls
from turboupload.watching.loop import RESULTS

__all__ = ["Batches", "Notifier", "plan"]

_LOGGER = logging.getLogger("turboupload")

NEXT_STEP: Final[Mapping[ResultsFormat, str]] = MappingProxyType(
    {"nf-core": "samplesheet.csv", "healthomics-run": "run-settings.json"}
)
"""The files beside a run's results that the next step takes, by their form."""


def plan(path: str, rule: WatchRule) -> Sheet:
    """The sheet of a run's folder; blocking.

    Raises:
        InputError: There is nothing in it to send.
    """
    sheet = propose_sheet(path, recursive=True, defaults=rule.defaults, mates=rule.mates)
    if sheet.runs or (rule.defaults is not None and rule.defaults.name_pattern is not None):
        return sheet
    return named_by_folder(sheet, Path(path).name)


class Notifier:
    """Tells of notices; what the listener raises ends the watcher, and is no trouble of a run.

    Args:
        listener: Who is told.

    Attributes:
        failure: What it raised.
    """

    def __init__(self, listener: Callable[[WatchNotice], None]) -> None:
        self._listener = listener
        self.failure: Exception | None = None

    def __call__(self, notice: WatchNotice) -> None:
        """Tells of a notice."""
        if isinstance(notice, Remark):
            log_notice(notice)
        try:
            self._listener(notice)
        except Exception as error:
            self.failure = error
            raise


class Batches:
    """Sends the runs of a watcher, one at a time.

    Args:
        tell: Told of what happens.
        controls: Given the controls of each batch.
    """

    def __init__(self, tell: Notifier, controls: WatchControls) -> None:
        self._tell = tell
        self._controls = controls

    async def send(self, record: RunRecord, output: Path, rule: WatchRule) -> Ending:
        """Runs a run's batch; whatever goes wrong with it stops no other.

        Raises:
            Exception: Of the listener.
        """
        try:
            result = await self._sent(record, output, rule)
        except Exception as error:
            if self._tell.failure is not None:
                raise self._tell.failure  # noqa: B904 - what the caller raised keeps its own cause
            return _ending_of(error, output)
        finally:
            self._controls.end()
        return _ending(result)

    async def _sent(self, record: RunRecord, output: Path, rule: WatchRule) -> BatchResult:
        sheet = await in_thread(read_sheet, output / record.sheet)

        def hear(notice: BatchNotice) -> None:
            self._tell(RunNotice(record.run, notice))

        result = await upload_batch(
            sheet,
            # What was begun stays where it was begun, also if the rules say otherwise by now.
            store_id=record.store_id,
            config=rule.config,
            results=output / RESULTS,
            on_event=hear,
            on_start=self._controls.begin,
        )
        if (form := rule.results_format) is not None:
            await in_thread(_write_next_step, result, output / NEXT_STEP[form], form)
        self._tell(RunSent(record.run, result))
        return result


def _write_next_step(result: BatchResult, path: Path, form: ResultsFormat) -> None:
    """Writes what the next step takes, of the read sets that exist."""
    ResultsFile(path, form).write(result.rows)


def _ending(result: BatchResult) -> Ending:
    counts = {str(status): count for status, count in result.counts.items()}
    if result.stopped_by is not None:
        return Ending(stopped=True, message=result.stopped_by.message, counts=counts)
    if result.failed:
        return Ending(message=f"{counted(len(result.failed), 'row')} failed", counts=counts)
    return Ending(done=not result.left, stopped=bool(result.left), counts=counts)


def _ending_of(error: Exception, output: Path) -> Ending:
    """How a batch ended that an error ended."""
    known = error if isinstance(error, TurbouploadError) else trouble_here(error)
    if known is None:
        _LOGGER.error("a run's batch ended in a way that was not foreseen", exc_info=error)
        known = TurbouploadError(f"unexpected {type(error).__name__}: {error}")
    if isinstance(known, SheetRejected):
        _keep_findings(output, known)
    # These concern the settings or the service, and no run: once they are mended, it goes on.
    stopped = isinstance(known, Stopped | ServiceRefused | ConfigError)
    return Ending(stopped=stopped, message=str(known))


def _keep_findings(output: Path, error: SheetRejected) -> None:
    """Writes all findings about a run beside its sheet; its record has the first of them."""
    text = "".join(f"{each.severity}: {each}\n" for each in error.findings)
    # A disk that is full has its say elsewhere.
    with suppress(OSError):
        write_whole(output / "rejected.txt", text)
