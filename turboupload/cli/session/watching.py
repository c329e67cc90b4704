"""The batches of a watcher: planned by `sheet`'s understanding of folders, run as `batch` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from anyio import to_thread

from turboupload.batch import upload_batch
from turboupload.cli.options.configurations import sheet_defaults, upload_config
from turboupload.cli.options.store import with_store_id
from turboupload.cli.reporters.batch import BatchReporter
from turboupload.cli.reporters.page import Page
from turboupload.cli.reporters.watch import WatchReporter
from turboupload.cli.session.job import listed
from turboupload.cli.ui.errors import exit_code_for, trouble_here
from turboupload.core.batch import BatchResult
from turboupload.core.batch_jobs import batch_progress_after
from turboupload.core.next_step import ResultsFormat
from turboupload.core.sheet.model import Sheet, SheetRejected
from turboupload.core.watch.names import named_by_folder
from turboupload.core.watch.records import Ending, RunNews, RunRecord
from turboupload.core.watch.rules import Rule
from turboupload.core.watch.sentinels import SENTINELS, sentinels_of
from turboupload.errors import (
    ConfigError,
    InputError,
    ServiceRefused,
    Stopped,
    TurbouploadError,
    UploadBusy,
)
from turboupload.files.run_folders import propose_sheet
from turboupload.files.sheets import read_sheet
from turboupload.state.results_file import ResultsFile
from turboupload.state.watch_state import WatchState
from turboupload.state.whole_file import write_whole
from turboupload.watch import RESULTS, Watcher, waker_for

__all__ = ["check_stores", "status_of", "watching"]

NEXT_STEP: Final[Mapping[ResultsFormat, str]] = MappingProxyType(
    {"nf-core": "samplesheet.csv", "healthomics-run": "run-settings.json"}
)
"""The files beside a run's results that the next step takes, by their form."""

_RESTS = 3
"""How often `--once` waits for runs that are over and not at rest yet."""


def check_stores(given: Mapping[str, Any], rules: Sequence[Rule]) -> None:
    """Makes sure that every run has a store.

    Raises:
        ConfigError: One has none.
    """
    if given["store"] is not None:
        return
    lacking = next((each for each in rules if not each.skip and "store" not in each.given), None)
    if not rules or lacking is not None:
        which = "" if lacking is None else f" for the runs of rule {lacking.number}"
        raise ConfigError(
            f"there is no store{which}", hint="add --store ID, or `store` to each rule"
        )


async def status_of(state: WatchState, reporter: WatchReporter) -> Sequence[RunNews]:
    """Tells what is known of the runs."""
    records = await to_thread.run_sync(state.records)
    found = [RunNews.of(each) for each in sorted(records.values(), key=lambda each: each.began_at)]
    for each in found:
        reporter.run(each)
    return found


async def watching(
    given: Mapping[str, Any], rules: Sequence[Rule], state: WatchState, reporter: WatchReporter
) -> Sequence[RunNews]:
    """Watches, under the lock of the folder.

    Raises:
        UploadBusy: Another process watches it.
        TurbouploadError: See `turboupload.errors`.
    """
    if given["dry_run"]:
        watcher = _watcher(given, rules, state, reporter)
        await watcher.begin()
        await watcher.once()
        return watcher.news
    lock = state.lock()
    try:
        lock.__enter__()
    except UploadBusy as error:
        raise state.busy(error) from None
    try:
        config = upload_config(given)
        async with listed(
            config,
            reporter.tell,
            kind="watch",
            about=given["folder"],
            store_id=given["store"] or "",
        ) as job:
            watcher = _watcher(given, rules, state, reporter)
            await watcher.begin(given["again"])
            reporter.event("started", {"folder": given["folder"]})
            if given["once"]:
                await _once(watcher)
            else:
                await _for_ever(watcher, given, rules, reporter)
            job.ended("ok", 0)
        return watcher.news
    finally:
        lock.__exit__(None, None, None)


def _watcher(
    given: Mapping[str, Any], rules: Sequence[Rule], state: WatchState, reporter: WatchReporter
) -> Watcher:
    def plan(path: str, rule: Rule) -> Sheet:
        wanted = {**given, **rule.given}
        defaults = sheet_defaults(wanted)
        sheet = propose_sheet(path, recursive=True, defaults=defaults, mates=wanted["mates"])
        if sheet.runs or defaults.name_pattern is not None:
            return sheet
        return named_by_folder(sheet, Path(path).name)

    async def send(record: RunRecord, output: Path, rule: Rule) -> tuple[Ending, bool]:
        return await _send({**given, **rule.given}, record, output, reporter)

    return Watcher(
        given["folder"],
        state,
        rules=rules,
        store=given["store"] or "",
        sentinel=given["sentinel"],
        settle_s=given["settle"],
        output=given["output"],
        plan=plan,
        send=send,
        tell=reporter.run,
        dry=given["dry_run"],
    )


