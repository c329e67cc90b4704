"""Callbacks that are told of events, plain and async: order, endings, failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

import turboupload
from tests.support import samples
from tests.support.emulator import RunningEmulator
from turboupload.core.notices import Finished, Hashing, Progress, Remark
from turboupload.listening import Listener


class ListenerFailedError(Exception):
    """What a callback raises."""


async def tell(listener: Listener[Any], events: list[Any], *, pause: bool = False) -> str:
    for event in events:
        listener(event)
        if pause:
            await asyncio.sleep(0)
    return "done"


@pytest.mark.parametrize("pause", [True, False])
async def test_everything_is_heard_in_order_before_the_call_is_over(pause: bool) -> None:
    heard: list[Any] = []

    async def hear(event: Any) -> None:
        await asyncio.sleep(0.001)
        heard.append(event)

    listener = Listener[Any](hear)
    events = list(range(20))
    assert await listener.during(lambda: tell(listener, events, pause=pause)) == "done"
    assert heard == events


async def test_whatever_returns_an_awaitable_is_awaited() -> None:
    heard: list[Any] = []

    async def hear(into: list[Any], event: Any) -> None:
        into.append(event)

    class Callable:
        async def __call__(self, event: Any) -> None:
            heard.append(event)

    for callback in (partial(hear, heard), lambda event: hear(heard, event), Callable()):
        listener = Listener[Any](callback)
        await listener.during(lambda: tell(listener, [1, 2]))  # noqa: B023 - awaited in this turn
    assert heard == [1, 2] * 3


async def test_a_slow_listener_hears_the_last_of_events_that_supersede_each_other() -> None:
    heard: list[Any] = []

    async def hear(event: Any) -> None:
        await asyncio.sleep(0.001)
        heard.append(event)

    listener = Listener[Any](hear)
    hashing = [Hashing(done_bytes=n, total_bytes=9) for n in range(9)]
    remark = Remark("a", "b")
    await listener.during(lambda: tell(listener, [remark, *hashing, remark, hashing[0]]))
    assert heard == [remark, hashing[-1], remark, hashing[0]]


@pytest.mark.parametrize("shielded", [True, False])
async def test_what_an_async_callback_raises_ends_the_call(shielded: bool) -> None:
    async def hear(event: Any) -> None:
        raise ListenerFailedError

    async def call() -> None:
        listener(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if shielded:
                raise turboupload.Stopped("cancelled") from None
            raise

    listener = Listener[Any](hear)
    with anyio.fail_after(5), pytest.raises(ListenerFailedError):
        await listener.during(call)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_of_several_calls_all_are_ended() -> None:
    async def hear(event: Any) -> None:
        raise ListenerFailedError

    listener = Listener[Any](hear)
    ended = []

    async def call(wait_s: float) -> None:
        with pytest.raises(ListenerFailedError):
            await listener.during(lambda: asyncio.sleep(wait_s))
        ended.append(wait_s)

    async with anyio.create_task_group() as group:
        group.start_soon(call, 50)
        group.start_soon(call, 60)
        await anyio.wait_all_tasks_blocked()
        listener(1)
    assert sorted(ended) == [50, 60]


async def test_a_callback_that_waits_for_what_was_cancelled_ends_the_call() -> None:
    heard: list[int] = []

    async def hear(event: int) -> None:
        heard.append(event)
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    listener = Listener[int](hear)
    with pytest.raises(asyncio.CancelledError):
        await listener.during(lambda: tell(listener, [1, 2, 3], pause=True))
    assert heard == [1]


async def test_a_cancelled_call_leaves_what_was_not_heard() -> None:
    heard: list[Any] = []

    async def hear(event: Any) -> None:
        heard.append(event)
        await asyncio.sleep(60)

    async def call() -> None:
        await tell(listener, [1, 2])
        await asyncio.sleep(60)

    listener = Listener[Any](hear)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await listener.during(call)
    assert heard == [1]
    # Cancelled before it was heard at all: nothing is left behind that nobody awaits.
    with anyio.CancelScope() as scope:

        async def cancelled_at_once() -> None:
            listener(1)
            scope.cancel()
            await asyncio.sleep(60)

        await listener.during(cancelled_at_once)


def test_what_cannot_be_called_is_refused() -> None:
    nothing: Any = 5
    with pytest.raises(turboupload.ConfigError, match="on_event is a function"):
        Listener[Any](nothing)


# --- with uploads -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator() -> Iterator[RunningEmulator]:
    with RunningEmulator("--quotas", "off", "--ingest-delay", "0") as running:
        yield running


@pytest.fixture
def read_set(
    emulator: RunningEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> turboupload.ReadSet:
    for key, value in emulator.env().items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("TURBOUPLOAD_STATE_DIR", str(tmp_path / "state"))
    sample = samples.fastq(tmp_path / "reads.fastq.gz", reads=2000)
    return turboupload.ReadSet(
        sources=[sample.path], name=tmp_path.name, sample_id="HG002", subject_id="NA24385"
    )


async def test_an_async_callback_hears_an_upload_and_its_failure_stops_it_resumably(
    emulator: RunningEmulator, read_set: turboupload.ReadSet
) -> None:
    config = turboupload.UploadConfig(part_size_bytes=20_000, listing_lag_s=2.0)
    heard: list[Any] = []

    async def stop(event: Any) -> None:
        await asyncio.sleep(0)
        if isinstance(event, Progress) and event.done_parts:
            raise ListenerFailedError

    async def hear(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    upload = partial(turboupload.upload, read_set, store_id=emulator.store_id, config=config)
    with pytest.raises(ListenerFailedError):
        await upload(on_event=stop)
    result = await upload(on_event=hear)
    assert result.status == "ACTIVE"
    assert heard[-1] == Finished(result)


async def test_an_async_callback_hears_a_batch_and_the_stores(
    emulator: RunningEmulator, read_set: turboupload.ReadSet
) -> None:
    heard: list[str] = []

    async def hear(event: Any) -> None:
        await asyncio.sleep(0)
        heard.append(type(event).__name__)

    async def fail(event: Any) -> None:
        raise ListenerFailedError

    with pytest.raises(ListenerFailedError):
        await turboupload.upload_batch([read_set], store_id=emulator.store_id, on_event=fail)
    result = await turboupload.upload_batch([read_set], store_id=emulator.store_id, on_event=hear)
    assert not result.unfinished
    assert {"BatchStarted", "RowChanged", "BatchProgress"} <= set(heard)
    heard.clear()
    async with turboupload.SequenceStores(on_event=hear) as stores:
        assert [each async for each in stores.list_read_sets(emulator.store_id)]
    assert heard == ["Calling"]
    async with turboupload.SequenceStores(on_event=fail) as stores:
        with pytest.raises(ListenerFailedError):
            await stores.get_sequence_store(emulator.store_id)
