"""Passes over the runs of a folder: those that are ready become batches, one after the other.

What is durable when, so that a kill at any moment loses nothing and does nothing twice:

1. The run's sheet is written whole. Without a record it says nothing, and is written anew.
2. The run's record is written: from now on this very sheet is the run's, whatever comes to its
   folder, so that a batch that runs again has the same rows under the same names.
3. Its batch runs. Killed, it is run again: what is in the store already is not sent again.
4. The record says how it ended. `done` is for ever.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from turboupload.core.folders.left_out import what_lacks
from turboupload.core.sheet.model import Sheet
from turboupload.core.sheet.writing import SheetFormat, unwritable, write_sheet
from turboupload.core.watch.notices import WatchedRun
from turboupload.core.watch.records import Ending, RunRecord, after, is_due, run_key
from turboupload.core.watch.rules import NO_SENTINEL, WatchRule, rule_for
from turboupload.core.watch.sentinels import SENTINELS, Sentinel, sentinels_of
from turboupload.errors import ConfigError, InputError, Stopped
from turboupload.files.watched import FoundRun, find_runs, require_over, snapshot, written_ns
from turboupload.runtime.tasks import in_thread
from turboupload.state.watch_state import WatchState
from turboupload.state.whole_file import write_whole
from turboupload.units import format_duration

__all__ = ["RESULTS", "Send", "Watcher"]

RESULTS = "results.csv"
"""The results of a run's batch, in its output folder; written before anything is sent."""

PATIENCE = 20
"""A run with nothing to send is looked through again after so many times as long as that took."""

LEAST_PATIENCE_S = 30.0
MOST_PATIENCE_S = 3600.0

Plan = Callable[[str, WatchRule], Sheet]
"""Makes a sheet of a run's folder, by a rule; blocking. Raises InputError where there is none."""

Send = Callable[[RunRecord, Path, WatchRule], Awaitable[Ending]]
"""Sends a run's sheet, and says how that ended; what it raises ends the watcher."""


@dataclass(slots=True)
class _Rest:
    """A run that is over, and may still change."""

    state: str
    until: float


