"""A watcher over a folder that grows, killed on every edge: each read set once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.botocore_client import omics_client
from tests.support.emulator import RunningEmulator
from tests.support.samples import fastq
from turboupload.batch import upload_batch
from turboupload.config import UploadConfig
from turboupload.core.sheet.model import Sheet, SheetDefaults
from turboupload.core.watch.notices import WatchedRun
from turboupload.core.watch.records import Ending, RunRecord
from turboupload.core.watch.rules import WatchRule
from turboupload.errors import ConfigError, Stopped, TurbouploadError, UploadBusy
from turboupload.files.run_folders import propose_sheet
from turboupload.files.sheets import read_sheet
from turboupload.state.watch_state import WatchState
from turboupload.watching import loop
from turboupload.watching.folder_events import events_of
from turboupload.watching.loop import RESULTS, Watcher


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Edges:
    """Marks that are passed; where one is the one that was asked for, the process ends."""

    deadly: str | None = None
    passed: list[str] = field(default_factory=list)

    def passes(self, name: str) -> None:
        self.passed.append(name)
        if name == self.deadly:
            raise Killed


@dataclass
class Lab:
    """A folder, a service, and the clocks of the watchers."""

    folder: Path
    emulator: RunningEmulator
    now: float = 1e9
    told: list[WatchedRun] = field(default_factory=list)
    fails: dict[str, Ending | Exception] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def add_run(self, name: str, *samples: str, sentinel: str = "CopyComplete.txt") -> Path:
        place = self.runs / name
        place.mkdir(parents=True)
        for seed, sample in enumerate(samples, 1):
            fastq(place / f"{sample}.fastq.gz", reads=20, seed=seed)
        if sentinel:
            self.end(name, sentinel)
        return place

    def end(self, name: str, sentinel: str = "CopyComplete.txt") -> None:
        (self.runs / name / sentinel).touch()

    def watcher(self, edges: Edges | None = None, **more: Any) -> Watcher:
        """A new process, as it were: all that it knows is in the state folder."""
        edges = edges or Edges()
        state = _State(self.folder / "state", str(self.runs), edges)
        otherwise = WatchRule(
            store_id=more.pop("store_id", self.emulator.store_id),
            settle_s=more.pop("settle_s", 0),
        )
        options: dict[str, Any] = {
            "rules": (), "otherwise": otherwise, "output": None,
            "plan": plan, "send": partial(self.send, edges), "tell": self.told.append,
            "clock": lambda: self.now, "wall": lambda: self.now,
        }  # fmt: skip
        return Watcher(str(self.runs), state, **{**options, **more})

    async def once(
        self, edges: Edges | None = None, again: Sequence[str] = (), **more: Any
    ) -> Watcher:
        watcher = self.watcher(edges, **more)
        await watcher.begin(again)
        await watcher.once()
        return watcher

    async def send(self, edges: Edges, record: RunRecord, output: Path, rule: WatchRule) -> Ending:
        edges.passes("before the batch")
        self.sent.append(record.run)
        planned = self.fails.get(record.run)
        if isinstance(planned, Ending):
            return planned
        try:
            result = await upload_batch(
                read_sheet(output / record.sheet),
                store_id=self.emulator.store_id,
                config=UploadConfig(state_dir=self.folder / "state", listing_lag_s=1),
                results=output / RESULTS,
            )
        except TurbouploadError as error:
            return Ending(message=str(error))
        edges.passes("after the batch")
        counts = {str(status): count for status, count in result.counts.items()}
        return Ending(done=not result.failed, counts=counts)

    def status(self, watcher: Watcher) -> dict[str, str]:
        return {each.run: each.status for each in watcher.news}

    def read_sets(self, prefix: str) -> list[str]:
        pages = omics_client(self.emulator, attempts=5).get_paginator("list_read_sets")
        found = pages.paginate(sequenceStoreId=self.emulator.store_id)
        names = [each["name"] for page in found for each in page["readSets"]]
        return sorted(name for name in names if name.startswith(prefix))


class _State(WatchState):
    def __init__(self, folder: Path, watched: str, edges: Edges) -> None:
        super().__init__(folder, watched)
        self._edges = edges

    def save(self, record: RunRecord) -> None:
        self._edges.passes(f"before the record {record.status}")
        super().save(record)
        self._edges.passes(f"after the record {record.status}")


def plan(path: str, rule: WatchRule) -> Sheet:
    return propose_sheet(path, recursive=True, defaults=SheetDefaults(subject_id="U"))


def results_of(news: WatchedRun) -> str:
    return Path(news.output, "results.csv").read_text()


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0") as running:
        yield running


@pytest.fixture
def lab(emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name, value in emulator.env().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "runs").mkdir()
    return Lab(tmp_path, emulator)


async def test_a_folder_that_grows_becomes_batches_one_a_run(lab: Lab) -> None:
    lab.add_run("grow1", "growA", "growB")
    lab.add_run("grow2", "growC", sentinel="")
    assert lab.status(await lab.once()) == {"grow1": "done", "grow2": "waiting"}
    assert lab.read_sets("grow") == ["growA", "growB"]
    lab.end("grow2", "RTAComplete.txt")
    lab.add_run("grow3/sample/run", "growD", sentinel="final_summary_1.txt")
    watcher = await lab.once()
    assert set(lab.status(watcher).values()) == {"done"}
    assert lab.read_sets("grow") == ["growA", "growB", "growC", "growD"]
    assert lab.sent == ["grow1", "grow2", "grow3/sample/run"]
    # What comes to a run that is done is nobody's: it was over.
    fastq(lab.runs / "grow1/growE.fastq.gz", reads=20)
    await lab.once()
    assert len(lab.sent) == 3
    record = next(each for each in lab.told if each.run == "grow1" and each.status == "done")
    assert record.counts == {"active": 2}
    assert results_of(record).count(",active,") == 2


async def test_killed_on_every_edge_each_read_set_is_made_once(lab: Lab) -> None:
    lab.add_run("clean", "cleanA")
    edges = Edges()
    await lab.once(edges)
    assert edges.passed == [
        "before the record planned", "after the record planned", "before the batch",
        "after the batch", "before the record done", "after the record done",
    ]  # fmt: skip
    for number, edge in enumerate(edges.passed):
        name = f"edge{number}"
        lab.add_run(name, f"{name}A", f"{name}B")
        with pytest.raises(Killed):
            await lab.once(Edges(edge))
        # What comes after the sheet was written changes it no more; what came before it, does.
        fastq(lab.runs / name / f"{name}C.fastq.gz", reads=20, seed=9)
        watcher = await lab.once()
        assert lab.status(watcher)[name] == "done"
        made = [f"{name}A", f"{name}B", *([f"{name}C"] if number == 0 else [])]
        assert lab.read_sets(name) == made, edge
        sent = len(lab.sent)
        await lab.once()
        assert len(lab.sent) == sent


async def test_a_kill_between_sheet_and_record_writes_the_sheet_anew(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.add_run("half", "halfA")

    def killed(path: Path, text: str) -> None:
        if path.name == "sheet.csv":
            raise Killed
        path.write_text(text)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_whole", killed)
        with pytest.raises(Killed):
            await lab.once()
    assert lab.status(await lab.once())["half"] == "done"
    assert lab.read_sets("half") == ["halfA"]


async def test_a_bad_run_stops_no_other_and_is_tried_by_the_rule(lab: Lab) -> None:
    lab.add_run("bad", "badA")
    (lab.runs / "bad/badB.fastq.gz").write_bytes(b"\x1f\x8bno gzip")
    lab.add_run("failing", "failA")
    lab.add_run("good", "goodA")
    lab.fails["failing"] = Ending(message="1 row failed", counts={"failed": 1})
    watcher = await lab.once()
    status = lab.status(watcher)
    assert (status["failing"], status["good"]) == ("retrying", "done")
    assert await watcher.once() == pytest.approx(60)
    assert lab.sent.count("failing") == 1
    lab.now += 61
    del lab.fails["failing"]
    # In another process, too.
    assert lab.status(await lab.once())["failing"] == "done"


async def test_a_run_that_failed_too_often_waits_for_a_person(lab: Lab) -> None:
    lab.add_run("hopeless", "hopelessA")
    lab.fails["hopeless"] = Ending(message="no")
    watcher = await lab.once()
    for _ in range(8):
        lab.now += 20_000
        await watcher.once()
    assert lab.status(watcher)["hopeless"] == "failed"
    assert lab.sent.count("hopeless") == 6
    with pytest.raises(ConfigError, match="nothing is known of a run 'hope'"):
        await lab.once(again=["hope"])
    lab.fails.clear()
    watcher = lab.watcher()
    await watcher.begin(["hopeless"])
    await watcher.once()
    assert lab.status(watcher)["hopeless"] == "done"


async def test_a_sentinel_that_is_written_anew_has_a_run_looked_at_again(lab: Lab) -> None:
    place = lab.add_run("twice", "twiceA", sentinel="RTAComplete.txt")
    await lab.once()
    # Another one beside it is the same run.
    lab.end("twice", "CopyComplete.txt")
    await lab.once()
    assert lab.sent == ["twice"]
    os.utime(place / "RTAComplete.txt", ns=(1, 1))
    fastq(place / "twiceB.fastq.gz", reads=20, seed=5)
    await lab.once()
    assert lab.sent == ["twice", "twice"]
    assert lab.read_sets("twice") == ["twiceA", "twiceB"]


@pytest.mark.parametrize("lacks", ["empty", "dead link", "R1", "folder"])
async def test_a_run_with_data_out_of_sight_is_not_sent_without_them(
    lab: Lab, lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = lab.add_run("cut", f"Seen{lacks.replace(' ', '')}")
    inner = place / "inner"
    inner.mkdir()
    listed = os.scandir
    match lacks:
        case "empty":
            (inner / "Other.fastq.gz").touch()
        case "dead link":
            (inner / "Other.fastq.gz").symlink_to("/nowhere/Other.fastq.gz")
        case "R1":
            fastq(inner / "Other_S1_L001_R2_001.fastq.gz", reads=20, seed=7)
        case _:
            (inner / "Other").mkdir()

            def scandir(path: Any) -> Any:
                if str(path).endswith("Other"):
                    raise PermissionError(13, "Permission denied")
                return listed(path)

            monkeypatch.setattr(os, "scandir", scandir)
    watcher = await lab.once()
    assert not lab.sent
    (news,) = watcher.news
    assert news.status == "waiting"
    assert "isn't whole" in news.message
    assert "Other" in news.message
    monkeypatch.setattr(os, "scandir", listed)
    for each in inner.iterdir():
        each.rmdir() if each.is_dir() else each.unlink()
    (news,) = (await lab.once()).news
    assert news.status == "done"


async def test_a_run_waits_until_its_files_are_at_rest(lab: Lab) -> None:
    place = lab.add_run("rest", "restA")
    watcher = lab.watcher(settle_s=300.0)
    await watcher.begin()
    assert await watcher.once() == pytest.approx(300)
    lab.now += 200
    (place / "restB.fastq.gz").write_bytes((place / "restA.fastq.gz").read_bytes())
    assert await watcher.once() == pytest.approx(300)
    lab.now += 299
    await watcher.once()
    assert lab.status(watcher)["rest"] == "waiting"
    lab.now += 2
    await watcher.once()
    assert lab.status(watcher)["rest"] == "done"


async def test_rules_say_what_ends_a_run_and_which_are_left_alone(lab: Lab) -> None:
    lab.add_run("bare", "bareA", sentinel="")
    lab.add_run("own", "ownA", sentinel="upload.me")
    lab.add_run("mine", "mineA")
    lab.add_run("else", "elseA")
    rules = (
        WatchRule(match="bare", sentinel="none"),
        WatchRule(match="own", sentinel="upload.me"),
        WatchRule(match="mine", skip=True),
        WatchRule(match="x*"),
    )
    assert lab.status(await lab.once(rules=rules)) == {"bare": "done", "own": "done"}


async def test_a_store_that_was_mistyped_is_mended_by_the_rules_until_something_went(
    lab: Lab,
) -> None:
    lab.add_run("typo", "typoA")
    lab.fails["typo"] = Ending(message="no such store")
    watcher = await lab.once(store_id="1111111111")
    assert lab.status(watcher)["typo"] == "retrying"
    lab.fails["typo"] = Ending(stopped=True, message="no network")
    (news,) = (await lab.once(store_id="2222222222")).news
    assert news.store_id == "2222222222"
    # Something may have been sent: that store it is.
    await anyio.Path(news.output, RESULTS).touch()
    (news,) = (await lab.once(store_id="3333333333")).news
    assert news.store_id == "2222222222"


async def test_a_full_disk_stops_and_is_no_mistake_in_the_settings(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.add_run("full", "fullA")

    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_whole", full)
        with pytest.raises(Stopped, match="No space left") as caught:
            await lab.once()
    assert "make room" in (caught.value.hint or "")
    assert lab.status(await lab.once())["full"] == "done"


async def test_what_is_wrong_with_records_and_sheets_is_mended(lab: Lab) -> None:
    lab.add_run("mend", "mendA")
    lab.fails["mend"] = Ending(stopped=True, message="no network")
    await lab.once()
    state = WatchState(lab.folder / "state", str(lab.runs))
    (record,) = state.records().values()
    os.unlink(f"{record.output}/{record.sheet}")  # noqa: PTH108
    lab.fails.clear()
    lab.now += 61
    assert lab.status(await lab.once())["mend"] == "done"
    next(state.folder.glob("*.json")).write_text("{}")
    assert lab.status(await lab.once())["mend"] == "done"
    assert lab.read_sets("mend") == ["mendA"]
    assert len(list(state.folder.glob("*.damaged"))) == 1


async def test_a_run_whose_folder_is_gone_waits_for_it(lab: Lab) -> None:
    place = lab.add_run("gone", "goneA")
    lab.fails["gone"] = Ending(stopped=True, message="no network")
    watcher = await lab.once()
    place.rename(lab.folder / "elsewhere")
    lab.now += 61
    await watcher.once()
    assert lab.status(watcher)["gone"] == "waiting"
    assert lab.sent == ["gone"]
    (lab.folder / "elsewhere").rename(place)
    lab.fails.clear()
    await watcher.once()
    assert lab.status(watcher)["gone"] == "done"


async def test_a_rehearsal_writes_and_sends_nothing(lab: Lab) -> None:
    lab.add_run("dry", "dryA", "dryB")
    watcher = await lab.once(dry=True, settle_s=300.0)
    assert [(each.status, each.rows) for each in watcher.news] == [("would send", 2)]
    assert not (lab.folder / "state").exists()
    assert lab.sent == []


def test_only_one_process_watches_a_folder(tmp_path: Path) -> None:
    state = WatchState(tmp_path, str(tmp_path))
    same = WatchState(tmp_path, f"{tmp_path}/../{tmp_path.name}")
    with state.locked():
        with pytest.raises(UploadBusy, match="watches this folder"), same.locked():
            pass
        with WatchState(tmp_path, str(tmp_path / "other")).locked():
            pass
    with same.locked():
        pass


# --- events of the folder ---------------------------------------------------------------------


async def woken(folder: Path, act: Callable[[], object], **more: Any) -> float:
    """How long it took until something woke the watcher, in seconds."""
    options = {"every_s": 30.0, "poll": False, "names": ["*Complete.txt"], "tell": print, **more}

    async def go_on_acting() -> None:
        # Nobody tells from when on the kernel watches: until it does, nothing is noticed.
        while True:
            act()
            await anyio.sleep(0.05)

    async with events_of(str(folder), **options) as events:
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(go_on_acting)
            with anyio.move_on_after(20):
                await events.wait(None)
            group.cancel_scope.cancel()
        return anyio.current_time() - began


async def test_a_sentinel_deep_in_a_run_wakes_the_watcher_at_once(tmp_path: Path) -> None:
    (tmp_path / "exp/run/Logs").mkdir(parents=True)
    took = await woken(tmp_path, (tmp_path / "exp/run/Logs/FastqComplete.txt").touch)
    assert took < 20  # which is when it gives up, and 30 is when it would look by itself


async def test_what_is_no_sentinel_wakes_nobody_and_polling_has_its_time(tmp_path: Path) -> None:
    took = await woken(tmp_path, (tmp_path / "x.bcl").touch, every_s=1.0)
    assert took >= 1.0
    took = await woken(tmp_path, (tmp_path / "RTAComplete.txt").touch, every_s=1.0, poll=True)
    assert took >= 1.0


async def test_what_ends_a_watcher_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no room"):
        async with events_of(str(tmp_path), every_s=30, poll=False, names=["x"], tell=print):
            raise ConfigError("no room")


async def test_a_watcher_that_is_cancelled_ends_at_once(tmp_path: Path) -> None:
    with anyio.move_on_after(0.5) as scope:
        async with events_of(
            str(tmp_path), every_s=30, poll=False, names=["x"], tell=print
        ) as events:
            await events.wait(None)
    assert scope.cancelled_caught
