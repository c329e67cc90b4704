from __future__ import annotations

import pytest

from turboupload.core.rate.meter import Effort, Meter, what_limits


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    meter = Meter()
    assert (meter.bytes_per_s, meter.eta_s(100)) == (0.0, None)
    for second in range(21):
        meter.mark(100 * min(second, 10) + 300 * max(0, second - 10), float(second))
    assert meter.bytes_per_s == pytest.approx(300.0)
    assert meter.bytes_per_s_now == pytest.approx(300.0)
    assert meter.eta_s(600) == pytest.approx(2.0)


def test_two_marks_at_once_give_no_rate() -> None:
    meter = Meter()
    meter.mark(0, 1.0)
    meter.mark(100, 1.0)
    assert meter.bytes_per_s == 0.0


NOTHING = Effort(now=0.0, quota_s=0.0, cap_s=0.0, read_s=0.0, processor_s=0.0)


@pytest.mark.parametrize(
    ("spent", "limiter"),
    [
        ({}, "network"),
        ({"cap_s": 10.0, "quota_s": 10.0, "processor_s": 2.0}, "cap"),
        ({"quota_s": 4.0, "processor_s": 2.0}, "quota"),
        ({"quota_s": 3.0}, "network"),
        ({"processor_s": 1.8, "read_s": 12.0}, "processor"),
        ({"processor_s": 1.0, "read_s": 9.0}, "disk"),
        ({"processor_s": 1.0, "read_s": 7.0}, "network"),
    ],
)
def test_what_limits_is_where_the_time_went(spent: dict[str, float], limiter: str) -> None:
    values = {"quota_s": 0.0, "cap_s": 0.0, "read_s": 0.0, "processor_s": 0.0, **spent}
    after = Effort(now=1.0, **values)
    assert what_limits(NOTHING, after, in_flight=16, processors=2) == limiter


def test_where_nothing_is_under_way_nothing_limits() -> None:
    after = Effort(now=1.0, quota_s=0.0, cap_s=0.0, read_s=0.0, processor_s=0.0)
    assert what_limits(NOTHING, after, in_flight=0, processors=2) is None
    assert what_limits(after, after, in_flight=5, processors=2) is None
