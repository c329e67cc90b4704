"""Programs as people write them: a thread pool, processes, a web service, with a type checker."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

import turboupload
from tests.support import samples
from turboupload import events
from turboupload.testing import Emulator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def read_sets(tmp_path: Path) -> list[turboupload.ReadSet]:
    return [
        turboupload.ReadSet(
            sources=[samples.fastq(tmp_path / f"{n}.fastq.gz", seed=n).path],
            name=f"{tmp_path.name}-{n}",
            sample_id="HG002",
            subject_id="NA24385",
        )
        for n in range(3)
    ]


def test_a_thread_pool_uploads(emulator: Emulator, read_sets: list[turboupload.ReadSet]) -> None:
    send = partial(
        turboupload.upload_sync, store_id=emulator.store_id, config=emulator.upload_config()
    )
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(send, read_sets))
    assert {each.status for each in results} == {"ACTIVE"}


def test_processes_upload_and_their_errors_come_back(
    emulator: Emulator, read_sets: list[turboupload.ReadSet]
) -> None:
    missing = turboupload.ReadSet(
        sources=["missing.bam"], name="missing", sample_id="a", subject_id="b"
    )
    send = partial(
        turboupload.upload_sync, store_id=emulator.store_id, config=emulator.upload_config()
    )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        sent, refused = (pool.submit(send, each) for each in (read_sets[0], missing))
        result = sent.result(60)
        error = refused.exception(60)
    assert result.verified == "sha256"
    assert result.receipt is not None
    assert isinstance(error, turboupload.InputError)
    assert (error.exit_code, error.path) == (3, "missing.bam")


async def test_a_web_service_shares_one_uploader(
    emulator: Emulator, read_sets: list[turboupload.ReadSet]
) -> None:
    """Background tasks beside each other, one of which its client cancels."""
    progress: dict[str, float] = {}

    async def hear(name: str, event: events.UploadEvent) -> None:
        if isinstance(event, events.Progress):
            progress[name] = event.done_bytes / event.total_bytes
        await asyncio.sleep(0)

    async with turboupload.Uploader(emulator.upload_config()) as uploader:
        tasks = [
            asyncio.create_task(
                uploader.upload(each, emulator.store_id, on_event=partial(hear, each.name))
            )
            for each in read_sets
        ]
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert all(isinstance(each, turboupload.UploadResult) for each in done[1:])
        again = await uploader.upload(read_sets[0], emulator.store_id)
    assert again.status == "ACTIVE"
    assert all(progress[each.name] == 1 for each in read_sets[1:])


async def test_another_event_loop_needs_an_uploader_of_its_own(
    emulator: Emulator, read_sets: list[turboupload.ReadSet]
) -> None:
    """It would break the connections of the loop in which it was entered."""
    config, store_id = emulator.upload_config(), emulator.store_id
    async with (
        turboupload.Uploader(config) as uploader,
        turboupload.SequenceStores(config) as stores,
    ):
        for call in (
            lambda: asyncio.run(uploader.upload(read_sets[0], store_id)),
            lambda: asyncio.run(stores.get_sequence_store(store_id)),
        ):
            with pytest.raises(RuntimeError, match="entered in another event loop"):
                await asyncio.to_thread(call)
        assert (await uploader.upload(read_sets[0], store_id)).status == "ACTIVE"
        assert (await stores.get_sequence_store(store_id)).store_id == store_id


async def test_in_a_notebook_the_twins_say_what_to_write(
    emulator: Emulator, read_sets: list[turboupload.ReadSet]
) -> None:
    with pytest.raises(turboupload.ConfigError, match="event loop is running") as caught:
        turboupload.rehearse_sync(read_sets[0], store_id=emulator.store_id)
    assert caught.value.hint == "write: await turboupload.rehearse(...)"
    config = emulator.upload_config()
    for _ in range(2):  # a cell that is run again
        found = await turboupload.rehearse(read_sets[0], store_id=emulator.store_id, config=config)
        assert found.verdict == "create"
    checked = await asyncio.to_thread(turboupload.check, read_sets[0].paths)
    assert checked.ok


PROGRAM = """
from datetime import timedelta
import turboupload
from turboupload import events, observability
from turboupload.testing import Emulator

class Sink:
    def hear(self, event: object) -> None: ...
    def ended(self, error: BaseException | None) -> None: ...

