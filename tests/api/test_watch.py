"""`watch` as a program calls it: a folder that grows, callbacks, controls, kills, processes."""

from __future__ import annotations

import asyncio
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import anyio
import pytest

import turboupload
from tests.support.samples import fastq
from turboupload import events
from turboupload.testing import Emulator

SUBJECT = turboupload.SheetDefaults(subject_id="NA24385")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def add_run(runs: Path, name: str, *samples: str, reads: int = 20) -> None:
    place = runs / name
    place.mkdir(parents=True)
    for seed, sample in enumerate(samples, 1):
        fastq(place / f"{sample}.fastq.gz", reads=reads, seed=seed)
    (place / "CopyComplete.txt").touch()


@pytest.fixture
def options(emulator: Emulator, tmp_path: Path) -> dict[str, Any]:
    config = replace(emulator.upload_config(), state_dir=tmp_path / "state", listing_lag_s=1)
    return {
        "store_id": emulator.store_id, "config": config, "defaults": SUBJECT, "settle_s": 0,
    }  # fmt: skip


async def names_of(options: dict[str, Any], sample: str) -> list[str | None]:
    async with turboupload.SequenceStores(options["config"]) as stores:
        wanted = turboupload.ReadSetFilter(sample_id=sample)
        found = stores.list_read_sets(options["store_id"], wanted)
        return sorted([each.name async for each in found], key=str)


def described(heard: list[events.WatchEvent]) -> list[tuple[str, dict[str, Any]]]:
    return [events.describe(each) for each in heard]


