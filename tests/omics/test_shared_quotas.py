"""Quotas that are kept elsewhere: who takes part, and what happens where that place fails."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import anyio
import pytest

from tests.support.scripted import FastClock
from turboupload.config import UploadConfig
from turboupload.core.notices import Notice, Remark
from turboupload.core.rate.share import ShareFailed, Step
from turboupload.core.rate.turns import Turns
from turboupload.engine.sharing import open_quotas
from turboupload.errors import ConfigError
from turboupload.omics import quotas as module
from turboupload.omics.call import QUOTA_UNSHARED, Caller
from turboupload.omics.quotas import Quotas
from turboupload.operations import SEND_PART

PART = SEND_PART.name


class Place:
    """A place in memory that can fail or hang."""

    def __init__(self, fast: FastClock) -> None:
        self.fast = fast
        self.turns: dict[str, Turns] = {}
        self.fails = ""
        self.hangs: threading.Event | None = None
        self.asked = 0

    def __str__(self) -> str:
        return "the place"

    def take(self, operation: str, step: Step) -> float:
        self.asked += 1
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.fails:
            raise ShareFailed(self.fails)
        self.turns[operation], wait = step(self.turns.get(operation), self.fast.time)
        return wait

    def close(self) -> None:
        pass


async def takes(quotas: Quotas, fast: FastClock, count: int) -> float:
    """How long so many transactions take, in seconds."""
    began, clock = fast.time, fast.clock()
    for _ in range(count):
        await quotas.take(PART, clock)
    return fast.time - began


async def test_two_that_share_a_place_have_the_quota_of_one() -> None:
    fast = FastClock()
    place = Place(fast)
    one, other = Quotas(share=place), Quotas(share=place)
    assert await takes(one, fast, 5) == 0.0
    assert await takes(other, fast, 10) == pytest.approx(1.0)


async def test_where_turns_are_many_the_place_is_asked_for_several_at_once() -> None:
    fast = FastClock()
    place = Place(fast)
    quotas = Quotas({PART: 1000.0}, share=place)
    assert await takes(quotas, fast, 1000) == pytest.approx(0.5, abs=0.03)
    assert place.asked == 50


async def test_a_place_that_fails_is_left_and_tried_again_later() -> None:
    fast = FastClock()
    place = Place(fast)
    quotas = Quotas(share=place)
    place.fails = "the disk is full"
    assert await takes(quotas, fast, 25) == pytest.approx(2.0)  # on our own, within the quota
    assert (quotas.trouble, place.asked) == ("the disk is full", 1)
    place.fails = ""
    fast.time += module.ALONE_S
    await takes(quotas, fast, 1)
    assert (quotas.trouble, place.asked) == (None, 2)


async def test_a_place_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE_S", 0.05)
    fast = FastClock()
    place = Place(fast)
    place.hangs = threading.Event()
    quotas = Quotas(share=place)
    with anyio.fail_after(10):
        await quotas.take(PART, fast.clock())
    place.hangs.set()
    assert quotas.trouble is not None
    assert quotas.trouble == "the place did not answer within 0.05 s"


async def test_it_is_said_once_and_the_calls_go_on() -> None:
    fast = FastClock()
    place = Place(fast)
    place.fails = "/lab/quota.share: another program holds its lock"
    told: list[Notice] = []
    caller = Caller(UploadConfig(), fast.clock(), quotas=Quotas(share=place))

    async def attempt() -> str:
        return "done"

    for _ in range(3):
        assert await caller.call(SEND_PART, attempt, told.append) == "done"
    (said,) = [each for each in told if isinstance(each, Remark)]
    assert said.code == QUOTA_UNSHARED
    assert "/lab/quota.share: another program holds its lock" in said.text


async def test_by_default_the_state_folder_has_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    looking = open_quotas(UploadConfig(state_dir=folder), "here")
    await looking.take(PART, FastClock().clock())
    assert not folder.exists()  # whoever only looks at a store makes none
    folder.mkdir()
    await looking.take(PART, FastClock().clock())
    assert looking.trouble is None
    assert [each.name for each in folder.iterdir()] == ["quota.share"]


async def test_a_named_file_is_shared_by_all_who_may_write_it(tmp_path: Path) -> None:
    path = tmp_path / "lab.share"
    before = os.umask(0o002)
    try:
        quotas = open_quotas(UploadConfig(state_dir=tmp_path, quota_share=path), "here")
        await quotas.take(PART, FastClock().clock())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("place", ["http://host/1", "", 3, "redis://u:secret@h:x/0"])
async def test_a_place_that_makes_no_sense_is_refused(place: object, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        open_quotas(UploadConfig(quota_share=place, state_dir=tmp_path), "here")  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_a_password_is_in_no_configuration_that_is_shown() -> None:
    assert "secret" not in repr(UploadConfig(quota_share="redis://:secret@host/0"))