observability.add_sink(lambda kind, parent: Sink())()
observability.to_opentelemetry(names=True)()

config = turboupload.UploadConfig(
    part_size_bytes="8MiB", max_bandwidth=200_000_000, wait_timeout_s=timedelta(minutes=10),
    session=lambda: ("a", "b"),
)
size: int | None = config.part_size_bytes
longest: float | None = config.wait_timeout_s

def plain(event: events.UploadEvent) -> None:
    if isinstance(event, events.Progress):
        print(event.done_bytes / event.total_bytes, turboupload.events.describe(event)[0])

async def hear(event: events.UploadEvent) -> None: ...

async def hear_batch(event: events.BatchEvent) -> None: ...

async def hear_watch(event: events.WatchEvent) -> None:
    match event:
        case turboupload.RunChanged(run):
            print(run.run, run.status == "failed", run.next_at)
        case events.RunSent(run=name, result=result):
            print(name, [row.read_set_id for row in result.rows])
        case _:
            print(events.describe(event))

def take(controls: turboupload.Controls) -> None:
    controls.set_bandwidth(None)

async def runs() -> int:
    rule = turboupload.WatchRule(match="exp*", settle_s="30min", config=config)
    result = await turboupload.watch(
        "runs", store_id="1", rules=[rule], settle_s=timedelta(minutes=5), once=True,
        defaults=turboupload.SheetDefaults(subject_from=turboupload.SubjectRule.parse("sample")),
        on_event=hear_watch, on_start=take,
    )
    again: turboupload.WatchResult = turboupload.watch_sync("runs", store_id="1", once=True)
    rest: float | None = rule.settle_s
    return result.counts["done"] + len(again.failed) + int(rest or 0)

async def main() -> str:
    read_set = turboupload.ReadSet(sources=["a.bam"], name="a")
    await turboupload.upload(read_set, store_id="1", on_event=hear)
    await turboupload.upload_batch([read_set], store_id="1", on_event=hear_batch)
    result = turboupload.upload_sync(read_set, store_id="1", config=config, on_event=plain)
    sheet = turboupload.plan_sheet("run")
    if not turboupload.check(["a.bam"]).ok or not turboupload.verify_receipt("r").proven:
        raise turboupload.Stopped("no")
    with Emulator() as emulator, emulator.environment():
        emulator.faults.throttle("UploadReadSetPart", times=None)
    return result.read_set_id + sheet.rows[0].paths[0]

reveal_type(turboupload.check("a"))
"""

WRONG = """
import turboupload

turboupload.uplaod
turboupload.UploadConfig(part_size_bytes=[1])
turboupload.UploadConfig(part_size="8MiB")
turboupload.upload_sync("a.bam", store_id=5)
turboupload.UploadConfig().wait = False
turboupload.WatchRule(given={})
"""


WRONG_LINES = [4, 5, 6, 7, 7, 8, 9]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    return tmp_path


def test_mypy_knows_what_is_right_and_what_is_wrong(programs: Path) -> None:
    pytest.importorskip("mypy")
    done = subprocess.run(
        # What scripts/check has found out of the package serves again.
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"),
         "--cache-dir", str(ROOT / ".mypy_cache"), "program.py", "wrong.py"],
        cwd=programs, env={"MYPYPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert not [line for line in told if not line.startswith("wrong.py")], done.stdout
    assert 'Revealed type is "turboupload.seqcheck.checks.findings.Findings"' in done.stdout, (
        done.stdout + done.stderr
    )
    assert [int(line.split(":")[1]) for line in told] == WRONG_LINES, done.stdout


def test_pyright_knows_it_too(programs: Path) -> None:
    pytest.importorskip("pyright")
    strict = {"typeCheckingMode": "strict", "reportUnknownMemberType": False}
    (programs / "pyrightconfig.json").write_text(json.dumps(strict))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"],
        cwd=programs, env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in told if each["severity"] == "error"]
    assert {Path(each["file"]).name for each in errors} == {"wrong.py"}, errors
    assert [each["range"]["start"]["line"] + 1 for each in errors] == WRONG_LINES, errors
    (revealed,) = [each["message"] for each in told if each["severity"] == "information"]
    assert revealed == 'Type of "turboupload.check("a")" is "Findings"'
