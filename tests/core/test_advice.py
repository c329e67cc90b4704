"""Advice: what it is drawn from, when it is said, and that it is said once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from turboupload.core.rate.advice import Adviser, Cause, Situation, cause_of
from turboupload.core.rate.meter import Limiter

AT = Situation(
    limited_by="network", bytes_per_s=12 * 1024 * 1024, per_s=10.0, cap=20 << 20, processors=2,
    window=24,
)  # fmt: skip


@pytest.mark.parametrize(
    ("situation", "cause"),
    [
        (AT, "network"),
        (replace(AT, fixed=True), "network"),
        (replace(AT, fixed=True, window=4), "concurrency"),
        (replace(AT, fixed=True, window=4, limited_by="disk"), "disk"),
        (replace(AT, limited_by="quota"), "quota"),
        (replace(AT, limited_by="cap"), "cap"),
        (replace(AT, limited_by="processor"), "processor"),
        (replace(AT, limited_by=None), None),
        (replace(AT, full=False), None),
        (replace(AT, full=False, limited_by="quota"), None),
    ],
)
def test_the_cause_is_what_would_have_to_change(situation: Situation, cause: Cause | None) -> None:
    assert cause_of(situation) == cause


def told(adviser: Adviser, causes: Iterable[Limiter | None], *, begin: float = 0.0) -> list[str]:
    """What is said while each of these limits for a second."""
    seen = [
        adviser.seen(replace(AT, limited_by=cause), begin + second)
        for second, cause in enumerate(causes)
    ]
    return [text for each in seen if each is not None for text in each[1:]]


def test_it_is_said_once_and_not_before_it_has_held_for_long() -> None:
    adviser = Adviser()
    assert told(adviser, ["quota"] * 40) == []
    assert told(adviser, ["quota"] * 200, begin=40.0) == [
        "at the quota of 10 parts a second for the last 40 s: ask AWS for an increase of "
        "UploadReadSetPart, then use --quota UploadReadSetPart=…"
    ]
    assert (adviser.in_all() or "").startswith("at the quota of 10 parts a second for 3 min 59 s:")


def test_a_quota_that_is_not_granted_is_not_said_to_be_the_limit() -> None:
    adviser = Adviser()
    less = replace(AT, limited_by="quota", granted=3.04)
    (text,) = [each[1] for second in range(60) if (each := adviser.seen(less, float(second)))]
    assert text == (
        "at about 3.0 parts a second for the last 40 s, which is what the service grants, and the "
        "quota here is 10: see who else uses the account's quota, or ask AWS what it is for "
        "UploadReadSetPart"
    )


@pytest.mark.parametrize(
    ("causes", "count"),
    [
        ((["disk"] * 9 + ["network"]) * 8, 1),
        ((["disk"] * 7 + ["network"] * 3) * 8, 0),
        (["disk"] * 39 + [None] * 39, 0),
        (["disk"] * 50 + ["cap"] * 50 + ["disk"] * 50, 2),
    ],
)
def test_what_comes_and_goes_says_nothing(causes: list[Limiter | None], count: int) -> None:
    assert len(told(Adviser(), causes)) == count


def test_a_pause_between_two_looks_does_not_count() -> None:
    adviser = Adviser()
    assert [adviser.seen(AT, now) for now in (0.0, 1000.0, 2000.0)] == [None] * 3
    assert adviser.in_all() is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"limited_by": "quota", "per_s": 2.5, "operation": "X"}, "2.5 X a second for the last 40"),
        ({"limited_by": "cap"}, "at --max-bandwidth, 20 MiB/s, for the last 40 s"),
        ({"limited_by": "disk"}, "the disk gives 12 MiB/s"),
        ({"limited_by": "processor"}, "all 2 processors were busy for the last 40 s, at 12 MiB/s"),
        ({"limited_by": "processor", "processors": 1}, "the one processor was busy"),
        ({"fixed": True, "window": 2}, "all 2 places of --concurrency were taken"),
        ({}, "takes 12 MiB/s with 24 parts at a time"),
    ],
)
def test_each_has_its_figure(changed: dict[str, object], words: str) -> None:
    adviser, said = Adviser(), []
    for second in range(60):
        advice = adviser.seen(replace(AT, **changed), float(second))
        said += [] if advice is None else [advice[1]]
    assert len(said) == 1
    assert words in said[0]
