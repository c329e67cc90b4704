"""A cap that changes holds from then on, also for what waits by now."""

from __future__ import annotations

import threading

import pytest

from turboupload.http import bandwidth
from turboupload.http.bandwidth import BandwidthCap


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bandwidth, "time", clock)
    return clock


def test_what_waits_waits_by_the_new_cap(clock: Clock) -> None:
    cap = BandwidthCap(1000)
    assert cap(10_100) == pytest.approx(10.0), "a tenth of a second's worth goes at once"
    clock.now += 4
    assert cap(0) == pytest.approx(6.0)
    cap.change(3000)
    assert cap(0) == pytest.approx(2.0)
    cap.change(100)
    assert cap(0) == pytest.approx(60.0)
    cap.change(None)
    assert (cap(0), cap(10**9), cap.bytes_per_s) == (0.0, 0.0, None)
    cap.change(1000)
    assert cap(1100) == pytest.approx(1.0)


def test_each_thread_asks_for_its_own_bytes(clock: Clock) -> None:
    cap = BandwidthCap(1000)
    cap(1100)
    other = threading.Thread(target=cap, args=(5000,))
    other.start()
    other.join()
    assert cap(0) == pytest.approx(1.0)
    assert cap(1000) == pytest.approx(7.0)