async def test_a_pass_says_what_became_of_each_run(
    runs: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    add_run(runs, "week1", "pass1")
    add_run(runs, "week2", "pass2")
    (runs / "week2/broken.fastq.gz").write_bytes(b"\x1f\x8bno gzip")
    heard: list[events.WatchEvent] = []
    result = await turboupload.watch(
        runs, **options, once=True, on_event=heard.append, output=tmp_path / "out",
        results_format="nf-core",
    )  # fmt: skip
    assert {each.run: each.status for each in result.runs} == {"week1": "done", "week2": "retrying"}
    assert result.counts == {"done": 1, "retrying": 1}
    (retrying,) = result.retrying
    assert "broken.fastq.gz" in retrying.message
    assert retrying.next_at is not None
    assert not result.failed
    for value in (result, *heard):
        again = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own
        assert type(again) is type(value)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own
    (folder,) = (tmp_path / "out").glob("week1-*")
    assert {each.name for each in folder.iterdir()} == {
        "notes.txt", "results.csv", "samplesheet.csv", "sheet.csv",
    }  # fmt: skip
    told = described(heard)
    assert told[0] == ("watch.started", {"folder": str(runs)})
    assert [each["status"] for name, each in told if name == "watch.run"] == [
        "sending", "done", "sending", "retrying",
    ]  # fmt: skip
    (sent,) = (each for name, each in told if name == "watch.sent")
    assert (sent["run"], sent["rows"], sent["counts"]) == ("week1", 1, {"active": 1})
    assert {each["run"] for name, each in told if name.startswith("batch.")} == {"week1"}
    assert turboupload.watch_status(runs, config=options["config"]).counts == result.counts


async def test_rules_of_values_hold_for_their_runs(runs: Path, options: dict[str, Any]) -> None:
    for name in ("A_one", "B_two", "C_three"):
        add_run(runs, name, f"ruled{name[0]}")
    by_sample = turboupload.SheetDefaults(
        subject_from=turboupload.SubjectRule.parse("ruled(.)"),
        name_pattern=turboupload.NamePattern.parse("{sample}-of-{sample}"),
        tags={"lab": "one"},
    )
    rules = [
        turboupload.WatchRule(match="B_*", skip=True),
        turboupload.WatchRule(
            match="A_*", defaults=by_sample, config=replace(options["config"], prove=True)
        ),
        turboupload.WatchRule(),
    ]
    result = await turboupload.watch(runs, **options, rules=rules, once=True)
    assert {each.run: each.status for each in result.runs} == {"A_one": "done", "C_three": "done"}
    assert await names_of(options, "ruledA") == ["ruledA-of-ruledA"]
    assert await names_of(options, "ruledC") == ["ruledC_C_three"]


async def test_it_goes_on_until_it_is_cancelled_and_then_another_call_may_watch(
    runs: Path, options: dict[str, Any]
) -> None:
    """Two runs come while it watches, heard by an `async` callback, as in a web service."""
    done: asyncio.Queue[str] = asyncio.Queue()

    async def hear(event: events.WatchEvent) -> None:
        await asyncio.sleep(0)
        if isinstance(event, turboupload.RunChanged) and event.run.status == "done":
            done.put_nowait(event.run.run)

    watching = asyncio.create_task(
        turboupload.watch(runs, **options, every_s=0.2, poll=True, on_event=hear)
    )
    for name in ("first", "second"):
        add_run(runs, name, f"{name}S")
        assert await asyncio.wait_for(done.get(), 30) == name
    with pytest.raises(turboupload.UploadBusy, match="watches this folder"):
        await turboupload.watch(runs, **options, once=True)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    with anyio.move_on_after(0.5) as scope:
        await turboupload.watch(runs, **options)
    assert scope.cancelled_caught
    assert turboupload.watch_status(runs, config=options["config"]).counts == {"done": 2}


PROGRAM = """
import sys
from dataclasses import replace
import turboupload
from turboupload import events

def hear(event: events.WatchEvent) -> None:
    if isinstance(event, turboupload.RunChanged):
        print(event.run.run, event.run.status, flush=True)

turboupload.watch_sync(
    sys.argv[1], store_id=sys.argv[2], settle_s=0, every_s="1s", poll=True, on_event=hear,
    config=turboupload.UploadConfig(state_dir=sys.argv[3], listing_lag_s=1),
    defaults=turboupload.SheetDefaults(subject_id="NA24385"),
)
"""


def test_a_program_that_is_killed_between_two_runs_is_taken_up_again(
    runs: Path, options: dict[str, Any], emulator: Emulator, tmp_path: Path
) -> None:
    """The first run is done; the second is killed while its parts are sent, and another goes on."""
    (tmp_path / "program.py").write_text(PROGRAM)
    words = [sys.executable, "program.py", str(runs), emulator.store_id, str(tmp_path / "state")]
    add_run(runs, "run1", "taken1")
    with (
        emulator.environment(),
        subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdout is not None
        assert next(program.stdout) == "run1 sending\n"
        assert next(program.stdout) == "run1 done\n"
        emulator.faults.stall("UploadReadSetPart", seconds=600, times=None)
        add_run(runs, "run2", "taken2", "taken3")
        assert next(program.stdout) == "run2 sending\n"
        program.send_signal(signal.SIGKILL)
    emulator.faults.clear()
    known = turboupload.watch_status(runs, config=options["config"])
    assert {each.run: each.status for each in known.runs} == {"run1": "done", "run2": "planned"}
    # What comes to a run whose sheet is written is not of it any more.
    fastq(runs / "run2/late.fastq.gz", reads=20, seed=9)
    result = turboupload.watch_sync(runs, **options, once=True)
    assert result.counts == {"done": 2}
    samples = ("taken1", "taken2", "taken3", "late")
    found = [asyncio.run(names_of(options, each)) for each in samples]
    assert found == [["taken1_run1"], ["taken2_run2"], ["taken3_run2"], []]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("once", [False, True])
async def test_what_a_callback_raises_ends_the_watch_as_it_is(
    runs: Path, options: dict[str, Any], once: bool, asynchronous: bool
) -> None:
    """Also an error of ours, which would else count as the run's."""
    add_run(runs, "raising", f"raise{once}{asynchronous}")
    mine = turboupload.InputError("no disk for my own database")

    def hear(event: events.WatchEvent) -> None:
        if isinstance(event, events.RunNotice):
            raise mine

    async def hear_later(event: events.WatchEvent) -> None:
        hear(event)

    with pytest.raises(turboupload.InputError) as caught:
        await turboupload.watch(
            runs, **options, once=once, on_event=hear_later if asynchronous else hear
        )
    assert caught.value is mine
    assert turboupload.watch_status(runs, config=options["config"]).counts == {"planned": 1}
    result = await turboupload.watch(runs, **options, once=True)
    assert result.counts == {"done": 1}


async def test_a_pause_holds_for_the_run_that_is_sent_and_the_next(
    runs: Path, options: dict[str, Any], emulator: Emulator
) -> None:
    add_run(runs, "held1", "held1S")
    controls: list[turboupload.Controls] = []
    heard: list[events.WatchEvent] = []
    paused, both = anyio.Event(), anyio.Event()

    def begin(given: turboupload.Controls) -> None:
        controls.append(given)
        given.pause()
        given.set_bandwidth(10_000_000)
        with pytest.raises(turboupload.ConfigError):
            given.set_concurrency(0)
        given.set_concurrency(3)

    def hear(event: events.WatchEvent) -> None:
        heard.append(event)
        match event:
            case events.RunNotice(notice=events.BatchProgress(paused=True)):
                paused.set()
            case events.RunSent(run="held2"):
                both.set()

    async with anyio.create_task_group() as group:
        group.start_soon(
            partial(
                turboupload.watch, runs, **options, every_s=0.2, poll=True,
                on_event=hear, on_start=begin,
            )
        )  # fmt: skip
        with anyio.fail_after(30):
            await paused.wait()
            (mine,) = controls
            assert (mine.paused, mine.max_bandwidth, mine.concurrency) == (True, 10_000_000, 3)
            assert not any(isinstance(each, events.RunSent) for each in heard)
            add_run(runs, "held2", "held2S")
            mine.resume()
            await both.wait()
        assert (mine.paused, mine.max_bandwidth, mine.concurrency) == (False, 10_000_000, 3)
        group.cancel_scope.cancel()


def test_threads_and_processes_watch_folders_of_their_own(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for each in folders:
        add_run(each, "run", f"pool-{each.name}")
    watch = partial(turboupload.watch_sync, **options, once=True)
    with ThreadPoolExecutor(2) as threads:
        results = list(threads.map(watch, folders[:2]))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        results.append(processes.submit(watch, folders[2]).result(60))
        error = processes.submit(watch, tmp_path / "nowhere").exception(60)
    assert [each.counts for each in results] == [{"done": 1}] * 3
    assert isinstance(error, turboupload.InputError)
    assert error.path == str(tmp_path / "nowhere")


async def test_a_rehearsal_writes_nothing_and_mistakes_are_told_at_once(
    runs: Path, options: dict[str, Any], tmp_path: Path
) -> None:
    add_run(runs, "dry", "dryS")
    result = await turboupload.watch(runs, **options, dry_run=True)
    assert [(each.status, each.rows) for each in result.runs] == [("would send", 1)]
    assert not (tmp_path / "state").exists()
    await turboupload.watch(runs, **options, once=True)
    result = await turboupload.watch(runs, **options, dry_run=True, again="dry")
    assert result.counts == {"would send": 1}
    assert turboupload.watch_status(runs, config=options["config"]).counts == {"done": 1}
    watch: Callable[..., Any] = partial(turboupload.watch, runs)
    for wrong, told in (
        ({**options, "store_id": None}, "there is no store"),
        ({**options, "store_id": 5}, "is not the id of a store"),
        ({**options, "every_s": 0}, "every_s must be more than zero"),
        ({**options, "settle_s": "soon"}, "settle_s: "),
        ({**options, "again": "never seen"}, "nothing is known of a run 'never seen'"),
        ({**options, "on_event": 5}, "on_event is a function"),
        (
            {**options, "store_id": None, "rules": [turboupload.WatchRule(match="x")]},
            "no store for the runs of rule 1",
        ),
        ({**options, "rules": {"match": "x"}}, "rules are a list of WatchRules"),
        ({**options, "rules": turboupload.WatchRule()}, "rules are a list of WatchRules"),
        ({**options, "settle_s": None}, "settle_s is a number of seconds"),
        ({**options, "poll": "no"}, "poll is True or False"),
    ):
        with pytest.raises(turboupload.ConfigError, match=told):
            await watch(**wrong, once=True)
    with pytest.raises(turboupload.ConfigError) as caught:
        turboupload.watch_sync(runs, **options)
    assert caught.value.hint == "write: await turboupload.watch(...)"
