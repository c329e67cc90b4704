"""From which answers it follows that the service grants less than the quota."""

from __future__ import annotations

import pytest

from turboupload.core.rate.refusals import Refusals


def play(quota: float, answers: str, every_s: float) -> list[float]:
    """What is told of answers at equal distances: `.` is granted, `x` throttled."""
    refusals, told = Refusals(quota), []
    for number, answer in enumerate(answers):
        if answer == ".":
            refusals.granted()
        elif (rate := refusals.refused(number * every_s)) is not None:
            told.append(rate)
    return told


@pytest.mark.parametrize(
    ("quota", "answers", "every_s", "rate"),
    [
        (10.0, "x." * 100, 0.125, 4.0),  # half of 8 a second
        (10.0, "x..." * 60, 0.1, 7.5),
        (1.0, "x." * 30, 1.0, 0.5),
        (10.0, "x" * 30, 1.0, 0.0),  # nothing at all
        (10.0, ("x" + "." * 40) * 8, 0.33, 2.96),  # so it is once few enough are made
        # A calm before says nothing about the time in which calls are throttled.
        (10.0, "." * 500 + "x." * 100, 0.125, 4.0),
    ],
)
def test_the_rate_seen_is_told_once(
    quota: float, answers: str, every_s: float, rate: float
) -> None:
    (told,) = play(quota, answers, every_s)
    assert told == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(
    ("quota", "answers", "every_s"),
    [
        (10.0, "." * 1000, 0.1),
        (10.0, "x." * 90, 0.1),  # 18 s
        (10.0, ("x" + "." * 30) * 20, 0.1),  # three in a hundred
        (10.0, "x..................." * 20, 0.1),  # nine and a half a second get through
        (1.0, "x..........." * 20, 1.0),  # twelve seconds apart
        (10.0, "x......." * 4, 1.0),  # four
        (10.0, "xxx" + "." * 400 + "xxx", 0.1),  # two bursts that met
    ],
)
def test_nothing_is_told_of_what_may_be_chance(quota: float, answers: str, every_s: float) -> None:
    assert play(quota, answers, every_s) == []
