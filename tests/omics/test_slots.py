"""The places for parts in flight: who gets one first, and that none is lost."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import TaskGroup

from turboupload.core.rate.window import Window
from turboupload.omics.quotas import Rank, Slots

SMALL: Rank = (10.0, 3.0)
LARGE: Rank = (1000.0, 1.0)
LATER: Rank = (1000.0, 2.0)


class Places:
    """Parts that take their places and hold them until they are told to go."""

    def __init__(self, slots: Slots, group: TaskGroup) -> None:
        self._slots = slots
        self._group = group
        self.entered: list[str] = []
        self._scopes: dict[str, anyio.CancelScope] = {}

    async def ask(self, *names: str, rank: Rank) -> None:
        for name in names:
            self._group.start_soon(self._hold, name, rank)
            await anyio.wait_all_tasks_blocked()

    async def _hold(self, name: str, rank: Rank) -> None:
        with anyio.CancelScope() as self._scopes[name]:
            async with self._slots.place(rank):
                self.entered.append(name)
                await anyio.sleep_forever()

    async def end(self, *names: str) -> None:
        for name in names:
            self._scopes[name].cancel()
        await anyio.wait_all_tasks_blocked()


async def test_the_smallest_upload_is_served_first_and_of_equals_the_first() -> None:
    slots = Slots(Window(fixed=1))
    async with anyio.create_task_group() as group:
        places = Places(slots, group)
        await places.ask("first", rank=LARGE)
        await places.ask("later", rank=LATER)
        await places.ask("two", "three", rank=LARGE)
        await places.ask("small", rank=SMALL)
        for name in ("first", "small", "two", "three"):
            await places.end(name)
        assert places.entered == ["first", "small", "two", "three", "later"]
        group.cancel_scope.cancel()
    assert slots.in_use == 0


async def test_who_gives_up_waiting_takes_no_place() -> None:
    slots = Slots(Window(fixed=1))
    async with anyio.create_task_group() as group:
        places = Places(slots, group)
        await places.ask("one", "two", "three", rank=LARGE)
        await places.end("two")
        await places.end("one")
        assert places.entered == ["one", "three"]
        await places.end("three")
        assert slots.in_use == 0


@pytest.mark.parametrize(("size", "of_large"), [(16, 13), (4, 2), (2, 1), (1, 1)])
async def test_a_few_places_are_kept_for_small_uploads(size: int, of_large: int) -> None:
    slots = Slots(Window(fixed=size))
    slots.small_bytes = (100.0,)
    async with anyio.create_task_group() as group:
        places = Places(slots, group)
        await places.ask(*(f"large {n}" for n in range(size)), rank=LARGE)
        assert len(places.entered) == of_large
        assert slots.full
        await places.ask(*(f"small {n}" for n in range(size)), rank=SMALL)
        assert slots.in_use == size
        # They are kept no longer than there are small ones.
        slots.small_bytes = ()
        await places.end(*(f"small {n}" for n in range(size)))
        assert slots.in_use == size
        group.cancel_scope.cancel()


async def test_a_window_that_has_shrunk_is_never_exceeded() -> None:
    window = Window()
    slots = Slots(window)
    slots.small_bytes = (100.0,)
    window.size = 30
    async with anyio.create_task_group() as group:
        places = Places(slots, group)
        await places.ask(*(f"large {n}" for n in range(30)), rank=LARGE)
        assert slots.in_use == 27
        window.size = 16
        slots.resize()
        await places.ask("small", rank=SMALL)
        await places.end(*(f"large {n}" for n in range(11)))
        assert slots.in_use == 16
        assert "small" not in places.entered
        await places.end("large 11")
        assert "small" in places.entered
        group.cancel_scope.cancel()


async def test_in_a_pause_nobody_takes_a_place_and_nobody_loses_one() -> None:
    slots = Slots(Window(fixed=2))
    async with anyio.create_task_group() as group:
        places = Places(slots, group)
        await places.ask("one", rank=LARGE)
        slots.pause(now=10.0)
        slots.pause(now=12.0)
        await places.ask("two", rank=LARGE)
        assert places.entered == ["one"]
        assert (slots.in_use, slots.paused_s(15.0)) == (1, 5.0)
        await places.end("two")
        await places.ask("three", rank=LARGE)
        slots.resume(now=20.0)
        await anyio.wait_all_tasks_blocked()
        assert places.entered == ["one", "three"]
        slots.pause(now=30.0)
        assert (slots.paused_s(25.0 + 10.0), slots.paused) == (15.0, True)
        group.cancel_scope.cancel()
