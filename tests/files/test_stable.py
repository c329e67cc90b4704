from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from turboupload.errors import InputError
from turboupload.files.stable import wait_for_sentinel, wait_until_stable


class _World:
    """A clock, and things that happen at certain times while somebody sleeps."""

    def __init__(self, events: dict[float, Callable[[], object]] | None = None) -> None:
        self.now = 100.0
        self._events = dict(sorted((events or {}).items()))

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        for at in [t for t in self._events if 100.0 + t <= self.now]:
            self._events.pop(at)()


def _grow(path: Path) -> Callable[[], object]:
    return lambda: path.write_bytes(path.read_bytes() + b"x")


def test_waits_until_every_file_rests(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    world = _World({2.2: _grow(a), 4.2: _grow(b)})
    wait_until_stable([a, b], 5.0, clock=world.clock, sleep=world.sleep)
    assert 109.2 <= world.now <= 110.2


def test_a_file_that_was_never_touched_takes_just_that_long(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    world = _World()
    wait_until_stable([path], 3.0, clock=world.clock, sleep=world.sleep)
    assert world.now == pytest.approx(103.0)
    wait_until_stable([path], 0.0, clock=world.clock, sleep=world.sleep)
    assert world.now == pytest.approx(103.0)


def test_gives_up_and_notices_a_vanished_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch()
    busy = _World({float(t): _grow(path) for t in range(60)})
    with pytest.raises(InputError, match="still changing after 20 s"):
        wait_until_stable([path], 5.0, timeout_s=20.0, clock=busy.clock, sleep=busy.sleep)
    gone = _World({1.0: path.unlink})
    with pytest.raises(InputError, match="no such file"):
        wait_until_stable([path], 5.0, clock=gone.clock, sleep=gone.sleep)


def test_a_replaced_file_counts_as_changed(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"1")
    other.write_bytes(b"1")
    world = _World({2.0: lambda: other.replace(path)})
    wait_until_stable([path], 3.0, clock=world.clock, sleep=world.sleep)
    assert world.now == pytest.approx(105.0)


def test_waits_for_a_sentinel(tmp_path: Path) -> None:
    sentinel = tmp_path / "CopyComplete.txt"
    world = _World({7.0: sentinel.touch})
    wait_for_sentinel(sentinel, clock=world.clock, sleep=world.sleep)
    assert 107.0 <= world.now <= 108.0
    wait_for_sentinel(sentinel, clock=world.clock, sleep=world.sleep)
    with pytest.raises(InputError, match="had not appeared after 10 s"):
        wait_for_sentinel(tmp_path / "never", timeout_s=10.0, clock=world.clock, sleep=world.sleep)
    with pytest.raises(InputError, match="folder"):
        wait_for_sentinel(tmp_path / "missing" / "x", clock=world.clock, sleep=world.sleep)