class Watcher:
    """Watches one folder, under its lock.

    Args:
        folder: The folder.
        state: What is known of its runs.
        rules: For which runs what holds; the first that fits does, and runs that none fits are left
            alone.
        otherwise: What holds where the rule of a run doesn't say, or where there are no rules.
        output: Where the folders of sheets, results and reports are; None keeps them in the state
            folder.
        plan: Makes a run's sheet.
        send: Sends it.
        tell: Told of each run whose status or reason is another one than before.
        dry: Only tell what would be sent, and write nothing.
        clock: Seconds that only go forward.
        wall: Seconds since the epoch.
    """

    def __init__(
        self,
        folder: str,
        state: WatchState,
        *,
        rules: Sequence[WatchRule],
        otherwise: WatchRule,
        output: str | None,
        plan: Plan,
        send: Send,
        tell: Callable[[WatchedRun], None],
        dry: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._state = state
        self._rules = [each.over(otherwise) for each in rules]
        self._otherwise = otherwise
        self._output = output
        self._plan = plan
        self._send = send
        self._tell = tell
        self._dry = dry
        self._clock = clock
        self._wall = wall
        self._records: dict[str, RunRecord] = {}
        self._resting: dict[str, _Rest] = {}
        self._look_again: dict[str, float] = {}
        self._told: dict[str, WatchedRun] = {}

    @property
    def news(self) -> tuple[WatchedRun, ...]:
        """The last event of each run."""
        return tuple(self._told.values())

    @property
    def resting_s(self) -> float | None:
        """How long until all runs that are over may be at rest, in seconds; None where all are."""
        now = self._clock()
        return max((max(0.0, each.until - now) for each in self._resting.values()), default=None)

    async def begin(self, again: Sequence[str] = ()) -> None:
        """Reads what is known.

        Args:
            again: Runs whose batches are to run again, by their folders below the watched one.

        Raises:
            ConfigError: A run is not known, or the state folder can't be used.
            Stopped: The state folder's disk failed.
        """
        if not self._dry:
            await in_thread(self._state.prepare)
        self._records = await in_thread(self._state.records)
        for record in self._records.values():
            if record.status == "done":
                self._told[record.run] = WatchedRun.of(record)
        for run in again:
            await self._release(run)

    async def _release(self, run: str) -> None:
        known = [each for each in self._records.values() if each.run == run.rstrip("/")]
        if not known:
            raise ConfigError(
                f"nothing is known of a run {run!r}",
                path=self._folder,
                hint="a run that is not known yet is sent as soon as it is over",
            )
        for record in known:
            await self._keep(replace(record, status="planned", failures=0, stops=0, next_at=0.0))

    async def once(self) -> float | None:
        """One pass: every run that is ready is sent.

        Returns:
            After how many seconds another pass may do more; None where only a change in the
            folder can.

        Raises:
            InputError: The folder can't be read.
            TurbouploadError: The state folder can't be used.
        """
        found = await in_thread(find_runs, self._folder, self._sentinels_of)
        waits = [await self._look(each) for each in found]
        self._tell_gone({each.run for each in found})
        return min((each for each in waits if each is not None), default=None)

    def _sentinels_of(self, run: str) -> Sequence[Sentinel] | None:
        fitting = self._rule_of(run)
        if fitting is None or fitting[1].skip:
            # A rule may be for the runs inside.
            return None
        wanted = fitting[1].sentinel
        if wanted == NO_SENTINEL:
            return ()
        return SENTINELS if wanted is None else sentinels_of(wanted)

    def _rule_of(self, run: str) -> tuple[int, WatchRule] | None:
        """What holds for a run, and the number of the rule, which is 0 where there are none."""
        return rule_for(self._rules, run) if self._rules else (0, self._otherwise)

    async def _look(self, found: FoundRun) -> float | None:
        """Sends a run if it is ready; else says when it may be."""
        fitting = self._rule_of(found.run)
        assert fitting is not None
        number, rule = fitting
        over = found.sentinel or rule.sentinel == NO_SENTINEL
        key = run_key(found.run, found.sentinel_ns)
        record = self._records.get(key) or await in_thread(self._known_by_another, found)
        if record is not None and is_due(record, self._wall()) and not _has_sheet(record):
            # Somebody has removed it. What was sent is found in the store.
            record = None
        if record is not None and record.status != "done" and self._is_misdirected(record, rule):
            record = None
        if record is None:
            if not over:
                self._waiting(found, "no file says that it is over")
                return None
            planned = await self._plan_it(found, key, number, rule)
            if not isinstance(planned, RunRecord):
                return planned
            record = planned
        if is_due(record, self._wall()) and self._dry:
            self._would_send(record.run, record.rows, record.store_id)
        elif is_due(record, self._wall()):
            record = await self._send_it(record, rule)
        else:
            self._news(WatchedRun.of(record))
        return max(0.0, record.next_at - self._wall()) if record.status == "retrying" else None

    def _is_misdirected(self, record: RunRecord, rule: WatchRule) -> bool:
        """Whether a run was to go to another store than the rules say by now, and nothing went.

        So a store that was mistyped can be mended. A batch has results before it sends anything.
        """
        if rule.store_id == record.store_id:
            return False
        return not Path(record.output, RESULTS).exists()

    def _known_by_another(self, found: FoundRun) -> RunRecord | None:
        """The record of a run that has got another sentinel since, beside the one of then."""
        for record in self._records.values():
            if record.run != found.run or not record.sentinel or not found.sentinel:
                continue
            if written_ns(f"{found.path}/{record.sentinel}") == record.sentinel_ns:
                return record
        return None

    # --- from a folder to a sheet ---------------------------------------------------------------

    async def _plan_it(
        self, found: FoundRun, key: str, number: int, rule: WatchRule
    ) -> RunRecord | float | None:
        """Writes a run's sheet and its record, once it is at rest; else says when it may be."""
        began = self._clock()
        if (left := self._look_again.get(key, began) - began) > 0:
            return left
        try:
            if found.sentinel and rule.sentinel is None:
                await in_thread(require_over, found.path)
            sheet = await in_thread(self._plan, found.path, rule)
            _require_whole(sheet, found.path)
            sources = [path for row in sheet.rows for path in _paths(row.sources)]
            if found.sentinel:
                sources.append(f"{found.path}/{found.sentinel}")
            state = await in_thread(snapshot, sources)
        except (InputError, OSError) as error:
            self._waiting(found, error.message if isinstance(error, InputError) else str(error))
            self._resting.pop(key, None)
            took = self._clock() - began
            pause = max(LEAST_PATIENCE_S, min(MOST_PATIENCE_S, PATIENCE * took))
            self._look_again[key] = self._clock() + pause
            return pause
        if self._dry:
            self._would_send(found.run, len(sheet.rows), rule.store_id or "")
            return None
        if (left := self._until_rest(key, state, rule)) > 0:
            self._waiting(found, f"its files must be at rest for {format_duration(left)} more")
            return left
        return await self._write_plan(found, key, number, rule, sheet)

    def _until_rest(self, key: str, state: str, rule: WatchRule) -> float:
        """How long a run must stay as it is, in seconds."""
        now = self._clock()
        rest = self._resting.get(key)
        if rest is None or rest.state != state:
            rest = self._resting[key] = _Rest(state, now + (rule.settle_s or 0.0))
        return rest.until - now

    async def _write_plan(
        self, found: FoundRun, key: str, number: int, rule: WatchRule, sheet: Sheet
    ) -> RunRecord:
        output = self._state.output_of(found.run, key, self._output)
        name = await in_thread(_write_sheet, output, sheet)
        record = RunRecord(
            run=found.run,
            sentinel=found.sentinel,
            sentinel_ns=found.sentinel_ns,
            store_id=rule.store_id or "",
            rule=number,
            output=str(output),
            sheet=name,
            rows=len(sheet.rows),
            began_at=self._wall(),
        )
        await self._keep(record)
        self._resting.pop(key, None)
        return record

    # --- from a sheet to read sets --------------------------------------------------------------

    async def _send_it(self, record: RunRecord, rule: WatchRule) -> RunRecord:
        self._news(WatchedRun.of(record, sending=True))
        ending = await self._send(record, Path(record.output), rule)
        record = after(record, ending, self._wall())
        await self._keep(record)
        self._news(WatchedRun.of(record))
        return record

    async def _keep(self, record: RunRecord) -> None:
        if not self._dry:
            await in_thread(self._state.save, record)
        self._records[record.key] = record

    # --- what is told ---------------------------------------------------------------------------

    def _would_send(self, run: str, rows: int, store: str) -> None:
        self._news(WatchedRun(run=run, status="would send", rows=rows, store_id=store))

    def _waiting(self, found: FoundRun, why: str) -> None:
        self._news(WatchedRun(run=found.run, status="waiting", message=why))

    def _tell_gone(self, there: set[str]) -> None:
        """A run that isn't done and whose folder is gone waits: a mount may come back."""
        for record in self._records.values():
            if record.run not in there and record.status in ("planned", "retrying"):
                why = "its folder is not there"
                self._news(replace(WatchedRun.of(record), status="waiting", message=why))

    def _news(self, news: WatchedRun) -> None:
        before = self._told.get(news.run)
        self._told[news.run] = news
        if before is None or (before.status, _words(before)) != (news.status, _words(news)):
            self._tell(news)


def _words(news: WatchedRun) -> str:
    """A run's message without figures that change at each look."""
    return news.message if news.status != "waiting" else news.message.split(" for ")[0]


def _paths(sources: Sequence[str | Sequence[str]]) -> list[str]:
    return [path for each in sources for path in ([each] if isinstance(each, str) else list(each))]


def _require_whole(sheet: Sheet, folder: str) -> None:
    """Makes sure that no data of a run are out of sight: a run that is done is done for ever.

    Raises:
        InputError: Some are.
    """
    if (lacking := what_lacks(sheet.left_out)) is None:
        return
    count, example = len(lacking.paths), lacking.paths[0]
    which = example if count == 1 else f"{count:,} of them, such as {example}"
    raise InputError(
        f"it isn't whole, so nothing of it is sent: data {lacking.reason.words}: {which}; "
        "repair or remove that",
        path=folder,
    )


def _has_sheet(record: RunRecord) -> bool:
    return Path(record.output, record.sheet).is_file()


def _write_sheet(output: Path, sheet: Sheet) -> str:
    """Writes a run's sheet, and what a person should know of it; returns the sheet's name.

    Raises:
        ConfigError: The folder can't be written.
        Stopped: Its disk is full, or failed.
    """
    odd = any(unwritable(path, "csv") for row in sheet.rows for path in _paths(row.sources))
    form: SheetFormat = "jsonl" if odd else "csv"
    notes = "".join(f"{each.severity}: {each}\n" for each in sheet.findings)
    try:
        output.mkdir(parents=True, exist_ok=True)
        write_whole(output / "notes.txt", notes)
        write_whole(output / f"sheet.{form}", write_sheet(sheet.rows, form))
    except (OSError, UnicodeEncodeError) as error:
        why = getattr(error, "strerror", None) or error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise Stopped(
                f"the run's sheet can't be written now: {why}",
                path=str(output),
                operation="sheet",
                hint="make room on its disk, or repair it, then run the same command again",
            ) from error
        raise ConfigError(
            f"the run's sheet can't be written: {why}",
            path=str(output),
            hint="name another folder (output, --output)",
        ) from error
    return f"sheet.{form}"
