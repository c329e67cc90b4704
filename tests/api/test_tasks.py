"""Work in a thread beside a block."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from turboupload.runtime.tasks import beside


async def test_it_begins_although_the_block_keeps_the_loop_busy() -> None:
    began = threading.Event()
    async with beside(began.set) as task:
        assert began.wait(10)
        await task


async def test_it_begins_although_the_programs_threads_are_all_busy() -> None:
    free = threading.Event()
    loop = asyncio.get_running_loop()
    others = [loop.run_in_executor(None, free.wait) for _ in range(100)]
    try:
        async with asyncio.timeout(10), beside(lambda: 5) as task:
            assert await task == 5
    finally:
        free.set()
        await asyncio.gather(*others)


async def test_what_it_raises_is_raised_where_it_is_awaited_and_only_there() -> None:
    def fail() -> None:
        raise ValueError("no")

    async with beside(fail):
        pass
    async with beside(fail) as task:
        with pytest.raises(ValueError, match="no"):
            await task


async def test_a_block_that_is_cancelled_waits_for_its_end() -> None:
    ended = threading.Event()

    def work() -> None:
        time.sleep(0.2)
        ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), beside(work) as task:
            await task
    assert ended.is_set()


async def test_a_block_that_is_cancelled_before_the_work_was_looked_at_waits_too() -> None:
    ended = threading.Event()

    def work() -> None:
        time.sleep(0.2)
        ended.set()

    async def block() -> None:
        async with beside(work) as task:
            await task

    running = asyncio.create_task(block())
    await asyncio.sleep(0)
    for _ in range(2):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended.is_set()
