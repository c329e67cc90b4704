"""What is changed while uploads run: a pause costs nothing but its time."""

from __future__ import annotations

import anyio
import pytest

from tests.engine.conftest import Bench
from tests.support.scripted import SEND, Rule, refused
from turboupload.core.notices import Notice, Progress, Remark, Retrying, UploadResult
from turboupload.core.rate import advice
from turboupload.core.upload.events import PartSeen
from turboupload.engine import Engine
from turboupload.errors import ConfigError


async def test_in_a_pause_nothing_new_is_sent_and_then_it_goes_on(bench: Bench) -> None:
    paused = anyio.Event()
    with bench.engine(concurrency=2) as engine:
        sent: list[Notice] = []

        def pause(notice: Notice) -> None:
            bench.told.append(notice)
            if isinstance(notice, PartSeen):
                sent.append(notice)
                engine.pause()
                paused.set()

        results: list[UploadResult] = []

        async def upload() -> None:
            results.append(await engine.upload(bench.read_set(bench.file()), bench.store, pause))

        async with anyio.create_task_group() as group:
            group.start_soon(upload)
            await paused.wait()
            began = bench.fast.time
            while bench.fast.time < began + 3600:
                await anyio.sleep(0.001)
                bench.fast.time += 100
            last = [each for each in bench.told if isinstance(each, Progress)][-1]
            assert (last.paused, last.in_flight, last.limited_by) == (True, 0, None)
            # What was in flight, and what took its place while the first was written down.
            assert len(sent) <= 4 < last.parts
            while not results:
                engine.resume()
                await anyio.sleep(0.001)
    assert results[0].status == "ACTIVE"
    assert bench.resent == 0


async def test_a_pause_takes_nobodys_patience(bench: Bench) -> None:
    bench.script.rules = [Rule(SEND, refused("InternalServerException", 500), times=2)]
    with bench.engine(concurrency=1, give_up_after_s=60.0) as engine:

        def pause(notice: Notice) -> None:
            if isinstance(notice, Retrying):
                engine.pause()
                bench.fast.time += 3600.0
                engine.resume()

        result = await engine.upload(bench.read_set(bench.file()), bench.store, pause)
    assert (result.status, result.retries) == ("ACTIVE", 2)


async def test_an_upload_that_comes_in_a_pause_waits_and_can_be_cancelled(bench: Bench) -> None:
    with bench.engine() as engine:
        engine.pause()
        with anyio.move_on_after(0.05) as scope:
            await engine.upload(bench.read_set(bench.file()), bench.store, bench.told.append)
        assert scope.cancelled_caught
        assert not bench.script.calls
        engine.resume()
        await engine.upload(bench.read_set(bench.file()), bench.store, bench.told.append)


async def test_what_makes_no_sense_changes_nothing(bench: Bench) -> None:
    with bench.engine(max_bandwidth=5000) as engine:
        for change in (engine.set_bandwidth, engine.set_concurrency):
            with pytest.raises(ConfigError, match="more than zero"):
                change(0)
        with pytest.raises(ConfigError, match="at most 1000"):
            engine.set_concurrency(1001)
        assert _state(engine) == (5000, None, False)
        engine.set_bandwidth(None)
        engine.set_concurrency(7)
        engine.pause()
        assert _state(engine) == (None, 7, True)
        engine.set_concurrency(None)
        assert engine.concurrency is None


async def test_what_limits_for_long_is_told_once_and_in_the_result(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "LONG_S", 20.0)
    monkeypatch.setattr(advice, "MOSTLY", 0.1)
    read_set = bench.read_set(bench.file(size=40_000))
    with bench.engine(concurrency=2, transactions_per_s={SEND: 0.2}) as engine:
        result = await engine.upload(read_set, bench.store, bench.told.append)
        said = {each.code: each.text for each in bench.told if isinstance(each, Remark)}
        assert len(said) == sum(isinstance(each, Remark) for each in bench.told)
        assert "at the quota of 0.2 parts a second for the last 20 s" in said["limited-by-quota"]
        assert result.advice is not None
        again = await engine.upload(read_set, bench.store, bench.told.append)
        assert (again.existed, again.advice) == (True, None)


def _state(engine: Engine) -> tuple[int | None, int | None, bool]:
    return engine.max_bandwidth, engine.concurrency, engine.paused
