"""A call that is throttled: when it is made again, and what becomes of the calls after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.support.scripted import FastClock
from turboupload.config import UploadConfig
from turboupload.core.notices import Notice, Retrying
from turboupload.errors import CallFailed
from turboupload.omics.call import Caller
from turboupload.operations import CREATE_UPLOAD, SEND_PART


def throttled_at(
    fast: FastClock, *numbers: int
) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """An attempt that is throttled at these of its calls, and when they were made."""
    made: list[float] = []

    async def attempt() -> str:
        made.append(fast.time)
        if len(made) in numbers:
            raise CallFailed("Call", code="ThrottlingException", status=429, message="too many")
        return "done"

    return attempt, made


async def test_a_create_that_came_too_early_is_made_again_at_once() -> None:
    fast, told = FastClock(), list[Notice]()
    caller = Caller(UploadConfig(), fast.clock(), jitter=lambda: 1.0)
    attempt, made = throttled_at(fast, 2)
    for _ in range(4):
        assert await caller.call(CREATE_UPLOAD, attempt, told.append) == "done"
    first, refused, again, *after = made
    assert again - refused == pytest.approx(0.05)
    # The calls after it come so much later, and none sooner than a second after it.
    assert after[0] - again >= 1.0
    assert after[-1] - first < 4.0
    assert [each.pause_s for each in told if isinstance(each, Retrying)] == [pytest.approx(0.05)]


async def test_one_that_is_refused_again_takes_another_turn() -> None:
    fast = FastClock()
    caller = Caller(UploadConfig(), fast.clock(), jitter=lambda: 1.0)
    attempt, made = throttled_at(fast, 2, 3)
    for _ in range(2):
        assert await caller.call(CREATE_UPLOAD, attempt, lambda _: None) == "done"
    assert made[2] - made[1] == pytest.approx(0.05)
    assert made[3] - made[2] >= 0.9


async def test_a_part_takes_another_turn() -> None:
    fast = FastClock()
    caller = Caller(UploadConfig(), fast.clock(), jitter=lambda: 1.0)
    attempt, made = throttled_at(fast, 1)
    assert await caller.call(SEND_PART, attempt, lambda _: None) == "done"
    assert made[1] - made[0] >= 0.5