async def _once(watcher: Watcher) -> None:
    """Passes until nothing that is over waits to be at rest."""
    from anyio import sleep

    for _ in range(_RESTS):
        await watcher.once()
        if watcher.resting_s is None:
            return
        await sleep(watcher.resting_s + 0.01)


async def _for_ever(
    watcher: Watcher, given: Mapping[str, Any], rules: Sequence[Rule], reporter: WatchReporter
) -> None:
    told = [each for each in (given["sentinel"], *(each.sentinel for each in rules)) if each]
    wanted = [*SENTINELS, *(each for name in told for each in sentinels_of(name))]
    async with waker_for(
        given["folder"],
        every_s=given["every"],
        poll=given["poll"],
        names=[each.pattern for each in wanted],
        tell=lambda text: reporter.remark("polls", text),
    ) as waker:
        if waker.why_polls:
            reporter.remark("polls", f"looks every {given['every']:g} s: {waker.why_polls}")
        trouble = ""
        while True:
            soonest = None
            try:
                soonest, trouble = await watcher.once(), ""
            except InputError as error:
                # A file server may come back.
                if str(error) != trouble:
                    trouble = str(error)
                    reporter.remark("folder", f"{trouble}; it is looked at again")
            await waker.wait(soonest)


async def _send(
    given: Mapping[str, Any], record: RunRecord, output: Path, reporter: WatchReporter
) -> tuple[Ending, bool]:
    """Runs a run's batch; whatever goes wrong with it stops no other."""
    try:
        result = await _batch(given, record, output, reporter)
        counts = {str(status): count for status, count in result.counts.items()}
        _, code, message = BatchReporter.how_it_ended(result)
        stopped = result.stopped_by is not None or code == Stopped.exit_code
        return Ending(exit_code=code, message=message, counts=counts), stopped
    except Exception as error:
        known = error if isinstance(error, TurbouploadError) else trouble_here(error)
        if known is None:
            known = TurbouploadError(f"unexpected {type(error).__name__}: {error}")
        if isinstance(known, SheetRejected):
            _keep_findings(output, known)
        ending = Ending(exit_code=exit_code_for(known), message=str(known), counts={})
        # These concern the settings or the service, and no run: once they are mended, it goes on.
        return ending, isinstance(known, Stopped | ServiceRefused | ConfigError)


def _keep_findings(output: Path, error: SheetRejected) -> None:
    """Writes all that speaks against a run beside its sheet; its record has the first of it."""
    text = "".join(f"{each.severity}: {each}\n" for each in error.findings)
    # A disk that is full has its say elsewhere.
    with suppress(OSError):
        write_whole(output / "rejected.txt", text)


def _write_next_step(result: BatchResult, output: Path, form: ResultsFormat) -> None:
    """Writes what the next step takes, of the read sets that exist."""
    ResultsFile(output / NEXT_STEP[form], form).write(result.rows)


async def _batch(
    given: Mapping[str, Any], record: RunRecord, output: Path, reporter: WatchReporter
) -> BatchResult:
    sheet = await to_thread.run_sync(read_sheet, output / record.sheet)
    if str(given["store"]) != record.store_id:
        # What was begun stays where it was begun, also if the rules say otherwise by now.
        given = {**given, "store": record.store_id}
    given = await with_store_id(given)
    config = upload_config(given)
    page = (
        Page.at(output / given["report"], config, f"Run {record.run}") if given["report"] else None
    )

    def hear(notice: Any) -> None:
        if page is not None:
            page.hear(notice)
        reporter.hear(notice)

    async with listed(
        config, reporter.tell, kind="batch", about=record.run, store_id=given["store"]
    ) as job:
        result = await upload_batch(
            sheet,
            store_id=given["store"],
            config=config,
            results=output / RESULTS,
            on_event=job.hearing(batch_progress_after, hear),
            on_start=job.obey,
        )
        ended = BatchReporter.how_it_ended(result)
        job.ended(*ended)
    if given["results_format"] is not None:
        await to_thread.run_sync(_write_next_step, result, output, given["results_format"])
    if page is not None:
        page.recording.rows(result.rows)
        why = page.write(
            page.recording.report(ended[0], page.at_s, message=ended[2]), at_once=False
        )
        if why:
            reporter.remark("report-unwritten", why)
    return result
