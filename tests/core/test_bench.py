"""What a probe's samples say."""

from __future__ import annotations

from collections import Counter

import pytest

from turboupload.core.bench import Sample, measured, most_seen, verdict
from turboupload.core.proof.checksum import Match
from turboupload.core.rate.meter import Limiter


def samples(*points: tuple[float, int, int]) -> list[Sample]:
    return [Sample(now, left, parts, {}) for now, left, parts in points]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], (0, 0)),
        ([(0, 0, 0)], (0, 0)),
        ([(5, 0, 0), (5, 0, 0)], (0, 0)),
        # The first two seconds of ten are left out.
        ([(0, 0, 0), (2, 900, 0), (10, 1700, 4)], (100, 0.5)),
        # Of a short one, a third.
        ([(0, 0, 0), (1, 500, 1), (3, 700, 5)], (100, 2)),
        # Only begin and end are known.
        ([(0, 0, 0), (4, 400, 2)], (100, 0.5)),
    ],
)
def test_the_rate_without_the_warm_up(
    points: list[tuple[float, int, int]], expected: tuple[float, float]
) -> None:
    assert measured(samples(*points)) == expected


@pytest.mark.parametrize(
    ("seen", "limit"),
    [
        ([], None),
        ([{}], None),
        ([{"network": 3}], "network"),
        ([{"network": 3}, {"network": 4}, {"network": 4, "quota": 2}], "quota"),
        ([{"quota": 1}, {"quota": 3}, {"quota": 3}], "quota"),
    ],
)
def test_what_limited_is_taken_from_the_second_half(
    seen: list[dict[Limiter, int]], limit: Limiter | None
) -> None:
    assert most_seen([Sample(0, 0, 0, each) for each in seen]) == limit


@pytest.mark.parametrize(
    ("matches", "word"),
    [
        ({}, "none"),
        ({"equal": 5}, "equal"),
        ({"equal": 5, "opaque": 1}, "opaque"),
        ({"equal": 5, "opaque": 1, "differs": 1}, "differs"),
    ],
)
def test_checksums_are_as_good_as_the_worst(matches: dict[Match, int], word: str) -> None:
    assert verdict(Counter(matches)) == word
