"""The library's functions for folders in which runs come."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import timedelta

import anyio

from turboupload.config import UploadConfig, config_of
from turboupload.core.controls import Controls
from turboupload.core.next_step import ResultsFormat
from turboupload.core.notices import Remark
from turboupload.core.sheet.model import SheetDefaults
from turboupload.core.watch.notices import (
    RunChanged,
    WatchedRun,
    WatchNotice,
    WatchResult,
    WatchStarted,
)
from turboupload.core.watch.rules import WatchRule
from turboupload.core.watch.sentinels import SENTINELS, sentinels_of
from turboupload.errors import ConfigError, InputError
from turboupload.listening import Listener
from turboupload.runtime.eventloop import blocking, require_asyncio
from turboupload.settings import Duration
from turboupload.state.watch_state import WatchState
from turboupload.watching.batches import Batches, Notifier, plan
from turboupload.watching.controls import WatchControls
from turboupload.watching.folder_events import events_of
from turboupload.watching.loop import Watcher

__all__ = ["OnWatchEvent", "watch", "watch_status", "watch_sync"]

Path = str | os.PathLike[str]

OnWatchEvent = Callable[[WatchNotice], object]
"""Called with every event, on the event loop; what an `async` function returns is awaited."""

_AnyDuration = float | str | timedelta

_RESTS = 3
"""How often a single pass waits for runs that are over and not at rest yet."""


class _Durations:
    """Of a watcher, in seconds.

    Raises:
        ConfigError: One makes no sense.
    """

    settle_s = Duration(300.0, may_be_zero=True)
    every_s = Duration(60.0)

    def __init__(self, settle_s: _AnyDuration, every_s: _AnyDuration) -> None:
        self.settle_s = settle_s
        self.every_s = every_s


async def watch(
    folder: Path,
    *,
    store_id: str | None = None,
    config: UploadConfig | None = None,
    rules: Sequence[WatchRule] = (),
    defaults: SheetDefaults | None = None,
    mates: tuple[str, str] | None = None,
    sentinel: str | None = None,
    settle_s: float | str | timedelta = 300.0,
    every_s: float | str | timedelta = 60.0,
    poll: bool = False,
    once: bool = False,
    dry_run: bool = False,
    again: str | Sequence[str] = (),
    output: Path | None = None,
    results_format: ResultsFormat | None = None,
    on_event: OnWatchEvent | None = None,
    on_start: Callable[[Controls], None] | None = None,
) -> WatchResult:
    """Watches a folder in which runs come, and uploads each of them once it is over.

    A run that is over and at rest becomes a sheet, as `plan_sheet` proposes it, and that a batch.
    What became of each is kept in the state folder: killed or cancelled at any moment, the same
    call goes on, in any process of this user. A batch that fails stops no other, and runs again by
    itself; `RunChanged` tells when.

    Args:
        folder: Where the runs are, up to four levels below.
        store_id: The sequence store, 10 to 36 digits; None only where each rule has one.
        config: How to upload; its state folder has what is known of the runs.
        rules: For which runs what holds; the first that fits does, and runs that none fits are left
            alone. Without any, all runs are uploaded.
        defaults: What every row of the sheets has: subject, names, tags, `merge`.
        mates: Which two reads are the mates where a sample has three, such as R1 and R3.
        sentinel: The file that says that a run is over, such as `Logs/done.txt`; `none` where there
            is none, so that a run must only stop changing. None takes those of the instruments.
        settle_s: How long the files of a finished run must not have changed: seconds, text
            (`5min`) or a `timedelta`.
        every_s: How often to look, even where the file system reports changes; likewise.
        poll: Look only at intervals, which is the default on NFS, SMB and the like.
        once: Send what is over now, and return; else this goes on until it is cancelled;
            `watch_sync`, until something is raised, such as `KeyboardInterrupt`.
        dry_run: Only find out which runs would be sent, in one pass; nothing is sent or written.
        again: Runs whose batch runs again whatever became of it, by their folders below `folder`.
        output: Where each run gets a folder for its sheet and results; None is the state folder.
        results_format: What the next step takes, written beside each run's results:
            `samplesheet.csv` for `nf-core`, `run-settings.json` for `healthomics-run`.
        on_event: Called with everything that happens, on the event loop; it may be `async`. An
            exception from it ends the call, which can be made again.
        on_start: Called on the event loop before anything is sent, with what pauses, caps and
            widens the run that is sent and those that follow.

    Returns:
        What became of each run, with `once` or `dry_run`.

    Raises:
        UploadBusy: Another process, or another task of this one, watches the folder.
        InputError: The folder can't be read; told as a remark, and tried again, without `once`.
        ConfigError: An option makes no sense, or the state folder or `output` can't be used.
        Stopped: A disk of those is full, or failed.

    Example:
        ```python
        result = await turboupload.watch(
            "/data/runs",
            store_id="1234567890",
            defaults=turboupload.SheetDefaults(
                subject_from=turboupload.SubjectRule.parse("sample")
            ),
            once=True,
        )
        for run in result.failed:
            print(run.run, run.message, run.output)
        ```
    """
    require_asyncio()
    config = config_of(config)
    durations = _Durations(settle_s, every_s)
    _check_flags(poll=poll, once=once, dry_run=dry_run)
    otherwise = WatchRule(
        store_id=store_id,
        config=config,
        defaults=defaults,
        mates=mates,
        sentinel=sentinel,
        settle_s=durations.settle_s,
        results_format=results_format,
    )
    _check_rules(rules, otherwise)
    place = os.fsdecode(folder)
    state = WatchState(config.state_folder, place)
    listener = Listener(on_event)
    tell = Notifier(listener)
    controls = WatchControls(config)
    watcher = Watcher(
        place,
        state,
        rules=rules,
        otherwise=otherwise,
        output=None if output is None else os.fsdecode(output),
        plan=plan,
        send=Batches(tell, controls).send,
        tell=lambda run: tell(RunChanged(run)),
        dry=dry_run,
    )

    async def run() -> WatchResult:
        if on_start is not None:
            on_start(controls)
        with nullcontext() if dry_run else state.locked():
            await watcher.begin([again] if isinstance(again, str) else again)
            tell(WatchStarted(folder=place))
            if dry_run:
                await watcher.once()
            elif once:
                await _until_all_rest(watcher)
            else:
                patterns = _patterns(rules, otherwise)
                await _for_ever(watcher, place, durations.every_s, patterns, tell, poll=poll)
        return WatchResult(runs=watcher.news)

    return await listener.during(run)


watch_sync = blocking(watch)


def watch_status(folder: Path, *, config: UploadConfig | None = None) -> WatchResult:
    """What is known of the runs of a folder, also while it is watched; blocking.

    Args:
        folder: The folder that is, or was, watched.
        config: Whose state folder is looked into.

    Raises:
        ConfigError: The state folder can't be read.
        Stopped: Its disk failed.
    """
    state = WatchState(config_of(config).state_folder, os.fsdecode(folder))
    records = sorted(state.records().values(), key=lambda each: each.began_at)
    return WatchResult(runs=tuple(WatchedRun.of(each) for each in records))


def _check_flags(**flags: object) -> None:
    """Makes sure that flags are flags: text that says no would count as yes.

    Raises:
        ConfigError: One is none.
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is True or False, not {value!r}")


def _check_rules(rules: Sequence[WatchRule], otherwise: WatchRule) -> None:
    """Makes sure that every run has a store.

    Raises:
        ConfigError: One has none, or a rule is none.
    """
    if isinstance(rules, WatchRule) or not all(isinstance(each, WatchRule) for each in rules):
        raise ConfigError(f"rules are a list of WatchRules, not {rules!r}")
    if otherwise.store_id is not None:
        return
    lacking = [
        number for number, each in enumerate(rules, 1) if not each.skip and each.store_id is None
    ]
    if lacking or not rules:
        which = f" for the runs of rule {lacking[0]}" if lacking else ""
        raise ConfigError(
            f"there is no store{which}", hint="give one to the watcher, or to each rule"
        )


def _patterns(rules: Sequence[WatchRule], otherwise: WatchRule) -> list[str]:
    """The names of all files that are waited for."""
    told = [each.sentinel for each in (otherwise, *rules) if each.sentinel]
    wanted = [*SENTINELS, *(each for name in told for each in sentinels_of(name))]
    return [each.pattern for each in wanted]


async def _until_all_rest(watcher: Watcher) -> None:
    """Passes until nothing that is over waits to be at rest."""
    for _ in range(_RESTS):
        await watcher.once()
        if watcher.resting_s is None:
            return
        await anyio.sleep(watcher.resting_s + 0.01)


async def _for_ever(
    watcher: Watcher,
    folder: str,
    every_s: float,
    patterns: Sequence[str],
    tell: Notifier,
    *,
    poll: bool,
) -> None:
    async with events_of(
        folder,
        every_s=every_s,
        poll=poll,
        names=patterns,
        tell=lambda text: tell(Remark("polls", text)),
    ) as events:
        if events.why_polls:
            tell(Remark("polls", f"looks every {every_s:g} s: {events.why_polls}"))
        trouble = ""
        while True:
            soonest = None
            try:
                soonest, trouble = await watcher.once(), ""
            except InputError as error:
                if tell.failure is not None:
                    raise
                # A file server may come back.
                if str(error) != trouble:
                    trouble = str(error)
                    tell(Remark("folder", f"{trouble}; it is looked at again"))
            await events.wait(soonest)
